"""Visitors and programs that leave in the middle of a run, and what the model does then."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from weakref import ref

import httpx
import psutil
import pytest
from gradio import queueing
from gradio_client import Client

from demo import endpoints
from demo.serving import early_cancel
from demo.serving.server import Server
from demo.settings import PageSettings
from seq2seq.engine import Engine, batching
from seq2seq.tasks import InputError
from seq2seq.tasks.documents import MAX_SECONDS
from seq2seq.tasks.pattern import pattern
from tests import waiting
from tests.demo.test_serving import metrics
from tests.demo.visitor import SETTINGS, Visitor
from tests.process import title
from tests.seq2seq.test_hostile_documents import HOSTILE
from tests.serving import serving
from tests.waiting import PATIENCE, within

TEXT = "Anna Lind moved to Oslo in 2011. She opened a bakery there."
OTHER = "Rain fell all night. The river rose."
SECONDS_A_STEP = 0.15
until = partial(waiting.until, seconds=30)


@pytest.fixture(scope="module")
def engine() -> Engine:
    engine = Engine()
    engine.load("fuse")
    return engine


@dataclass
class Steps:
    """The runs that took each step that has begun. Steps are slow, and begin when they may."""

    begun: list[set[ref]] = field(default_factory=list)
    may_begin: threading.Event = field(default_factory=threading.Event)

    def runs(self) -> set[ref]:
        return set().union(*self.begun)

    def of(self, run: ref, first: int) -> int:
        """How many it took from there on."""
        return sum(run in taken for taken in self.begun[first:])


@pytest.fixture
def steps(monkeypatch) -> Steps:
    steps, next_logits = Steps(), batching.next_logits
    steps.may_begin.set()

    def slow(runs, tokens):
        assert steps.may_begin.wait(PATIENCE)
        steps.begun.append({ref(run.cache) for run in runs})
        time.sleep(SECONDS_A_STEP)
        return next_logits(runs, tokens)

    monkeypatch.setattr(batching, "next_logits", slow)
    return steps


@pytest.fixture
def page(engine) -> Iterator[tuple[Server, str]]:
    with serving(engine, PageSettings(metrics=True)) as served:
        yield served


@contextmanager
def tab(server: Server, address: str) -> Iterator[None]:
    """The page, which is closed."""
    visitor = Visitor(server, address)
    visitor.fuse(TEXT)
    with httpx.stream("GET", f"{address}/gradio_api/queue/data", params={"session_hash": visitor.session}):
        yield


@contextmanager
def cancelling(server: Server, address: str) -> Iterator[None]:
    """The page, where Cancel is pressed."""
    visitor = Visitor(server, address)
    event_id = visitor.fuse(TEXT).json()["event_id"]
    asked = {"session_hash": visitor.session, "fn_index": visitor.event("generate"), "event_id": event_id}
    with httpx.stream("GET", f"{address}/gradio_api/queue/data", params={"session_hash": visitor.session}):
        yield
        httpx.post(f"{address}/gradio_api/cancel", json=asked)


@contextmanager
def job(server: Server, address: str) -> Iterator[None]:
    """A program that cancels what it asked for."""
    asked = Client(address, verbose=False).submit(TEXT, api_name="/fuse")
    yield
    asked.cancel()


@contextmanager
def stream(server: Server, address: str) -> Iterator[None]:
    """A program that hangs up."""
    calls = f"{address}/gradio_api/call/fuse"
    form = Client(address, verbose=False).endpoints
    [fuse] = [each for each in form.values() if each.api_name == "/fuse"]
    data = [TEXT, *(each["parameter_default"] for each in fuse.parameters_info[1:])]
    event_id = httpx.post(calls, json={"data": data}).json()["event_id"]
    with httpx.stream("GET", f"{calls}/{event_id}"):
        yield


@contextmanager
def cancelling_early(server: Server, address: str) -> Iterator[None]:
    """The page, where Cancel is pressed before it knows the run's name."""
    visitor = Visitor(server, address)
    visitor.fuse(TEXT)
    asked = {"session_hash": visitor.session, "fn_index": visitor.event("generate"), "event_id": None}
    with httpx.stream("GET", f"{address}/gradio_api/queue/data", params={"session_hash": visitor.session}):
        yield
        assert httpx.post(f"{address}/gradio_api/cancel", json=asked).json() == {"success": True}
        assert httpx.post(f"{address}/gradio_api/reset", json={"event_id": None}).json() == {"success": True}


WAYS = pytest.mark.parametrize(
    "visit", [tab, cancelling, cancelling_early, job, stream], ids=lambda visit: visit.__name__
)


@WAYS
def test_whoever_leaves_frees_the_model_within_a_step(page, steps, visit):
    server, address = page
    before = set(threading.enumerate())
    with visit(server, address):
        until(lambda: len(steps.begun) >= 3)
        assert server.calls.running
    taken = len(steps.begun)
    until(lambda: not server.calls.running)
    assert len(steps.begun) <= taken + 1
    [ended] = [each for each in metrics(address).items() if each[0].startswith("gloss_requests_total")]
    assert 'outcome="cancelled"' in ended[0]
    assert ended[1] == 1
    until(lambda: not [each for each in threading.enumerate() if each not in before and "generate" in each.name])
    time.sleep(2 * SECONDS_A_STEP)
    assert len(steps.begun) <= taken + 1


@WAYS
def test_whoever_shares_its_steps_goes_on(engine, page, steps, visit):
    server, address = page
    *_, alone = engine.run("fuse", OTHER)
    steps.begun.clear()
    steps.may_begin.clear()
    companion = Client(address, verbose=False).submit(OTHER, api_name="/fuse")
    with visit(server, address):
        until(lambda: len(server.calls.running) == 2)
        steps.may_begin.set()
        until(lambda: len(steps.runs()) == 2)
    until(lambda: len(server.calls.running) == 1)
    taken = len(steps.begun)
    assert companion.result(PATIENCE) == alone.text
    assert sorted(steps.of(run, taken) > 1 for run in steps.runs()) == [False, True]


@contextmanager
def job_without_stream(server: Server, address: str) -> Iterator[None]:
    asked = Client(address, verbose=False).submit("fuse", TEXT, api_name="/attention")
    yield
    asked.cancel()


@contextmanager
def hanging_up_without_stream(server: Server, address: str) -> Iterator[None]:
    calls = f"{address}/gradio_api/call/attention"
    asked = {"data": ["fuse", TEXT, None, "cross", None, None, "words", None]}
    event_id = httpx.post(calls, json=asked).json()["event_id"]
    with httpx.stream("GET", f"{calls}/{event_id}"):
        yield


@pytest.mark.parametrize("visit", [job_without_stream, hanging_up_without_stream], ids=lambda visit: visit.__name__)
def test_whoever_leaves_what_is_told_in_the_end_frees_the_model_within_a_step(page, steps, visit):
    server, address = page
    with visit(server, address):
        until(lambda: len(steps.begun) >= 3)
    taken = len(steps.begun)
    until(lambda: not server.calls.running)
    time.sleep(3 * SECONDS_A_STEP)
    assert len(steps.begun) <= taken + 1
    [ended] = [each for each in metrics(address).items() if each[0].startswith("gloss_requests_total")]
    assert ended == ('gloss_requests_total{endpoint="/attention",outcome="cancelled"}', 1)


@pytest.mark.parametrize("visit", [cancelling, tab], ids=lambda visit: visit.__name__)
def test_whoever_leaves_while_others_have_their_turn_computes_nothing(engine, page, steps, visit):
    server, address = page
    with engine.turns, visit(server, address):
        until(lambda: server.calls.running)
        time.sleep(2 * SECONDS_A_STEP)
    until(lambda: not server.calls.running)
    until(lambda: not [each for each in threading.enumerate() if "generate" in each.name])
    assert not steps.begun


def readers() -> list[psutil.Process]:
    """The processes that read files; none that has just ended."""
    return [each for each in psutil.Process().children() if "seq2seq.files" in title(each)]


def test_whoever_leaves_a_file_has_no_reader_when_the_place_is_given_back(page):
    server, address = page
    visitor = Visitor(server, address)
    file = visitor.upload("long.pdf", HOSTILE["pages of comments"]())
    event_id = visitor.join("open_document", [file]).json()["event_id"]
    until(readers)
    with within(MAX_SECONDS / 2):
        assert cancelled(address, visitor.session, event_id, visitor.event("open_document")).is_success
    assert not readers()
    assert event_id not in server.demo._queue.event_ids_to_events


def test_whoever_hangs_up_on_a_file_has_no_reader(page):
    server, address = page
    visitor = Visitor(server, address)
    file = visitor.upload("long.pdf", HOSTILE["pages of comments"]())
    visitor.join("open_document", [file])
    with httpx.stream("GET", f"{address}/gradio_api/queue/data", params={"session_hash": visitor.session}):
        until(readers)
    with within(MAX_SECONDS / 2):
        until(lambda: not readers())


@pytest.mark.parametrize("cancels", [1, 3])
def test_a_place_is_kept_until_what_was_cancelled_has_ended(page, monkeypatch, cancels):
    server, address = page
    may_end, at_work, most = threading.Event(), [], []

    def slow_pattern(*about):
        at_work.append(about)
        most.append(len(at_work))
        assert may_end.wait(PATIENCE)
        at_work.pop()
        return pattern(*about)

    monkeypatch.setattr(endpoints, "pattern", slow_pattern)
    visitors = [Visitor(server, address) for _ in range(2)]
    number = next(key for key, event in server.demo.fns.items() if event.api_name == "pattern")
    asked = {"fn_index": number, "data": [512, 64, 3, "reference", 1, 1, 12, 64, 4096]}
    with ThreadPoolExecutor() as pool:
        joined = [
            httpx.post(f"{address}/gradio_api/queue/join", json=asked | {"session_hash": each.session})
            for each in visitors
        ]
        names = [each.json()["event_id"] for each in joined]
        until(lambda: at_work)
        leaving = [pool.submit(cancelled, address, visitors[0].session, names[0], number) for _ in range(cancels)]
        time.sleep(1)
        assert len(at_work) == 1
        may_end.set()
        assert all(each.result().is_success for each in leaving)
    until(lambda: not server.demo._queue.event_ids_to_events)
    assert most == [1, 1]


def test_whoever_leaves_while_waiting_is_never_served(engine, steps):
    with serving(engine, PageSettings(concurrency=1)) as (server, address):
        steps.may_begin.clear()
        first = Client(address, verbose=False).submit(OTHER, api_name="/fuse")
        until(lambda: server.calls.running)
        with tab(server, address):
            until(server.num_waiting)
        until(lambda: not server.num_waiting())
        steps.may_begin.set()
        assert first.result(PATIENCE)
        taken = len(steps.begun)
        time.sleep(3 * SECONDS_A_STEP)
        assert len(steps.begun) == taken
        assert not server.calls.running


def test_whoever_cancels_before_the_first_step_gives_the_place_back(engine, monkeypatch):
    def cancel(task, *_, **__):
        monkeypatch.undo()
        task.cancel()

    monkeypatch.setattr(queueing, "set_task_name", cancel)
    with serving(engine, PageSettings(concurrency=1)) as (server, address):
        client = Client(address, verbose=False)
        client.submit(TEXT, api_name="/fuse")
        until(lambda: queueing.set_task_name is not cancel)
        assert client.submit(OTHER, api_name="/fuse").result(PATIENCE)
        assert not server.demo._queue.get_active_worker_count()


def test_whoever_leaves_does_not_wait_for_a_turn_to_look_back(engine, page):
    server, address = page
    with engine.turns.looks:
        data = ["fuse", TEXT, "Anna Lind moved to Oslo.", "cross", None, None, "words", None]
        asked = {"fn_index": next(key for key, event in server.demo.fns.items() if event.api_name == "attention")}
        answer = httpx.post(f"{address}/gradio_api/queue/join", json=asked | {"session_hash": "me", "data": data})
        until(lambda: engine.turns._looks)
        assert cancelled(address, "me", answer.json()["event_id"], **asked).is_success
        assert not engine.turns._looks
        assert not server.calls.running
    assert Client(address, verbose=False).predict(*data, api_name="/attention")


def test_what_is_wrong_with_what_somebody_has_left_is_told_to_nobody(page, monkeypatch, caplog):
    server, address = page
    begun, has_left = threading.Event(), threading.Event()

    def fails(*_):
        begun.set()
        assert has_left.wait(PATIENCE)
        raise InputError("a secret")

    monkeypatch.setattr(endpoints, "pattern", fails)
    number = next(key for key, event in server.demo.fns.items() if event.api_name == "pattern")
    asked = {"fn_index": number, "session_hash": "me", "data": [512, 64, 3, "reference", 1, 1, 12, 64, 4096]}
    for _ in range(3):  # as the last one is still known somewhere
        event_id = httpx.post(f"{address}/gradio_api/queue/join", json=asked).json()["event_id"]
        until(begun.is_set)
        with ThreadPoolExecutor(1) as pool:
            leaving = pool.submit(cancelled, address, "me", event_id, number)
            until(lambda: any(call.outcome == "cancelled" for call in server.calls.running))
            has_left.set()
            assert leaving.result().is_success
        begun.clear()
        has_left.clear()
    gc.collect()
    assert not [each.getMessage() for each in caplog.records if each.name == "asyncio"]


@contextmanager
def on_its_way(address: str, visitor: Visitor) -> Iterator[None]:
    """A run that was sent and comes when the block ends."""
    data = ["fuse", TEXT, None, *SETTINGS]
    body = json.dumps({"fn_index": visitor.event("generate"), "session_hash": visitor.session, "data": data}).encode()
    url = httpx.URL(address)
    with socket.create_connection((url.host, url.port)) as connection:
        head = f"POST /gradio_api/queue/join HTTP/1.1\r\nHost: {url.host}\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
        yield
        connection.sendall(body)
        assert b" 200 OK" in connection.recv(4096)


def test_whoever_cancels_before_joining_is_not_served(page, steps, monkeypatch):
    server, address = page
    visitor, early = Visitor(server, address), server.early_cancel
    event_of = early.event_of

    async def slow(*asked):
        event_id = await event_of(*asked)
        await asyncio.sleep(3 * SECONDS_A_STEP)  # in which the run could begin
        return event_id

    monkeypatch.setattr(early, "event_of", slow)
    with ThreadPoolExecutor() as pool:
        with on_its_way(address, visitor):
            cancelling = pool.submit(cancelled, address, visitor.session, fn_index=visitor.event("generate"))
            until(lambda: early.waiting)
        assert cancelling.result().json() == {"success": True}
    assert not early.waiting
    assert not early.of_visitors
    until(lambda: not server.calls.running)
    assert not steps.begun


def test_whoever_runs_again_after_cancelling_what_was_refused_is_served(page, monkeypatch):
    server, address = page
    monkeypatch.setattr(early_cancel, "SECONDS_APART", 0)
    monkeypatch.setattr(early_cancel, "SECONDS_TO_JOIN", 5)
    visitor, early = Visitor(server, address), server.early_cancel
    with ThreadPoolExecutor() as pool:
        cancelling = pool.submit(cancelled, address, visitor.session, fn_index=visitor.event("generate"))
        until(lambda: early.waiting)
        visitor.fuse(TEXT)
        assert visitor.last()["text"]
        assert cancelling.result().json() == {"success": True}


def test_few_wait_to_cancel_what_has_not_joined(page, monkeypatch):
    server, address = page
    monkeypatch.setattr(early_cancel, "MOST_OF_ONE", 2)
    monkeypatch.setattr(early_cancel, "SECONDS_TO_JOIN", 5)
    with ThreadPoolExecutor() as pool:
        early = [pool.submit(cancelled, address, f"visitor{number}") for number in range(2)]
        until(lambda: server.early_cancel.of_visitors.total() == 2)
        assert cancelled(address, "another").json() == {"success": True}
        assert not any(each.done() for each in early)
        assert [each.result().status_code for each in early] == [200, 200]
    assert not server.early_cancel.of_visitors


def test_whoever_cancels_much_keeps_nobody_else_from_cancelling(page, steps, monkeypatch):
    server, address = page
    monkeypatch.setattr(early_cancel, "visitor_of", lambda host: visitors.pop())
    monkeypatch.setattr(early_cancel, "MOST_OF_ONE", 2)
    monkeypatch.setattr(early_cancel, "SECONDS_TO_JOIN", 5)
    visitors, visitor, early = ["other", *["one"] * 3], Visitor(server, address), server.early_cancel
    with ThreadPoolExecutor() as pool:
        many = [pool.submit(cancelled, address, f"visitor{number}") for number in range(3)]
        until(lambda: early.of_visitors["one"] == 2 and len(visitors) == 1)
        with on_its_way(address, visitor):
            cancelling = pool.submit(cancelled, address, visitor.session, fn_index=visitor.event("generate"))
            until(lambda: early.of_visitors["other"])
        assert cancelling.result().json() == {"success": True}
        assert not all(each.done() for each in many)
    until(lambda: not server.calls.running)
    assert len(steps.begun) <= 1


@pytest.mark.parametrize("name", ["x" * 65, "é", "a b", "x" * 1_000_000])
def test_nobody_waits_to_cancel_what_has_no_plain_name(page, name):
    server, address = page
    with within(early_cancel.SECONDS_TO_JOIN):
        assert cancelled(address, name).status_code == 400
        assert cancelled(address, "visitor", name).status_code == 400
    assert not server.early_cancel.waiting


def cancelled(address: str, session: str, event_id: str | None = None, fn_index: int = 1) -> httpx.Response:
    asked = {"session_hash": session, "fn_index": fn_index, "event_id": event_id}
    return httpx.post(f"{address}/gradio_api/cancel", json=asked, timeout=PATIENCE)
