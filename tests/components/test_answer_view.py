from __future__ import annotations

import json
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.answer_view import SURROUNDINGS, answer_view
from seq2seq.trace import Answer, Span
from tests.components.answers import answer, long_answer

TEXT = "Ada wrote the notes in London. Charles paid for them."


def put_together(view: dict) -> str:
    return "".join(before + words for before, words, _ in view["pieces"]) + view["rest"]


def test_candidates_are_by_score_and_pieces_by_place():
    view = answer_view(answer(TEXT, ("Charles", 0.6), ("Ada", 0.3)))
    assert [(each["text"], each["score"]) for each in view["candidates"]] == [("Charles", "60%"), ("Ada", "30%")]
    assert view["pieces"] == [["", "Ada", 1], [" wrote the notes in London. ", "Charles", 0]]
    assert view["rest"] == " paid for them."


@pytest.mark.parametrize("found", [True, False])
def test_whether_there_is_an_answer_is_said_and_the_candidates_stay(found):
    view = answer_view(answer(TEXT, ("Ada", 0.3), found=found))
    assert view["found"] is found
    assert view["candidates"][0]["text"] == "Ada"


def test_a_text_without_any_candidate_is_shown_as_it_is():
    view = answer_view(answer(TEXT, found=False))
    assert (view["candidates"], view["pieces"], view["rest"]) == ([], [], TEXT)


@given(st.text(min_size=1), st.data())
def test_the_text_can_be_put_together_again_whatever_is_in_it(context, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(context)), max_size=8)))
    places = list(zip(cuts[::2], cuts[1::2], strict=False))
    spans = tuple(Span(context[start:end], start, end, 0.1) for start, end in data.draw(st.permutations(places)))
    view = answer_view(Answer("Who?", context, None, spans, 0.5, (), (), (), 1, 0.1))
    assert put_together(view) == context
    for _, words, index in view["pieces"]:
        assert words == spans[index].text
    lengths = accumulate(len(before) + len(words) for before, words, _ in view["pieces"])
    assert list(lengths) == sorted(span.end for span in spans)


def test_a_candidate_is_told_with_the_words_around_it():
    [view] = answer_view(answer(TEXT, ("London", 0.5)))["candidates"]
    assert (view["before"], view["after"]) == ("Ada wrote the notes in ", ". Charles paid for them.")


def test_words_around_a_candidate_are_whole_and_few():
    [view] = answer_view(long_answer(1000, {500: 0.5}))["candidates"]
    assert view["before"].startswith("…w")
    assert view["before"].endswith("w499 ")
    assert view["after"].startswith(" w501")
    assert view["after"].endswith("…")
    for side in (view["before"], view["after"]):
        assert {word.strip("…") for word in side.split()} <= {f"w{number}" for number in range(1000)}
        assert len(side) <= SURROUNDINGS + 1


def test_a_line_end_near_a_candidate_does_not_break_its_line():
    [view] = answer_view(answer("One line\nAda\n\nanother", ("Ada", 0.5)))["candidates"]
    assert (view["before"], view["after"]) == ("One line ", "  another")


def test_a_text_without_spaces_has_surroundings_too():
    [view] = answer_view(answer("雨" * 100 + "猫" + "雨" * 100, ("猫", 0.5)))["candidates"]
    assert view["before"] == "…" + "雨" * SURROUNDINGS
    assert view["after"] == "雨" * SURROUNDINGS + "…"


def test_a_long_text_is_sent_once():
    some = long_answer(20_000, dict.fromkeys(range(0, 20_000, 4000), 0.1))
    assert len(json.dumps(answer_view(some))) < 1.05 * len(some.context) + 2000
