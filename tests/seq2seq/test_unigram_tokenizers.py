"""PEGASUS's and BigBird's tokenizers by themselves: reserved ids, masks, pairs, spans, files. Parity is elsewhere."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import sentencepiece
from tokenizers import AddedToken

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.tokenizers import BigBirdTokenizer, PegasusTokenizer, Tokenizer, load_tokenizer
from seq2seq.tokenizers.unigram import read_unigram
from tests.fixtures.tokenizers.samples import NEVER_CUT, SENTENCES, TEXTS, random_texts, train_unigram
from tests.waiting import within

NO_OFFSET = {"offset": 0, "mask_token": "[MASK]", "mask_token_sent": None}


@pytest.fixture(scope="module")
def spiece(tmp_path_factory) -> Path:
    return train_unigram(tmp_path_factory.mktemp("unigram"))


@pytest.fixture(scope="module")
def pegasus(spiece) -> PegasusTokenizer:
    return PegasusTokenizer(spiece)


@pytest.fixture(scope="module")
def bigbird_pegasus(spiece) -> PegasusTokenizer:
    return PegasusTokenizer(spiece, **NO_OFFSET)


@pytest.fixture(scope="module")
def bigbird(spiece) -> BigBirdTokenizer:
    return BigBirdTokenizer(spiece)


@pytest.fixture(scope="module", params=["pegasus", "bigbird_pegasus", "bigbird"])
def tokenizer(request) -> Tokenizer:
    return request.getfixturevalue(request.param)


# The vocabulary


def test_what_is_read_of_a_sentencepiece_model_is_what_sentencepiece_says(spiece):
    processor = sentencepiece.SentencePieceProcessor(model_file=str(spiece))
    vocabulary = read_unigram(spiece)
    ids = range(processor.get_piece_size())
    assert list(vocabulary.pieces) == [(processor.id_to_piece(i), processor.get_score(i)) for i in ids]
    assert vocabulary.user_defined == (*NEVER_CUT, "<n>")
    assert len(vocabulary.characters) > 100_000  # the table of NFKC


def test_a_model_that_does_not_normalize_has_no_table(tmp_path):
    assert read_unigram(train_unigram(tmp_path, normalization="identity")).characters is None


@pytest.mark.parametrize("text", SENTENCES)
def test_pieces_are_those_of_sentencepiece(spiece, pegasus, bigbird_pegasus, text):
    ids = sentencepiece.SentencePieceProcessor(model_file=str(spiece)).encode(text)
    assert bigbird_pegasus(text).input_ids == [*ids, 1]
    assert pegasus(text).input_ids == [*(token_id + 103 for token_id in ids), 1]


# PEGASUS


def test_pegasus_reserves_ids_for_its_masks_and_more(pegasus, bigbird_pegasus):
    assert pegasus.convert_ids_to_tokens([0, 1, 2, 3, 4, 104]) == [
        *("<pad>", "</s>", "<mask_1>", "<mask_2>", "<unk_2>", "<unk_102>"),
    ]
    assert pegasus.vocab_size == bigbird_pegasus.vocab_size + 103
    assert pegasus.unk_token_id == bigbird_pegasus.unk_token_id + 103
    assert pegasus.all_special_tokens[:5] == ["</s>", "<unk>", "<pad>", "<mask_2>", "<mask_1>"]
    assert len(pegasus.all_special_tokens) == 3 + 103


@pytest.mark.parametrize("offset", [0, 1, 2, 3, 10])
@pytest.mark.parametrize("mask_token_sent", ["<mask_1>", None])
def test_every_piece_comes_later_by_the_offset(spiece, bigbird_pegasus, offset, mask_token_sent):
    tokenizer = PegasusTokenizer(spiece, offset=offset, mask_token_sent=mask_token_sent)
    first = bigbird_pegasus.unk_token_id
    pieces = [token for token, _ in read_unigram(spiece).pieces[first:]]
    assert tokenizer.convert_tokens_to_ids(pieces) == list(range(first + offset, first + offset + len(pieces)))


def test_additional_tokens_take_reserved_ids(spiece):
    tokenizer = PegasusTokenizer(spiece, additional_special_tokens=["<a>", "<mask_1>", "<b>"])
    assert tokenizer.convert_ids_to_tokens([2, 3, 4, 5, 6, 104]) == [
        *("<mask_1>", "<mask_2>", "<a>", "<b>", "<unk_2>", "<unk_100>"),
    ]
    assert tokenizer.vocab_size == PegasusTokenizer(spiece).vocab_size


def test_masks_are_never_cut_and_no_text_becomes_what_is_reserved(pegasus):
    ids = pegasus("<mask_1> The <mask_2> dog.").input_ids
    assert (ids[0], ids.count(3)) == (2, 1)
    assert set(pegasus("unk 7 _ <unk 7> < u n k").input_ids) & set(range(2, 105)) == set()


def test_a_pegasus_text_ends_and_so_does_a_pair(bigbird_pegasus):
    first, second = bigbird_pegasus("The dog").input_ids, bigbird_pegasus("a fox").input_ids
    pair = bigbird_pegasus("The dog", "a fox", return_token_type_ids=True, return_offsets_mapping=True)
    assert pair.input_ids == [*first[:-1], *second]
    assert pair.token_type_ids == [0] * (len(first) - 1) + [1] * len(second)
    ends = [end for _, end in pair.offset_mapping]
    assert (ends[len(first) - 2], ends[-2], pair.offset_mapping[-1]) == (len("The dog"), len("a fox"), (0, 0))


def test_truncation_leaves_the_end(bigbird_pegasus):
    whole = bigbird_pegasus(SENTENCES[0]).input_ids
    assert bigbird_pegasus(SENTENCES[0], truncation=True, max_length=5).input_ids == [*whole[:4], 1]


def test_a_piece_for_line_breaks_stays_in_the_text(bigbird_pegasus):
    ids = bigbird_pegasus("The dog.<n>quick fox").input_ids
    assert bigbird_pegasus.convert_tokens_to_ids("<n>") in ids
    assert bigbird_pegasus.decode(ids, skip_special_tokens=True) == "The dog.<n>quick fox"


# BigBird


def test_a_bigbird_text_stands_between_cls_and_sep(bigbird):
    cls, sep = bigbird.cls_token_id, bigbird.sep_token_id
    ids, other = (bigbird(text, add_special_tokens=False).input_ids for text in ("The dog", "fox"))
    assert bigbird("The dog").input_ids == [cls, *ids, sep]
    pair = bigbird("The dog", "fox", return_token_type_ids=True)
    assert pair.input_ids == [cls, *ids, sep, *other, sep]
    assert pair.token_type_ids == [0] * (len(ids) + 2) + [1] * (len(other) + 1)
    assert set(bigbird("The dog")) == {"input_ids", "attention_mask"}


def test_the_mask_takes_the_space_before_it(bigbird, spiece):
    assert bigbird("The [MASK].").input_ids == bigbird("The[MASK].").input_ids
    plain = BigBirdTokenizer(spiece, mask_token=AddedToken("[MASK]", special=True))
    assert plain("The [MASK].").input_ids != plain("The[MASK].").input_ids


def test_pieces_that_are_never_cut_are_whole_in_a_text_but_not_special(bigbird):
    ids = bigbird("The dog<::::>quick", add_special_tokens=False).input_ids
    assert bigbird.convert_tokens_to_ids("<::::>") in ids
    assert "<::::>" not in bigbird.all_special_tokens
    assert "<::::>" in bigbird.decode(ids, skip_special_tokens=True)


def test_the_first_word_may_go_without_a_space(spiece, bigbird):
    bare = BigBirdTokenizer(spiece, add_prefix_space=False)
    assert bigbird.tokenize("dog")[0].startswith("▁")
    assert not bare.tokenize("dog")[0].startswith("▁")


# Spans


@pytest.mark.parametrize("text", [*TEXTS, *random_texts(100)])
def test_spans_are_ordered_within_the_text_and_without_white_space_around(tokenizer, text):
    encoding = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    assert encoding.input_ids == tokenizer(text, add_special_tokens=False).input_ids
    last = 0
    for start, end in encoding.offset_mapping:
        assert last <= end <= len(text)
        assert start <= end
        assert text[start:end] == text[start:end].strip()
        last = start


def test_words_lie_where_they_are_written(tokenizer):
    text = "  The quick\u3000brown 👩\u200d👧 ﬁne\tdog "
    spans = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False).offset_mapping
    covered = {index for start, end in spans for index in range(start, end)}
    assert covered == {index for index, character in enumerate(text) if not character.isspace()}


# Files


@pytest.mark.parametrize("part", ["x", "\n", " ", "<s>", "<s", " [MASK] ", "<n>"])
def test_the_time_that_a_long_text_takes_is_not_quadratic(tokenizer, part):
    text = part * (200_000 // len(part))
    with within(60):  # takes half a second; what is quadratic takes minutes
        tokenizer.decode(tokenizer(text, return_offsets_mapping=True).input_ids)


def test_what_is_saved_is_what_is_loaded(tokenizer, tmp_path):
    written = tokenizer.save_pretrained(tmp_path)
    assert {Path(path).name for path in written} == {"spiece.model", "tokenizer.json", "tokenizer_config.json"}
    for spare in ("nothing", "spiece.model"):
        (tmp_path / spare).unlink(missing_ok=True)
        loaded = load_tokenizer(tmp_path)
        assert type(loaded) is type(tokenizer)
        assert loaded.get_vocab() == tokenizer.get_vocab()
        for name in type(tokenizer).saved_settings:
            assert str(getattr(loaded, name)) == str(getattr(tokenizer, name)), name
        for text in [*TEXTS, *random_texts(100)]:
            assert loaded(text) == tokenizer(text), repr(text)


def test_a_sentencepiece_model_alone_will_do(bigbird_pegasus, spiece, tmp_path):
    (tmp_path / "spiece.model").write_bytes(spiece.read_bytes())
    (tmp_path / "config.json").write_text('{"model_type": "bigbird_pegasus"}')
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**NO_OFFSET, "model_max_length": 4096}))
    loaded = load_tokenizer(tmp_path)
    assert (loaded.model_max_length, len(loaded)) == (4096, len(bigbird_pegasus))
    for text in TEXTS:
        assert loaded(text) == bigbird_pegasus(text)


def test_a_list_of_pieces_will_do():
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁a", -1.0), ("b", -2.0), ("▁", -3.0)]
    tokenizer = PegasusTokenizer(pieces, **{**NO_OFFSET, "mask_token": "<unk>"})
    assert tokenizer("ab  a\nb").input_ids == [3, 4, 3, 5, 4, 1]
    assert len(tokenizer) == 6


def test_a_tokenizer_can_be_pickled(tokenizer):
    again = pickle.loads(pickle.dumps(tokenizer))
    assert again(SENTENCES[1]) == tokenizer(SENTENCES[1])


@pytest.mark.parametrize("tokenizer_class", [PegasusTokenizer, BigBirdTokenizer])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("spiece.model", b"no model at all", "Fetch the file again"),
        ("tokenizer.json", b'{"model": {"type"', "valid JSON"),
        ("tokenizer.json", b'{"model": {"type": "WordPiece", "vocab": {"a": 0}}}', "WordPiece; expected Unigram"),
        ("tokenizer.json", b'{"model": {"type": "Unigram", "vocab": [["a", 0], 5]}}', "tokens with their scores"),
        ("tokenizer.json", b'{"model": {"type": "Unigram", "vocab": [["a", 0]]}}', "no '<unk>' in"),
    ],
)
def test_a_damaged_vocabulary_is_an_error_that_names_it(tmp_path, tokenizer_class, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=f"(?s){message}") as caught:
        tokenizer_class.from_pretrained(tmp_path)
    assert name in str(caught.value)


@pytest.mark.parametrize("tokenizer_class", [PegasusTokenizer, BigBirdTokenizer])
def test_a_vocabulary_is_needed(tokenizer_class, tmp_path):
    with pytest.raises(ValueError, match=f"{tokenizer_class.__name__} needs a vocabulary.*spiece.model"):
        tokenizer_class()
    with pytest.raises(CheckpointError, match="tokenizer.json or spiece.model"):
        tokenizer_class.from_pretrained(tmp_path)
