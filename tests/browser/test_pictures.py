"""What the model looked at: pointing, keys, and choosing what is shown."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.panel import finished_fusion, lit, read, written

pytestmark = pytest.mark.browser


def test_a_word_lights_up_the_other_text(visit):
    panel = visit().tab("Fuse")
    finished_fusion(panel)
    away = panel.get_by_role("heading", name="What the model looked at")
    assert max(lit(read(panel))) == 0
    written(panel).nth(1).hover()
    expect(panel.locator(".tv-says")).to_contain_text("looked at")
    assert max(lit(read(panel))) == 1
    read(panel).nth(2).hover()
    expect(panel.locator(".tv-says")).to_contain_text("was looked at")
    assert max(lit(written(panel))) == 1
    read(panel).nth(2).click()
    away.hover()
    assert max(lit(written(panel))) == 1, "a click keeps the word lit"
    read(panel).nth(2).click()
    away.hover()
    read(panel).nth(2).blur()
    expect(panel.locator(".tv-says")).to_contain_text("Point at a word")
    use_the_keyboard(panel)


def use_the_keyboard(panel: Locator) -> None:
    written(panel).first.focus()
    panel.page.keyboard.press("ArrowRight")
    expect(written(panel).nth(1)).to_be_focused()
    expect(panel.locator(".tv-says")).to_contain_text(written(panel).nth(1).inner_text())
    panel.page.keyboard.press("Enter")
    expect(written(panel).nth(1)).to_have_attribute("aria-pressed", "true")
    panel.page.keyboard.press("Tab")
    expect(read(panel).first).to_be_focused()
    panel.page.keyboard.press("End")
    expect(read(panel).last).to_be_focused()


def test_layer_head_and_what_is_shown_change_the_pictures(visit):
    panel = visit().tab("Fuse")
    finished_fusion(panel)

    def weights_of_first_word() -> list[float]:
        written(panel).first.hover()
        return lit(read(panel))

    def choose(label: str, option: str) -> None:
        panel.get_by_label(label).click()
        panel.page.get_by_role("option", name=re.compile(option)).click()
        expect(panel.page.get_by_role("option")).to_have_count(0)

    before = weights_of_first_word()
    choose("Layer", "^1 of")
    after_layer = changed(weights_of_first_word, before)
    choose("Head", "^2 of")
    after_head = changed(weights_of_first_word, after_layer)
    panel.get_by_label("Special tokens too").check()
    everything = changed(weights_of_first_word, after_head)
    assert len(everything) > len(before)
    expect(panel.locator(".tv-special").first).to_be_visible()
    panel.get_by_label("Tokens", exact=True).check()
    changed(weights_of_first_word, everything)
    expect(panel.locator(".tv-special")).to_have_count(0)


def changed(measure, before, seconds: float = 30):
    """What `measure` says once it no longer says `before`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        now = measure()
        if now and now != before:
            return now
        time.sleep(0.1)
    raise AssertionError("nothing changed")
