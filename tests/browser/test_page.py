"""What a visitor does, from start to end."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.browser

EXAMPLES = {
    "Fuse": ("A closed bridge", "The old harbour bridge"),
    "Split": ("A dry summer", "Because the reservoir"),
    "Summarize": ("A library by bus", "For 22 years"),
}
WAYS = [("Fuse", "Fuse"), ("Fuse", "Split"), ("Summarize", "Summarize")]  # tab, button
FINISHED = re.compile(r"\d+ tokens? in [\d.]+ s, \d+ a second")


def box(panel: Locator) -> Locator:
    return panel.get_by_label("Your text")


def output(panel: Locator) -> Locator:
    return panel.locator("output")


def button(panel: Locator, name: str) -> Locator:
    return panel.get_by_role("button", name=name, exact=True)


def run(panel: Locator, name: str, text: str) -> None:
    box(panel).fill(text)
    button(panel, name).click()


def wait_until_finished(panel: Locator) -> str:
    expect(panel.locator(".result-notes")).to_contain_text(FINISHED)
    return output(panel).inner_text()


def written(panel: Locator) -> Locator:
    return panel.get_by_role("group", name="What the model wrote").get_by_role("button")


def read(panel: Locator) -> Locator:
    return panel.get_by_role("group", name="What the model read").get_by_role("button")


def lit(words: Locator) -> list[float]:
    return words.evaluate_all("words => words.map(word => Number(word.style.getPropertyValue('--weight')))")


def finished_fusion(panel: Locator, text: str = "Ada wrote the notes. Ada wrote them in 1843.") -> str:
    run(panel, "Fuse", text)
    result = wait_until_finished(panel)
    written(panel).first.wait_for()
    return result


def make_it_long(panel: Locator) -> None:
    panel.get_by_text("Generation settings").click()
    panel.get_by_label("Longest output").fill("500")
    panel.get_by_label("Shortest output").fill("480")


@pytest.mark.parametrize(("tab", "name"), WAYS)
def test_the_whole_way(visit, tab, name):
    panel = visit().tab(tab)
    if name == "Split":
        panel.get_by_label("Split into several").check()
    title, beginning = EXAMPLES[name]
    button(panel, title).click()
    expect(box(panel)).to_have_value(re.compile(beginning))
    expect(panel.locator(".count").first).to_contain_text(re.compile(r"\d+ of [\d,]+ tokens"))
    button(panel, name).click()
    result = wait_until_finished(panel)
    assert len(result.split()) >= 4
    expect(panel.get_by_role("heading", name="What the model looked at")).to_be_visible()
    assert len(written(panel).all()) >= 4
    expect(panel.locator(".js-plotly-plot .heatmaplayer").first).to_be_attached()
    panel.get_by_text("The strongest links as a table").click()
    expect(panel.locator("table.links tbody tr")).to_have_count(written(panel).count())


def test_words_appear_one_after_the_other(visit):
    panel = visit().tab("Summarize")
    run(panel, "Summarize", "The ferry to Holm sank. Its crew of nine was saved. The owner blamed a storm.")
    seen = []
    deadline = time.monotonic() + 30
    while not panel.locator(".result-actions").is_visible() and time.monotonic() < deadline:
        text = output(panel).inner_text()
        if not seen or text != seen[-1]:
            seen.append(text)
        time.sleep(0.02)
    final = wait_until_finished(panel)
    growing = [text for text in seen if text]
    assert len(growing) >= 3
    assert [len(text) for text in growing] == sorted(len(text) for text in growing)
    assert final.startswith(growing[0])


def test_cancel_stops_and_the_next_run_works(visit):
    panel = visit().tab("Fuse")
    expect(button(panel, "Cancel")).to_be_disabled()
    make_it_long(panel)
    run(panel, "Fuse", "echo " + "one two three four five six seven eight nine ten. " * 12)
    expect(output(panel)).not_to_be_empty()
    button(panel, "Cancel").click()
    expect(panel.locator(".result-notes")).to_have_text("Stopped.")
    expect(button(panel, "Cancel")).to_be_disabled()
    stopped = output(panel).inner_text()
    time.sleep(1)
    assert output(panel).inner_text() == stopped
    panel.get_by_label("Longest output").fill("")
    panel.get_by_label("Shortest output").fill("")
    finished_fusion(panel)


def test_who_waits_sees_the_queue_and_can_leave_it(visit):
    first, second = visit().tab("Fuse"), visit().tab("Fuse")
    make_it_long(first)
    run(first, "Fuse", "echo " + "one two three four five six seven eight nine ten. " * 12)
    expect(output(first)).not_to_be_empty()
    run(second, "Fuse", "Ada wrote the notes. She wrote them in 1843.")
    expect(second.locator(".result .progress-text")).to_contain_text(re.compile(r"queue: \d+/\d+"))
    button(second, "Cancel").click()
    expect(second.locator(".result-notes")).to_have_text("Stopped.")
    expect(button(second, "Fuse")).to_be_enabled()
    button(first, "Cancel").click()
    finished_fusion(second)


@pytest.mark.parametrize("text", ["", "   \n\t "])
def test_nothing_to_work_on_is_said_plainly(visit, text):
    panel = visit().tab("Fuse")
    run(panel, "Fuse", text)
    expect(panel.get_by_role("alert")).to_contain_text(re.compile("text"))
    expect(button(panel, "Fuse")).to_be_enabled()
    finished_fusion(panel)


def test_a_setting_that_makes_no_sense_is_said_plainly(visit):
    panel = visit().tab("Fuse")
    panel.get_by_text("Generation settings").click()
    panel.get_by_role("textbox", name=re.compile("^Beams")).fill("many")
    run(panel, "Fuse", "Ada wrote the notes. She wrote them in 1843.")
    expect(panel.get_by_role("alert")).to_contain_text("Beams must be a whole number from 1 to 16")
    panel.get_by_role("textbox", name=re.compile("^Beams")).fill("2")
    finished_fusion(panel)


def test_a_megabyte_is_answered(visit):
    panel = visit().tab("Summarize")
    text = ("The council of Holm met on 4 May and voted for the bridge. " * 18_000)[:1_000_000]
    box(panel).evaluate(
        "(box, text) => { box.value = text; box.dispatchEvent(new Event('input', {bubbles: true})); }", text
    )
    expect(panel.locator(".count").first).to_contain_text("left out")
    button(panel, "Summarize").click()
    expect(
        panel.locator(".result-notes, .result-problem").filter(has_text=re.compile(r"not read|too long"))
    ).to_be_visible()
    assert len(box(panel).input_value()) == len(text)
    run(panel, "Summarize", "The council of Holm met on 4 May and voted for the bridge.")
    wait_until_finished(panel)


def test_markup_is_shown_as_text(visit):
    here = visit()
    panel = here.tab("Fuse")
    hostile = "echo <script>window.hacked = 1</script> <img src=x onerror='window.hacked = 1'> ${hacked = 1}"
    finished_fusion(panel, hostile)
    assert "<script>" in "".join(panel.get_by_role("group", name="What the model read").all_inner_texts())
    panel.get_by_text("The strongest links as a table").click()
    assert here.page.evaluate("window.hacked") is None
    assert panel.locator("img[src=x]").count() == 0


@pytest.mark.parametrize(
    "text", ["שלום עולם. השלום טוב.", "🎻🎻 plays. 🎻 plays well.", "a\u0000b \u0007c. d\u001b[31m e."]
)
def test_unusual_texts_are_answered(visit, text):
    panel = visit().tab("Fuse")
    run(panel, "Fuse", text)
    expect(
        panel.locator(".result-notes span, .result-problem").filter(has_text=re.compile(r"\w")).first
    ).to_be_visible()
    expect(button(panel, "Fuse")).to_be_enabled()


def test_pointing_at_a_word_lights_up_the_other_text(visit):
    panel = visit().tab("Fuse")
    finished_fusion(panel)
    assert max(lit(read(panel))) == 0
    written(panel).nth(1).hover()
    expect(panel.locator(".tv-says")).to_contain_text("looked at")
    assert max(lit(read(panel))) == 1
    read(panel).nth(2).hover()
    expect(panel.locator(".tv-says")).to_contain_text("was looked at")
    assert max(lit(written(panel))) == 1
    read(panel).nth(2).click()
    panel.get_by_role("heading", name="What the model looked at").hover()
    assert max(lit(written(panel))) == 1, "a click keeps the word lit"
    read(panel).nth(2).click()
    panel.get_by_role("heading", name="What the model looked at").hover()
    read(panel).nth(2).blur()
    expect(panel.locator(".tv-says")).to_contain_text("Point at a word")


def test_the_words_work_from_the_keyboard(visit):
    here = visit()
    panel = here.tab("Fuse")
    finished_fusion(panel)
    written(panel).first.focus()
    here.page.keyboard.press("ArrowRight")
    expect(written(panel).nth(1)).to_be_focused()
    expect(panel.locator(".tv-says")).to_contain_text(written(panel).nth(1).inner_text())
    here.page.keyboard.press("Enter")
    expect(written(panel).nth(1)).to_have_attribute("aria-pressed", "true")
    here.page.keyboard.press("Tab")
    expect(read(panel).first).to_be_focused()
    here.page.keyboard.press("End")
    expect(read(panel).last).to_be_focused()


def test_ctrl_enter_runs(visit):
    panel = visit().tab("Fuse")
    box(panel).fill("Ada wrote the notes. She wrote them in 1843.")
    box(panel).press("Control+Enter")
    wait_until_finished(panel)


def test_layer_head_and_unit_change_the_pictures(visit):
    panel = visit().tab("Fuse")
    finished_fusion(panel)

    def weights_of_first_word() -> list[float]:
        written(panel).first.hover()
        return lit(read(panel))

    def choose(label: str, option: str) -> None:
        panel.get_by_label(label).click()
        panel.page.get_by_role("option", name=re.compile(option)).click()

    before = weights_of_first_word()
    choose("Layer", "^1 of")
    after_layer = changed(weights_of_first_word, before)
    choose("Head", "^2 of")
    after_head = changed(weights_of_first_word, after_layer)
    panel.get_by_label("Tokens").check()
    changed(weights_of_first_word, after_head)


def changed(measure, before, seconds: float = 10):
    """What `measure` says once it no longer says `before`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        now = measure()
        if now and now != before:
            return now
        time.sleep(0.1)
    raise AssertionError("nothing changed")


def test_copy_and_download(visit):
    here = visit()
    panel = here.tab("Fuse")
    result = finished_fusion(panel)
    button(panel, "Copy").click()
    expect(button(panel, "Copied")).to_be_visible()
    assert here.page.evaluate("navigator.clipboard.readText()") == result
    with here.page.expect_download() as download:
        button(panel, "Download").click()
    assert download.value.suggested_filename == "gloss-fuse.txt"
    assert download.value.path().read_text(encoding="utf-8").strip() == result


def test_on_a_phone_a_run_brings_its_result_into_view(visit):
    panel = visit(width=390).tab("Fuse")
    expect(output(panel)).not_to_be_in_viewport()
    finished_fusion(panel)
    expect(output(panel)).to_be_in_viewport()


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_nothing_is_wider_than_the_window(visit, width):
    here = visit(width=width)
    panel = here.tab("Fuse")
    finished_fusion(panel)
    panel.get_by_text("Generation settings").click()
    panel.get_by_text("The strongest links as a table").click()
    assert here.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("theme", "is_dark"), [("light", False), ("dark", True)])
def test_both_themes_are_legible(visit, theme, is_dark):
    here = visit(theme=theme)
    panel = here.tab("Fuse")
    finished_fusion(panel)
    background = luminance(here.page.evaluate("getComputedStyle(document.querySelector('gradio-app')).backgroundColor"))
    assert (background < 0.2) == is_dark
    for selector in ("output", ".result-notes", ".tv-says", ".tv-word", ".masthead p"):
        ink = panel.page.locator(selector).first.evaluate("element => getComputedStyle(element).color")
        assert contrast(luminance(ink), background) >= 4.5, selector
    tick = panel.locator(".js-plotly-plot .xtick text").first.evaluate("element => getComputedStyle(element).fill")
    assert contrast(luminance(tick), background) >= 4.5


def luminance(color: str) -> float:
    """Relative luminance (WCAG 2.1) of a computed rgb() colour."""
    channels = [int(value) / 255 for value in re.findall(r"\d+", color)[:3]]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)
