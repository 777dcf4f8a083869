"""The Models tab as a visitor sees it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from demo import wording
from seq2seq.engine import Engine, EngineSettings
from tests.browser.test_looks import expect_to_fit, tab_to
from tests.demo.test_model_cards import HOSTILE
from tests.serving import serve

pytestmark = pytest.mark.browser


def opened(page) -> Locator:
    page.get_by_role("tab", name=wording.TAB_MODELS).click()
    panel = page.get_by_role("tabpanel").filter(visible=True)
    panel.get_by_role("heading", name=wording.MODELS_TITLE).wait_for()
    return panel


def cards(panel: Locator) -> Locator:
    """Those of the open accordions."""
    return panel.get_by_role("article").filter(visible=True)


def opener(panel: Locator, title: str) -> Locator:
    """The head of a model's accordion; its arrow is part of its name."""
    return panel.get_by_role("button", name=re.compile(rf"^{re.escape(title)}\W*$"))


def open_card(panel: Locator, title: str) -> Locator:
    card = panel.get_by_role("article", name=title, exact=True)
    if not card.is_visible():
        opener(panel, title).click()
    expect(card).to_be_visible()
    return card


def test_every_model_is_told_in_the_table_and_has_a_card_to_open(visit, engine):
    panel = opened(visit().page)
    titles = {card.title for card in engine.encoders()}
    assert set(panel.get_by_role("rowheader").all_inner_texts()) == titles
    assert panel.get_by_role("columnheader").all_inner_texts()[:6] == [wording.MODEL_LABEL, *wording.MODEL_FACTS]
    expect(cards(panel)).to_have_count(1)
    for title in titles:
        row = panel.get_by_role("row").filter(has=panel.page.get_by_role("rowheader", name=title, exact=True))
        expect(row.get_by_role("cell").last).not_to_have_text(wording.NOT_STATED)
        expect(open_card(panel, title).get_by_role("heading").first).to_be_visible()


def test_nothing_is_wider_than_the_window(visit, engine):
    page = visit().page
    panel = opened(page)
    for model in engine.encoders():
        open_card(panel, model.title)
    expect(cards(panel)).to_have_count(len(engine.encoders()))
    expect_to_fit(page)


def test_a_wide_table_scrolls_in_its_box_by_keyboard(visit):
    page = visit(width=390).page
    panel = opened(page)
    overview = panel.get_by_role("region", name=wording.MODELS_TITLE)
    tab_to(page, overview)
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.scrollLeft > 0")


def test_a_card_is_opened_and_closed_without_a_mouse(visit):
    page = visit().page
    panel = opened(page)
    title = cards(panel).first.get_attribute("aria-label")
    tab_to(page, opener(panel, title))
    page.keyboard.press("Enter")
    expect(cards(panel)).to_have_count(0)
    page.keyboard.press("Enter")
    expect(cards(panel)).to_have_count(1)


@pytest.fixture(scope="module")
def hostile_url(tmp_path_factory) -> Iterator[str]:
    """A page whose only model has a card that would do harm."""
    folder = tmp_path_factory.mktemp("models") / "hostile"
    folder.mkdir()
    shutil.copy(Path(EngineSettings().models) / "gloss-fusion" / "config.json", folder)
    (folder / "README.md").write_text(HOSTILE, encoding="utf-8")
    with serve(Engine(EngineSettings(models=folder.parent))) as address:
        yield address


def test_a_hostile_card_does_nothing(browser, hostile_url):
    page = browser.new_page()
    alarms, asked = [], []
    page.on("dialog", lambda dialog: (alarms.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(hostile_url)
    card = cards(opened(page))
    expect(card).to_contain_text("<script>alert(1)</script>")
    expect(card).to_contain_text("${alert(1)} {{value}}")
    expect(card.locator("img, script, iframe, b, [onerror], [onclick], [onmouseover]")).to_have_count(0)
    assert card.get_by_role("link").all_inner_texts() == ["good", "https://example.org/auto"]
    assert alarms == []
    assert not [url for url in asked if "elsewhere" in url]
    page.close()
