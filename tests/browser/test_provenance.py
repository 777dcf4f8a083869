"""Where each sentence of a summary comes from: seen, gone to, and left again."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.panel import box, button, choose_settings, finished_fusion, open_settings, run
from tests.browser.test_looks import tab_to
from tests.browser.test_runs import long_text

pytestmark = pytest.mark.browser

LONG_EXAMPLE = "An e-mail thread (it fails here)"
TITLE = "Where each sentence comes from"


def summarized(panel: Locator, title: str = LONG_EXAMPLE) -> None:
    """An example's summary, and where it comes from, are there."""
    button(panel, title).click()
    expect(box(panel)).not_to_be_empty()
    button(panel, "Summarize").click()
    numbers(panel).first.wait_for()


def text_of(panel: Locator) -> Locator:
    return panel.get_by_role("region", name="Your text, its sentences numbered")


def sources(panel: Locator) -> Locator:
    return panel.locator(".pv-source")


def numbers(panel: Locator) -> Locator:
    return panel.get_by_role("button", name=re.compile("^Source sentence "))


def source_of(panel: Locator, number: Locator) -> Locator:
    return sources(panel).nth(int(number.get_attribute("data-number")) - 1)


def lit(panel: Locator) -> list[float]:
    return sources(panel).evaluate_all(
        "sources => sources.map(each => Number(each.style.getPropertyValue('--share'))).filter(Boolean)"
    )


def settle(text: Locator) -> None:
    """Until it has scrolled."""
    text.evaluate(
        """async text => {
            const frame = () => new Promise(requestAnimationFrame);
            for (let still = 0, before = -1; still < 10; await frame()) {
                still = text.scrollTop === before ? still + 1 : 0;
                before = text.scrollTop;
            }
        }"""
    )


def is_in_view(text: Locator, source: Locator) -> bool:
    outer, inner = text.bounding_box(), source.bounding_box()
    return outer["y"] <= inner["y"] and inner["y"] + inner["height"] <= outer["y"] + outer["height"]


def test_a_number_goes_to_its_sentence_in_the_text_and_leaves_the_page_where_it_is(visit):
    here = visit()
    panel = here.tab("Summarize")
    summarized(panel)
    expect(panel.get_by_text("These sentences stand in your text as they are")).to_be_visible()
    number, text = numbers(panel).last, text_of(panel)
    source = source_of(panel, number)
    text.scroll_into_view_if_needed()
    assert not is_in_view(text, source)
    before = here.page.evaluate("scrollY")
    number.click()
    expect(source).to_have_attribute("aria-current", "true")
    expect(source).to_be_focused()
    settle(text)
    assert is_in_view(text, source)
    assert here.page.evaluate("scrollY") == before
    numbers(panel).first.click()
    expect(panel.locator("[aria-current]")).to_have_count(1)
    expect(source_of(panel, numbers(panel).first)).to_have_attribute("aria-current", "true")


def test_what_is_pointed_at_lights_up_its_sources_by_share(visit):
    here = visit()
    panel = here.tab("Summarize")
    panel.get_by_label("The model’s own").check()
    summarized(panel, "A night train")
    expect(panel.get_by_text("Found by hiding each sentence of your text")).to_be_visible()
    sentence = panel.locator(".pv-sentence").first
    shares = [label.split("·")[1].strip() for label in sentence.locator("button").all_inner_texts()]
    assert lit(panel) == []
    sentence.locator(".pv-words").hover()
    assert len(lit(panel)) == len(shares) > 0
    here.page.mouse.move(0, 0)
    assert lit(panel) == []
    sentence.locator(".pv-words").click()
    here.page.mouse.move(0, 0)
    assert len(lit(panel)) == len(shares), "what was clicked stays lit"


def test_the_way_there_and_back_without_a_mouse(visit):
    here = visit()
    panel = here.tab("Summarize")
    summarized(panel)
    number, text = numbers(panel).last, text_of(panel)
    tab_to(here.page, number)
    assert lit(panel) == [1]
    here.page.keyboard.press("Enter")
    source = source_of(panel, number)
    expect(source).to_be_focused()
    expect(panel.locator(".pv-status")).to_contain_text("is marked. Escape takes you back to the summary.")
    settle(text)
    assert is_in_view(text, source)
    here.page.keyboard.press("Escape")
    expect(number).to_be_focused()
    expect(source).to_have_attribute("aria-current", "true")


def test_who_wants_less_motion_is_there_at_once(visit):
    here = visit()
    here.page.emulate_media(reduced_motion="reduce")
    panel = here.tab("Summarize")
    summarized(panel)
    number = numbers(panel).last
    number.click()
    assert is_in_view(text_of(panel), source_of(panel, number))


def test_on_a_phone_nothing_is_wider_and_a_number_brings_the_text_into_view(visit):
    here = visit(width=390)
    panel = here.tab("Summarize")
    summarized(panel)
    number = numbers(panel).first
    number.evaluate("number => scrollTo(0, number.getBoundingClientRect().bottom + scrollY - innerHeight + 4)")
    expect(text_of(panel)).not_to_be_in_viewport(ratio=0.2)
    number.click()
    expect(source_of(panel, number)).to_be_in_viewport()
    assert here.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_each_section_of_a_long_text_is_told_and_numbered_on(visit):
    panel = visit().tab("Summarize")
    open_settings(panel)
    run(panel, "Summarize", long_text(2))
    expect(panel.locator(".pv-sentences")).to_have_count(2)
    first, second = (panel.locator(".pv-sentences").nth(place) for place in range(2))
    in_first = panel.locator(".pv-section").first.locator(".pv-source").count()
    assert numbers_of(first)[-1] <= in_first < numbers_of(second)[0]
    assert sources(panel).last.locator("sup").inner_text() == str(sources(panel).count())


def numbers_of(sentences: Locator) -> list[int]:
    return [int(text) for text in sentences.locator("button").all_inner_texts()]


def test_another_run_begins_without_it(visit):
    panel = visit().tab("Summarize")
    heading = panel.get_by_role("heading", name=TITLE)
    expect(heading).to_have_count(0)
    summarized(panel)
    expect(heading).to_be_visible()
    panel.get_by_label("The model’s own").check()
    open_settings(panel)
    choose_settings(panel, Beams=16, Longest_output=400, Shortest_output=400)
    button(panel, "Summarize").click()
    expect(heading).to_have_count(0)
    button(panel, "Cancel").click()
    expect(panel.locator(".result-notes")).to_have_text("Stopped.")
    expect(heading).to_have_count(0)
    choose_settings(panel, Beams="", Longest_output="", Shortest_output="")
    summarized(panel, "A night train")
    expect(panel.locator(".pv-sentences")).to_have_count(1)
    expect(sources(panel).first).to_contain_text("The night train between Lisbon")


def test_words_are_never_markup(visit):
    panel = visit().tab("Summarize")
    text = "The <b>old</b> bridge at Holm was closed on Monday. <img src=x onerror=alert(1)> Nobody was hurt there."
    run(panel, "Summarize", text)
    numbers(panel).first.wait_for()
    assert panel.locator(".pv-parts :is(b, img)").count() == 0
    assert "<b>old</b>" in text_of(panel).inner_text()


def test_a_fusion_is_not_traced(visit):
    panel = visit().tab("Fuse")
    finished_fusion(panel)
    assert panel.locator(".pv-parts").count() == 0
