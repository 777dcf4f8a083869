"""The Answer tab, with a stand-in engine that finds the words between brackets."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.panel import box, button, copied, output
from tests.browser.test_input import choose_file
from tests.browser.test_looks import contrast, expect_to_fit, luminance, tab_to
from tests.demo.stand_in import LIMIT, StandInEngine
from tests.serving import serve

pytestmark = pytest.mark.browser

TEXT = "[Ada Lovelace] wrote the notes. [Charles Babbage] paid for them, in [London]."
LONG = "[Ada Lovelace] wrote the notes.\n" + "And so on it went.\n" * 600 + "That was [Charles Babbage]."
SET = "(box, text) => { box.value = text; box.dispatchEvent(new Event('input', {bubbles: true})); }"
VERY_LONG = LONG + "\nAnd so on it went." * 5000  # 100,000 characters


@pytest.fixture(scope="module")
def engine() -> StandInEngine:
    return StandInEngine(seconds_per_token=0.2)


@pytest.fixture(scope="module")
def url(engine: StandInEngine) -> Iterator[str]:
    with serve(engine) as address:
        yield address


def question(panel: Locator) -> Locator:
    return panel.get_by_label("Your question")


def candidates(panel: Locator) -> Locator:
    return panel.get_by_role("list", name="Possible answers").get_by_role("button")


def context(panel: Locator) -> Locator:
    return panel.get_by_role("region", name="The text with the answer marked")


def marked(panel: Locator) -> Locator:
    return context(panel).locator(".av-here")


def ask(panel: Locator, text: str = TEXT) -> None:
    """Ask, and wait for the answer's views."""
    question(panel).fill("Who wrote them?")
    box(panel).evaluate(SET, text)  # `fill` types, which takes Chromium minutes for thousands of lines
    question(panel).press("Enter")
    expect(panel.locator(".result-notes")).to_contain_text("Read")
    expect(button(panel, "Answer")).to_be_enabled()


def test_the_whole_way(visit):
    panel = visit().tab("Answer")
    button(panel, "Who built the shelves?").click()
    expect(question(panel)).to_have_value(re.compile("shelves"))
    expect(box(panel)).to_have_value(re.compile("For 22 years"))
    expect(panel.locator(".count").first).to_contain_text(re.compile(r"\d+ of [\d,]+ tokens"))
    ask(panel)
    expect(output(panel)).to_have_text("Ada Lovelace")
    expect(panel.locator(".result-score")).to_have_text("60% likely")
    assert copied(panel) == "Ada Lovelace"
    expect(marked(panel)).to_have_text("Ada Lovelace")
    expect(context(panel)).to_have_text(TEXT)
    expect(panel.locator(".js-plotly-plot .barlayer .bars")).to_have_count(2)
    panel.get_by_text("The likeliest starts and ends as a table").click()
    expect(panel.get_by_role("row", name=re.compile("Lovelace"))).to_contain_text("60%")


def test_ctrl_enter_in_the_text_runs_too(visit):
    panel = visit().tab("Answer")
    question(panel).fill("Who?")
    box(panel).fill(TEXT)
    box(panel).press("Control+Enter")
    expect(output(panel)).to_have_text("Ada Lovelace")


def test_no_answer_is_said_plainly_and_what_comes_nearest_is_shown(visit):
    panel = visit().tab("Answer")
    ask(panel, "Nobody wrote the notes.")
    expect(panel.locator(".result-hint")).to_have_text("There is no answer in this text.")
    expect(panel.locator(".result-notes")).to_contain_text("What comes nearest: “Nobod”, 8% likely")
    expect(button(panel, "Copy")).to_be_hidden()
    expect(candidates(panel)).to_have_count(1)
    expect(marked(panel)).to_have_text("Nobod")
    ask(panel)
    expect(output(panel)).to_have_text("Ada Lovelace")


def test_nothing_to_work_on_is_said_plainly(visit):
    panel = visit().tab("Answer")
    for given, missing in ((box(panel), "question"), (question(panel), "text")):
        box(panel).fill("")
        question(panel).fill("")
        given.fill("Ada?")
        button(panel, "Answer").click()
        expect(panel.get_by_role("alert")).to_contain_text(missing)
        expect(button(panel, "Answer")).to_be_enabled()
        ask(panel)


def test_pointing_at_a_candidate_shows_its_place_and_a_click_keeps_it(visit):
    panel = visit().tab("Answer")
    ask(panel, LONG)
    top = context(panel).evaluate("text => text.scrollTop")
    candidates(panel).nth(1).hover()
    expect(marked(panel)).to_have_text("Charles Babbage")
    expect(marked(panel)).to_be_in_viewport()
    assert context(panel).evaluate("text => text.scrollTop") > top
    panel.get_by_role("heading", name="In your text").hover()
    expect(marked(panel)).to_have_text("Ada Lovelace")
    candidates(panel).nth(1).click()
    panel.get_by_role("heading", name="In your text").hover()
    expect(marked(panel)).to_have_text("Charles Babbage")
    expect(candidates(panel).nth(1)).to_have_attribute("aria-pressed", "true")
    expect(candidates(panel).nth(0)).to_have_attribute("aria-pressed", "false")


def test_everything_can_be_done_without_a_mouse(visit):
    here = visit()
    panel = here.tab("Answer")
    tab_to(here.page, question(panel))
    here.page.keyboard.insert_text("Who wrote them?")
    tab_to(here.page, box(panel))
    here.page.keyboard.insert_text(TEXT)
    tab_to(here.page, button(panel, "Answer"))
    here.page.keyboard.press("Enter")
    candidates(panel).first.wait_for()
    tab_to(here.page, candidates(panel).nth(2))
    expect(marked(panel)).to_have_text("London")
    here.page.keyboard.press("Enter")
    tab_to(here.page, context(panel))
    expect(marked(panel)).to_have_text("London")


def test_the_answer_is_in_view_wherever_it_stands(visit):
    panel = visit().tab("Answer")
    ask(panel, "And so on it went.\n" * 300 + TEXT)
    context(panel).scroll_into_view_if_needed()
    expect(marked(panel)).to_be_in_viewport()


def test_progress_is_shown_and_cancel_stops_in_between(visit, engine):
    panel = visit().tab("Answer")
    question(panel).fill("Who?")
    box(panel).fill("[Ada] " + "word " * (40 * LIMIT))
    button(panel, "Answer").click()
    bar = panel.get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuetext", re.compile(r"Reading section \d+ of 41"))
    button(panel, "Cancel").click()
    expect(panel.locator(".result-notes")).to_have_text("Stopped.")
    expect(panel.locator(".result-progress")).to_contain_text(re.compile(r"Stopped after \d+ of 41 sections"))
    steps = engine.steps
    panel.page.wait_for_timeout(1000)
    assert engine.steps <= steps + 1
    ask(panel)
    expect(output(panel)).to_have_text("Ada Lovelace")


def test_markup_is_shown_as_text(visit):
    here = visit()
    panel = here.tab("Answer")
    hostile = "Say [<img src=x onerror='window.hacked = 1'>] or <script>window.hacked = 1</script> [${hacked = 1}] now."
    ask(panel, hostile)
    expect(context(panel)).to_have_text(hostile)
    candidates(panel).nth(1).click()
    assert here.page.evaluate("window.hacked") is None
    assert panel.locator("img[src=x]").count() == 0


def test_emoji_before_the_answer_do_not_shift_it(visit):
    panel = visit().tab("Answer")
    ask(panel, "🎻🎻🎻 שלום [Ada Lovelace] plays 🎻.")
    expect(marked(panel)).to_have_text("Ada Lovelace")


def test_a_hundred_thousand_characters_leave_the_page_at_ease(visit):
    panel = visit().tab("Answer")
    assert len(VERY_LONG) > 100_000
    ask(panel, TEXT)
    panel.locator(".js-plotly-plot .barlayer").wait_for(state="attached")  # the library for it takes its time, once
    panel.page.evaluate(
        """() => {
            window.longest = 0;
            new PerformanceObserver(list => {
                for (const task of list.getEntries()) longest = Math.max(longest, task.duration);
            }).observe({entryTypes: ["longtask"]});
        }"""
    )
    ask(panel, VERY_LONG)
    expect(candidates(panel)).to_have_count(2)  # no longer the three of before
    candidates(panel).nth(1).click()
    expect(marked(panel)).to_have_text("Charles Babbage")
    expect(marked(panel)).to_be_in_viewport()
    assert panel.page.evaluate("longest") < 3000  # milliseconds


def test_a_file_fills_the_text_box(visit):
    panel = visit().tab("Answer")
    choose_file(panel, "notes.txt", b"Ada wrote the notes.")
    expect(box(panel)).to_have_value("Ada wrote the notes.")
    expect(panel.locator(".count").first).to_contain_text("tokens")


def test_nothing_is_wider_than_the_window(visit):
    here = visit()
    panel = here.tab("Answer")
    ask(panel, TEXT + " " + "long" * 100)
    panel.get_by_text("The likeliest starts and ends as a table").click()
    expect_to_fit(here.page)


def test_what_the_picture_tells_is_legible_in_the_dark(visit):
    panel = visit(theme="dark").tab("Answer")
    ask(panel)
    panel.locator(".js-plotly-plot .nsewdrag").hover(position={"x": 30, "y": 60})
    told = panel.locator(".hoverlayer .legend text").first
    paper = panel.locator(".hoverlayer .legend .bg").first
    inks = [each.evaluate("element => getComputedStyle(element).fill") for each in (told, paper)]
    assert contrast(*map(luminance, inks)) >= 4.5
