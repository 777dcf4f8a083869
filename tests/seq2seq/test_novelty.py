"""Words of an output that its source lacks."""

import pytest

from seq2seq.tasks.novelty import novel_facts, novel_words
from tests.waiting import within

SOURCE = "The old bridge was closed in March. Marie Curie's 24 engineers found cracks."


def said(places, output):
    return [output[start:end] for start, end in places]


@pytest.mark.parametrize(
    ("output", "novel", "facts"),
    [
        ("The bridge was closed because engineers found cracks.", [], []),
        ("THE BRIDGE’S cracks", [], []),
        ("Marie Cuie found 25 cracks.", ["Cuie", "25"], ["Cuie", "25"]),
        ("Closed. Yesterday the road reopened.", ["Yesterday", "road", "reopened"], []),
        ("It was “Perhaps” not 2x.", ["Perhaps", "not", "2x"], ["2x"]),
        ("", [], []),
        ("🌉 köprü", ["köprü"], []),
    ],
)
def test_what_the_source_does_not_have(output, novel, facts):
    assert said(novel_words(SOURCE, output), output) == novel
    assert said(novel_facts(SOURCE, output), output) == facts


def test_marks_without_end_take_no_longer_than_letters():
    marks = "a" + "\u0301\u0323" * 200_000
    with within(20):
        assert not novel_words(marks, marks[:1_000])
