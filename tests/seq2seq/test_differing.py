"""Two versions of a text as one: what stays, goes and comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.tasks.differing import MOST_WORDS, differing

TEXTS = st.lists(st.sampled_from(["Anna", "moved", "to", "Oslo.", "a", "\n", "in"]), max_size=12).map(" ".join)


@pytest.mark.parametrize(
    ("before", "after", "pieces"),
    [
        ("", "", []),
        ("Rain fell.", "Rain fell.", [["Rain fell.", "", ""]]),
        ("", "Rain fell.", [["", "", "Rain fell."]]),
        ("Rain fell.", "", [["", "Rain fell.", ""]]),
        ("Anna moved to Oslo.", "Anna flew home.", [["Anna ", "", ""], ["", "moved to Oslo.", "flew home."]]),
        ("It was so.", "It is so.", [["It ", "", ""], ["", "was ", "is "], ["so.", "", ""]]),
        ("Anna moved to Oslo", "Anna moved", [["Anna moved", "", ""], ["", "to Oslo", ""]]),
        ("one\ntwo", "one two", [["one two", "", ""]]),
    ],
)
def test_pieces(before, after, pieces):
    assert differing(before, after) == pieces


@given(TEXTS, TEXTS)
def test_pieces_spell_both_texts(before, after):
    pieces = differing(before, after)
    assert "".join(kept + added for kept, _, added in pieces) == after.lstrip()
    assert " ".join(kept + removed for kept, removed, _ in pieces).split() == before.split()
    for kept, removed, added in pieces:
        assert bool(kept) != bool(removed or added)


def test_of_texts_of_too_many_words_nothing_is_kept():
    long = "one two " * MOST_WORDS
    assert differing(long, "one two") == [["", long, "one two"]]
    assert differing("one two", long) == [["", "one two", long]]
