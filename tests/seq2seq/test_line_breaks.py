"""PEGASUS has a piece for the end of a line: it is sent for a visitor's, and read as one in what comes back."""

from __future__ import annotations

import random
import re

import pytest

from seq2seq.tasks.output import plain_text, target_tokens, tokens_decoded, tokens_found
from seq2seq.tasks.prompts import Prompt, Sent, with_line_breaks
from seq2seq.tasks.source import read_source
from seq2seq.tokenizers import BertGenerationTokenizer, PegasusTokenizer
from tests.fixtures.tokenizers.samples import train_sentencepiece, train_unigram
from tests.waiting import within

TEXT = "The quick fox.\nThe lazy dog."


@pytest.fixture(scope="module")
def pegasus(tmp_path_factory) -> PegasusTokenizer:
    spiece = train_unigram(tmp_path_factory.mktemp("pegasus"))
    return PegasusTokenizer(spiece, offset=0, mask_token="[MASK]", mask_token_sent=None)


@pytest.fixture(scope="module")
def without(tmp_path_factory) -> BertGenerationTokenizer:
    return BertGenerationTokenizer(train_sentencepiece(tmp_path_factory.mktemp("spiece")))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("The fox.<n> The dog.", "The fox.\nThe dog."),
        ("The fox. <n>The dog.", "The fox.\nThe dog."),
        ("The fox.<n><n> The dog.", "The fox.\n\nThe dog."),
        ("<n>The fox.<n>", "The fox."),
        ("The n fox.", "The n fox."),
        ("", ""),
    ],
)
def test_a_reader_sees_lines(pegasus, written, read):
    assert plain_text(pegasus, pegasus(written).input_ids) == read


def test_where_there_is_no_such_piece_a_literal_one_is_text(without):
    assert plain_text(without, without("a <n> b").input_ids) == "a <n> b"


def test_every_token_keeps_its_place_in_the_lines(pegasus):
    ids = pegasus("The quick fox.<n> The dog.").input_ids
    text = plain_text(pegasus, ids)
    tokens = target_tokens(pegasus, ids, text)
    assert [text[token.start : token.end] for token in tokens] == [
        "" if token.special else token.text for token in tokens
    ]
    assert "".join(token.text for token in tokens if not token.special) == "".join(text.split())
    assert tokens[ids.index(pegasus.convert_tokens_to_ids("<n>"))].text == ""
    assert tokens[-1].special


@pytest.mark.parametrize("vocabulary", ["pegasus", "without"])
@pytest.mark.parametrize("letters", ["in_text", "any_ids"])
def test_pieces_that_are_found_in_the_text_are_where_decoding_ever_more_of_them_ends(vocabulary, letters, request):
    tokenizer = request.getfixturevalue(vocabulary)
    draw, found = random.Random(0), 0
    names = enumerate(tokenizer.convert_ids_to_tokens(range(len(tokenizer) + 3)))  # of some, there are none
    whole = [number for number, name in names if not re.match("<0x", name or "")]
    for _ in range(300):
        if letters == "in_text":
            words = draw.choices(["quick", "The", "dog.", "fox", "é", "漢", "😀", "  ", "\n", "<n>", "▁", "a-b"], k=9)
            ids = tokenizer(draw.choice([" ", ""]).join(words)).input_ids
        else:
            ids = draw.choices(whole, k=9)
        text = plain_text(tokenizer, ids)
        tokens = tokens_found(tokenizer, ids, text)
        if tokens is not None:
            found += 1
            assert tokens == tokens_decoded(tokenizer, ids, text), (ids, text)
    assert found > 30


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a\nb", "a<n>b"),
        ("a \n  b\nc", "a<n>  b<n>c"),
        ("wrapped\nlines.\n\n\n another\nparagraph", "wrapped\nlines.<n> another\nparagraph"),
        ("a \n \n b", "a<n> b"),
        ("no end", "no end"),
    ],
)
def test_paragraphs_end_at_blank_lines_or_else_at_line_ends(text, sent):
    result = with_line_breaks(Sent.as_it_is(text))
    assert result.text == sent
    assert len(result.starts) == len(result.ends) == len(sent)
    assert result.span(0, len(sent)) == (0, len(text))
    kept = [place for place in range(len(sent)) if text[slice(*result.span(place, place + 1))] == sent[place]]
    assert len(kept) >= len(sent) - 3 * sent.count("<n>")


@pytest.mark.parametrize("prompt", ["", "dog: "])
def test_a_source_is_sent_with_its_line_ends_and_keeps_its_places(pegasus, prompt):
    source = read_source(TEXT, Prompt(prompt), pegasus, 512)
    assert source.input_ids == tuple(pegasus(prompt + TEXT.replace("\n", "<n>")).input_ids)
    assert source.text == TEXT
    words = "".join(TEXT[token.start : token.end] for token in source.tokens if not token.special)
    assert "".join(words.split()) == "".join(TEXT.split())
    assert all(token.text == TEXT[token.start : token.end] for token in source.tokens if not token.special)


def test_a_source_that_is_cut_keeps_its_end_token(pegasus):
    whole = read_source(TEXT, Prompt(), pegasus, 512)
    cut = read_source(TEXT, Prompt(), pegasus, 6)
    assert cut.input_ids == (*whole.input_ids[:5], pegasus.eos_token_id)
    assert cut.num_cut_tokens == len(whole.input_ids) - 6
    assert len(cut.tokens) == 6


def test_without_such_a_piece_the_source_is_as_it_was(without):
    source = read_source(TEXT, Prompt(), without, 512)
    assert source.input_ids == tuple(without(TEXT).input_ids)


@pytest.mark.parametrize("part", [" ", "\n", " \n", "a\n"])
def test_the_time_that_a_long_text_takes_is_not_quadratic(part):
    with within(60):  # takes a tenth of a second; what is quadratic takes minutes
        with_line_breaks(Sent.as_it_is("a" + part * 300_000 + "b"))
