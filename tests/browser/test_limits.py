"""A visitor whom a limit stops: told why, the text still there, and able to try again."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from demo import limit_words
from demo.serving.server import Server
from demo.settings import PageSettings
from tests.browser.conftest import PATIENCE, Visit
from tests.browser.panel import TEXT, box, button, output, run, wait_until_finished
from tests.demo.stand_in import StandInEngine
from tests.serving import serving
from tests.waiting import until

pytestmark = pytest.mark.browser


@pytest.fixture
def server() -> Iterator[tuple[Server, str]]:
    with serving(StandInEngine(0), PageSettings(rate_limit=1)) as served:
        yield served


def refused(panel: Locator, label: str, reason: str) -> None:
    expect(panel.locator(".result-problem")).to_contain_text(reason)
    expect(button(panel, label)).to_be_enabled()
    expect(button(panel, "Cancel")).to_be_disabled()
    expect(panel.locator(".is-running")).to_have_count(0)


def test_who_is_turned_away_is_told_why_and_keeps_the_text(browser: Browser, server: tuple[Server, str]):
    served, address = server
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    panel = Visit(page).tab("Fuse")
    run(panel, "Fuse", TEXT)
    wait_until_finished(panel)
    button(panel, "Fuse").click()
    refused(panel, "Fuse", "This was more than one visitor may ask for in a minute.")
    expect(box(panel)).to_have_value(TEXT)
    expect(output(panel)).to_have_text("")
    served.is_stopped.set()
    button(panel, "Fuse").click()
    refused(panel, "Fuse", limit_words.STOPPING)
    answering = Visit(page).tab("Answer")
    answering.get_by_label("Your question").fill("Who?")
    run(answering, "Answer", TEXT)
    refused(answering, "Answer", limit_words.STOPPING)
    page.close()


def test_who_asks_for_nothing_is_not_told_of_limits(browser: Browser):
    """Leaving the text box of Attention has the server read ahead, if it has time."""
    engine = StandInEngine(0)
    with serving(engine, PageSettings(rate_limit=1)) as (served, address):
        served.is_stopped.set()
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        panel = Visit(page).tab("Attention")
        target = panel.get_by_role("textbox", name=re.compile("^What was written"))
        box(panel).fill(TEXT)
        target.click()
        until(lambda: engine.read)
        with served.calls.begun("/fuse", None, lambda: True):
            box(panel).fill(TEXT * 2)
            target.click()
            page.wait_for_timeout(500)
        assert set(engine.read) == {TEXT}
        expect(page.locator(".toast-body")).to_have_count(0)
        page.close()
