"""A real Chromium: Playwright's own where it is installed, else the system's."""

from __future__ import annotations

import os

from playwright.sync_api import Browser, Playwright

SYSTEM_CHROMIUMS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
)


def open_chromium(playwright: Playwright) -> Browser | None:
    """None where there is no Chromium."""
    own = os.path.exists(playwright.chromium.executable_path)
    system = next((path for path in SYSTEM_CHROMIUMS if os.path.exists(path)), None)
    if not own and system is None:
        return None
    return playwright.chromium.launch(executable_path=None if own else system, args=list(QUIET))
