"""What the page does beside its calls: few counts at a time, and nothing twice in spare time."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import gradio as gr
import httpx
import pytest

from demo import exploring, handlers, limit_words, wording
from demo.looking import LONGEST_AHEAD
from demo.serving import following
from demo.serving.following import in_spare_time
from demo.serving.server import Server
from demo.settings import PageSettings
from demo.tabs import attention_panel
from demo.tabs.events import DRAWINGS, VIEWS
from seq2seq.tasks.pattern import pattern
from tests.demo.stand_in import StandInEngine
from tests.demo.visitor import Visitor
from tests.serving import serving
from tests.waiting import PATIENCE, until

TEXT = "Ada wrote. She wrote notes."


class Slow(StandInEngine):
    """Counts and reads when it may, and notes how much of that it does at a time."""

    def __init__(self):
        super().__init__(0)
        self.may, self.at_once, self.most = Event(), 0, 0

    def count_tokens(self, task, text, model=None):
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        assert self.may.wait(PATIENCE)
        time.sleep(0.01)
        self.at_once -= 1
        return super().count_tokens(task, text, model)


@pytest.fixture
def from_everywhere(monkeypatch):
    """Each request is another visitor's."""
    monkeypatch.setattr(following, "visitor_of", lambda _: secrets.token_hex())


def count(server, address, text: str = TEXT):
    return Visitor(server, address).at_once("count", ["fuse", text, None]).json()["data"][0]


def test_counts_of_many_texts_are_made_few_at_a_time_and_all_of_them(from_everywhere):
    engine = Slow()
    with serving(engine, PageSettings()) as (server, address), ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(count, server, address) for _ in range(20)]
        until(lambda: engine.at_once == following.MOST_COUNTS)
        engine.may.set()
        assert {each.result() for each in asked} == {"7 of 512 tokens"}
    assert engine.most == following.MOST_COUNTS


def test_whoever_comes_where_too_many_wait_for_a_count_is_told_nothing_new(monkeypatch, from_everywhere):
    monkeypatch.setattr(following, "MOST_WAITING_COUNTS", 3)
    engine = Slow()
    with serving(engine, PageSettings()) as (server, address), ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(count, server, address) for _ in range(8)]
        until(lambda: sum(each.done() for each in asked) == 5)
        assert all(each.result() == gr.skip() for each in asked if each.done())
        engine.may.set()
        assert sum(each.result() == "7 of 512 tokens" for each in asked) == 3
        assert count(server, address, "one two three") == "3 of 512 tokens"
        assert count(server, address, " ") == wording.KEYS_HINT


def test_patterns_are_drawn_one_at_a_time_and_whoever_finds_too_many_waiting_is_told_so(monkeypatch, from_everywhere):
    monkeypatch.setattr(following, "MOST_WAITING_DRAWINGS", 3)
    may, drawing, most = Event(), [], []

    def slow_pattern(*about):
        drawing.append(about)
        most.append(len(drawing))
        assert may.wait(PATIENCE)
        drawing.pop()
        return pattern(*about)

    monkeypatch.setattr(exploring, "pattern", slow_pattern)
    with serving(StandInEngine(0), PageSettings()) as (server, address), ThreadPoolExecutor(20) as pool:
        number = next(number for number, event in server.demo.fns.items() if event.concurrency_id == DRAWINGS)
        form = [None, "operations", exploring.FIRST.random_blocks, *exploring.form_values(exploring.FIRST).values()]

        def draw() -> httpx.Response:
            asked = {"fn_index": number, "session_hash": "s", "data": form}
            return httpx.post(f"{address}/gradio_api/run/predict", json=asked, timeout=PATIENCE)

        asked = [pool.submit(draw) for _ in range(8)]
        until(lambda: sum(each.done() for each in asked) == 5)
        assert all(limit_words.BUSY in each.result().text for each in asked if each.done())
        may.set()
        assert sum(each.result().status_code == 200 for each in asked) == 3
        assert draw().status_code == 200
    assert set(most) == {1}


def test_of_one_visitor_one_is_drawn_at_a_time_and_others_come_between(monkeypatch):
    may, drawn = Event(), []

    def slow_pattern(settings, read):
        drawn.append(settings.block_size)
        assert may.wait(PATIENCE)
        return pattern(settings, read)

    monkeypatch.setattr(exploring, "pattern", slow_pattern)
    monkeypatch.setattr(
        following, "visitor_of", lambda _: asked.append("many" if len(asked) < 20 else "one") or asked[-1]
    )
    asked = []
    with serving(StandInEngine(0), PageSettings()) as (server, address), ThreadPoolExecutor(30) as pool:
        number = next(number for number, event in server.demo.fns.items() if event.concurrency_id == DRAWINGS)

        def draw(block_size: int) -> str:
            values = exploring.form_values(replace(exploring.FIRST, block_size=block_size)).values()
            form = [None, "operations", exploring.FIRST.random_blocks, *values]
            body = {"fn_index": number, "session_hash": "s", "data": form}
            return httpx.post(f"{address}/gradio_api/run/predict", json=body, timeout=PATIENCE).text

        many = [pool.submit(draw, 64) for _ in range(20)]
        half = following.MOST_WAITING_DRAWINGS // 2
        until(lambda: drawn and sum(each.done() for each in many) == 20 - half)
        assert all(limit_words.BUSY in each.result() for each in many if each.done())
        another = pool.submit(draw, 32)
        until(lambda: asked[-1] == "one")
        may.set()
        assert limit_words.BUSY not in another.result()
        assert sum(limit_words.BUSY not in each.result() for each in many) == half
    assert drawn.index(32) <= 2


def test_views_are_made_one_at_a_time_and_whoever_finds_too_many_waiting_is_told_so(monkeypatch, from_everywhere):
    monkeypatch.setattr(following, "MOST_WAITING_VIEWS", 3)
    may, viewed, most = Event(), [], []

    def redraw(*about):
        viewed.append(about)
        most.append(len(viewed))
        assert may.wait(PATIENCE)
        viewed.pop()
        return handlers.redraw(*about)

    monkeypatch.setattr(attention_panel, "redraw", redraw)
    with serving(StandInEngine(0), PageSettings()) as (server, address), ThreadPoolExecutor(20) as pool:
        visitor = Visitor(server, address)
        asked = [pool.submit(visitor.at_once, "redraw", [None, None, None, "words"]) for _ in range(8)]
        until(lambda: sum(each.done() for each in asked) == 5)
        assert all(limit_words.BUSY in each.result().text for each in asked if each.done())
        may.set()
        assert sum(each.result().status_code == 200 for each in asked) == 3
    assert set(most) == {1}


def test_whatever_draws_a_result_that_is_there_is_a_view():
    demo = Server(StandInEngine(0), PageSettings()).demo
    views = {event.name for event in demo.fns.values() if event.concurrency_id == VIEWS}
    assert views == {"redraw", "draw", "exported", "link"}


def test_nothing_is_done_in_spare_time_while_anybody_is_served():
    done, is_idle = [], iter([True, False, True])
    run = in_spare_time(done.append, lambda: next(is_idle))
    for text in ("before", "meanwhile", "after"):
        run(text)
    assert done == ["before", "after"]


def test_in_spare_time_one_thing_is_done_after_the_other():
    engine, may, reading, most = StandInEngine(0), Event(), [], []

    def read_ahead(task, text, model=None):
        reading.append(text)
        most.append(len(reading))
        assert may.wait(PATIENCE)
        reading.pop()

    engine.read_ahead = read_ahead
    with serving(engine, PageSettings()) as (server, address), ThreadPoolExecutor(4) as pool:
        visitor = Visitor(server, address)
        asked = [pool.submit(visitor.at_once, "read_ahead", ["fuse", TEXT, None]) for _ in range(4)]
        until(lambda: reading)
        may.set()
        assert all(each.result().status_code == 200 for each in asked)
    assert most == [1] * 4


def test_a_very_long_text_is_not_read_ahead():
    engine = StandInEngine(0)
    with serving(engine, PageSettings()) as (server, address):
        visitor = Visitor(server, address)
        for text in (TEXT, "x" * (LONGEST_AHEAD + 1)):
            assert visitor.at_once("read_ahead", ["fuse", text, None]).status_code == 200
    assert engine.read == [TEXT]
