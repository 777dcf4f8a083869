"""What visitors put in: nothing, too much, markup, other scripts, files."""

from __future__ import annotations

import re
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.panel import (
    TEXT,
    box,
    button,
    choose_settings,
    finished_fusion,
    open_settings,
    output,
    run,
    wait_until_finished,
)
from tests.documents import pdf, word_file

pytestmark = pytest.mark.browser

DROP = """(panel, {name, text}) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([text], name));
    for (const type of ["dragover", "drop"]) {
        const event = new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer});
        panel.dispatchEvent(event);
        if (!event.defaultPrevented) throw new Error("the browser would leave the page at " + type);
    }
}"""


def choose_file(panel: Locator, name: str, data: bytes) -> None:
    with panel.page.expect_file_chooser() as chooser:
        button(panel, "Open a file").click()
    chooser.value.set_files({"name": name, "mimeType": "application/octet-stream", "buffer": data})


def test_nothing_to_work_on_is_said_plainly(visit):
    panel = visit().tab("Fuse")
    for text in ("", "   \n\t ", "?!… — ♪"):
        run(panel, "Fuse", text)
        expect(panel.get_by_role("alert")).to_contain_text(re.compile("text"))
        expect(button(panel, "Fuse")).to_be_enabled()
        finished_fusion(panel)


def test_a_setting_that_makes_no_sense_is_said_plainly(visit):
    panel = visit().tab("Fuse")
    open_settings(panel)
    choose_settings(panel, Beams="many")
    run(panel, "Fuse", TEXT)
    expect(panel.get_by_role("alert")).to_contain_text("Beams must be a whole number from 1 to 16")
    choose_settings(panel, Beams=2)
    finished_fusion(panel)


MEGABYTE = ("The council of Holm met on 4 May and voted for the bridge. " * 18_000)[:1_000_000]


def paste(panel: Locator, text: str) -> None:
    box(panel).evaluate(
        "(box, text) => { box.value = text; box.dispatchEvent(new Event('input', {bubbles: true})); }", text
    )


def test_a_megabyte_is_answered_and_leaves_the_page_at_ease(visit):
    panel = visit().tab("Fuse")
    paste(panel, MEGABYTE)
    expect(panel.locator(".count").first).to_contain_text("left out")
    button(panel, "Fuse").click()
    wait_until_finished(panel)
    expect(panel.locator(".result-notes")).to_contain_text("not read")
    assert len(box(panel).input_value()) == len(MEGABYTE)
    run(panel, "Fuse", TEXT)
    expect(panel.locator(".result-notes")).not_to_contain_text("not read")
    wait_until_finished(panel)


def test_a_megabyte_is_summarized_in_sections_until_it_is_cancelled(visit):
    panel = visit().tab("Summarize")
    paste(panel, MEGABYTE)
    expect(panel.locator(".count").first).to_contain_text(re.compile(r"will be summarized in \d{2,3} sections"))
    button(panel, "Summarize").click()
    expect(panel.get_by_role("progressbar")).to_have_attribute("aria-valuemax", re.compile(r"^\d{2,3}$"))
    expect(output(panel)).not_to_be_empty()
    button(panel, "Cancel").click()
    expect(panel.locator(".result-notes")).to_have_text("Stopped.")
    run(panel, "Summarize", TEXT)
    expect(panel.get_by_role("progressbar")).to_have_count(0)
    wait_until_finished(panel)


def test_the_text_box_reads_in_the_direction_of_its_text(visit):
    panel = visit().tab("Fuse")
    for text, direction in (("(1) שלום!", "rtl"), ("Hello שלום", "ltr"), ("سلام", "rtl"), ("12 + 3", "ltr")):
        box(panel).fill(text)
        expect(box(panel)).to_have_css("direction", direction)


def test_markup_is_shown_as_text(visit):
    here = visit()
    panel = here.tab("Fuse")
    hostile = "See <script>window.hacked = 1</script> <img src=x onerror='window.hacked = 1'> ${hacked = 1} now."
    finished_fusion(panel, hostile)
    assert "<script>" in "".join(panel.get_by_role("group", name="What the model read").all_inner_texts())
    panel.get_by_text("The strongest links as a table").click()
    panel.get_by_label("Special tokens too").check()
    expect(panel.locator(".tv-special").first).to_be_visible()
    assert here.page.evaluate("window.hacked") is None
    assert panel.locator("img[src=x]").count() == 0


def test_unusual_texts_are_answered(visit):
    """Right to left, emoji, control characters, no spaces."""
    panel = visit().tab("Fuse")
    open_settings(panel)
    choose_settings(panel, Shortest_output=8, Longest_output=24)
    for text, kept in (
        ("שלום עולם. השלום טוב.", "שלום עולם. השלום טוב."),
        ("🎻🎻 plays. 🎻 plays well.", "🎻🎻 plays. 🎻 plays well."),
        ("a\u0000b \u0007c. d\u001b[31m e.", "ab c. d[31m e."),
        ("我喜欢雨。她也喜欢雨。", "我喜欢雨。她也喜欢雨。"),
    ):
        run(panel, "Fuse", text)
        expect(panel.get_by_role("group", name="What the model read")).to_have_text(kept)
        assert wait_until_finished(panel) == output(panel).inner_text()


def is_kept(data: bytes) -> bool:
    """Whether a file with just this is in the folder of uploads, which other pages use too."""
    with suppress(FileNotFoundError):  # another was read meanwhile
        files = (path for path in Path(tempfile.gettempdir(), "gradio").rglob("*") if path.is_file())
        return any(path.read_bytes() == data for path in files)
    return is_kept(data)


def test_a_file_fills_the_text_box_and_is_not_kept(visit):
    panel = visit().tab("Fuse")
    unique = secrets.token_hex(8)
    latin, other = f"Ada wrote {unique}.", f"Žofie wrote {unique}."
    for name, data, text in (
        ("notes.txt", other.encode(), other),
        ("notes.PDF", pdf(latin), latin),
        ("notes.docx", word_file(lambda document: document.add_paragraph(other)), other),
    ):
        choose_file(panel, name, data)
        expect(box(panel)).to_have_value(text)
        expect(panel.locator(".count").first).to_contain_text("tokens")
        assert not is_kept(data)
        box(panel).fill("")
        choose_file(panel, name, data)
        expect(box(panel)).to_have_value(text)


def test_a_dropped_file_fills_the_text_box(visit):
    panel = visit().tab("Summarize")
    box(panel).evaluate(DROP, {"name": "notes.md", "text": "# Notes\n\nAda wrote them."})
    expect(box(panel)).to_have_value("# Notes\n\nAda wrote them.")


def test_a_file_that_cannot_be_read_is_said_plainly(visit):
    here = visit()
    panel = here.tab("Fuse")
    box(panel).fill(TEXT)
    for name, data, notice in (
        ("photo.txt", b"\x89PNG\r\n\x00\x01", "This file is not a text"),
        ("scan.pdf", pdf(""), "This file has no text"),
        ("torn.docx", word_file()[:3000], "This file is damaged"),
        ("big.txt", b"word " * 2_200_000, "maximum allowed size of 10"),
        ("photo.png", b"\x89PNG\r\n\x00\x01", "Invalid file type"),
    ):
        choose_file(panel, name, data)
        toast = here.page.get_by_test_id("toast-body")
        expect(toast).to_contain_text(notice)
        assert box(panel).input_value() == TEXT
        here.page.get_by_test_id("toast-close").click()
        expect(toast).to_have_count(0)
    here.complaints.clear()  # a refused upload shows as a failed request
    finished_fusion(panel)
