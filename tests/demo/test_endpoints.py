"""The endpoints as a program sees them, and what happens to the work when a caller leaves."""

from __future__ import annotations

import time
from typing import get_type_hints

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from demo.endpoints import AttentionEndpoint, ModelReport, ModelsEndpoint
from demo.model_cards import models_of
from seq2seq.engine import Engine, EngineSettings
from tests.demo.stand_in import LIMIT, OUTPUTS, StandInEngine


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


def test_only_the_endpoints_are_public_and_all_of_them_are_typed_and_described(client):
    told = client.view_api(return_format="dict")
    endpoints = told["named_endpoints"]
    assert list(endpoints) == ["/fuse", "/split", "/summarize", "/answer", "/attention", "/pattern", "/models"]
    assert not told["unnamed_endpoints"]
    assert len({endpoint["description"] for endpoint in endpoints.values()}) == len(endpoints)
    for name, endpoint in endpoints.items():
        assert all(returned["type"] for returned in endpoint["returns"]), name
        for parameter in endpoint["parameters"]:
            where = f"{name}: {parameter['parameter_name']}"
            assert parameter["type"].keys() & {"type", "oneOf", "enum"}, where
            assert len(parameter["python_type"]["description"]) > 8, where
    assert endpoints["/fuse"]["returns"][0]["type"] == {"type": "string"}
    parameters = {each["parameter_name"]: each for each in endpoints["/fuse"]["parameters"]}
    assert parameters["text"]["type"]["type"] == "string"
    assert not parameters["text"]["parameter_has_default"]
    assert parameters["num_beams"]["type"]["oneOf"] == [{"type": "null"}, {"type": "integer"}]
    assert parameters["num_beams"]["parameter_default"] is None
    assert list(parameters)[-1] == "wording"


def test_whatever_else_the_page_can_do_is_closed_to_programs(served, client):
    _, address = served
    config = httpx.get(f"{address}/config").json()
    closed = [each for each in config["dependencies"] if each["api_visibility"] != "public"]
    assert len(closed) > 50
    for each in closed:
        with pytest.raises(ValueError, match="Cannot find a function"):
            client.predict(api_name=f"/{each['api_name']}")


def test_models_are_told_as_the_page_tells_them(client):
    first, *others = client.predict(api_name="/models")
    assert (first["name"], first["title"]) == ("stand-in", "Stand-in")
    assert first["default_for"] == first["tasks"] + ["answer"]
    assert first["max_source_tokens"] == LIMIT
    assert (first["num_bytes"], first["num_parameters"], first["licence"]) == (None, None, None)
    assert first["is_here"]
    assert [other["default_for"] for other in others] == [[]] * len(others)
    for model in (first, *others):
        assert model.keys() == get_type_hints(ModelReport).keys()


def test_of_the_embedded_models_everything_is_told_and_a_published_one_is_not_here_yet():
    engine = Engine(EngineSettings(published="all"))
    told = {each["name"]: each for each in ModelsEndpoint(engine, models_of(engine)).report()}
    fusion = told["gloss-fusion"]
    assert fusion["default_for"] == ["fuse", "split"]
    assert fusion["licence"] == "apache-2.0"
    assert 60e6 < fusion["num_bytes"] < 80e6
    assert 30e6 < fusion["num_parameters"] < 40e6
    assert fusion["is_here"]
    published = told["google/roberta2roberta_L-24_discofuse"]
    assert (published["tasks"], published["default_for"], published["is_here"]) == (["fuse"], [], False)
    assert published["num_bytes"] > 1e9


def test_a_bad_request_is_answered_in_plain_words(client):
    with pytest.raises(AppError, match="Please write or paste some text first"):
        client.predict("  ", api_name="/fuse")
    with pytest.raises(AppError, match="There is no model called"):
        client.predict("Ada wrote.", model="someone/else", api_name="/fuse")
    with pytest.raises(AppError, match="The wording must be “own” or “quoted”"):
        client.predict("Ada wrote.", wording="sung", api_name="/summarize")
    assert client.predict("Ada wrote.", api_name="/fuse") == OUTPUTS["fuse"]


def test_of_a_long_text_no_more_is_written_than_is_looked_at():
    engine = StandInEngine(0)
    written = AttentionEndpoint(engine).written("summarize", "Ada wrote letters. " * LIMIT, None, "stand-in")
    assert written.text < "Ada wrote letters. " * LIMIT
    assert engine.steps == len(written.target_ids) + 1, "the next section is begun"


def test_a_cancelled_job_stops_the_engine(served, client):
    engine, _ = served
    job = client.submit("echo " + "one two three four " * 200, api_name="/fuse")
    while not job.outputs():
        time.sleep(0.02)
    job.cancel()
    assert stands_still(engine)


def test_a_caller_who_leaves_stops_the_engine(served):
    engine, address = served
    visitor = Client(address, verbose=False)
    job = visitor.submit("echo " + "one two three four " * 200, api_name="/fuse")
    while not job.outputs():
        time.sleep(0.02)
    job.cancel()
    visitor.close()
    assert stands_still(engine)


def stands_still(engine, within: float = 20) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        steps = engine.steps
        time.sleep(0.5)
        if engine.steps == steps:
            return True
    return False
