"""Sessions are small, apart from each other, and forgotten in the order of their use."""

from __future__ import annotations

import tracemalloc

import httpx

from demo.sessions import Sessions
from demo.settings import PageSettings
from tests.demo.stand_in import StandInEngine
from tests.demo.visitor import Visitor
from tests.serving import serving

TEXT = "Rain fell. The river rose."
MOST_BYTES = 10_000  # Gradio's own have 700,000


def test_a_session_copies_nothing_of_the_page():
    with serving(StandInEngine(0), PageSettings()) as (server, _):
        sessions = server.demo.app.state_holder
        sessions["first"]
        tracemalloc.start()
        for number in range(100):
            sessions[f"session {number}"]
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert isinstance(sessions, Sessions)
    assert grown < 100 * MOST_BYTES


def test_requests_of_programs_leave_little_behind():
    with serving(StandInEngine(0), PageSettings()) as (server, address):
        for _ in range(3):
            asked = httpx.post(f"{address}/gradio_api/call/fuse", json={"data": [TEXT, *[None] * 13]})
            event = asked.json()["event_id"]
            assert "event: complete" in httpx.get(f"{address}/gradio_api/call/fuse/{event}").text
        kept = list(server.demo.app.state_holder.session_data.values())
    assert len(kept) == 3
    assert not any(config for session in kept for config in session.config_values.values())


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
            sessions[session_hash]
    assert set(sessions.session_data) == {"a", "c"}
