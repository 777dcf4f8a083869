"""What is posted is understood where there is little to build, however long its texts, and else refused at once."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from demo import limit_words
from demo.serving import bodies
from demo.serving.bodies import ASKED, DEEPEST, MOST_PARTS, WEIGHT, Arriving, is_simple, is_taken, understood, weight_of
from demo.serving.server import Server
from demo.settings import PageSettings
from tests.demo.stand_in import StandInEngine
from tests.demo.visitor import Visitor
from tests.serving import serving
from tests.waiting import until, within

LARGE = 15_000_000  # bytes, which a text may have
plain = st.none() | st.integers(-(2**63), 2**64 - 1) | st.text()
nested = st.recursive(plain, lambda leaf: st.lists(leaf) | st.dictionaries(st.text(), leaf), max_leaves=30)


def depth_of(value: object) -> int:
    within = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if within is None else 1 + max(map(depth_of, within), default=0)


@settings(deadline=None)
@given(nested, st.booleans())
def test_what_is_inside_a_text_is_no_part(value, in_ascii):
    text = json.dumps(value, ensure_ascii=in_ascii)
    around = json.dumps([text] * 2, ensure_ascii=in_ascii).encode("utf-8", "surrogatepass")
    assert is_simple(around)
    assert understood(around) == [text] * 2
    assume(depth_of(value) < DEEPEST)
    level = "[" * (DEEPEST - depth_of(value)), "]" * (DEEPEST - depth_of(value))
    body = text.join(level).encode("utf-8", "surrogatepass")
    assert is_simple(body)
    assert not is_simple(b"[" + body + b"]")


@pytest.mark.parametrize("text", [b"a" * LARGE, rb"\n" * (LARGE // 2), rb"\\" * (LARGE // 2), rb"[{\"," * (LARGE // 5)])
def test_a_long_text_is_one_part(text):
    body = b'{"data": ["' + text + b'"]}'
    assert is_simple(body)
    assert len(understood(body)["data"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"[]," * MOST_PARTS, b'{"a":{}},' * MOST_PARTS, b"[" * LARGE, b"[{" * (LARGE // 2), b"]" * LARGE,
        b'"' * LARGE, b'"",' * (LARGE // 3), b"[" * (DEEPEST + 1), b'"\\\\"' + b"[" * (DEEPEST + 1),
    ],
    ids=range(9),
)  # fmt: skip
def test_what_is_much_to_build_is_refused_in_a_moment(body):
    with within(10):
        assert not is_simple(body)


@pytest.mark.parametrize(
    "body", [b"{", b'"', b'"\\', b'["a', b"\xff\xfe", '{"a": 1}'.encode("utf-16"), b"NaN,"], ids=range(7)
)
def test_what_is_no_json_is_not_understood(body):
    assert is_simple(body)
    with pytest.raises(ValueError, match="JSON|Expecting|decode|Unterminated|Extra"):
        understood(body)


def test_whole_numbers_are_those_that_can_be_sent_back():
    assert understood(b"[-9223372036854775808, 18446744073709551615]") == [-(2**63), 2**64 - 1]
    for number in (b"18446744073709551616", b"-9223372036854775809", b"9" * 5_000):
        with pytest.raises(ValueError, match="number|digits"):
            understood(number)


def test_a_mark_of_byte_order_is_passed_over():
    assert understood('\ufeff{"a": 1}'.encode()) == {"a": 1}
    assert understood(b"") == {}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/gradio_api/queue/join", True), ("/gradio_api/call/fuse/", True), ("/gradio_api/call/v2/fuse", True),
        ("/gradio_api/run/predict", True), ("/gradio_api/cancel", True), ("/gradio_api/reset/", True),
        ("/gradio_api/mcp/", True), ("/gradio_api/mcp/messages/", True), ("/below/gradio_api/mcp", True),
        ("/gradio_api/mcp/gradio_api/upload", True), ("/gradio_api/mcp/\n/gradio_api/upload", True),
        ("/gradio_api/upload", False), ("/healthz", False), ("/", False), ("/gradio_api/queue/data", False),
    ],
)  # fmt: skip
def test_json_is_read_where_something_takes_it(path, wanted):
    assert is_taken({"type": "http", "method": "POST", "path": path}) is wanted
    assert not is_taken({"type": "http", "method": "PUT", "path": path})


def test_no_body_keeps_the_server_from_others():
    with serving(StandInEngine(0), PageSettings()) as (_, address):
        for path in ("gradio_api/call/fuse", "gradio_api/run/predict", "gradio_api/reset", "healthz", "nothing"):
            with within(10):
                answer = httpx.post(f"{address}/{path}", content=b'{"data": [' + b"[]," * 500_000 + b"[]]}")
            told = (413, limit_words.TOO_MUCH) if path.startswith("gradio_api") else (404, limit_words.NOTHING_THERE)
            assert (answer.status_code, answer.json()["detail"]) == told


def outcome(work: Coroutine) -> Any:
    """In a thread of its own: in this one, a browser of other tests may have a loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


async def sent(arriving: Arriving, size: int, end: asyncio.Event) -> bytes | str:
    """What comes of a body of that size, whose end comes later; or why it is refused."""
    pieces = iter([{"body": b" " * size, "more_body": True}])

    async def receive():
        piece = next(pieces, None)
        if piece is None:
            await end.wait()
        return piece or {"body": b""}

    body = await arriving.whole(receive, LARGE)
    return body if isinstance(body, bytes) else body.reason


def test_no_body_is_waited_for_longer_than_a_minute(monkeypatch):
    monkeypatch.setattr(bodies, "MOST_SECONDS", 0.05)
    arriving = Arriving()
    assert outcome(sent(arriving, 10, asyncio.Event())) == "slow"
    assert arriving.num_bytes == 0


def test_large_bodies_that_are_under_way_leave_room_for_small_ones(monkeypatch):
    monkeypatch.setattr(bodies, "MOST_BYTES", 1_100_000)
    arriving = Arriving()

    async def crowd() -> tuple:
        end = asyncio.Event()
        first = asyncio.create_task(sent(arriving, 300_000, end))
        await asyncio.sleep(0)
        large, small = await sent(arriving, 900_000, end), asyncio.create_task(sent(arriving, 60_000, end))
        await asyncio.sleep(0)
        end.set()
        return len(await first), large, len(await small), len(await sent(arriving, 300_000, end))

    assert outcome(crowd()) == (300_000, "busy", 60_000, 300_000)
    assert arriving.num_bytes == 0


def test_a_body_counts_until_its_request_is_answered(monkeypatch):
    monkeypatch.setattr(bodies, "MOST_BYTES", 1_000_000)
    arriving = Arriving()

    async def request(answered: asyncio.Event) -> bytes | str:
        end = asyncio.Event()
        end.set()
        body = await sent(arriving, 300_000, end)
        await answered.wait()
        return body

    async def crowd() -> tuple:
        answered, at_once = asyncio.Event(), asyncio.Event()
        at_once.set()
        first = asyncio.create_task(request(answered))
        await asyncio.sleep(0.05)
        held, second = arriving.num_bytes, await asyncio.create_task(request(at_once))
        answered.set()
        await first
        return held, second, len(await asyncio.create_task(request(at_once)))

    assert outcome(crowd()) == (900_000, "busy", 300_000)
    assert arriving.num_bytes == 0


@pytest.mark.parametrize("text", ["a" * 9, "ä" * 9, "a" * 8 + "😀"])
@pytest.mark.parametrize("in_ascii", [True, False])
def test_a_body_counts_at_least_what_its_texts_take(text, in_ascii):
    body = json.dumps([text * 1_000], ensure_ascii=in_ascii).encode()
    [understood_] = understood(body)
    assert weight_of(body) >= len(body) + 2 * (sys.getsizeof(understood_) - sys.getsizeof(""))


def test_one_large_body_alone_has_room(monkeypatch):
    monkeypatch.setattr(bodies, "MOST_BYTES", 1_000_000)
    end = asyncio.Event()
    end.set()
    assert len(outcome(sent(Arriving(), 900_000, end))) == 900_000


def test_counts_that_wait_hold_no_more_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(bodies, "MOST_BYTES", 3_000_000)
    go_on, engine = threading.Event(), StandInEngine(0)
    monkeypatch.setattr(engine, "count_tokens", lambda *_: go_on.wait(20) and 1 / 0, raising=False)
    with serving(engine, PageSettings()) as (server, address), ThreadPoolExecutor(12) as pool:
        visitor = Visitor(server, address)
        asked = [pool.submit(visitor.at_once, "count", ["fuse", "x" * 400_000, None]) for _ in range(10)]
        until(lambda: sum(each.done() for each in asked) == 8)
        go_on.set()
        told = sorted(each.result().status_code for each in asked)
        assert told[-8:] == [503] * 8
        assert visitor.at_once("count", ["fuse", "x" * 400_000, None]).status_code != 503


class Held(StandInEngine):
    """Writes when it may."""

    def __init__(self) -> None:
        super().__init__(0)
        self.may = threading.Event()

    def run(self, *about, **more):
        assert self.may.wait(20)
        yield from super().run(*about, **more)


@contextmanager
def held_up(**settings: int) -> Iterator[tuple[Held, Server, str]]:
    """A page whose one run goes on when it may, so that others wait."""
    engine = Held()
    with serving(engine, PageSettings(concurrency=1, **settings)) as (server, address):
        try:
            Visitor(server, address).fuse("Ada wrote.")
            until(lambda: server.calls.running)
            yield engine, server, address
        finally:
            engine.may.set()


def test_what_waits_in_the_queue_counts_until_it_has_ended(monkeypatch):
    monkeypatch.setattr(bodies, "MOST_BYTES", 1_500_000)
    with held_up() as (engine, server, address):
        first, visitor = Visitor(server, address), Visitor(server, address)
        assert first.fuse("x" * 400_000).status_code == 200
        refused = visitor.fuse("x" * 400_000)
        assert (refused.status_code, refused.json()["detail"]) == (503, limit_words.BUSY)
        assert visitor.fuse("x" * 50_000).status_code == 200
        engine.may.set()
        until(lambda: not server.demo._queue.event_ids_to_events)
        assert visitor.fuse("x" * 400_000).status_code == 200


def test_of_what_waits_in_the_queue_only_what_it_is_about_is_kept():
    with held_up() as (_, server, address):
        visitor, text = Visitor(server, address), "x" * 400_000 + "\N{OWL}"
        visitor.fuse(text)
        [*_, event] = server.demo._queue.event_ids_to_events.values()
        assert event.data.data[1] == text
        assert event.request is event.data.request
        assert "_body" not in vars(event.request)
        assert ASKED not in event.request.scope
        assert sys.getsizeof(text) < event.request.scope[WEIGHT] < sys.getsizeof(text) + 10_000


def test_of_a_text_that_is_too_long_little_waits():
    with held_up(max_characters=100) as (engine, server, address):
        visitor = Visitor(server, address)
        visitor.fuse("x" * 400_000)
        named = httpx.post(f"{address}/gradio_api/call/v2/fuse", json={"text": "x" * 400_000})
        assert named.is_success
        _, *waiting = server.demo._queue.event_ids_to_events.values()
        assert [event.data.data[position] for event, position in zip(waiting, (1, 0), strict=True)] == ["x" * 101] * 2
        engine.may.set()
        assert visitor.last()["problem"] == limit_words.too_long(100)
