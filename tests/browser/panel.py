"""A tab's parts as a visitor names them, and what is done there again and again."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

TEXT = "Ada wrote the notes. Ada wrote them in 1843."
NOTE_THAT_IT_COPIED = """button => {
    button.hasCopied = false;
    const note = () => (button.hasCopied ||= button.textContent === "Copied");
    new MutationObserver(note).observe(button, { childList: true });
}"""
FINISHED = re.compile(r"\d+ tokens? in <?[\d.]+ s")


def box(panel: Locator) -> Locator:
    return panel.get_by_label("Your text", exact=True)


def output(panel: Locator) -> Locator:
    return panel.get_by_label("Result", exact=True)


def button(panel: Locator, name: str) -> Locator:
    return panel.get_by_role("button", name=name, exact=True)


def written(panel: Locator) -> Locator:
    return panel.get_by_role("group", name="What the model wrote").get_by_role("button")


def read(panel: Locator) -> Locator:
    return panel.get_by_role("group", name="What the model read").get_by_role("button")


def lit(words: Locator) -> list[float]:
    """How much ink each word has, 0 to 1."""
    return words.evaluate_all("words => words.map(word => Number(word.style.getPropertyValue('--weight')))")


def run(panel: Locator, name: str, text: str) -> None:
    box(panel).fill(text)
    button(panel, name).click()


def wait_until_finished(panel: Locator) -> str:
    """The result."""
    expect(panel.locator(".result-notes")).to_contain_text(FINISHED)
    return output(panel).inner_text()


def finished_fusion(panel: Locator, text: str = TEXT) -> str:
    """The result of a run whose pictures are there too."""
    run(panel, "Fuse", text)
    result = wait_until_finished(panel)
    written(panel).first.wait_for()
    return result


def copied(panel: Locator) -> str:
    """What its Copy puts on the clipboard; the button says so for a moment only."""
    copy = panel.locator('[data-action="copy"]')
    copy.evaluate(NOTE_THAT_IT_COPIED)
    copy.click()
    expect(copy).to_have_js_property("hasCopied", True)
    return panel.page.evaluate("navigator.clipboard.readText()")


def choose_settings(panel: Locator, **settings: int | str) -> None:
    """choose_settings(panel, Beams=4): fill fields of the form, which must be open; underscores are spaces."""
    for label, value in settings.items():
        panel.get_by_role("textbox", name=re.compile(f"^{label.replace('_', ' ')}")).fill(str(value))


def open_settings(panel: Locator) -> None:
    panel.get_by_text("Generation settings").click()


def start_long_run(panel: Locator, text: str = TEXT) -> None:
    """A run of many seconds on any machine, whatever the model would rather write; its first words are there."""
    open_settings(panel)
    choose_settings(panel, Beams=16, Longest_output=500, Shortest_output=500)
    run(panel, "Fuse", text)
    expect(output(panel)).not_to_be_empty()
