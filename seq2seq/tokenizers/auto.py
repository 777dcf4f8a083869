"""Which tokenizer a checkpoint needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.checkpoints.hub import find_file, read_json
from seq2seq.config import CONFIG_FILE, take_hub_options
from seq2seq.tokenizers.base import Tokenizer
from seq2seq.tokenizers.sentencepiece import BertGenerationTokenizer
from seq2seq.tokenizers.settings import TOKENIZER_CONFIG_FILE
from seq2seq.tokenizers.wordpiece import BertTokenizer

TOKENIZERS: dict[str, type[Tokenizer]] = {
    tokenizer.__name__: tokenizer for tokenizer in (BertGenerationTokenizer, BertTokenizer)
}
TOKENIZER_OF_MODEL: dict[str, type[Tokenizer]] = {
    "bert-generation": BertGenerationTokenizer,
    "bert": BertTokenizer,
}
# Names that the reference library writes where no class of its own fits: they say nothing.
_NAMELESS = frozenset({"PreTrainedTokenizer", "TokenizersBackend"})


def load_tokenizer(name_or_path: str | Path, **kwargs: Any) -> Tokenizer:
    """The tokenizer of a checkpoint: a folder or a repository on the Hub.

    Its class is the one that tokenizer_config.json or config.json names; else that of the model's type, for a pair
    the encoder's; else the one whose vocabulary file is there. Keyword arguments are those of `from_pretrained`.
    CheckpointError if that is none of ours.
    """
    hub_options = take_hub_options(kwargs)
    return _tokenizer_class(name_or_path, hub_options).from_pretrained(name_or_path, **hub_options, **kwargs)


def _tokenizer_class(name_or_path: str | Path, hub_options: dict[str, Any]) -> type[Tokenizer]:
    config = _read(name_or_path, CONFIG_FILE, hub_options)
    named = _read(name_or_path, TOKENIZER_CONFIG_FILE, hub_options).get("tokenizer_class") or config.get(
        "tokenizer_class"
    )
    name = (named or "").removesuffix("Fast")
    if name and name not in _NAMELESS:
        if name not in TOKENIZERS:
            raise CheckpointError(
                f"{name_or_path} asks for the tokenizer {named}, which is not known here. Known: "
                f"{', '.join(TOKENIZERS)}. Choose a checkpoint with one of these."
            )
        return TOKENIZERS[name]
    model_type = config.get("encoder", config).get("model_type")
    if model_type in TOKENIZER_OF_MODEL:
        return TOKENIZER_OF_MODEL[model_type]
    for tokenizer in TOKENIZERS.values():
        for filename in tokenizer.vocab_files_names.values():
            if find_file(name_or_path, filename, **hub_options) is not None:
                return tokenizer
    raise CheckpointError(
        f"{name_or_path} does not say which tokenizer it needs: no tokenizer_class, the model type is {model_type!r}, and "
        "there is no vocabulary file (spiece.model, vocab.txt, tokenizer.json). Choose a complete checkpoint."
    )


def _read(name_or_path: str | Path, filename: str, hub_options: dict[str, Any]) -> dict[str, Any]:
    path = find_file(name_or_path, filename, **hub_options)
    return {} if path is None else read_json(path)
