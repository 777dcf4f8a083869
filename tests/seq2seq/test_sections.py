"""Long texts in sections: nothing lost, nothing too long, few, of like size, and cut where a reader would cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.tasks.patience import waiting
from seq2seq.tasks.sections import HEADING, joined, pieces_of, sections
from tests.waiting import within

PROMPT = 2  # words that are always there

STRETCHES = [
    "Rain fell.",
    "the river rose",
    "Dr. Lind left!",
    "# Notes",
    "堤防。",
    "x" * 40,
    "👩\u200d👧",
    "…",
    "“So?” ",
]
SPACES = [" ", "\n", "\n\n", "  \n \n"]
TEXTS = st.lists(st.sampled_from(STRETCHES + SPACES) | st.text(max_size=12), max_size=60).map("".join)


def count_words(text: str) -> int:
    """A count of tokens as unlike a sum of characters as a tokenizer's: words, and a long word's parts."""
    return PROMPT + sum(1 + len(word) // 5 for word in text.split())


def sentence(number: int) -> str:
    return f"S{number} " + "is here " * 3 + "too. "


def is_sentence_end(text: str) -> bool:
    return bool(re.search(r"[.!?]\s+$|\n\s*\n$", text))


@given(TEXTS, st.integers(PROMPT + 1, 40))
def test_every_character_is_in_one_section_and_every_section_fits(text, limit):
    parts = sections(text, limit, count_words)
    assert "".join(parts) == text
    assert all(count_words(part) <= limit for part in parts)
    assert text == "" or all(parts)


@given(TEXTS)
def test_a_text_that_fits_is_one_section(text):
    assert sections(text, max(count_words(text), PROMPT + 1), count_words) == [text]


@given(st.lists(st.integers(1, 12), min_size=1, max_size=40), st.integers(PROMPT + 13, 60))
def test_sections_are_as_few_as_whole_sentences_allow(lengths, limit):
    text = "".join("Go " + "on " * (length - 1) + "now. " for length in lengths)
    parts = sections(text, limit, count_words)
    room, fewest, filled = limit - PROMPT, 1, 0
    for length in lengths:
        if filled + length + 1 > room:
            fewest, filled = fewest + 1, 0
        filled += length + 1
    assert len(parts) == fewest
    assert all(is_sentence_end(part) for part in parts)


def test_sections_are_of_like_size():
    twelve = 12 * (count_words(sentence(0)) - PROMPT)
    parts = sections("".join(sentence(number) for number in range(9 * 12 + 1)), twelve + PROMPT, count_words)
    sizes = [count_words(part) - PROMPT for part in parts]
    assert len(parts) == 10
    assert max(sizes) - min(sizes) <= twelve // 12, "one sentence more or less, not nine full sections and one sentence"


def test_the_best_seam_near_the_middle_is_taken():
    def halves(*blocks: str) -> list[str]:
        return [part.strip() for part in sections("\n\n".join(blocks), 130 + PROMPT, count_words)]

    long, short = ("".join(map(sentence, range(count))).strip() for count in (11, 9))
    assert halves(long, short) == [long, short]
    two = "".join(map(sentence, range(2))).strip()
    assert halves(short, two, "Second chapter", short) == [f"{short}\n\n{two}", f"Second chapter\n\n{short}"]
    assert halves(short, "# Second chapter\n" + two, short)[1].startswith("# Second")


def test_a_short_line_without_a_stop_is_a_heading():
    assert HEADING.fullmatch("2. Methods and materials")
    assert HEADING.fullmatch("# What is this?")
    assert not HEADING.fullmatch("It rained.")
    assert not HEADING.fullmatch("A line\nand another")
    assert not HEADING.fullmatch("word " * 20)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            "Dr. Lind met J. Smith at 5 p.m. sharp. They left.",
            ["Dr. Lind met J. Smith at 5 p.m. sharp. ", "They left."],
        ),
        ("“Why?” she asked. “No!” He left.", ["“Why?” she asked. ", "“No!” ", "He left."]),
        ("It cost 3.50 euros… Then 4.", ["It cost 3.50 euros… ", "Then 4."]),
        ("天气很好。我们走吧！", ["天气很好。", "我们走吧！"]),
        ("A line\nof the same sentence. End", ["A line\nof the same sentence. ", "End"]),
    ],
)
def test_sentences_are_told_from_abbreviations_and_numbers(text, sentences):
    assert [piece.text for piece in pieces_of(text, 100, count_words)] == sentences


def test_a_sentence_too_long_is_cut_at_lines_then_words_then_characters():
    lines = "\n".join(f"item {number} of the list" for number in range(40))
    assert all(part.endswith("list\n") for part in sections(lines, 60, count_words)[:-1])
    words = sections("word " * 200, 60, count_words)
    assert all(part.endswith("word ") for part in words)
    assert "".join(sections("x" * 5000, 60, count_words)) == "x" * 5000


def test_a_limit_that_leaves_no_room_is_refused():
    with pytest.raises(ValueError, match="no room"):
        sections("Rain fell.", PROMPT, count_words)


@pytest.mark.parametrize(
    "text", ["x" * 200_000, "." * 200_000, ("\n" + " " * 999) * 200, "a\n" * 100_000, '."' * 100_000]
)
def test_odd_texts_take_no_longer(text):
    with within(60):
        assert "".join(sections(text, 512, lambda part: PROMPT + len(part))) == text


def test_outputs_are_joined_as_paragraphs_and_empty_ones_left_out():
    assert joined(["One.", "", "Two."]) == "One.\n\nTwo."


def test_what_a_text_says_again_and_again_is_counted_once():
    counted = []

    def count(text: str) -> int:
        counted.append(text)
        return count_words(text)

    parts = sections("Ada wrote notes. " * 10_000, 1000, count)
    assert "".join(parts) == "Ada wrote notes. " * 10_000
    assert len(counted) < 100


def test_who_waits_no_longer_has_no_more_sentences_counted():
    counted = []

    def count(text: str) -> int:
        counted.append(text)
        return count_words(text)

    def give_up() -> None:
        if len(counted) > 20:
            raise TimeoutError

    with pytest.raises(TimeoutError), waiting(give_up):
        sections(" ".join(map(sentence, range(1, 1000))), 100, count)
    assert len(counted) < 30
