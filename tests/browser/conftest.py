"""The page on a real server in a real Chromium: Playwright's own where it is installed, else the system's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from demo.layout import build
from demo.theme import launch_options

SYSTEM_CHROMIUMS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
)
PATIENCE = 30_000  # milliseconds
expect.set_options(timeout=PATIENCE)


def make_engine():
    """What answers behind the page in these tests."""
    from tests.demo.stand_in import StandInEngine

    return StandInEngine()


@pytest.fixture(scope="session")
def engine():
    return make_engine()


@pytest.fixture(scope="session")
def url(engine) -> Iterator[str]:
    demo = build(engine)
    demo.queue(max_size=16, default_concurrency_limit=1)
    _, address, _ = demo.launch(prevent_thread_lock=True, quiet=True, inbrowser=False, **launch_options())
    yield address.rstrip("/")
    demo.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path).exists()
        system = next((path for path in SYSTEM_CHROMIUMS if os.path.exists(path)), None)
        if not own and system is None:
            pytest.skip("no Chromium here: run `playwright install chromium`")
        browser = playwright.chromium.launch(executable_path=None if own else system, args=list(QUIET))
        yield browser
        browser.close()


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
def visit(browser: Browser, url: str) -> Iterator:
    """visit(theme, width) opens the page; whatever a test does there, the console must stay clean."""
    contexts, visits = [], []

    def open_page(theme: str = "light", width: int = 1280) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        here = Visit(page)
        visits.append(here)
        page.on("console", lambda message: message.type == "error" and here.complaints.append(message.text))
        page.on("pageerror", lambda error: here.complaints.append(str(error)))
        page.on("request", lambda request: _is_outside(request.url, url) and here.outside.append(request.url))
        page.goto(f"{url}/?__theme={theme}")
        page.get_by_role("tab", name="Fuse").wait_for()
        return here

    yield open_page
    for context in contexts:
        context.close()
    for here in visits:
        assert here.complaints == []
        assert here.outside == []


def _is_outside(address: str, url: str) -> bool:
    return not address.startswith((url, "data:", "blob:", url.replace("http", "ws", 1)))
