"""The Answer tab's way to the embedded model and back, without a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from gradio_client import Client

from components.answer_scores import columns_of
from demo.answering import Answering
from demo.examples import questions
from seq2seq.engine import Engine, EngineSettings
from tests.serving import serve

SAID = {  # by the passages of the examples
    "Who built the shelves?": "Pichler",
    "How much was raised?": "41,300",
    "What washed away the barrack?": "gale",
    "Who left last?": "Sproat",
}


@pytest.fixture(scope="module")
def engine() -> Engine:
    engine = Engine(EngineSettings())
    if not engine.models("answer"):
        pytest.skip("no embedded model answers questions")
    return engine


@pytest.fixture(scope="module")
def client(engine) -> Iterator[Client]:
    with serve(engine) as address:
        yield Client(address, verbose=False)


@pytest.mark.parametrize("title", questions())
def test_the_endpoint_says_what_the_engine_found(client, engine, title):
    question, context = questions()[title]
    report = client.predict(question, context, api_name="/answer")
    *_, reading = engine.answer(question, context)
    best = reading.answer.best
    assert report["answer"] == (best.text if best else None)
    assert report["score"] == pytest.approx(best.score if best else reading.answer.no_answer_score)
    assert len(report["alternatives"]) == len(reading.answer.spans) - bool(best)
    for span in report["alternatives"]:
        assert report["context"][span["start"] : span["end"]] == span["text"]


def test_most_examples_are_answered_rightly(engine):
    right = []
    for title, said in SAID.items():
        *_, reading = engine.answer(*questions()[title])
        best = reading.answer.best
        right.append(best is not None and said in best.text)
    assert sum(right) >= 3, dict(zip(SAID, right, strict=True))


def test_a_text_in_windows_is_shown_whole(engine):
    question, passage = questions()["Who left last?"]
    context = "\n".join([passage] * 10)
    *underway, (shown, _, packed, _, _) = Answering(engine).read(question, context, None)
    view = json.loads(packed)
    assert len(underway) > 1
    assert underway[-1][0]["progress"]["of"] == len(underway)
    assert "".join(before + words for before, words, _ in view["pieces"]) + view["rest"] == context
    assert shown["score"]


def test_the_scores_of_words_are_those_of_tokens(engine):
    *_, reading = engine.answer(*questions()["Who left last?"])
    columns = columns_of(reading.answer)
    assert sum(column.start for column in columns) == pytest.approx(sum(reading.answer.start_scores))
    assert sum(column.start for column in columns) == pytest.approx(1 - reading.answer.no_answer_score, abs=1e-3)
