"""The Pattern tab as a visitor sees it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.panel import box, button
from tests.browser.test_looks import expect_to_fit, tab_to

pytestmark = pytest.mark.browser

TEXT = "The old harbour bridge was closed in March, because engineers had found cracks. " * 20


def opened(here) -> Locator:
    """The tab, with its first map."""
    panel = here.tab("Pattern")
    expect(legend(panel)).to_have_count(3)
    return panel


def number(panel: Locator, label: str) -> Locator:
    return panel.get_by_role("spinbutton", name=re.compile(f"^{label}"))


def the_map(panel: Locator) -> Locator:
    return panel.locator(".js-plotly-plot").first


def legend(panel: Locator) -> Locator:
    return the_map(panel).locator(".legendtext")


def pointed_at(panel: Locator, across: float, down: float) -> Locator:
    """What is said of a place on the map, given in parts of its width and height."""
    surface = the_map(panel).locator(".nsewdrag")
    size = surface.bounding_box()
    surface.hover(position={"x": size["width"] * across, "y": size["height"] * down})
    return the_map(panel).locator(".hovertext")


def test_the_map_says_what_is_pointed_at(visit):
    panel = opened(visit())
    expect(pointed_at(panel, 0.505, 0.005)).to_contain_text("tokens 1–64look at tokens 2,049–2,112global")
    expect(pointed_at(panel, 0.505, 0.505)).to_contain_text("window")
    panel.get_by_label("Not at all").check()
    expect(legend(panel).filter(has_text="seen more than once")).to_be_visible()
    expect(pointed_at(panel, 0.3, 0.7)).to_contain_text("not seen")
    expect(pointed_at(panel, 0.005, 0.7)).to_contain_text("seen more than once, 4 times")


def test_the_form_is_followed_and_what_is_wrong_is_said_beside_it(visit):
    panel = opened(visit())
    expect(legend(panel).filter(has_text="random")).to_be_visible()
    number(panel, "Length").fill("700")
    expect(panel.get_by_text("so short a text is read with full attention")).to_be_visible()
    number(panel, "Block size").fill("0")
    expect(panel.get_by_role("alert")).to_have_text("Block size must be a whole number from 1 to 1,024; it is “0”.")
    expect(panel.get_by_text("so short a text is read with full attention")).to_be_visible()
    expect(number(panel, "Length")).to_have_value("700")
    number(panel, "Block size").fill("16")
    expect(panel.get_by_text("700 tokens in 44 blocks of 16")).to_be_visible()
    expect(panel.get_by_role("alert").filter(visible=True)).to_have_count(0)


def test_the_longest_text_in_the_smallest_blocks(visit):
    panel = opened(visit())
    number(panel, "Block size").fill("16")
    number(panel, "Length").fill("16384")
    expect(panel.get_by_text("each cell stands for 4 × 4 of them")).to_be_visible()
    expect(the_map(panel).locator(".xtick").filter(has_text="9,985")).to_be_visible()
    expect(pointed_at(panel, 0.5, 0.002)).to_contain_text("of 16 pairs of blocks")


def test_a_text_lies_on_the_map(visit):
    panel = opened(visit())
    number(panel, "Block size").fill("16")
    number(panel, "Layer").fill("3")
    box(panel).fill(TEXT)
    box(panel).press("Control+Enter")
    expect(panel.get_by_text("Gloss answers has read")).to_be_visible()
    expect(panel.get_by_text(re.compile(r"over this text, the pattern keeps \d+%"))).to_be_visible()
    expect(number(panel, "Length")).not_to_have_value("4096")
    expect(legend(panel).filter(has_text="not seen")).to_be_visible()  # only a map with a text has this
    expect(pointed_at(panel, 0.51, 0.51)).to_contain_text(
        re.compile(r"tokens [\d–]+ “.+” ?look at .+“.+of their attention")
    )
    panel.get_by_text("The map as a table").click()
    expect(panel.locator("table.links").filter(visible=True)).to_contain_text("Attention")
    number(panel, "Block size").fill("8")
    expect(panel.get_by_text("The text was read with")).to_be_visible()
    number(panel, "Layer").fill("7")
    button(panel, "Read").click()
    expect(panel.get_by_text("This model reads with 6 layers; there is no layer 7.")).to_be_visible()
    expect(box(panel)).to_have_value(TEXT)


def test_a_measurement_is_cancelled_and_the_next_begun_at_once(visit):
    panel = opened(visit())
    measure, cancel = button(panel, "Measure"), button(panel, "Cancel").last
    panel.get_by_label("Not at all").check()
    number(panel, "Random blocks").fill("0")
    measure.click()
    expect(panel.get_by_text(re.compile("512 tokens: full .*, block-sparse"))).to_be_visible()
    cancel.click()
    expect(panel.get_by_text("Stopped.")).to_be_visible()
    panel.get_by_text("The model’s shape").click()
    number(panel, "Block size").fill("256")
    number(panel, "Heads").fill("1")
    number(panel, "Width of a head").fill("8")
    measure.click()
    expect(panel.get_by_text(re.compile("8,192 tokens: full"))).to_be_visible()
    expect(panel.get_by_text("1 head of 8")).to_be_visible()
    expect(panel.locator(".js-plotly-plot")).to_have_count(4)


def test_the_other_cost_is_drawn_when_asked_for(visit):
    panel = opened(visit())
    panel.get_by_label("Memory").check()
    expect(panel.get_by_text("Memory of the scores")).to_be_visible()


def test_nothing_is_wider_than_the_window_and_the_form_comes_first(visit):
    here = visit(width=390)
    panel = opened(here)
    panel.get_by_text("The map as a table").click()
    heights = [each.bounding_box()["y"] for each in (number(panel, "Length"), the_map(panel), box(panel))]
    assert heights == sorted(heights)
    expect_to_fit(here.page)
    assert number(panel, "Length").bounding_box()["y"] < the_map(panel).bounding_box()["y"]


def test_the_tab_works_without_a_mouse(visit):
    here = visit()
    panel = opened(here)
    tab_to(here.page, number(panel, "Length"))
    here.page.keyboard.press("ArrowUp")
    expect(panel.get_by_text("4,097 tokens in 65 blocks of 64")).to_be_visible()
    tab_to(here.page, button(panel, "Read"))
    tab_to(here.page, button(panel, "Measure"))
