"""Token ids, tokens, text and files against the reference library."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import sentencepiece
import transformers

from seq2seq import tokenizers
from tests.fixtures.tokenizers.samples import TEXTS, random_texts, train_sentencepiece, train_unigram
from tests.parity.tokenizer_pairs import (
    BERT_SETTINGS,
    bert_generation_pair,
    bert_pair,
    bigbird_pair,
    bigbird_pegasus_pair,
    pegasus_pair,
    published,
)

PAIRS = (
    *("bert-generation tiny", "bert-generation gpt2", "bert-generation pegasus"),
    *(f"bert {settings}" for settings in BERT_SETTINGS),
    *("pegasus tiny", "pegasus pegasus", "bigbird-pegasus tiny", "bigbird-pegasus pegasus"),
    *("big_bird plain", "big_bird gpt2"),
)
MODEL_TYPES = {
    "BertGenerationTokenizer": "bert-generation",
    "BertTokenizer": "bert",
    "PegasusTokenizer": "pegasus",
    "BigBirdTokenizer": "big_bird",
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return train_sentencepiece(tmp_path_factory.mktemp("spiece"))


@pytest.fixture(scope="module")
def small_vocabularies(tiny, tmp_path_factory) -> dict[str, Path]:
    return {
        "tiny": train_unigram(tmp_path_factory.mktemp("pegasus")),
        "plain": train_unigram(tmp_path_factory.mktemp("big_bird"), normalization="identity"),
    }


@pytest.fixture(scope="module", params=PAIRS)
def pair(request, tiny, small_vocabularies, tmp_path_factory):
    """The same tokenizer twice: ours, and the reference library's."""
    family, vocabulary = request.param.split()
    if family == "bert":
        return bert_pair(vocabulary)
    if family == "bert-generation":
        return bert_generation_pair(tiny if vocabulary == "tiny" else published(vocabulary))
    path = small_vocabularies.get(vocabulary) or published(vocabulary)
    if family == "pegasus":
        return pegasus_pair(path, tmp_path_factory.mktemp("reference"))
    return bigbird_pair(path) if family == "big_bird" else bigbird_pegasus_pair(path)


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
    (tmp_path / "config.json").write_text(json.dumps({"model_type": MODEL_TYPES[type(ours).__name__]}))
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
