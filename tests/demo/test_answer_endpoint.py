"""/answer as a program sees it."""

from __future__ import annotations

import time
from typing import get_type_hints

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from demo.endpoints import AnswerReport
from tests.demo.stand_in import LIMIT
from tests.demo.test_endpoints import stands_still

TEXT = "  [Ada] wrote the notes. [Charles] paid for them."
LONG = TEXT + " word" * (30 * LIMIT)


@pytest.fixture(scope="module")
def client(served) -> Client:
    return Client(served[1], verbose=False)


def test_a_question_in_its_answer_out(client):
    report = client.predict("Who wrote?", TEXT, api_name="/answer")
    assert (report["answer"], report["score"], report["finished"]) == ("Ada", 0.6, True)
    assert report["context"][report["start"] : report["end"]] == "Ada"
    [other] = report["alternatives"]
    assert (other["text"], other["score"]) == ("Charles", pytest.approx(0.2))
    assert report["context"][other["start"] : other["end"]] == "Charles"


def test_no_answer_is_null_with_its_probability(client):
    report = client.predict("Who wrote?", "Nobody wrote.", api_name="/answer")
    assert (report["answer"], report["start"], report["end"]) == (None, None, None)
    assert report["score"] == pytest.approx(0.92)
    assert report["finished"]
    assert [each["text"] for each in report["alternatives"]] == ["Nobod"]


def test_what_has_been_read_streams(client):
    *underway, last = client.submit("Who wrote?", TEXT + " word" * (2 * LIMIT), api_name="/answer")
    assert [(each["windows_read"], each["num_windows"]) for each in underway] == [(0, 3), (1, 3), (2, 3)]
    assert not any(each["finished"] or each["answer"] or each["alternatives"] for each in underway)
    assert (last["windows_read"], last["answer"], last["finished"]) == (3, "Ada", True)


def test_what_goes_in_and_out_is_as_it_is_written_down(client):
    endpoint = client.view_api(return_format="dict")["named_endpoints"]["/answer"]
    parameters = {each["parameter_name"]: each for each in endpoint["parameters"]}
    assert {name: each["parameter_has_default"] for name, each in parameters.items()} == {
        "question": False,
        "context": False,
        "model": True,
    }
    for report in client.submit("Who wrote?", TEXT, api_name="/answer"):
        assert report.keys() == get_type_hints(AnswerReport).keys()


def test_a_bad_request_is_answered_in_plain_words(client):
    with pytest.raises(AppError, match="Please ask a question first"):
        client.predict("", TEXT, api_name="/answer")
    with pytest.raises(AppError, match="There is no model called"):
        client.predict("Who?", TEXT, model="someone/else", api_name="/answer")


def test_a_cancelled_job_stops_between_sections(served, client):
    engine, _ = served
    job = client.submit("Who wrote?", LONG, api_name="/answer")
    while not job.outputs():
        time.sleep(0.02)
    steps = engine.steps
    job.cancel()
    assert stands_still(engine)
    assert engine.steps < steps + 25
