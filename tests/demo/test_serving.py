"""What those see of the server who run it: proxies, monitors, readers of logs, and whoever stops it."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import torch
from gradio_client import Client
from gradio_client.exceptions import AppError

from demo import limit_words
from demo.page import Page
from demo.serving.logs import log_as_json
from demo.serving.server import Server
from demo.serving.sessions import Sessions
from demo.settings import PageSettings, settings_of_host
from seq2seq.engine import Engine, EngineSettings
from tests.demo.stand_in import OUTPUTS, StandInEngine
from tests.demo.visitor import Visitor
from tests.process import free_port
from tests.serving import serving
from tests.waiting import PATIENCE, until, within

TEXT = "Ada wrote. She wrote notes."
LONG = "echo " + "one two three four " * 100
MARK = "Xylophonist"
ROOT = Path(__file__).parents[2]
STAND_IN = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # as at a keyboard, even where the tests run in the background
from demo.serving.server import Server
from demo.settings import PageSettings
from tests.demo.stand_in import StandInEngine
Server(StandInEngine(0.05), PageSettings()).serve()
"""

APP = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_path("app.py", run_name="__main__")
"""


def test_a_proxy_learns_when_the_page_is_up_and_when_it_is_ready():
    with serving(StandInEngine(), PageSettings()) as (server, address):
        assert httpx.get(f"{address}/healthz").status_code == 200
        waiting = httpx.get(f"{address}/readyz")
        assert (waiting.status_code, waiting.text) == (503, "The models are being loaded.\n")
        server.load()
        assert httpx.get(f"{address}/readyz").status_code == 200
        server.is_stopped.set()
        assert httpx.get(f"{address}/readyz").status_code == 503
        assert httpx.get(f"{address}/healthz").status_code == 200


def test_metrics_count_requests_by_how_they_ended():
    with serving(StandInEngine(0.01), PageSettings(metrics=True, rate_limit=4)) as (server, address):
        server.load()
        client = Client(address, verbose=False)
        assert client.predict(TEXT, api_name="/fuse") == OUTPUTS["fuse"]
        with pytest.raises(AppError):
            client.predict(" ", api_name="/fuse")
        with pytest.raises(AppError):
            client.predict("explode", api_name="/fuse")
        job = client.submit(LONG, api_name="/fuse")
        while not job.outputs():
            time.sleep(0.02)
        job.cancel()
        assert httpx.post(f"{address}/gradio_api/call/fuse", json={"data": [TEXT]}).status_code == 429
        until(lambda: not server.calls.running)
        told = metrics(address)
        for outcome, count in (("finished", 1), ("refused", 2), ("failed", 1), ("cancelled", 1)):
            assert told[f'gloss_requests_total{{endpoint="/fuse",outcome="{outcome}"}}'] == count
        assert told['gloss_request_seconds_count{endpoint="/fuse"}'] == 3
        assert told["gloss_queue_seconds_count"] == 4
        assert told['gloss_tokens_written_total{model="stand-in"}'] > 20
        assert told['gloss_tokens_read_total{model="stand-in"}'] > 400
        assert (told["gloss_requests_waiting"], told["gloss_requests_running"]) == (0, 0)
        assert (told["gloss_models_loaded"], told["gloss_model_bytes"]) == (1, 1000)
        assert told["process_resident_memory_bytes"] > 1e6


def metrics(address: str) -> dict[str, float]:
    lines = httpx.get(f"{address}/metrics").text.splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def test_a_host_that_debugs_gradio_is_served_like_any_other(monkeypatch):
    monkeypatch.setenv("GRADIO_DEBUG", "1")
    monkeypatch.setattr(Page, "block_thread", lambda page: pytest.fail("this would wait until the page is stopped"))
    with serving(StandInEngine(0), PageSettings()) as (server, _):
        assert isinstance(server.demo.app.state_holder, Sessions)


def test_metrics_are_told_only_where_the_host_wants_it():
    with serving(StandInEngine(), PageSettings()) as (_, address):
        assert "gloss_requests" not in httpx.get(f"{address}/metrics").text


def test_an_apology_tells_the_request_that_the_log_tells(caplog):
    with serving(StandInEngine(0), PageSettings()) as (server, address):
        visitor = Visitor(server, address)
        visitor.fuse("explode")
        shown = visitor.last()["problem"]
        [id] = re.findall(r"If you report it, quote ([0-9a-f]{8})\.$", shown)
        assert f"unexpected error in request {id}" in caplog.text


@contextmanager
def json_logs() -> Iterator[None]:
    ours = logging.getLogger("demo")
    before = ours.handlers, ours.propagate, ours.level, logging.raiseExceptions
    log_as_json()
    yield
    ours.handlers, ours.propagate, ours.level, logging.raiseExceptions = before


def test_the_log_has_every_request_and_nothing_that_a_visitor_wrote(capsys):
    with json_logs(), serving(StandInEngine(0.05), PageSettings()) as (server, address):
        client, visitor = Client(address, verbose=False), Visitor(server, address)
        client.predict(f"echo {MARK}", api_name="/fuse")
        client.predict(f"What of {MARK}?", f"[{MARK}] wrote.", api_name="/answer")
        for refused in (f"explode {MARK}", " "):
            with pytest.raises(AppError):
                client.predict(refused, api_name="/summarize")
        with pytest.raises(AppError):
            client.predict("Ada wrote.", model=MARK, api_name="/fuse")
        visitor.fuse(f"explode {MARK}")
        assert visitor.last()["problem"]
        for content in (MARK.encode(), b"\0"):
            visitor.join("open_document", [visitor.upload(f"{MARK}.txt", content)])
            list(visitor.hears())
    told, errors = capsys.readouterr()
    assert MARK.lower() not in (told + errors).lower()
    assert "the secret inside" not in told + errors
    lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["says"] == "request"]
    assert [(each["endpoint"], each["outcome"]) for each in requests] == [
        ("/fuse", "finished"), ("/answer", "finished"), ("/summarize", "failed"), ("/summarize", "refused"),
        ("/fuse", "refused"), ("page: generate", "failed"),
    ]  # fmt: skip
    first = requests[0]
    assert first["model"] == "stand-in"
    assert first["tokens_in"] == first["tokens_out"] == 4
    assert first["seconds"] >= 0.2
    assert first["queue_seconds"] >= 0
    failed, _ = (line for line in lines if line["level"] == "error")
    assert failed["error"] == "RuntimeError"
    assert "stand_in.py" in failed["where"][-1]
    assert requests[2]["request"] in failed["says"]


def test_stopped_it_breaks_a_long_run_off_with_what_is_there():
    with serving(StandInEngine(0.05), PageSettings(concurrency=1, grace_seconds=0.2)) as (server, address):
        client = Client(address, verbose=False)
        running = client.submit(LONG, api_name="/fuse")
        while not running.outputs():
            time.sleep(0.02)
        waiting = client.submit(TEXT, api_name="/fuse")
        until(server.num_waiting)
        server.is_stopped.set()
        with within(10):
            server.finish()
        for job in (running, waiting):
            with pytest.raises(AppError, match="about to restart"):
                job.result(PATIENCE)
        assert running.outputs()


def test_a_process_that_is_told_to_stop_lets_nobody_in_finishes_and_exits():
    process = subprocess.Popen([sys.executable, "-uc", STAND_IN], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        [address] = next(filter(None, (re.findall(r"http://\S+", line) for line in process.stdout)))
        job = Client(address, verbose=False).submit(TEXT, api_name="/fuse")
        while not job.outputs():
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        until(lambda: httpx.get(f"{address}/readyz").status_code == 503)
        refused = httpx.post(f"{address}/gradio_api/call/fuse", json={"data": [TEXT]})
        assert (refused.status_code, refused.json()["detail"]) == (503, limit_words.STOPPING)
        assert job.result(PATIENCE) == OUTPUTS["fuse"]
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


def stand_in_page(**environment: str) -> subprocess.Popen:
    """With its output in a pipe, as a host's log has it; whatever is told to it is told to no test."""
    return subprocess.Popen(
        [sys.executable, "-c", STAND_IN],
        cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def app(**environment: str) -> subprocess.Popen:
    """The whole page, its output as above."""
    return subprocess.Popen(
        [sys.executable, "-c", APP],
        cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        yield taken.getsockname()[1]


def test_a_port_that_the_host_names_and_somebody_has_ends_the_process_with_a_line(taken_port):
    process = stand_in_page(GRADIO_SERVER_PORT=str(taken_port))
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert re.fullmatch(rf"Port {taken_port} \(GRADIO_SERVER_PORT\) is taken\. .*\n", errors)


def test_it_ends_so_while_models_are_being_loaded_too(taken_port):
    process = app(GRADIO_SERVER_PORT=str(taken_port))
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors.splitlines()[-1].startswith(f"Port {taken_port} (GRADIO_SERVER_PORT) is taken.")


def test_an_address_that_is_none_ends_the_process_with_a_line_that_names_it():
    process = stand_in_page(GRADIO_SERVER_PORT=str(free_port()), GRADIO_SERVER_NAME="192.0.2.1")
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "at 192.0.2.1 (GRADIO_SERVER_NAME), or that is no address of this machine" in errors.splitlines()[-1]


def test_a_folder_for_uploads_that_cannot_be_written_ends_the_process_with_a_line(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    process = stand_in_page(GRADIO_TEMP_DIR=str(tmp_path / "file"))
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert re.fullmatch(r"Nothing can be written in .*file, .*Set GRADIO_TEMP_DIR to .*\n", errors)


@pytest.mark.parametrize(
    ("kind", "name", "value", "says"),
    [
        (PageSettings, "GLOSS_CONCURRENCY", "abc", "must be a whole number, not 'abc'"),
        (PageSettings, "GLOSS_RATE_LIMIT", "0", "must be a number from 1 on, not '0'"),
        (PageSettings, "GLOSS_TIME_LIMIT", "nan", "must be a number above 0, not 'nan'"),
        (PageSettings, "GLOSS_MCP", "maybe", "must be true or false, not 'maybe'"),
        (EngineSettings, "GLOSS_MEMORY", "much", "must be a number, not 'much'"),
        (EngineSettings, "GLOSS_EXTRA_MODELS", "own/one", 'must be a list in JSON, such as ["own/one"]'),
        (EngineSettings, "GLOSS_EXTRA_MODELS", "[1]", 'must be a list in JSON, such as ["own/one"], not 1'),
        (EngineSettings, "GLOSS_PUBLISHED", '["own/one"]', "own/one: not known here"),
        (EngineSettings, "GLOSS_DTYPE", "int8", "must be 'auto', 'float32', 'bfloat16' or 'float16', not 'int8'"),
    ],
)
def test_a_setting_that_is_none_ends_the_process_with_a_line_that_names_it(monkeypatch, kind, name, value, says):
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as told:
        settings_of_host(kind)
    [line] = str(told.value).splitlines()
    assert line.startswith(f"{name}: ")
    assert says in line
    assert line.endswith(". Correct it, or leave it out.")


def test_a_page_without_models_ends_the_process_with_a_line(tmp_path):
    with pytest.raises(SystemExit, match=rf"There is no model that can be used in {tmp_path} \(GLOSS_MODELS\)"):
        Server(Engine(EngineSettings(models=tmp_path)), PageSettings())


def test_a_device_that_is_not_there_ends_the_process_with_a_line():
    missing = "cuda" if not torch.cuda.is_available() else "mps"
    process = app(GLOSS_DEVICE=missing)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert re.fullmatch(rf"GLOSS_DEVICE is {missing}, .*\n", errors)


def test_a_cluster_that_nothing_is_installed_for_ends_the_process_with_a_line(tmp_path):
    (tmp_path / "ray.py").write_text("raise ImportError")
    process = app(GLOSS_ENGINE="ray", PYTHONPATH=str(tmp_path))
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors == "GLOSS_ENGINE=ray needs Ray Serve. Install it: pip install -r requirements-ray.txt\n"


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("imported", ["gradio_client", "seq2seq.engine.local"])
def test_told_to_stop_while_it_starts_it_ends_at_once_and_quietly(told, imported):
    process = app(PYTHONPROFILEIMPORTTIME="1")
    try:
        assert any(line.split("|")[-1].strip() == imported for line in process.stderr)
        process.send_signal(told)
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert all(line.startswith("import time:") for line in errors.splitlines())
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("times", [1, 2])
def test_at_the_keyboard_it_waits_for_no_run_and_ends_quietly(times):
    process = stand_in_page(GRADIO_SERVER_PORT=str(free_port()), GLOSS_CONCURRENCY="2")
    try:
        [address] = next(filter(None, (re.findall(r"http://\S+", line) for line in process.stdout)))
        client = Client(address, verbose=False)
        jobs = [client.submit(LONG, api_name="/fuse") for _ in range(4)]
        until(lambda: any(job.outputs() for job in jobs))
        with within(PageSettings().grace_seconds):
            for _ in range(times):
                process.send_signal(signal.SIGINT)
                time.sleep(0.2)
            assert process.wait(PATIENCE) == 0
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()
        process.wait()
