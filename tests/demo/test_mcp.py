"""The tools as an assistant finds and calls them, through the reference client, and who may call them."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Any

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from mcp.types import CallToolResult

from demo import limit_words
from demo.serving.server import Server
from demo.serving.tools import NOT_INSTALLED, results
from demo.settings import PageSettings
from seq2seq.engine import Engine
from tests.aside import awaited
from tests.demo.stand_in import OUTPUTS, StandInEngine
from tests.demo.test_endpoints import stands_still
from tests.demo.test_serving import metrics
from tests.process import free_port
from tests.serving import serving
from tests.waiting import until

TEXT = "Ada wrote. She wrote notes."
LONG = "echo " + "one two three four " * 100
KINDS = {"Accept": "application/json, text/event-stream"}
NAMES = ["fuse", "split", "summarize", "answer", "attention", "pattern", "models"]

Ask = Callable[[ClientSession], Awaitable[Any]]


def asked(address: str, ask: Ask, headers: dict[str, str] | None = None) -> Any:
    """What a new session of an assistant is told."""

    async def session():
        async with (
            streamablehttp_client(f"{address}/gradio_api/mcp/", headers=headers) as (read, write, *_),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await ask(session)

    return awaited(session())


def called(address: str, name: str, how: dict[str, str] | None = None, **given: Any) -> CallToolResult:
    return asked(address, lambda session: session.call_tool(name, given), how)


def said(result: CallToolResult) -> str:
    [content] = result.content
    return content.text


@contextmanager
def tools(engine: Engine | StandInEngine, **settings: Any) -> Iterator[tuple[Server, str]]:
    with serving(engine, PageSettings(mcp=True, **settings)) as served:
        yield served


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a page with the embedded models."""
    with tools(Engine()) as (_, address):
        yield address


def test_the_tools_are_the_endpoints_and_every_parameter_is_described(address):
    listed = asked(address, lambda session: session.list_tools()).tools
    assert [tool.name for tool in listed] == NAMES
    for tool in listed:
        assert len(tool.description) > 40
        for name, schema in tool.inputSchema["properties"].items():
            assert len(schema["description"]) > 8, f"{tool.name}: {name}"
            assert schema.keys() & {"type", "oneOf", "enum"}, f"{tool.name}: {name}"
    by_name = {tool.name: tool for tool in listed}
    assert by_name["fuse"].description.startswith("Fuses sentences")
    assert by_name["answer"].inputSchema["required"] == ["question", "context"]
    assert by_name["attention"].inputSchema["properties"]["kind"]["enum"] == ["cross", "encoder", "decoder"]
    assert by_name["pattern"].inputSchema["properties"]["length"]["default"] == 4096


def test_a_tool_gives_the_last_of_what_its_endpoint_streams(address):
    fused = said(called(address, "fuse", text="Rain fell all night. The river rose."))
    assert fused.endswith(".")
    assert "ain fell" in fused
    assert "river" in fused
    read = said(
        called(address, "answer", question="Who opened a bakery?", context="Anna Lind opened a bakery in Oslo.")
    )
    assert '"finished": true' in read
    assert '"answer": "Anna Lind"' in read
    assert "gloss-fusion" in said(called(address, "models"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"text": " "}, "There is no text yet"),
        ({"text": "Ada.", "model": "../../etc"}, "There is no model called"),
        ({"text": "Ada.", "num_beams": 99}, "Beams must be a whole number from 1 to 16"),
        ({"text": "Ada.", "wording": "sung"}, "'sung'"),
        ({}, "'text' is a required property"),
        ({"text": "Ada.", "beams": 4}, "There is no parameter called “beams” here."),
    ],
)
def test_what_a_tool_cannot_do_it_says(address, given, words):
    result = called(address, "fuse", **given)
    assert result.isError
    assert words in said(result)
    assert "Traceback" not in said(result)


def test_progress_is_told_to_whoever_asks_for_it():
    heard = []

    async def hear(progress, total, message):
        heard.append(progress)

    with tools(StandInEngine(0.01)) as (_, address):
        call = asked(address, lambda session: session.call_tool("fuse", {"text": TEXT}, progress_callback=hear))
    assert said(call) == OUTPUTS["fuse"]
    assert heard == sorted(heard)
    assert len(heard) > 5


@pytest.mark.parametrize(
    ("token", "is_told"), [("t" * 128, True), (7, True), ("t" * 129, False), ("t" * 100_000, False)]
)
def test_only_a_short_word_is_said_again_with_each_step(token, is_told):
    with tools(StandInEngine(0)) as (_, address):
        call = {"name": "fuse", "arguments": {"text": TEXT}, "_meta": {"progressToken": token}}
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        told = httpx.post(f"{address}/gradio_api/mcp/", json=asked, headers=KINDS).text
    assert OUTPUTS["fuse"] in told
    assert ("notifications/progress" in told, str(token) in told) == (is_told, is_told)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("prompts/list", {}), ("prompts/get", {"name": "models"}), ("prompts/get", {"name": "x"}),
        ("resources/list", {}), ("resources/read", {"uri": "ui://models"}), ("resources/templates/list", {}),
    ],
)  # fmt: skip
def test_nothing_but_tools_is_offered(address, method, params):
    asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    told = httpx.post(f"{address}/gradio_api/mcp/", json=asked, headers=KINDS).text
    assert '"error":{"code":-32601,"message":"Method not found"}' in told


def test_an_assistant_is_told_of_tools_alone(address):
    async def capabilities(session: ClientSession) -> dict:
        return session.get_server_capabilities().model_dump(exclude_none=True)

    assert asked(address, capabilities).keys() <= {"tools", "experimental"}


def test_calls_keep_to_the_limits_and_are_counted():
    with tools(StandInEngine(0.01), max_characters=50, time_limit=0.5, metrics=True) as (server, address):
        assert said(called(address, "fuse", text=TEXT)) == OUTPUTS["fuse"]
        assert said(called(address, "fuse", text="x" * 51)) == limit_words.too_long(50)
        server.calls.time_limit = 0.05
        assert said(called(address, "fuse", text=TEXT)) == limit_words.out_of_time(0.05)
        server.is_stopped.set()
        assert said(called(address, "fuse", text=TEXT)) == limit_words.STOPPING
        told = metrics(address)
    for outcome, count in (("finished", 1), ("refused", 2), ("timed out", 1)):
        assert told[f'gloss_requests_total{{endpoint="/fuse",outcome="{outcome}"}}'] == count


def test_the_rate_holds_for_each_caller_whatever_it_claims():
    with tools(StandInEngine(0), rate_limit=2, trusted_proxies="") as (_, address):
        forged = [
            {"X-Forwarded-For": f"192.0.2.{number}", "X-Gloss-On-Behalf-Of": f"guess {number}"} for number in range(4)
        ]
        results = [called(address, "fuse", how, text=TEXT) for how in forged]
        assert [result.isError for result in results] == [False, False, True, True]
        assert said(results[2]).startswith("This was more than one visitor may ask for in a minute.")
        refused = httpx.post(f"{address}/gradio_api/call/fuse", json={"data": [TEXT]}, headers=forged[0])
        assert refused.status_code == 429, "a visitor has one allowance, however it is used"


def test_callers_behind_a_proxy_are_told_apart():
    with tools(StandInEngine(0), rate_limit=1) as (_, address):
        callers = [{"X-Forwarded-For": f"192.0.2.{number}"} for number in (1, 2, 1)]
        assert [called(address, "fuse", how, text=TEXT).isError for how in callers] == [False, False, True]


@pytest.mark.parametrize("path", ["sse", "sse/", "messages", "messages/?session_id=" + "0" * 32, "nothing"])
def test_the_older_transport_whose_answers_pile_up_is_closed(address, path):
    for method in ("GET", "POST"):
        with httpx.stream(method, f"{address}/gradio_api/mcp/{path}", json={}) as answer:
            assert answer.status_code == 404
            assert json.loads(answer.read())["detail"] == limit_words.NOTHING_THERE


@pytest.mark.parametrize("path", ["mcp", "mcp/", "mcp/http"])
def test_the_ways_that_are_left_are_open(address, path):
    pinged = httpx.post(
        f"{address}/gradio_api/{path}", json={"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers=KINDS,
        follow_redirects=True,
    )  # fmt: skip
    assert (pinged.status_code, '"result":{}' in pinged.text) == (200, True)
    assert "fuse" in httpx.get(f"{address}/gradio_api/mcp/schema").text


def test_beyond_the_queue_it_is_busy_at_once():
    with tools(StandInEngine(0.05), concurrency=1, max_waiting=1) as (server, address):

        async def crowd(session: ClientSession) -> Sequence[CallToolResult]:
            running = asyncio.create_task(session.call_tool("fuse", {"text": LONG}))
            while not server.calls.running:
                await asyncio.sleep(0.02)
            waiting = asyncio.create_task(session.call_tool("fuse", {"text": TEXT}))
            while not server.num_waiting():
                await asyncio.sleep(0.02)
            refused = await session.call_tool("fuse", {"text": TEXT})
            running.cancel()
            waiting.cancel()
            return refused

        assert said(asked(address, crowd)) == limit_words.BUSY


@pytest.mark.parametrize("progress", [None, lambda *_: asyncio.sleep(0)])
def test_a_caller_who_leaves_stops_the_engine(progress):
    engine = StandInEngine(0.05)
    with tools(engine) as (server, address):

        async def leave(session: ClientSession) -> None:
            call = asyncio.create_task(session.call_tool("fuse", {"text": LONG}, progress_callback=progress))
            while not engine.steps:
                await asyncio.sleep(0.02)
            call.cancel()

        asked(address, leave)
        until(lambda: not server.calls.running)
        assert stands_still(engine)


def test_a_caller_who_leaves_before_the_call_is_known_to_have_joined_the_queue_stops_the_engine(monkeypatch):
    engine, post, joined = StandInEngine(0.05), httpx.AsyncClient.post, Event()

    async def slow_post(client: httpx.AsyncClient, address: str, **asked: Any) -> httpx.Response:
        answer = await post(client, address, **asked)
        joined.set()
        await asyncio.sleep(0.5)
        return answer

    async def leave(session: ClientSession) -> None:
        call = asyncio.create_task(session.call_tool("fuse", {"text": LONG}))
        while not joined.is_set():
            await asyncio.sleep(0.02)
        call.cancel()

    monkeypatch.setattr(httpx.AsyncClient, "post", slow_post)
    with tools(engine) as (server, address):
        asked(address, leave)
        until(lambda: not server.is_busy())
    assert engine.steps < 200, "of 400"


def test_many_who_wait_leave_the_page_its_threads():
    with tools(StandInEngine(0.05), concurrency=1) as (server, address):

        async def crowd(session: ClientSession) -> float:
            calls = [asyncio.create_task(session.call_tool("fuse", {"text": LONG})) for _ in range(45)]
            while server.num_waiting() < 30:
                await asyncio.sleep(0.05)
            async with httpx.AsyncClient() as browser:
                page = await browser.get(f"{address}/theme.css", timeout=5)
            for call in calls:
                call.cancel()
            return page.status_code

        assert asked(address, crowd) == 200


def test_a_call_reads_no_certificates(monkeypatch):
    """They take 70 ms, in which nobody else is served."""
    read = []

    async def call() -> None:
        await anext(results(f"http://127.0.0.1:{free_port()}", "/fuse", {}, {}))

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *given, **named: read.append(given))
    monkeypatch.setattr(ssl, "create_default_context", lambda *given, **named: read.append(given))
    with pytest.raises(httpx.ConnectError):
        awaited(call())
    assert not read


def test_without_the_setting_there_are_no_tools():
    with serving(StandInEngine(), PageSettings()) as (_, address):
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "fuse", "arguments": {}}}
        assert httpx.post(f"{address}/gradio_api/mcp/", json=asked).status_code in (404, 405)


def test_what_is_missing_is_said_plainly(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mcp", None)
    server = Server(StandInEngine(), PageSettings(mcp=True))
    with pytest.raises(SystemExit, match="pip install") as stopped:
        server.launch(quiet=True, inbrowser=False)
    assert str(stopped.value) == NOT_INSTALLED


@pytest.mark.parametrize("message", ["", "[]", "{}", "nonsense", json.dumps([{"method": "tools/call"}])])
def test_nonsense_is_refused(address, message):
    answer = httpx.post(f"{address}/gradio_api/mcp/", content=message, headers=KINDS)
    assert 400 <= answer.status_code < 500
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("number", [None, 1.5, True, [1], {}])
def test_a_call_that_no_answer_can_name_is_refused(address, number):
    message = {"jsonrpc": "2.0", "id": number, "method": "tools/list"}
    answer = httpx.post(f"{address}/gradio_api/mcp/", json=message, headers=KINDS)
    assert (answer.status_code, answer.json()["detail"]) == (400, limit_words.NOT_UNDERSTOOD)


def test_what_an_assistant_sends_that_is_no_call_is_not_logged(capfd, caplog):
    with serving(StandInEngine(0), PageSettings(mcp=True)) as (_, address):
        for params in ({"name": "fuse", "arguments": ["Xylophonist"]}, {"name": ["Xylophonist"]}):
            sent = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            answer = httpx.post(f"{address}/gradio_api/mcp/", json=sent, headers=KINDS, follow_redirects=True)
            assert "Invalid request parameters" in answer.text
    assert "Xylophonist" not in "".join(capfd.readouterr()) + caplog.text


@pytest.mark.parametrize(
    "path", ["", "gradio_api/mcp", "gradio_api/mcp/", "gradio_api/mcp/http", "gradio_api/queue/join"]
)
def test_nothing_is_talked_of_by_websockets(address, path, capfd, caplog):
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    key = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x" * 22 + "=="}
    assert httpx.get(f"{address}/{path}", headers=upgrade | key).status_code == 403
    assert "Traceback" not in "".join(capfd.readouterr()) + caplog.text
