"""On every screen, in both themes, and without a mouse."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.panel import TEXT, box, button, finished_fusion, output, wait_until_finished, written

pytestmark = pytest.mark.browser

MAX_TABS = 60


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until `target` has the focus."""
    for _ in range(MAX_TABS):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("cannot be reached with Tab")


def test_everything_can_be_done_without_a_mouse(visit):
    here = visit()
    panel = here.page.get_by_role("tabpanel").filter(visible=True)
    tab_to(here.page, box(panel))
    here.page.keyboard.insert_text(TEXT)
    tab_to(here.page, button(panel, "Open a file"))
    tab_to(here.page, button(panel, "Fuse"))
    here.page.keyboard.press("Enter")
    wait_until_finished(panel)
    written(panel).first.wait_for()
    tab_to(here.page, button(panel, "Copy"))
    tab_to(here.page, written(panel).first)
    here.page.keyboard.press("ArrowRight")
    expect(panel.locator(".tv-says")).to_contain_text("looked at")


def test_on_a_phone_a_run_brings_its_result_into_view(visit):
    panel = visit(width=390).tab("Fuse")
    expect(output(panel)).not_to_be_in_viewport()
    finished_fusion(panel)
    expect(output(panel)).to_be_in_viewport()


def expect_to_fit(page: Page) -> None:
    """Nothing is wider than the window, be it a phone's, a tablet's or a desk's."""
    for width in (390, 768, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")


def test_a_result_fits_every_window_and_stands_in_order(visit):
    here = visit()
    panel = here.tab("Fuse")
    finished_fusion(panel)
    panel.get_by_text("Generation settings").click()
    panel.get_by_text("The strongest links as a table").click()
    labels = panel.locator(".attention .choices label:has([type=radio])")
    expect(labels).to_have_count(3)
    assert len(set(labels.evaluate_all("labels => labels.map(label => label.getBoundingClientRect().top)"))) == 1
    expect_to_fit(here.page)
    expect(panel.locator(".js-plotly-plot .modebar-btn").first).to_be_attached()
    for link in panel.locator(".js-plotly-plot a[href^=http]").all():
        expect(link).to_be_hidden()


def test_the_page_may_be_dark(visit):
    """Whether all is legible in both themes, the tests of accessibility tell."""
    here = visit(theme="dark")
    panel = here.tab("Fuse")
    finished_fusion(panel)
    background = luminance(here.page.evaluate("getComputedStyle(document.querySelector('gradio-app')).backgroundColor"))
    assert background < 0.2
    for selector in ("output", ".result-notes", ".tv-says", ".tv-word", ".open-file", ".masthead p"):
        ink = panel.page.locator(selector).first.evaluate("element => getComputedStyle(element).color")
        assert contrast(luminance(ink), background) >= 4.5, selector
    tick = panel.locator(".js-plotly-plot .xtick text").first.evaluate("element => getComputedStyle(element).fill")
    assert contrast(luminance(tick), background) >= 4.5


def luminance(color: str) -> float:
    """Relative luminance (WCAG 2.1) of a computed rgb() colour."""
    channels = [int(value) / 255 for value in re.findall(r"\d+", color)[:3]]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)
