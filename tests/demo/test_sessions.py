"""Sessions are small, apart from each other, and forgotten in the order of their use."""

from __future__ import annotations

import tracemalloc
from contextlib import ExitStack
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest

from demo import limit_words
from demo.explorer_words import PART_LABEL
from demo.serving import sessions, unread
from demo.serving.sessions import Sessions
from demo.serving.unread import Unread
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
            assert "event: complete" in answer(address, ask(address))
        until(lambda: not server.demo._queue.event_ids_to_events)
        assert not server.demo.app.state_holder.session_data
        assert not server.demo.app.state_holder.unchanged
        until(lambda: not server.demo._queue.pending_messages_per_session)
        assert not server.demo._queue.pending_event_ids_session


def test_an_answer_waits_until_it_is_read_whoever_else_is_answered_meanwhile():
    with serving(StandInEngine(0), PageSettings()) as (server, address):
        events = [ask(address) for _ in range(3)]
        until(lambda: not server.demo._queue.event_ids_to_events)
        for event in reversed(events):
            assert "event: complete" in answer(address, event)


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


def test_answers_that_nobody_reads_of_one_session_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(unread, "MOST_BYTES", 50_000)
    with serving(StandInEngine(0), PageSettings()) as (server, address):
        visitor, queue = Visitor(server, address), server.demo._queue
        for _ in range(30):
            assert visitor.fuse(f"echo {TEXT}" + "y" * 4_000).status_code == 200
        until(lambda: not queue.event_ids_to_events)
        assert weight(queue) <= 50_000
        assert sum(map(len, queue.pending_event_ids_session.values())) < 30
        monkeypatch.undo()
        visitor.session = "another"
        visitor.fuse(TEXT)
        assert visitor.last()["text"]


def test_answers_that_nobody_reads_of_many_sessions_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(unread, "MOST_BYTES_IN_ALL", 50_000)
    with serving(StandInEngine(0), PageSettings()) as (server, address):
        queue = server.demo._queue
        for _ in range(30):
            Visitor(server, address).fuse(f"echo {TEXT}" + "y" * 4_000)
        until(lambda: not queue.event_ids_to_events)
        assert weight(queue) <= 50_000
        assert len(queue.pending_event_ids_session) == len(queue.pending_messages_per_session) < 30


def test_whoever_listens_and_does_not_read_costs_nobody_else_an_answer(monkeypatch):
    monkeypatch.setattr(unread, "MOST_BYTES_IN_ALL", 700_000)
    with serving(StandInEngine(0), PageSettings()) as (server, address), ExitStack() as listening:
        queue = server.demo._queue
        event = ask(address)
        for _ in range(10):
            visitor = Visitor(server, address)
            listening.enter_context(queue.pending_messages_per_session.heard(visitor.session))
            visitor.fuse(f"echo {TEXT}" + "y" * 40_000)
        until(lambda: not queue.event_ids_to_events)
        assert weight(queue) <= 700_000
        assert "event: complete" in answer(address, event)


def test_of_many_answers_the_one_that_is_being_read_is_lost_to_no_other(monkeypatch):
    monkeypatch.setattr(unread, "MOST_BYTES_IN_ALL", 50_000)
    kept = Unread(SimpleNamespace(event_ids_to_events={}, pending_event_ids_session={}))

    def put(session: str, size: int) -> None:
        kept[session].put_nowait(SimpleNamespace(text="x" * size))

    with kept.heard("reads"), kept.heard("takes nothing"):
        for session in ("reads", "takes nothing", *map(str, range(20))):
            kept[session] = None
        for _ in range(2):
            put("takes nothing", 5_000)
        for number in range(20):
            put(str(number), 1_500)
        put("reads", 30_000)
        assert "reads" in kept
        assert "takes nothing" not in kept
        assert 30_000 < sum(each.num_bytes for each in kept.values()) <= 50_000


def test_whoever_listens_and_does_not_read_for_long_is_forgotten(monkeypatch):
    monkeypatch.setattr(unread, "MOST_SECONDS", 0.3)
    with serving(StandInEngine(0), PageSettings()) as (server, address):
        unread_ = server.demo._queue.pending_messages_per_session
        visitor = Visitor(server, address)
        with unread_.heard(visitor.session), unread_.heard("reads"):
            unread_["reads"] = None
            visitor.fuse(TEXT)
            until(lambda: visitor.session in unread_)
            until(lambda: Visitor(server, address).fuse(TEXT) and visitor.session not in unread_)
            assert "reads" in unread_


def test_of_too_many_sessions_the_one_that_has_waited_longest_is_forgotten(monkeypatch):
    monkeypatch.setattr(unread, "MOST_SESSIONS", 3)
    with serving(StandInEngine(0), PageSettings()) as (server, address):
        events = [ask(address, f"echo {TEXT}" * (1 + 50 * (number == 2))) for number in range(4)]
        until(lambda: not server.demo._queue.event_ids_to_events)
        told = [answer(address, event) for event in events]
    assert ["event: complete" in each for each in told] == [False, True, True, True]


def ask(address: str, text: str = TEXT) -> str:
    """As a program that names no session; its event."""
    asked = httpx.post(f"{address}/gradio_api/call/fuse", json={"data": [text, *[None] * 13]})
    return asked.json()["event_id"]


def answer(address: str, event: str) -> str:
    return httpx.get(f"{address}/gradio_api/call/fuse/{event}").text


def weight(queue) -> int:
    return sum(each.num_bytes for each in queue.pending_messages_per_session.values())


def test_whom_nobody_has_listened_to_for_long_is_forgotten_and_its_run_ends(monkeypatch):
    usual = unread.MOST_SECONDS
    monkeypatch.setattr(unread, "MOST_SECONDS", 0.3)
    engine = StandInEngine(0.02)
    with serving(engine, PageSettings()) as (server, address):
        left, late, queue = Visitor(server, address), Visitor(server, address), server.demo._queue
        left.fuse("echo " + "word " * 400)
        until(lambda: left.session in queue.pending_messages_per_session)
        until(lambda: left.session not in queue.pending_messages_per_session)
        until(lambda: not server.calls.running)
        assert engine.steps < 200
        monkeypatch.setattr(unread, "MOST_SECONDS", usual)
        late.fuse(TEXT)
        assert late.last()["text"]
        until(lambda: not any(queue.pending_event_ids_session.values()))
        assert left.session not in queue.pending_event_ids_session


def test_whoever_asks_several_times_before_listening_hears_all_of_it():
    with serving(StandInEngine(0), PageSettings()) as (server, address):
        visitor = Visitor(server, address)
        for _ in range(5):
            visitor.fuse(TEXT)
        completed = [message for message in visitor.hears() if message["msg"] == "process_completed"]
        assert [each["success"] for each in completed] == [True] * 5
        until(lambda: not server.demo._queue.pending_event_ids_session[visitor.session])
        assert weight(server.demo._queue) == 0


def test_whoever_hangs_up_and_asks_again_hears_the_end():
    with serving(StandInEngine(0.05), PageSettings()) as (server, address):
        visitor, pending = Visitor(server, address), server.demo._queue.pending_event_ids_session
        hangs_up(visitor)
        until(lambda: not pending.get(visitor.session))
        visitor.fuse(TEXT)
        assert visitor.last()["text"]


def test_nothing_stays_of_whoever_leaves_a_run(monkeypatch):
    monkeypatch.setattr(unread, "MOST_SECONDS", 1)
    with serving(StandInEngine(0.05), PageSettings()) as (server, address):
        pending, left = server.demo._queue.pending_event_ids_session, set()
        for _ in range(3):
            visitor = Visitor(server, address)
            left.add(visitor.session)
            hangs_up(visitor)
        until(lambda: ask(address) and left.isdisjoint(pending))


@pytest.mark.parametrize("path", ["queue/data?session_hash=unknown", "call/fuse/unknown"])
def test_whom_there_is_no_answer_for_is_told_so_and_the_log_is_spared(capfd, path):
    with serving(StandInEngine(0), PageSettings()) as (_, address):
        answer = httpx.get(f"{address}/gradio_api/{path}")
    assert "404: Not Found" in answer.text
    assert "Traceback" not in capfd.readouterr().err


def test_of_heavy_sessions_the_one_used_least_recently_is_lightened_and_told_to_run_again(monkeypatch):
    monkeypatch.setattr(sessions, "MOST_BYTES", 500_000)
    with serving(StandInEngine(0), PageSettings()) as (server, address):
        first, *others = (Visitor(server, address) for _ in range(6))
        looked_at(first)
        assert shown_again(first).is_success
        for visitor in others:
            looked_at(visitor)
            kept = server.demo.app.state_holder
            assert sum(each.num_bytes for each in kept.session_data.values()) < 500_000
        assert len(kept.session_data) == 6
        assert shown_again(first).json()["error"] == limit_words.FORGOTTEN
        for name, data in (("look", [None, 0, 0, 0]), ("take", [None, 0])):
            first.join(name, data)
            told = last_of(first)
            assert (told["success"], told["output"]["error"]) == (False, limit_words.FORGOTTEN)
        assert shown_again(others[-1]).is_success
        looked_at(first)
        assert shown_again(first).is_success


def test_whoever_has_lost_a_state_is_told_so_without_a_traceback(monkeypatch, capfd):
    monkeypatch.setattr(sessions, "MOST_BYTES", 1)
    with serving(StandInEngine(0), PageSettings()) as (server, address):
        first = Visitor(server, address)
        looked_at(first)
        looked_at(Visitor(server, address))
        assert not shown_again(first).is_success
    assert "Traceback" not in capfd.readouterr().err


def test_lists_of_choices_are_weighed_and_lost_with_what_they_are_of():
    with serving(StandInEngine(0), PageSettings()) as (server, _):
        parts = next(block for block in server.demo.blocks.values() if getattr(block, "label", None) == PART_LABEL)
        session = server.demo.app.state_holder["visitor"]
        choices = [(f"{number} · A sentence of many", number) for number in range(2_000)]
        session[parts._id] = gr.Dropdown(choices[:100], label=PART_LABEL, render=False)
        assert session.num_bytes == 0
        session[parts._id] = gr.Dropdown(choices, label=PART_LABEL, render=False)
        before = session.num_bytes
        assert before > 2_000 * 100
        session[parts._id] = session[parts._id]
        assert session.num_bytes == before
        assert session.lighten() == before
        assert session[parts._id] is parts
        assert session.num_bytes == 0


def test_of_sessions_with_nothing_heavy_there_is_nothing_to_lose():
    with serving(StandInEngine(0), PageSettings()) as (server, _):
        state = next(block for block in server.demo.blocks.values() if isinstance(block, gr.State))
        session = server.demo.app.state_holder["visitor"]
        session[state._id] = "map"
        assert session.num_bytes == 0
        session[state._id] = "map" * sessions.LIGHT
        assert session.lighten() > sessions.LIGHT
        assert session.num_bytes == 0


def test_what_has_expired_weighs_nothing():
    with serving(StandInEngine(0), PageSettings()) as (server, address):
        visitor, kept = Visitor(server, address), server.demo.app.state_holder
        looked_at(visitor)
        session = kept.session_data[visitor.session]
        before = session.num_bytes
        session.is_closed, session.STATE_TTL_WHEN_CLOSED = True, -1
        kept.delete_state(visitor.session, expired_only=True)
        assert session.num_bytes < before / 10


def hangs_up(visitor: Visitor) -> None:
    """In the middle of a run."""
    visitor.fuse("echo " + "word " * 200)
    until(lambda: visitor.server.calls.running)
    stream = {"params": {"session_hash": visitor.session}, "timeout": 20}
    with httpx.stream("GET", f"{visitor.address}/gradio_api/queue/data", **stream) as answer:
        next(answer.iter_lines())
    until(lambda: not visitor.server.calls.running)


def looked_at(visitor: Visitor) -> None:
    visitor.fuse(f"echo {TEXT * 10}")
    visitor.last()
    visitor.join("first_look", [None, "words"])
    assert last_of(visitor)["success"]


def shown_again(visitor: Visitor) -> httpx.Response:
    return visitor.at_once("redraw", [None, None, -1, "words"])


def last_of(visitor: Visitor) -> dict:
    [*_, completed] = (message for message in visitor.hears() if message["msg"] == "process_completed")
    return completed
