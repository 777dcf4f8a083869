"""The endpoints as a program sees them, and what happens to the work when a caller leaves."""

from __future__ import annotations

import time

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests.demo.stand_in import OUTPUTS


@pytest.fixture(scope="module")
def client(served) -> Client:
    return Client(served[1], verbose=False)


@pytest.mark.parametrize("task", ["fuse", "split", "summarize"])
def test_text_in_text_out(client, task):
    assert client.predict("Ada wrote. She wrote notes.", api_name=f"/{task}") == OUTPUTS[task]


def test_output_streams(client):
    job = client.submit(text="Ada wrote. She wrote notes.", num_beams=2, api_name="/fuse")
    pieces = list(job)
    assert len(pieces) > 5
    assert all(OUTPUTS["fuse"].startswith(piece) for piece in pieces)
    assert pieces[-1] == OUTPUTS["fuse"]


def test_only_the_tasks_are_public_and_their_parameters_are_typed(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert set(endpoints) == {"/fuse", "/split", "/summarize", "/answer", "/attention", "/pattern"}
    parameters = {each["parameter_name"]: each for each in endpoints["/fuse"]["parameters"]}
    assert parameters["text"]["type"] == {"type": "string"}
    assert not parameters["text"]["parameter_has_default"]
    assert parameters["num_beams"]["type"] == {"oneOf": [{"type": "null"}, {"type": "integer"}]}
    assert parameters["num_beams"]["parameter_default"] is None
    assert list(parameters)[-1] == "wording"


def test_a_bad_request_is_answered_in_plain_words(client):
    with pytest.raises(AppError, match="Please write or paste some text first"):
        client.predict("  ", api_name="/fuse")
    with pytest.raises(AppError, match="There is no model called"):
        client.predict("Ada wrote.", model="someone/else", api_name="/fuse")
    with pytest.raises(AppError, match="The wording must be “own” or “quoted”"):
        client.predict("Ada wrote.", wording="sung", api_name="/summarize")
    assert client.predict("Ada wrote.", api_name="/fuse") == OUTPUTS["fuse"]


def test_a_cancelled_job_stops_the_engine(served, client):
    engine, _ = served
    job = client.submit("echo " + "one two three four " * 40, api_name="/fuse")
    while not job.outputs():
        time.sleep(0.02)
    job.cancel()
    assert stands_still(engine)


def test_a_caller_who_leaves_stops_the_engine(served):
    engine, address = served
    visitor = Client(address, verbose=False)
    job = visitor.submit("echo " + "one two three four " * 40, api_name="/fuse")
    while not job.outputs():
        time.sleep(0.02)
    job.cancel()
    visitor.close()
    assert stands_still(engine)


def stands_still(engine, within: float = 5) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        steps = engine.steps
        time.sleep(0.5)
        if engine.steps == steps:
            return True
    return False
