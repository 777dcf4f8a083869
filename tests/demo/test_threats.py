"""What an attacker would try first on a served page, each tried for real. The README's list of threats names them."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gradio.analytics
import httpx
import pytest

from demo import limit_words
from demo.handlers import explain
from demo.logs import log_in_words
from demo.serving import Server
from demo.settings import PageSettings
from seq2seq.engine import Engine, EngineSettings, local
from tests.demo.stand_in import OUTPUTS, StandInEngine
from tests.demo.visitor import SETTINGS, Visitor
from tests.serving import serving

ROOT = Path(__file__).parents[2]
TEXT = "Ada wrote. She wrote notes."
MARK = "Xylophonist"
SECRET = "hf_abcdefghijklmnopqrstuvwxyz012345"


@pytest.fixture(scope="module")
def page() -> Iterator[tuple[Server, str]]:
    with serving(StandInEngine(0), PageSettings(max_file_bytes=10_000)) as served:
        yield served


@pytest.fixture
def visitor(page) -> Visitor:
    return Visitor(*page)


def refusal_of(visitor: Visitor) -> str:
    """What the page says to what was asked last, which failed."""
    [*_, completed] = (message for message in visitor.hears() if message["msg"] == "process_completed")
    assert not completed["success"]
    return completed["output"]["error"]


# Files


@pytest.fixture
def secret(tmp_path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text("a secret")
    return path


def test_no_file_of_the_server_is_served(page, visitor, secret):
    uploads = Path(visitor.upload("a.txt", b"Ada wrote.")["path"]).parent
    link = uploads / "link.txt"
    link.unlink(missing_ok=True)
    paths = [secret, "/etc/passwd", "/proc/self/environ", ROOT / "app.py", "app.py", ".", "~/.ssh/id_rsa", uploads]
    paths += [f"{uploads}/../../../../..{secret}", f"{uploads}/..%2f..%2f..%2f..%2f..{secret}", f"file://{secret}"]
    http = httpx.Client(base_url=page[1], follow_redirects=True)
    for route in ("gradio_api/file=", "gradio_api/file/", "static/", "assets/", "svelte/", "custom_component/"):
        for path in paths:
            for written in (str(path).replace("/", "%2F"), f"../../../../../../../..{path}"):
                answer = http.get(f"/{route}{written}")
                assert answer.status_code in (400, 403, 404), (route, written)
                assert "a secret" not in answer.text
                assert "root:" not in answer.text


@pytest.mark.parametrize("name", ["a.html", "a.svg", "a.js", "a.pdf", "a.xml", "a"])
def test_what_a_visitor_uploads_runs_nothing_in_the_pages_name(page, visitor, name):
    file = visitor.upload(name, b"<script xmlns='http://www.w3.org/1999/xhtml'>alert(1)</script>")
    answer = httpx.get(f"{page[1]}/gradio_api/file={file['path']}")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["../../evil.txt", "/etc/evil.txt", "..", "..\\..\\evil.txt", "a\0b.txt", "<b>" * 200])
def test_the_name_of_an_upload_leads_nowhere(page, name):
    uploads = Path(page[0].demo.app.uploaded_file_dir).resolve()
    answer = httpx.post(f"{page[1]}/gradio_api/upload", files={"files": (name, b"Ada wrote.")})
    assert answer.status_code in (200, 400)
    for path in answer.json() if answer.is_success else ():
        assert Path(path).resolve().parent.parent == uploads
        assert Path(path).read_bytes() == b"Ada wrote."


def test_only_what_was_uploaded_is_opened_and_deleted(visitor, secret):
    for path in (str(secret), "/etc/passwd", str(ROOT / "app.py"), "app.py", f"file://{secret}", "", "\0"):
        for sent in ({"path": path, "meta": {"_type": "gradio.FileData"}}, {"path": path}, path, [path]):
            visitor.join("open_document", [sent])
            assert refusal_of(visitor) == limit_words.NOT_UNDERSTOOD
    assert secret.read_text() == "a secret"
    assert (ROOT / "app.py").exists()


def test_whoever_knows_where_a_file_was_cannot_have_it_after_it_was_read(page, visitor):
    file = visitor.upload("mine.txt", f"{MARK} wrote.".encode())
    visitor.join("open_document", [file])
    assert visitor.last() == f"{MARK} wrote."
    assert httpx.get(f"{page[1]}/gradio_api/file={file['path']}").status_code == 403


def test_uploads_are_bounded_before_they_are_read(page):
    upload = f"{page[1]}/gradio_api/upload"
    many = [("files", (f"{number}.txt", b"x" * 9_000)) for number in range(20)]
    assert httpx.post(upload, files=many).status_code == 413
    endless = (b"x" for _ in range(10))
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert httpx.post(upload, content=endless, headers=kind).status_code == 411


# Addresses


@contextmanager
def listener() -> Iterator[tuple[str, list[str]]]:
    """An address inside, and who came there."""
    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            came.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"a secret")

        do_HEAD = do_POST = do_GET

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", came
    finally:
        server.shutdown()
        server.server_close()


def test_the_server_goes_nowhere_for_a_visitor(page, visitor, monkeypatch):
    import safehttpx

    monkeypatch.setattr(safehttpx, "get", None)  # Gradio's own check of addresses is not to be what holds
    with listener() as (inside, came):
        for address in (f"{inside}/x.txt", inside.replace("127.0.0.1", "localhost"), "https://example.org/x.txt"):
            for route in ("file=", "proxy=", "FILE=", "file/"):
                assert httpx.get(f"{page[1]}/gradio_api/{route}{address}").status_code in (403, 404)
            file = {"path": address, "url": address, "meta": {"_type": "gradio.FileData"}}
            visitor.join("open_document", [file])
            assert refusal_of(visitor) == limit_words.NOT_UNDERSTOOD
            visitor.join("read", [file, TEXT, None])
            assert refusal_of(visitor) == limit_words.NOT_UNDERSTOOD
        uploaded = visitor.upload("a.txt", b"Ada wrote.") | {"url": inside}
        visitor.join("open_document", [uploaded])
        assert visitor.last() == "Ada wrote."
        assert came == []


# Models


def test_a_visitor_has_no_model_but_what_the_host_offers(monkeypatch, tmp_path):
    looked_for = []
    with serving(Engine(EngineSettings()), PageSettings()) as (server, address):
        read_card = local.read_card
        monkeypatch.setattr(local, "read_card", lambda *name: looked_for.append(name) or read_card(*name))
        visitor, models = Visitor(server, address), EngineSettings().models
        for model in (str(models / "gloss-fusion"), "google/roberta2roberta_L-24_bbc", "../x", str(tmp_path), "a\0b"):
            for name, data in (
                ("fuse", [TEXT, model]), ("split", [TEXT, model]), ("summarize", [TEXT, model]),
                ("answer", ["Who?", TEXT, model]),
                ("attention", ["fuse", TEXT, TEXT, "cross", None, None, "words", model]),
            ):  # fmt: skip
                event = next(event for event in server.demo.fns.values() if event.api_name == name)
                asked = {"data": [*data, *[None] * (len(event.inputs) - len(data))]}
                joined = httpx.post(f"{address}/gradio_api/call/{name}", json=asked).json()
                told = httpx.get(f"{address}/gradio_api/call/{name}/{joined['event_id']}").text
                assert "There is no model called" in told, told
            for name, data in (
                ("generate", ["fuse", TEXT, model, None, *SETTINGS[1:]]), ("read", ["Who?", TEXT, model]),
            ):  # fmt: skip
                visitor.join(name, data)
                assert refusal_of(visitor) == limit_words.NOT_UNDERSTOOD
        query = {"task": "fuse", "text": TEXT, "output": "5.6", "model": str(models / "gloss-fusion")}
        asked = {"fn_index": visitor.event("arrive"), "session_hash": visitor.session, "data": []}
        httpx.post(f"{address}/gradio_api/queue/join", params=query, json=asked)
        assert "There is no model called" in json.dumps(list(visitor.hears()))
    assert looked_for == []


# Others' texts


def test_what_a_visitor_has_written_is_shown_to_no_other(page, visitor):
    visitor.fuse(f"echo {MARK}")
    assert MARK in visitor.last()["text"]
    other = Visitor(*page)
    other.join("first_look", [None, "words"])
    assert MARK not in json.dumps(list(other.hears()))
    for path in (
        "", "config", "gradio_api/info", "gradio_api/info?all_endpoints=true", "gradio_api/openapi.json", "healthz",
        "gradio_api/queue/status", "monitoring", "monitoring/summary", "gradio_api/startup-events",
        "readyz", "metrics",
        "gradio_api/app_id", "gradio_api/token", "runs", f"gradio_api/deep_link?session_hash={visitor.session}",
    ):  # fmt: skip
        told = httpx.get(f"{page[1]}/{path}", follow_redirects=True).text
        assert MARK not in told, path
        assert str(ROOT) not in told, path


def test_the_way_to_a_result_cannot_be_guessed(page):
    asked = {"data": [f"echo {MARK}", *[None] * 13]}
    ids = [httpx.post(f"{page[1]}/gradio_api/call/fuse", json=asked).json()["event_id"] for _ in range(5)]
    assert len({*ids}) == 5
    assert all(re.fullmatch(r"[0-9a-f]{12}4[0-9a-f]{19}", id) for id in ids)  # 122 random bits
    for guess in ("", "0", ids[0][:-1] + "x", ids[0].upper(), "*", "null"):
        told = ""
        address = f"{page[1]}/gradio_api/call/fuse/{guess}"
        with suppress(httpx.RemoteProtocolError), httpx.stream("GET", address) as answer:
            for piece in answer.iter_text():
                told += piece
        assert MARK not in told


def test_nobody_stops_the_run_of_another():
    with serving(StandInEngine(0.02), PageSettings()) as (server, address):
        visitor, other = Visitor(server, address), Visitor(server, address)
        visitor.fuse(TEXT)
        for session in (other.session, "", "*"):
            asked = {"session_hash": session, "fn_index": visitor.event("generate"), "event_id": "*"}
            assert httpx.post(f"{address}/gradio_api/cancel", json=asked).status_code == 200
        assert visitor.last()["text"] == OUTPUTS["fuse"]


# Past the page


@pytest.mark.parametrize(
    "path",
    [
        "process_recording", "component_server", "vibe-edit", "vibe-code/", "undo-vibe-edit", "deep_link",
        "stream/x", "dev/reload", "proxy=https://x.hf.space/",
    ],
)  # fmt: skip
def test_what_the_page_does_not_need_is_closed(page, path):
    for method in ("GET", "POST"):
        answer = httpx.request(method, f"{page[1]}/gradio_api/{path}", json={})
        assert (answer.status_code, answer.json()["detail"]) == (404, limit_words.NOTHING_THERE)


def test_no_way_of_asking_goes_around_the_limits():
    with serving(StandInEngine(0), PageSettings(rate_limit=1)) as (server, address):
        visitor = Visitor(server, address)
        assert visitor.fuse(TEXT).status_code == 200
        number, usual = visitor.event("generate"), ["fuse", TEXT, None, *SETTINGS]
        for asked_for in (number, str(number), float(number), [number], None, -1, 10**9):
            asked = {"fn_index": asked_for, "session_hash": "s", "data": usual, "batched": True, "simple_format": True}
            for path in ("queue/join", "queue/join/", "call/generate", "call/fuse/", "call/v2/fuse", "run/fuse"):
                answer = httpx.post(f"{address}/gradio_api/{path}", json=asked, follow_redirects=True)
                assert answer.status_code in (404, 422, 429), (asked_for, path)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"7", b'"fuse"', b"\xff\xfe", b"[" * 100_000, b'{"data":' * 50_000,
        b'{"data": [NaN]}', b'{"data": [1e999]}',
        b'{"data": {"text": -Infinity}}', b'{"data": [' + b"9" * 10_000 + b"]}",
        b'{"data": "\\ud800"}', b'{"data": ["\\udfff"], "fn_index": "\\ud800"}', b'{"data": [' + b"9" * 4_000 + b"]}",
    ],
    ids=range(16),
)  # fmt: skip
def test_a_body_that_is_no_request_is_refused_in_words(page, body):
    for path in ("call/fuse", "call/v2/fuse", "queue/join", "run/predict", "cancel", "reset", "upload", "nothing"):
        answer = httpx.post(f"{page[1]}/gradio_api/{path}", content=body, headers={"Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500 or answer.json() == {"success": True} or "event_id" in answer.json()
        assert "Traceback" not in answer.text


@pytest.mark.parametrize("form", [{"files": (None, b"text")}, {"files": ("", b"text")}], ids=["a field", "no name"])
def test_an_upload_that_is_no_file_is_refused_in_words(page, form):
    answer = httpx.post(f"{page[1]}/gradio_api/upload", files=form)
    assert (answer.status_code, answer.json()["detail"]) == (400, limit_words.NOT_UNDERSTOOD)


def test_half_characters_are_left_out_of_a_text(page, visitor):
    data = ["fuse", "echo \ud800a", None, *SETTINGS]
    asked = {"fn_index": visitor.event("generate"), "session_hash": visitor.session, "data": data}
    kind = {"Content-Type": "application/json"}
    httpx.post(f"{page[1]}/gradio_api/queue/join", content=json.dumps(asked).encode(), headers=kind)
    assert visitor.last()["text"] == "echo a"


# What is told of a visitor


def test_what_no_widget_can_take_is_neither_told_nor_logged(page, visitor, capfd, caplog):
    for name, data in (
        ("generate", [MARK, TEXT, None, *SETTINGS]), ("generate", [TEXT, MARK]), ("shorten",
        ["summarize", {MARK: 1}]),
        ("open_document", [MARK]), ("read", ["Who?", TEXT, MARK]), ("read", [{MARK: MARK}, TEXT, [MARK]]),
    ):  # fmt: skip
        visitor.join(name, data)
        assert refusal_of(visitor) == limit_words.NOT_UNDERSTOOD
    for name in ("begin", "end", "draw"):
        asked = {"fn_index": visitor.event(name), "session_hash": visitor.session, "data": [{MARK: MARK}]}
        answer = httpx.post(f"{page[1]}/gradio_api/run/predict", json=asked)
        assert answer.status_code == 422
        assert MARK not in answer.text
    assert MARK not in "".join(capfd.readouterr()) + caplog.text


def test_an_error_that_quotes_a_text_is_logged_without_it(capsys):
    ours = logging.getLogger("demo")
    before = ours.handlers, ours.propagate, ours.level, logging.raiseExceptions
    log_in_words()
    try:
        raise KeyError(MARK)
    except KeyError as error:
        explain(error)
    finally:
        ours.handlers, ours.propagate, ours.level, logging.raiseExceptions = before
    told, errors = capsys.readouterr()
    assert "KeyError" in told
    assert "test_threats.py" in told
    assert MARK not in told + errors


def test_a_token_of_the_host_is_told_nowhere(monkeypatch, capfd):
    monkeypatch.setenv("HF_TOKEN", SECRET)
    with serving(StandInEngine(0), PageSettings(metrics=True)) as (server, address):
        visitor = Visitor(server, address)
        visitor.fuse("explode")
        told = json.dumps(list(visitor.hears()))
        for path in ("", "config", "gradio_api/info", "metrics", "gradio_api/token"):
            told += httpx.get(f"{address}/{path}").text
    assert SECRET not in told + "".join(capfd.readouterr())


def test_nobody_is_told_that_the_page_is_used(monkeypatch):
    calls = []
    for name in ("_do_analytics_request", "_do_normal_analytics_request"):
        monkeypatch.setattr(gradio.analytics, name, lambda *told, **_: calls.append(told))
    with serving(StandInEngine(0), PageSettings()) as (server, address):
        visitor = Visitor(server, address)
        visitor.fuse(TEXT)
        assert visitor.last()["text"] == OUTPUTS["fuse"]
        assert server.demo.analytics_enabled is False
    assert calls == []
