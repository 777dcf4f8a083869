"""Sessions are small, apart from each other, and forgotten in the order of their use."""

from __future__ import annotations

import tracemalloc

import gradio as gr
import httpx
import pytest

from demo.sessions import Sessions
from demo.settings import PageSettings
from tests.demo.stand_in import StandInEngine
from tests.demo.visitor import Visitor
from tests.serving import serving
from tests.waiting import until

TEXT = "Rain fell. The river rose."
MOST_BYTES = 10_000  # Gradio's own have 700,000


def test_a_session_copies_nothing_of_the_page():
    with serving(StandInEngine(0), PageSettings()) as (server, _):
        sessions = server.demo.app.state_holder
        change(sessions["first"])
        tracemalloc.start()
        for number in range(100):
            change(sessions[f"session {number}"])
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert isinstance(sessions, Sessions)
    assert len(sessions.session_data) == 101
    assert grown < 100 * MOST_BYTES


def change(session):
    key = next(key for key, block in session.blocks_config.blocks.items() if isinstance(block, gr.State))
    session[key] = "changed"


def test_requests_of_programs_leave_nothing_behind():
    with serving(StandInEngine(0), PageSettings()) as (server, address):
        for _ in range(3):
            asked = httpx.post(f"{address}/gradio_api/call/fuse", json={"data": [TEXT, *[None] * 13]})
            event = asked.json()["event_id"]
            assert "event: complete" in httpx.get(f"{address}/gradio_api/call/fuse/{event}").text
        until(lambda: not server.demo._queue.event_ids_to_events)
        assert not server.demo.app.state_holder.session_data
        assert not server.demo.app.state_holder.unchanged
        until(lambda: not server.demo._queue.pending_messages_per_session)
        assert not server.demo._queue.pending_event_ids_session


def test_an_answer_waits_until_it_is_read_whoever_else_is_answered_meanwhile():
    with serving(StandInEngine(0), PageSettings()) as (server, address):
        events = [
            httpx.post(f"{address}/gradio_api/call/fuse", json={"data": [TEXT, *[None] * 13]}).json()["event_id"]
            for _ in range(3)
        ]
        until(lambda: not server.demo._queue.event_ids_to_events)
        for event in reversed(events):
            assert "event: complete" in httpx.get(f"{address}/gradio_api/call/fuse/{event}").text


def test_events_of_one_session_that_begin_together_change_the_same():
    with serving(StandInEngine(0), PageSettings()) as (server, _):
        sessions = server.demo.app.state_holder
        one, other = sessions["both"], sessions["both"]
        change(one)
        assert other is one
        assert sessions["both"] is one


def test_a_visitor_sees_what_was_changed_for_this_one_alone():
    with serving(StandInEngine(0), PageSettings()) as (server, address):
        one, other = Visitor(server, address), Visitor(server, address)
        one.fuse(TEXT)
        assert one.last() is not None
        sessions = server.demo.app.state_holder
        mine = sessions[one.session].state_data
        assert mine
        assert sessions[other.session].state_data == {}


def test_the_session_used_least_recently_is_forgotten():
    with serving(StandInEngine(0), PageSettings()) as (server, _):
        sessions = server.demo.app.state_holder
        sessions.capacity = 2
        for session_hash in ("a", "b", "a", "c"):
            change(sessions[session_hash])
    assert set(sessions.session_data) == {"a", "c"}


@pytest.mark.parametrize("path", ["queue/data?session_hash=unknown", "call/fuse/unknown"])
def test_whom_there_is_no_answer_for_is_told_so_and_the_log_is_spared(capfd, path):
    with serving(StandInEngine(0), PageSettings()) as (_, address):
        answer = httpx.get(f"{address}/gradio_api/{path}")
    assert "404: Not Found" in answer.text
    assert "Traceback" not in capfd.readouterr().err
