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
from urllib.parse import quote

import gradio.analytics
import gradio.routes
import httpx
import pytest
from gradio import processing_utils

from demo import limit_words
from demo.handlers import explain, result
from demo.serving.logs import log_in_words
from demo.serving.server import Server
from demo.settings import PageSettings
from seq2seq.engine import Engine, EngineSettings, local
from tests.demo.stand_in import OUTPUTS, StandInEngine
from tests.demo.visitor import SETTINGS, Visitor
from tests.serving import serving
from tests.waiting import until

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


def test_what_a_visitor_uploads_is_served_to_nobody(page, visitor):
    file = visitor.upload("a.html", b"<script>alert(1)</script>")
    for route in ("file=", "file/", "FILE=", "file=/"):
        for method in ("GET", "HEAD"):
            assert httpx.request(method, f"{page[1]}/gradio_api/{route}{file['path']}").status_code == 404


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


def test_no_address_outside_is_fetched_either(page, monkeypatch):
    fetched = []

    async def fetch(address: str, _: object) -> None:
        fetched.append(address)

    monkeypatch.setattr(gradio.routes, "secure_url_stream_response", fetch)
    for route in ("file=", "file/", "file=%20", "FILE/", "proxy=", "//file/", "static/", "assets/"):
        for address in ("http://203.0.113.7/x.txt", "https:%2F%2F203.0.113.7/x.txt", "HTTP://203.0.113.7"):
            for method in ("GET", "HEAD"):
                answer = httpx.request(method, f"{page[1]}/gradio_api/{route}{address}", follow_redirects=True)
                assert answer.status_code == 404
    assert fetched == []


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
        for session, status in ((other.session, 200), ("", 400), ("*", 400)):
            asked = {"session_hash": session, "fn_index": visitor.event("generate"), "event_id": "0"}
            assert httpx.post(f"{address}/gradio_api/cancel", json=asked).status_code == status
        assert visitor.last()["text"] == OUTPUTS["fuse"]


@pytest.mark.parametrize(
    "name", ["a<gradio-sep>b", "s" * 65, "s" * 1_000_000, "a b", "a\n", "ä", "", "*", 7, ["a"], {"a": 1}], ids=range(11)
)
def test_what_could_be_no_session_or_event_is_refused_wherever_it_is_named(page, visitor, name):
    asked = {"fn_index": visitor.event("generate"), "session_hash": "s", "data": ["fuse", TEXT, None, *SETTINGS]}
    kept = page[0].demo._queue.event_ids_to_events, page[0].demo.app.state_holder.session_data
    before = [*map(len, kept)]
    for path in ("queue/join", "run/predict", "api/predict", "call/fuse", "cancel", "reset"):
        for named in ({"session_hash": name}, {"event_id": name}, {"session_hash": name, "event_id": name}):
            answer = httpx.post(f"{page[1]}/gradio_api/{path}", json=asked | {"event_id": "0"} | named)
            assert (answer.status_code, answer.json()["detail"]) == (400, limit_words.NOT_UNDERSTOOD), path
    if isinstance(name, str) and len(name) < 1_000:
        answer = httpx.get(f"{page[1]}/gradio_api/queue/data", params={"session_hash": name})
        assert (answer.status_code, answer.json()["detail"]) == (400, limit_words.NOT_UNDERSTOOD)
        assert httpx.get(f"{page[1]}/gradio_api/heartbeat/{quote(name, safe='')}").status_code == 404
    assert [*map(len, kept)] == before


def test_no_name_of_a_session_ends_the_cancelling_of_others():
    with serving(StandInEngine(0.02), PageSettings()) as (server, address):
        Visitor(server, address, "a<gradio-sep>b").fuse("echo " + "word " * 200)
        visitor = Visitor(server, address)
        event_id = visitor.fuse("echo " + "word " * 200).json()["event_id"]
        until(lambda: len(server.calls.running))
        asked = {"session_hash": visitor.session, "fn_index": visitor.event("generate"), "event_id": event_id}
        assert httpx.post(f"{address}/gradio_api/cancel", json=asked).json() == {"success": True}
        until(lambda: not server.calls.running)


@pytest.mark.parametrize("name", ["k3j9x0q2hzf", "1c5e0b1e-6ab5-4b8c-9d93-0123456789ab", "my_program.2"])
def test_sessions_of_pages_and_programs_are_taken(page, name):
    visitor = Visitor(*page, name)
    assert visitor.fuse(TEXT).status_code == 200
    assert visitor.last()["text"] == OUTPUTS["fuse"]


# Past the page


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/process_recording", "gradio_api/component_server", "gradio_api/vibe-edit", "gradio_api/vibe-code/",
        "gradio_api/undo-vibe-edit", "gradio_api/deep_link?session_hash=x", "gradio_api/stream/x/1/1/playlist.m3u8",
        "gradio_api/dev/reload", "gradio_api/proxy=https://x.hf.space/", "gradio_api/upload_progress?upload_id=x",
        "gradio_api/custom_component/a/client/x/y", "gradio_api/queue/status", "gradio_api/runs", "gradio_api/user",
        "gradio_api/openapi.json", "gradio_api/heartbeat/" + "x" * 65, "gradio_api/heartbeat/%0A",
        "openapi.json", "docs", "redoc", "monitoring", "monitoring/summary", "login", "logout", "pwa_icon/9", "nothing",
        "?page=x", "config?page=x", "gradio_api/info?page=x", "?page=&page=x", "static/%00", "static/" + "x" * 300,
        "assets/" + "x" * 60_000, "svelte/%0A",
    ],
    ids=range(34),
)  # fmt: skip
def test_what_the_page_does_not_need_is_closed(page, path, capfd):
    for method in ("GET", "POST"):
        answer = httpx.request(method, f"{page[1]}/{path}", json={})
        assert (answer.status_code, answer.json()["detail"]) == (404, limit_words.NOTHING_THERE)
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Host": f"{MARK}\t.org"},
        {"X-Forwarded-Host": f"{MARK}:x"},
        {"X-Gradio-Server": f"http://{MARK}\t.org"},
    ],
)
def test_a_proxy_that_names_no_address_is_refused_in_words(page, headers, capfd, caplog):
    for path in ("", "config", "gradio_api/info"):
        answer = httpx.get(f"{page[1]}/{path}", headers=headers)
        assert (answer.status_code, answer.json()["detail"]) == (400, limit_words.NOT_UNDERSTOOD)
    assert MARK not in "".join(capfd.readouterr()) + caplog.text


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


def test_what_does_not_wait_takes_no_place_among_those_who_do(page, visitor):
    at_once = [event for event in page[0].demo.fns.values() if event.fn and event.queue is False]
    assert len(at_once) > 10
    for event in at_once:
        asked = {"fn_index": event._id, "session_hash": visitor.session, "data": [None] * len(event.inputs)}
        for path in ("queue/join", "queue/join/", f"call/{event.api_name}", f"call/v2/{event.api_name}"):
            answer = httpx.post(f"{page[1]}/gradio_api/{path}", json=asked, follow_redirects=True)
            assert (answer.status_code, answer.json()["detail"]) == (404, limit_words.NOTHING_THERE), path
    assert visitor.at_once("count", ["fuse", TEXT, None]).status_code == 200


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


def test_what_is_called_by_name_has_no_number_too(page, visitor, capfd, caplog):
    asked = {"data": [], "fn_index": visitor.event("end"), "session_hash": "s"}
    for path in ("call/a%0A2026%20CRITICAL%20forged", "call/nothing", "call/v2/nothing", "call/nothing/"):
        answer = httpx.post(f"{page[1]}/gradio_api/{path}", json=asked)
        assert (answer.status_code, answer.json()["detail"]) == (404, limit_words.NOTHING_THERE)
    told = "".join(capfd.readouterr()) + caplog.text
    assert "\n2026 CRITICAL forged" not in told
    assert "Traceback" not in told


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


def test_what_a_visitor_sends_is_kept_as_no_widget(visitor):
    update = {"__type__": "update", "value": MARK}
    for sent in (
        update, update | result("fuse"), result("fuse") | {"notes": [update]}, result("fuse") | {"more": 1},
        result("fuse") | {"notes": 1}, result("fuse") | {"pieces": [["a"]]},
    ):  # fmt: skip
        for name, data in (("end", [sent]), ("begin_shorter", ["summarize", sent]), ("begin", [sent])):
            answer = visitor.at_once(name, data)
            assert answer.status_code == 422
            assert MARK not in answer.text
        visitor.join("shorten", ["summarize", sent, None, *SETTINGS])
        assert refusal_of(visitor) == limit_words.NOT_UNDERSTOOD
    shown = result("fuse", "A text.", progress={"done": 1, "of": 2, "says": "a", "stopped": "b"}, pieces=[["A", ""]])
    assert visitor.at_once("end", [shown]).json()["data"][-1] == shown


def test_files_are_looked_for_where_a_widget_sends_one_and_nowhere_else(visitor, monkeypatch):
    looked = []
    monkeypatch.setattr(processing_utils, "async_move_files_to_cache", lambda *about, **_: looked.append(about))
    file = {"path": "/a", "meta": {"_type": "gradio.FileData"}}
    for sent in ([file], {"a": [file]}, file | {"path": "/a" * 600}, file | {"orig_name": file}):
        assert visitor.at_once("end", [sent]).status_code == 422
        visitor.join("open_document", [sent])
        assert refusal_of(visitor) == limit_words.NOT_UNDERSTOOD
    assert not looked


@pytest.mark.parametrize(
    "told",
    [
        None,
        7,
        {"value": {"__type__": "update"}},
        {"value": [MARK]},
        {},
        {"value": "All heads"},
        {"value": "x" * 1_000},
        {"path": f"/etc/{MARK}", "meta": {"_type": "gradio.FileData"}, "value": {}},
    ],
)
def test_what_no_event_tells_of_itself_is_refused(visitor, told, capfd, caplog):
    answer = visitor.at_once("selected_tab", [], event_data=told, trigger_id=1)
    assert (answer.status_code, answer.json()["error"]) == (422, limit_words.NOT_UNDERSTOOD)
    assert MARK not in "".join(capfd.readouterr())
    assert all(record.exc_info is None for record in caplog.records)


def test_where_nothing_is_chosen_that_is_told_in_words(visitor, caplog):
    answer = visitor.at_once("load_example", [None])
    assert (answer.status_code, answer.json()["error"]) == (422, limit_words.NOT_UNDERSTOOD)
    visitor.join("open_document", [None])
    assert refusal_of(visitor) == limit_words.NOT_UNDERSTOOD
    assert all(record.exc_info is None for record in caplog.records)


def test_what_an_event_tells_of_itself_is_taken(visitor):
    told = {"value": "All heads", "index": 1, "component_id": 5}
    assert visitor.at_once("selected_tab", [], event_data=told, trigger_id=1).status_code == 200


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


def test_a_task_that_there_is_not_is_neither_told_nor_logged(capfd, caplog):
    with serving(Engine(EngineSettings()), PageSettings()) as served:
        for task in (MARK, {MARK: MARK}, [MARK]):
            answer = Visitor(*served).at_once("count", [task, TEXT, None])
            assert (answer.status_code, answer.json()["error"]) == (422, limit_words.NOT_UNDERSTOOD)
            answer = Visitor(*served).at_once("choose_task", [task, None])
            assert answer.status_code == 422
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
