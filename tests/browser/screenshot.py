"""Takes the README's picture anew: python -m tests.browser.screenshot [file]

The page after a real fusion, with one written word pinned so that its source words are lit.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from seq2seq.engine import Engine, EngineSettings
from tests.browser.chromium import open_chromium
from tests.browser.panel import box, button, wait_until_finished, written
from tests.serving import serve

PICTURE = Path(__file__).resolve().parents[2] / "assets" / "readme" / "page.png"
WINDOW = {"width": 1440, "height": 1100}
EXAMPLE = "A closed bridge"
WORD = "bridge"


def take(page: Page, address: str, picture: Path) -> None:
    page.goto(f"{address}/?__theme=light")
    panel = page.get_by_role("tabpanel").filter(visible=True)
    button(panel, EXAMPLE).click()
    expect(box(panel)).not_to_be_empty()
    button(panel, "Fuse").click()
    wait_until_finished(panel)
    written(panel).filter(has_text=WORD).first.click()
    panel.locator(".heatmaplayer").first.wait_for(state="attached")
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    page.evaluate("scrollTo(0, 0)")
    end = panel.locator(".tv-texts").bounding_box()
    picture.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(
        path=picture, full_page=True, clip={"x": 0, "y": 0, "width": 1440, "height": end["y"] + end["height"] + 32}
    )


def main() -> None:
    picture = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    with serve(Engine(EngineSettings())) as address, sync_playwright() as playwright:
        browser = open_chromium(playwright)
        if browser is None:
            sys.exit("There is no Chromium here: run `playwright install chromium`.")
        take(browser.new_page(viewport=WINDOW), address, picture)
        browser.close()
    print(f"{picture}, {picture.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
