"""The page on a real server, with the real engine and the embedded model behind it, in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from seq2seq.engine import EngineSettings
from tests.browser.chromium import open_chromium
from tests.browser.watched import WatchedEngine
from tests.serving import serve

PATIENCE = 60_000  # milliseconds
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def engine() -> WatchedEngine:
    return WatchedEngine(EngineSettings())


@pytest.fixture(scope="session")
def url(engine: WatchedEngine) -> Iterator[str]:
    with serve(engine) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = open_chromium(playwright)
        if browser is None:
            pytest.skip("no Chromium here: run `playwright install chromium`")
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def profile(browser: Browser) -> Iterator[BrowserContext]:
    """One for all pages, as it keeps what they are made of: each loads in half of the time."""
    profile = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    stays = profile.new_page()  # and with it the process of all
    stays.route("**", lambda route: route.fulfill(body=""))
    stays.goto("http://127.0.0.1")
    yield profile
    profile.close()


@dataclass
class Visit:
    """One visitor's page, what its console said, and what it asked for from elsewhere."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def tab(self, name: str) -> Locator:
        """Open a tab; everything in it that is on show."""
        self.page.get_by_role("tab", name=name).click()
        panel = self.page.get_by_role("tabpanel").filter(visible=True)
        panel.get_by_label("Your text").wait_for()
        return panel


@pytest.fixture
def visit(profile: BrowserContext, url: str) -> Iterator:
    """visit(theme, width, query) opens the page; whatever a test does there, the console must stay clean."""
    visits = []

    def open_page(theme: str = "light", width: int = 1280, query: str = "") -> Visit:
        page = profile.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.set_default_timeout(PATIENCE)
        here = Visit(page)
        visits.append(here)
        page.on("console", lambda message: message.type == "error" and here.complaints.append(message.text))
        page.on("pageerror", lambda error: here.complaints.append(str(error)))
        page.on("request", lambda request: _is_outside(request.url, url) and here.outside.append(request.url))
        page.goto(f"{url}/?__theme={theme}&{query}")
        page.get_by_role("tab", name="Fuse").wait_for()
        return here

    yield open_page
    for here in visits:
        here.page.close()
    for here in visits:
        assert here.complaints == []
        assert here.outside == []


def _is_outside(address: str, url: str) -> bool:
    return not address.startswith((url, "data:", "blob:", url.replace("http", "ws", 1)))
