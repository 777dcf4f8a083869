from __future__ import annotations

import json
import logging

import gradio as gr
import pytest

from demo import wording
from demo.answering import UNCHANGED, Answering, begin_answer
from demo.examples import questions
from demo.handlers import end
from demo.layout import build
from tests.demo.stand_in import LIMIT

TEXT = "[Ada] wrote the notes. [Charles] paid for them."
LONG = TEXT + " word" * (2 * LIMIT)


@pytest.fixture
def answering(engine) -> Answering:
    return Answering(engine)


def test_an_answer_comes_with_its_views(answering):
    *_, (shown, frame, view, figure, table) = answering.read("Who wrote?", TEXT, None)
    assert (shown["text"], shown["score"], shown["hint"], shown["running"]) == ("Ada", "60% likely", "", False)
    assert shown["notes"][0].startswith("Read ")
    assert shown["filename"] == "gloss-answer.txt"
    assert frame["visible"]
    assert [each["text"] for each in json.loads(view)["candidates"]] == ["Ada", "Charles"]
    assert len(figure.data) == 2
    assert "Charles" in table


def test_no_answer_is_said_plainly_and_what_comes_nearest_too(answering):
    *_, (shown, frame, view, *_) = answering.read("Who wrote?", "Nobody wrote.", None)
    assert (shown["text"], shown["hint"], shown["score"]) == ("", wording.NO_ANSWER, "92% likely")
    assert shown["notes"][0] == "What comes nearest: “Nobod”, 8% likely"
    assert frame["visible"]
    assert not json.loads(view)["found"]


def test_a_long_text_is_read_in_sections_that_are_counted(answering):
    *readings, (last, *_) = answering.read("Who wrote?", LONG, None)
    assert [shown["progress"]["says"] for shown, *_ in readings] == [
        "Reading section 1 of 3",
        "Reading section 2 of 3",
        "Reading section 3 of 3",
    ]
    assert all(tuple(rest) == UNCHANGED and shown["running"] for shown, *rest in readings)
    assert "in 3 sections" in last["notes"][0]


def test_a_short_text_shows_no_bar(answering):
    (first, *_), _ = answering.read("Who wrote?", TEXT, None)
    assert (first["progress"], first["notes"], first["running"]) == (None, [wording.READING], True)


def test_closing_the_generator_stops_the_engine_between_sections(answering, engine):
    reading = answering.read("Who wrote?", LONG, None)
    next(reading)
    next(reading)
    reading.close()
    assert engine.steps == 1


def test_a_stopped_reading_says_how_far_it_came(answering):
    reading = answering.read("Who wrote?", LONG, None)
    next(reading)
    shown, *_ = next(reading)
    *_, stopped = end(shown)
    assert stopped["notes"] == [wording.STOPPED]
    assert stopped["progress"]["says"] == "Stopped after 1 of 3 sections"


@pytest.mark.parametrize(
    ("question", "text", "model", "problem"),
    [
        ("Who?", None, None, "Please write or paste some text first."),
        (None, TEXT, None, "Please ask a question first."),
        ("Who?", TEXT, "someone/else", "There is no model called “someone/else” here"),
        ("Who?", TEXT, "x" * 500, f"There is no model called “{'x' * 100}…” here"),
    ],
)
def test_what_cannot_be_worked_on_is_a_notice(answering, question, text, model, problem):
    [(shown, *rest)] = answering.read(question, text, model)
    assert shown["problem"].startswith(problem)
    assert not shown["running"]
    assert tuple(rest) == UNCHANGED


def test_what_nobody_foresaw_is_logged_and_kept_from_the_visitor(answering, caplog):
    with caplog.at_level(logging.ERROR):
        *_, (shown, *_) = answering.read("explode", TEXT, None)
    assert shown["problem"] == wording.APOLOGY
    assert "the secret inside" in caplog.text


def test_the_count_says_when_a_text_is_read_in_sections(answering):
    assert answering.count("one two three", None) == "3 of 512 tokens"
    assert "600 tokens, more than the model’s 512: read in sections" in answering.count("word " * 600, None)
    assert answering.count(" ", None) == wording.KEYS_HINT


def test_a_new_question_clears_what_was_found():
    run, cancel, shown, frame = begin_answer()
    assert (run["interactive"], cancel, frame["visible"]) == (False, gr.skip(), False)
    assert shown["running"]


def test_every_example_is_a_question_with_a_passage():
    assert len(questions()) >= 4
    for question, text in questions().values():
        assert question.endswith("?")
        assert len(text.split()) > 150


def test_a_host_without_a_model_for_it_offers_no_answers(engine, monkeypatch):
    def models(task):
        return () if task == "answer" else type(engine).models(engine, task)

    def endpoints() -> set[str]:
        return {event.api_name for event in build(engine).fns.values() if event.api_visibility == "public"}

    assert "answer" in endpoints()
    monkeypatch.setattr(engine, "models", models)
    assert "answer" not in endpoints()
