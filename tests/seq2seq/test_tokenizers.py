"""Tokenizers by themselves: spans, special tokens, batches, files and errors. Parity is in tests/parity."""

from __future__ import annotations

import json
import pickle
import random
import re
import tracemalloc
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import AddedToken

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.tokenizers import (
    BertGenerationTokenizer,
    BertTokenizer,
    BigBirdTokenizer,
    PegasusTokenizer,
    load_tokenizer,
    sentencepiece,
)
from seq2seq.tokenizers.offsets import ends_of, piece_spans
from tests.fixtures.tokenizers.samples import TEXTS, random_texts, train_sentencepiece, train_unigram, write_word_pieces
from tests.waiting import within


@pytest.fixture(scope="module")
def spiece(tmp_path_factory) -> Path:
    return train_sentencepiece(tmp_path_factory.mktemp("spiece"))


@pytest.fixture(scope="module")
def vocab_txt(tmp_path_factory) -> Path:
    return write_word_pieces(tmp_path_factory.mktemp("vocab"))


@pytest.fixture(scope="module")
def pieces(spiece) -> BertGenerationTokenizer:
    return BertGenerationTokenizer(spiece)


@pytest.fixture(scope="module")
def words(vocab_txt) -> BertTokenizer:
    return BertTokenizer(vocab_txt)


def surfaces(tokenizer, text: str) -> list[tuple[str, str]]:
    """Each token with the part of the text that its span is."""
    encoding = tokenizer(text, return_offsets_mapping=True)
    tokens = tokenizer.convert_ids_to_tokens(encoding.input_ids)
    return [(token, text[start:end]) for token, (start, end) in zip(tokens, encoding.offset_mapping, strict=True)]


# Spans


@pytest.mark.parametrize("tokenizer_name", ["pieces", "words"])
@pytest.mark.parametrize("text", [*TEXTS, *random_texts(100)])
def test_spans_are_ordered_within_the_text_and_without_white_space_around(tokenizer_name, text, request):
    tokenizer = request.getfixturevalue(tokenizer_name)
    encoding = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    assert encoding.input_ids == tokenizer(text, add_special_tokens=False).input_ids
    last = 0
    for start, end in encoding.offset_mapping:
        assert last <= end <= len(text)
        assert start <= end
        assert text[start:end] == text[start:end].strip()
        last = start


@pytest.mark.parametrize("text", ["Zürich's  naïve\tcafé", "x ½ ﬁne ① y", "\u00a0 a\u3000\n b  ", "cafe\u0301s"])
def test_every_piece_lies_over_the_characters_that_it_came_from(pieces, text):
    for piece, surface in surfaces(pieces, text):
        if not piece.startswith("<0x") and piece != "▁":
            assert piece.removeprefix("▁") in unicodedata.normalize("NFKC", surface)


def test_all_spans_together_cover_every_character_that_is_not_white_space(pieces):
    text = "  The ½ 👩\u200d👧\t中文<s> cafe\u0301 \n"
    spans = pieces(text, return_offsets_mapping=True).offset_mapping
    covered = {index for start, end in spans for index in range(start, end)}
    assert covered == {index for index, character in enumerate(text) if not character.isspace()}


def test_bytes_of_one_character_share_its_span(pieces):
    assert [surface for _, surface in surfaces(pieces, "👩\u200d👧")] == [
        "",  # the mark of a word's beginning
        *["👩"] * 4,
        *["\u200d"] * 3,
        *["👧"] * 4,
    ]


def test_pieces_of_one_expanded_character_share_its_span(pieces):
    assert {surface for _, surface in surfaces(pieces, "½")} <= {"", "½"}
    assert [surface for _, surface in surfaces(pieces, "½")].count("½") >= 3  # 1, the bar in bytes, 2


def test_a_literal_special_token_has_a_span_and_an_added_one_has_none(pieces, words):
    assert surfaces(pieces, "the <s> fox")[1:2] == [("<s>", "<s>")]
    assert surfaces(words, "the [SEP]") == [("[CLS]", ""), ("the", "the"), ("[SEP]", "[SEP]"), ("[SEP]", "")]


def test_word_pieces_lie_over_accents_and_control_characters_that_they_drop(words):
    assert surfaces(words, "Café FO\u0301XES q\x00uick")[1:-1] == [
        ("cafe", "Café"),
        ("fox", "FO\u0301X"),
        ("##es", "ES"),
        ("quick", "q\x00uick"),
    ]


# Long texts


@pytest.fixture(scope="module", params=["unigram", "bpe", "no bytes", "unnormalized"])
def any_pieces(request, tmp_path_factory) -> BertGenerationTokenizer:
    options = {
        "unigram": {},
        "bpe": {"model_type": "bpe"},
        "no bytes": {"byte_fallback": False},
        "unnormalized": {"normalization": "identity", "remove_extra_whitespaces": False},
    }[request.param]
    return BertGenerationTokenizer(train_sentencepiece(tmp_path_factory.mktemp("any"), **options))


UNUSUAL = [
    "\ufdfa",
    "😀",
    "👩🏽",
    "مرحبا",
    "שלום ",
    "½",
    "Ａe\u0301",
    "x",
    "quick",
    "  ",
    "中文",
    "a\u0300\u0301 ",
    "<s>",
]
LONG = [*(part * 40 for part in UNUSUAL), "".join(UNUSUAL) * 9, "The ½ fox" + "\n" * 200 + "said: " + "\ufdfa👩 " * 30]


def read_at_once(tokenizer, text) -> tuple[list[int], list[tuple[int, int]]]:
    ids, spans = [], []
    for stretch in tokenizer._stretches(text):
        pieces, offset = [stretch.text], [(0, len(stretch.text))]
        if stretch.token_id is None:
            pieces = tokenizer.sp_model.encode(stretch.text, out_type=str, emit_unk_piece=False)
            normalized, starts = tokenizer.sp_model.normalize(stretch.text, with_offsets=True)
            offset = piece_spans(pieces, tokenizer._byte_pieces, stretch.text, starts, ends_of(normalized, starts))
        ids += tokenizer.convert_tokens_to_ids(pieces)
        spans += [(stretch.start + start, stretch.start + end) for start, end in offset]
    return ids, spans


@pytest.mark.parametrize("size", [100, 2**15])
def test_a_text_that_is_read_in_parts_has_the_tokens_and_spans_of_the_whole(any_pieces, size, monkeypatch):
    monkeypatch.setattr(sentencepiece, "AT_ONCE", size)
    for text in [*TEXTS, *LONG, *random_texts(150), " ".join(random_texts(60, seed=1))]:
        ids, spans = read_at_once(any_pieces, text)
        assert any_pieces(text).input_ids == ids, text
        whole = any_pieces(text, return_offsets_mapping=True)
        assert (whole.input_ids, whole.offset_mapping) == (ids, spans), text
        for most in (1, 2, 9, 40, 200):
            beginning = any_pieces(text, truncation=True, max_length=most, return_offsets_mapping=True)
            assert (beginning.input_ids, beginning.offset_mapping) == (ids[:most], spans[:most]), (text, most)


@pytest.mark.parametrize("size", [1, 7])
def test_wherever_a_text_is_parted_its_pieces_are_as_likely_as_those_of_the_whole(any_pieces, size, monkeypatch):
    """Of two ways to cut a word that are equally likely, rounding may choose the other: "99" "9" for "9" "99"."""
    monkeypatch.setattr(sentencepiece, "AT_ONCE", size)
    score = any_pieces.sp_model.get_score
    for text in [*TEXTS, *LONG, *random_texts(150)]:
        known = [token_id for token_id in read_at_once(any_pieces, text)[0] if token_id < any_pieces.vocab_size]
        found = [token_id for token_id in any_pieces(text).input_ids if token_id < any_pieces.vocab_size]
        assert len(found) == len(known), text
        assert sum(map(score, found)) == pytest.approx(sum(map(score, known)), rel=1e-5), text


@pytest.mark.parametrize("part", ["\ufdfa", "😀", "Rain fell. "])
def test_of_a_long_text_no_more_is_read_than_is_kept(pieces, part):
    pieces("warm", truncation=True, max_length=512, return_offsets_mapping=True)
    text = part * 50_000
    tracemalloc.start()
    encoding = pieces(text, truncation=True, max_length=512, return_offsets_mapping=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(encoding.input_ids) == 512
    assert peak < 25_000_000  # all tokens and spans of U+FDFA are 300 MB


# Special tokens


def test_special_tokens_in_the_text_are_never_cut(pieces):
    assert pieces.tokenize("The<pad>  <::::>dog</s>") == [
        *pieces.tokenize("The"),
        "<pad>",
        "<::::>",
        *pieces.tokenize("dog"),
        "</s>",
    ]


def test_of_added_tokens_that_begin_alike_the_longest_is_found():
    chance = random.Random(3)
    tokens = {"".join(chance.choices("ab.", k=chance.randint(1, 5))) for _ in range(30)}
    longest_first = "|".join(map(re.escape, sorted(tokens, key=len, reverse=True)))
    pattern = sentencepiece.longest_of(tokens)
    for text in ("".join(chance.choices("ab.c", k=40)) for _ in range(200)):
        assert re.findall(pattern, text) == re.findall(longest_first, text)
    assert sentencepiece.longest_of([]) == ""


def test_added_tokens_that_hold_each_other_make_a_pattern():
    tokens = ["z" * length for length in range(1, 101)] + ["z" * length + "q" for length in range(100)]
    assert re.findall(sentencepiece.longest_of(tokens), "z" * 230 + "q") == ["z" * 100] * 2 + ["z" * 30 + "q"]


def test_special_tokens_that_the_vocabulary_lacks_come_after_it(pieces):
    size = pieces.vocab_size
    assert (pieces.bos_token_id, pieces.eos_token_id, pieces.unk_token_id) == (1, 2, 0)
    assert (pieces.sep_token_id, pieces.pad_token_id, len(pieces)) == (size, size + 1, size + 2)
    assert pieces.get_vocab()["<pad>"] == size + 1
    assert pieces.convert_ids_to_tokens([size, size + 1]) == ["<::::>", "<pad>"]
    assert pieces.cls_token is None
    assert pieces.cls_token_id is None


def test_added_tokens_take_the_white_space_beside_them(tmp_path):
    spiece = train_sentencepiece(tmp_path, normalization="identity")  # keeps line breaks, unlike the usual one
    mask = AddedToken("<mask>", lstrip=True, rstrip=True, special=True)
    tokenizer = BertGenerationTokenizer(spiece, mask_token=mask)
    the, dog = tokenizer.tokenize("The"), tokenizer.tokenize("dog")
    assert tokenizer.tokenize("The\n <mask> \n dog\n") == [*the, "<mask>", *dog, "<0x0A>"]
    assert surfaces(tokenizer, " <mask>  \n\t<mask>  ") == [("<mask>", "<mask>")] * 2


def test_a_special_token_can_be_renamed_afterwards(words):
    tokenizer = pickle.loads(pickle.dumps(words))
    tokenizer.bos_token = tokenizer.cls_token
    assert tokenizer.bos_token_id == tokenizer.cls_token_id == 2
    assert tokenizer.special_tokens_map["bos_token"] == "[CLS]"


def test_decoding_leaves_out_special_tokens_if_asked(pieces, words):
    ids = pieces("The <s>dog</s>").input_ids
    assert pieces.decode(ids) == "The<s> dog</s>"
    assert pieces.decode(ids, skip_special_tokens=True) == "The dog"
    assert words.decode(words("the fox.").input_ids, skip_special_tokens=True) == "the fox."


# Bytes, sampling, strange characters


@pytest.mark.parametrize("text", ["a 👩\u200d👧b", "中文 日本語 x", "مرحبا", "1 <0xF0> 2"])
def test_byte_fallback_brings_every_character_back(pieces, text):
    assert pieces.decode(pieces(text).input_ids) == text


def test_bytes_that_spell_no_character_become_replacement_characters(pieces):
    ids = pieces.convert_tokens_to_ids(["▁a", "<0xF0>", "<0x9F>", "▁b"])
    assert pieces.decode(ids).count("\ufffd") == 2


def test_half_a_surrogate_pair_is_read_as_a_replacement_character(pieces, words):
    assert pieces("a\ud83db").input_ids == pieces("a\ufffdb").input_ids
    assert words("a\ud83db").input_ids == words("a\ufffdb").input_ids


def test_sampling_cuts_one_text_in_many_ways(spiece):
    sampling = {"enable_sampling": True, "nbest_size": -1, "alpha": 0.1}
    tokenizer = BertGenerationTokenizer(spiece, sp_model_kwargs=sampling)
    text = "The quick brown fox jumps over the lazy dog."
    cuts = {tuple(tokenizer(text).input_ids) for _ in range(10)}
    assert len(cuts) > 1
    assert {tokenizer.decode(cut) for cut in cuts} == {text}


@pytest.mark.parametrize("tokenizer_name", ["pieces", "words"])
@pytest.mark.parametrize("part", ["x", "\n", "<s>", "<s", " [SEP] "])
def test_the_time_that_a_long_text_takes_is_not_quadratic(tokenizer_name, part, request):
    tokenizer = request.getfixturevalue(tokenizer_name)
    text = part * (200_000 // len(part))
    with within(60):  # takes half a second; what is quadratic takes minutes
        tokenizer.decode(tokenizer(text, return_offsets_mapping=True).input_ids)


# Batches


def test_a_list_gives_rows_and_a_text_a_row(words):
    one = words("the fox")
    assert one == {"input_ids": [2, 5, 8, 3], "token_type_ids": [0] * 4, "attention_mask": [1] * 4}
    assert words(["the fox"]) == {name: [column] for name, column in one.items()}
    assert words([]) == {"input_ids": [], "token_type_ids": [], "attention_mask": []}
    assert words.encode("the fox", add_special_tokens=False) == [5, 8]


def test_a_pair_has_its_own_type_and_spans_of_its_own_texts(words):
    encoding = words("the fox", "a cafe", return_offsets_mapping=True)
    assert encoding.token_type_ids == [0, 0, 0, 0, 1, 1, 1]
    assert encoding.offset_mapping == [(0, 0), (0, 3), (4, 7), (0, 0), (0, 1), (2, 6), (0, 0)]


@pytest.mark.parametrize(("side", "mask"), [("right", [1, 1, 1, 0, 0, 0]), ("left", [0, 0, 0, 1, 1, 1])])
def test_padding_goes_to_its_side(vocab_txt, side, mask):
    tokenizer = BertTokenizer(vocab_txt, padding_side=side)
    batch = tokenizer(["a", "the quick fox s"], padding=True, return_offsets_mapping=True, return_tensors="pt")
    assert batch.attention_mask.tolist() == [mask, [1] * 6]
    assert (batch.input_ids == 0).tolist() == [[not kept for kept in mask], [False] * 6]
    assert batch.offset_mapping.shape == (2, 6, 2)
    assert batch.input_ids.dtype == torch.int64
    assert batch.to("meta").input_ids.device.type == "meta"


@pytest.mark.parametrize(("side", "kept"), [("right", [5, 6]), ("left", [8, 13])])
def test_truncation_takes_from_its_side(vocab_txt, side, kept):
    tokenizer = BertTokenizer(vocab_txt, truncation_side=side)
    encoding = tokenizer("the quick cafe fox n", truncation=True, max_length=4)
    assert encoding.input_ids == [2, *kept, 3] if side == "right" else [2, 8, 12, 3]


def test_without_max_length_the_models_own_limit_counts(vocab_txt):
    limited = BertTokenizer(vocab_txt, model_max_length=5)
    assert len(limited("the " * 9, truncation=True).input_ids) == 5
    assert len(limited("a", padding="max_length").input_ids) == 5
    assert len(limited("the " * 9).input_ids) == 11
    unlimited = BertTokenizer(vocab_txt)
    assert len(unlimited("the " * 9, truncation=True, padding="max_length").input_ids) == 11


def test_padding_to_a_multiple(words):
    assert np.shape(words(["a", "a b the"], padding=True, pad_to_multiple_of=4, return_tensors="np").input_ids) == (
        2,
        8,
    )


def test_columns_come_as_asked(pieces):
    encoding = pieces("The dog", return_token_type_ids=True, return_attention_mask=False)
    assert set(encoding) == {"input_ids", "token_type_ids"}
    with pytest.raises(AttributeError, match="attention_mask.*input_ids, token_type_ids"):
        _ = encoding.attention_mask


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((None,), {}, "text is a NoneType.*list of str"),
        ((["a", 5],), {}, "with a int in it"),
        (("a", ["b"]), {}, "two str, or two lists"),
        ((["a", "b"], ["c"]), {}, "2 text.*1 for text_pair"),
        (("a",), {"max_length": 0}, "max_length=0"),
        (("a",), {"max_length": 1}, "2 special tokens"),
        (("a", "b b b b"), {"truncation": "only_first", "max_length": 7}, "1 and 4 tokens fit into 4"),
        (("a a",), {"truncation": "only_second", "max_length": 3}, "row of 1 text"),
        (("a a",), {"truncation": "sometimes", "max_length": 3}, "'sometimes'.*longest_first"),
        (("a",), {"padding": "both"}, "padding='both'"),
        (("a",), {"return_tensors": "tf"}, "'tf'.*'pt'"),
        ((["a", "a b"],), {"return_tensors": "pt"}, "3 to 4 tokens.*padding=True"),
    ],
)
def test_what_cannot_be_done_is_said(words, arguments, options, message):
    with pytest.raises(ValueError, match=message):
        words(*arguments, **options)


def test_padding_needs_a_padding_token(spiece):
    with pytest.raises(ValueError, match="no padding token"):
        BertGenerationTokenizer(spiece, pad_token=None)(["a", "a b"], padding=True)


def test_sides_are_left_or_right(spiece):
    with pytest.raises(ValueError, match="padding_side='up'"):
        BertGenerationTokenizer(spiece, padding_side="up")


# Decoding


def test_ids_come_in_any_container(pieces):
    ids = pieces("The quick brown fox").input_ids
    text = pieces.decode(ids)
    assert pieces.decode(np.array(ids)) == pieces.decode(torch.tensor(ids)) == text
    assert pieces.decode(torch.tensor([ids, ids])) == pieces.batch_decode([ids, ids]) == [text, text]
    assert pieces.batch_decode([torch.tensor(ids), np.array(ids)]) == [text, text]
    assert pieces.decode(ids[-1]) == pieces.decode([torch.tensor(ids[-1])])
    assert text.endswith(pieces.decode(ids[-1]))


def test_spaces_before_punctuation_go_if_asked(words):
    ids = words.convert_tokens_to_ids(["do", "n", "'", "t", "'", "s"])
    assert words.decode(ids) == "do n ' t ' s"
    assert words.decode(ids, clean_up_tokenization_spaces=True) == "don't's"


def test_an_id_that_no_token_has_stands_for_no_text_and_a_negative_one_is_an_error(pieces, words):
    for tokenizer in (pieces, words):
        ids = tokenizer("The quick brown fox", add_special_tokens=False).input_ids
        assert tokenizer.decode([*ids[:1], 10**6, *ids[1:]]) == tokenizer.decode(ids)
        assert tokenizer.convert_ids_to_tokens([10**6]) == [None]
        with pytest.raises(ValueError, match="-100"):
            tokenizer.decode([1, -100])


# Files


def test_what_is_saved_is_what_is_loaded(spiece, tmp_path):
    tokenizer = BertGenerationTokenizer(
        spiece,
        pad_token=None,
        mask_token=AddedToken("<mask>", lstrip=True, special=True),
        additional_special_tokens=["<n>", "<s>"],
        sp_model_kwargs={"alpha": 0.5},
        model_max_length=64,
        padding_side="left",
    )
    written = tokenizer.save_pretrained(tmp_path / "new" / "folder")
    assert {Path(path).name for path in written} == {"spiece.model", "tokenizer_config.json"}
    loaded = load_tokenizer(tmp_path / "new" / "folder")
    assert type(loaded) is BertGenerationTokenizer
    assert loaded.get_vocab() == tokenizer.get_vocab()
    for name in BertGenerationTokenizer.saved_settings:
        assert getattr(loaded, name) == getattr(tokenizer, name), name
    text = "The <mask><n> dog"
    assert loaded(text) == tokenizer(text)


def test_word_pieces_load_from_either_of_their_files(vocab_txt, tmp_path):
    tokenizer = BertTokenizer(vocab_txt, do_lower_case=False, strip_accents=False, bos_token="<s>")
    tokenizer.save_pretrained(tmp_path)
    text = "<s>the Fox café"
    for spare in ("vocab.txt", "tokenizer.json", None):
        assert BertTokenizer.from_pretrained(tmp_path)(text) == tokenizer(text), spare
        if spare == "vocab.txt":
            (tmp_path / "vocab.txt").rename(tmp_path / "kept")
        elif spare:
            (tmp_path / "tokenizer.json").unlink()
            (tmp_path / "kept").rename(tmp_path / "vocab.txt")
    assert BertTokenizer.from_pretrained(tmp_path, do_lower_case=True)("Fox") == BertTokenizer(vocab_txt)("Fox")


def test_a_vocabulary_with_gaps_keeps_its_ids(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("[UNK]\n[SEP]\n[CLS]\n[PAD]\n[MASK]\ntwice\ntwice \nlast\n", encoding="utf-8")
    tokenizer = BertTokenizer(path)
    assert tokenizer.convert_tokens_to_ids(["twice", "last"]) == [6, 7]
    tokenizer.save_vocabulary(tmp_path, "saved")
    again = BertTokenizer(tmp_path / "saved-vocab.txt")
    assert again.convert_tokens_to_ids(["twice", "last"]) == [6, 7]


def test_older_files_say_what_tokenizer_config_does_not(spiece, tmp_path):
    (tmp_path / "spiece.model").write_bytes(spiece.read_bytes())
    size = BertGenerationTokenizer(spiece).vocab_size
    (tmp_path / "special_tokens_map.json").write_text(
        json.dumps({"pad_token": "<blank>", "mask_token": {"content": "<m>", "lstrip": True, "rstrip": False}})
    )
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<blank>": size + 3, "Zug": size + 4}))
    tokenizer = BertGenerationTokenizer.from_pretrained(tmp_path)
    assert tokenizer.pad_token_id == size + 3
    assert tokenizer.tokenize("a  <m>Zug") == [*tokenizer.tokenize("a"), "<m>", "Zug"]
    assert tokenizer("Zug").input_ids == [size + 4]


def test_a_path_in_the_settings_is_not_followed(spiece, tmp_path):
    (tmp_path / "spiece.model").write_bytes(spiece.read_bytes())
    settings = {"vocab_file": "/somewhere/else.model", "name_or_path": "x", "unknown": 1}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    assert BertGenerationTokenizer.from_pretrained(tmp_path).vocab_file == str(tmp_path / "spiece.model")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"tokenizer_config.json": {"tokenizer_class": "BertTokenizerFast"}}, BertTokenizer),
        ({"config.json": {"tokenizer_class": "BertGenerationTokenizer"}}, BertGenerationTokenizer),
        ({"config.json": {"model_type": "bert"}}, BertTokenizer),
        (
            {"config.json": {"model_type": "encoder-decoder", "encoder": {"model_type": "bert"}}},
            BertTokenizer,
        ),
        (
            {
                "config.json": {"model_type": "bert-generation"},
                "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast"},
            },
            BertGenerationTokenizer,
        ),
        ({"config.json": {"model_type": "never-heard-of"}}, BertGenerationTokenizer),
        ({"config.json": {"model_type": "bigbird_pegasus"}}, PegasusTokenizer),
        ({"config.json": {"model_type": "big_bird"}}, BigBirdTokenizer),
        ({"config.json": {"model_type": "big_bird", "tokenizer_class": "BertTokenizer"}}, BertTokenizer),
        (
            {
                "config.json": {"model_type": "big_bird"},
                "tokenizer_config.json": {"tokenizer_class": "BertTokenizerFast"},
            },
            BertTokenizer,
        ),
        (
            {
                "config.json": {"model_type": "encoder-decoder", "encoder": {"model_type": "big_bird"}},
                "tokenizer_config.json": {"tokenizer_class": "BertGenerationTokenizer"},
            },
            BertGenerationTokenizer,
        ),
        ({"config.json": {"model_type": "encoder-decoder", "encoder": {"model_type": "big_bird"}}}, BigBirdTokenizer),
        (
            {
                "config.json": {"model_type": "bigbird_pegasus"},
                "tokenizer_config.json": {"tokenizer_class": "TokenizersBackend"},
            },
            PegasusTokenizer,
        ),
        ({"tokenizer_config.json": {"tokenizer_class": "PegasusTokenizerFast"}}, PegasusTokenizer),
    ],
)
def test_the_class_is_the_one_that_the_checkpoint_needs(vocab_txt, tmp_path, files, expected):
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    train_unigram(tmp_path)
    (tmp_path / "vocab.txt").write_bytes(vocab_txt.read_bytes())
    assert type(load_tokenizer(tmp_path)) is expected


def test_an_unknown_tokenizer_or_none_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"no vocabulary.*spiece\.model.*vocab\.txt"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "GPT2Tokenizer"}')
    with pytest.raises(CheckpointError, match="GPT2Tokenizer.*BertTokenizer"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("tokenizer", [BertGenerationTokenizer, BertTokenizer])
def test_a_missing_vocabulary_is_an_error_that_names_it(tmp_path, tokenizer):
    with pytest.raises(CheckpointError, match="no vocabulary for a Bert.*(spiece.model|vocab.txt)"):
        tokenizer.from_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="nowhere.model.*Fetch"):
        tokenizer(tmp_path / "nowhere.model")


@pytest.mark.parametrize("content", [b"", b"no model at all", None], ids=["empty", "text", "cut short"])
def test_a_damaged_sentencepiece_model_is_an_error_that_names_it(spiece, tmp_path, content):
    whole = spiece.read_bytes()
    (tmp_path / "spiece.model").write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(CheckpointError, match="spiece.model.*Fetch the file again"):
        BertGenerationTokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vocab.txt", b"\xff\xfe\x00", "UTF-8"),
        ("vocab.txt", b"", "UNK"),
        ("tokenizer.json", b'{"model": {"type"', "valid JSON"),
        ("tokenizer.json", b'{"model": {"type": "BPE", "vocab": {}}}', "BPE; expected WordPiece"),
        ("tokenizer.json", b'{"model": {"type": "WordPiece", "vocab": {"a": 0}}}', "UNK"),
    ],
)
def test_a_damaged_word_piece_vocabulary_is_an_error_that_names_it(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=f"(?s){message}") as caught:
        BertTokenizer.from_pretrained(tmp_path)
    assert name in str(caught.value)


def test_a_word_piece_tokenizer_needs_a_vocabulary():
    with pytest.raises(ValueError, match="vocab_file"):
        BertTokenizer()
