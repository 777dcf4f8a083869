"""Choices made while an older one is still being followed: the page ends with the last, whatever takes longest.

With a stand-in engine; what is to take long is held until the test lets it go.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Locator, expect

import demo.exploring
from components.links_table import links_table
from demo.handlers import selected
from seq2seq.engine import View
from seq2seq.tasks import Written
from tests.browser.conftest import PATIENCE
from tests.browser.panel import TEXT, box, button, finished_fusion, read, run, wait_until_finished
from tests.browser.test_pattern import number
from tests.demo.stand_in import StandInEngine
from tests.serving import serve
from tests.waiting import until

pytestmark = pytest.mark.browser

QUIET = 2000  # milliseconds without an answer to come, after which nothing more does
TOWNS = ("Holm", "Vik", "Lund")
THREE_SECTIONS = "\n\n".join(f"The town of {town} voted for a bridge. " * 45 for town in TOWNS)
LAST_LAYER = 5


class HeldEngine(StandInEngine):
    """Looks back only when it may."""

    def __init__(self):
        super().__init__(seconds_per_token=0)
        self.may_look = threading.Event()
        self.may_look.set()

    def attention(self, *arguments, **settings):
        record = super().attention(*arguments, **settings)
        assert self.may_look.wait(PATIENCE / 1000)
        return record


@pytest.fixture(scope="module")
def engine() -> HeldEngine:
    return HeldEngine()


@pytest.fixture(scope="module")
def url(engine: HeldEngine) -> Iterator[str]:
    with serve(engine) as address:
        yield address


@pytest.fixture
def held(engine: HeldEngine) -> Iterator[Callable[[], None]]:
    """held() holds the next look back."""

    def hold() -> None:
        engine.looks.clear()
        engine.may_look.clear()

    yield hold
    engine.may_look.set()


def choose(panel: Locator, label: str, option: str) -> None:
    panel.get_by_label(label, exact=True).click()
    panel.page.get_by_role("option", name=re.compile(option)).click()
    expect(panel.page.get_by_role("option")).to_have_count(0)  # a list that fades out has options too


def links(layer: int, head: int | None = None) -> str:
    """What the table of links says of the fusion of TEXT."""
    engine = StandInEngine(seconds_per_token=0)
    *_, fused = engine.run("fuse", TEXT)
    record = engine.attention(Written("fuse", TEXT, fused.sections[0].target_ids), View("cross", layer))
    return re.sub("<[^>]+>", "", links_table(selected(record, "words"), head))


def fused(visit) -> Locator:
    panel = visit().tab("Fuse")
    finished_fusion(panel)
    panel.get_by_text("The strongest links as a table").click()
    expect(panel.locator("table.links")).to_have_text(links(LAST_LAYER))
    return panel


def test_a_layer_is_looked_up_once(visit, engine):
    panel = fused(visit)
    engine.looks.clear()
    choose(panel, "Layer", "^1 of")
    panel.get_by_label("Layer", exact=True).press("Tab")
    expect(panel.locator("table.links")).to_have_text(links(0))
    panel.page.wait_for_timeout(QUIET)
    assert engine.looks == [0]


def test_the_last_of_several_layers(visit, engine, held):
    panel = fused(visit)
    held()
    choose(panel, "Layer", "^1 of")
    until(lambda: engine.looks == [0])
    choose(panel, "Layer", "^2 of")
    choose(panel, "Layer", "^3 of")
    engine.may_look.set()
    expect(panel.locator("table.links")).to_have_text(links(2))


def test_the_last_of_several_sections(visit, engine, held):
    panel = visit().tab("Summarize")
    run(panel, "Summarize", THREE_SECTIONS)
    wait_until_finished(panel)
    expect(read(panel).filter(has_text="Holm").first).to_be_visible()
    held()
    choose(panel, "Section of your text", "^2 of")
    until(lambda: len(engine.looks) == 1)
    choose(panel, "Section of your text", "^3 of")
    engine.may_look.set()
    expect(read(panel).filter(has_text="Lund").first).to_be_visible()


def test_a_head_that_is_chosen_while_a_layer_is_looked_up(visit, engine, held):
    panel = fused(visit)
    held()
    choose(panel, "Layer", "^1 of")
    until(lambda: engine.looks == [0])
    choose(panel, "Head", "^2 of")
    expect(panel.locator("table.links")).to_have_text(links(LAST_LAYER, head=1))
    engine.may_look.set()
    expect(panel.locator("table.links")).to_have_text(links(0, head=1))


@dataclass
class Drawings:
    """The patterns that are drawn, by length and whether over a text; those of one length are held until `may_end`."""

    begun: list[tuple[int, bool]] = field(default_factory=list)
    ended: list[tuple[int, bool]] = field(default_factory=list)
    held_length: int | None = None
    may_end: threading.Event = field(default_factory=threading.Event)
    requests: set = field(default_factory=set)  # of the page, that have no answer yet

    def visited(self, here) -> Locator:
        """The Pattern tab of a visit."""
        here.page.on("request", lambda request: "/run/" in request.url and self.requests.add(request))
        for ending in ("requestfinished", "requestfailed"):
            here.page.on(ending, lambda request: self.requests.discard(request))
        return here.tab("Pattern")

    def visited_once_drawn(self, here) -> Locator:
        """The same with its first map; the next of that length is held."""
        panel = self.visited(here)
        expect(panel.get_by_text("4,096 tokens in 64 blocks")).to_be_visible()
        self.held_length = 4096
        return panel

    def let_go(self, panel: Locator) -> None:
        """What is held may end, if nothing else is still to come; then all there is to come is waited for."""
        wait_for_quiet(panel, lambda: len(self.requests) <= 1)
        self.may_end.set()
        wait_for_quiet(panel, lambda: not self.requests)


def wait_for_quiet(panel: Locator, is_quiet: Callable[[], bool]) -> None:
    deadline, step, quiet = time.monotonic() + PATIENCE / 1000, 100, 0
    while quiet < QUIET:
        assert time.monotonic() < deadline
        panel.page.wait_for_timeout(step)
        quiet = quiet + step if is_quiet() else 0


@pytest.fixture
def drawings(monkeypatch) -> Iterator[Drawings]:
    seen, pattern = Drawings(), demo.exploring.pattern

    def watched(settings, read=None):
        what = (settings.length, read is not None)
        seen.begun.append(what)
        if settings.length == seen.held_length:
            assert seen.may_end.wait(PATIENCE / 1000)
        record = pattern(settings, read)
        seen.ended.append(what)
        return record

    monkeypatch.setattr(demo.exploring, "pattern", watched)
    yield seen
    seen.may_end.set()


def test_a_form_that_is_changed_while_the_first_pattern_is_drawn(visit, drawings):
    drawings.held_length = 4096
    panel = drawings.visited(visit())
    until(lambda: drawings.begun == [(4096, False)])
    number(panel, "Length").fill("700")
    drawings.let_go(panel)
    expect(panel.get_by_text("700 tokens in 11 blocks")).to_be_visible()


def test_a_cost_that_is_chosen_while_a_pattern_is_drawn(visit, drawings):
    panel = drawings.visited_once_drawn(visit())
    number(panel, "Layer").fill("3")
    until(lambda: len(drawings.begun) == 2)
    panel.get_by_label("Memory").check()
    drawings.let_go(panel)
    expect(panel.get_by_text("Memory of the scores")).to_be_visible()


def test_a_text_that_is_read_while_a_pattern_is_drawn(visit, drawings):
    panel = drawings.visited_once_drawn(visit())
    number(panel, "Layer").fill("3")
    until(lambda: len(drawings.begun) == 2)
    box(panel).fill(TEXT * 20)
    button(panel, "Read").click()
    expect(panel.get_by_text("Stand-in has read")).to_be_visible()
    drawings.let_go(panel)
    expect(panel.get_by_text("over this text, the pattern keeps")).to_be_visible()
    length = int(number(panel, "Length").input_value())
    assert drawings.ended == [(4096, False), (4096, False), (length, True)], "drawn once, when the form was filled"


def test_the_same_text_is_drawn_again_where_the_form_has_left_it(visit):
    panel = visit().tab("Pattern")
    box(panel).fill(TEXT * 20)
    over_text = panel.get_by_text("over this text, the pattern keeps")
    for _ in range(2):
        button(panel, "Read").click()
        expect(over_text).to_be_visible()
        expect(button(panel, "Read")).to_be_enabled()
        number(panel, "Length").fill("300")
        expect(panel.get_by_text("The text was read with")).to_be_visible()
        expect(over_text).to_have_count(0)
