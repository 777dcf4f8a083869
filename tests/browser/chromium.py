"""A real Chromium: Playwright's own where it is installed, else the system's; headless shells first."""

from __future__ import annotations

import shutil

from playwright.sync_api import Browser, Error, Playwright

SYSTEMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--process-per-site",  # in which what a page is made of is compiled once, while any is open
)


def open_chromium(playwright: Playwright) -> Browser | None:
    """None where there is no Chromium."""
    try:
        return playwright.chromium.launch(args=list(QUIET))
    except Error as error:
        if "Executable doesn't exist" not in error.message:
            raise
    system = next(filter(None, map(shutil.which, SYSTEMS)), None)
    return system and playwright.chromium.launch(executable_path=system, args=list(QUIET))
