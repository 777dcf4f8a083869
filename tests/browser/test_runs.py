"""Runs from start to end, one and several at a time."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from seq2seq.tasks.sections import sentences_of
from tests.browser.panel import (
    TEXT,
    box,
    button,
    choose_settings,
    copied,
    finished_fusion,
    open_settings,
    output,
    run,
    start_long_run,
    wait_until_finished,
    written,
)
from tests.waiting import until

pytestmark = pytest.mark.browser

EXAMPLES = {
    "Fuse": ("A closed bridge", "The old harbour bridge"),
    "Split": ("A dry summer", "The county banned"),
    "Summarize": ("A library by bus", "For 22 years"),
}
WAYS = [("Fuse", "Fuse"), ("Fuse", "Split"), ("Summarize", "Summarize")]  # tab, button


@pytest.mark.parametrize(("tab", "name"), WAYS)
def test_the_whole_way(visit, tab, name):
    panel = visit().tab(tab)
    if name == "Split":
        panel.get_by_label("Split into several").check()
    if name == "Summarize":
        panel.get_by_label("The model’s own").check()
    title, beginning = EXAMPLES[name]
    button(panel, title).click()
    expect(box(panel)).to_have_value(re.compile(beginning))
    expect(panel.locator(".count").first).to_contain_text(re.compile(r"\d+ of [\d,]+ tokens"))
    button(panel, name).click()
    result = wait_until_finished(panel)
    assert len(result.split()) >= 4
    expect(panel.get_by_role("heading", name="What the model looked at")).to_be_visible()
    expect(written(panel)).to_have_count(len(result.split()))
    expect(panel.locator(".js-plotly-plot .heatmaplayer").first).to_be_attached()
    panel.get_by_text("The strongest links as a table").click()
    expect(panel.locator("table.links tbody tr")).to_have_count(written(panel).count())


def test_words_appear_one_after_the_other(visit):
    here = visit()
    panel = here.tab("Summarize")
    panel.get_by_label("The model’s own").check()
    open_settings(panel)
    choose_settings(panel, Beams=1, Shortest_output=60, Longest_output=80)
    output(panel).evaluate(
        """output => {
            window.seen = [];
            new MutationObserver(() => seen.push(output.textContent)).observe(output, {childList: true});
        }"""
    )
    run(panel, "Summarize", "The ferry to Holm sank. Its crew of nine was saved. The owner blamed a storm.")
    final = wait_until_finished(panel)
    seen = [text for text in here.page.evaluate("seen") if text]
    lengths = [len(text) for text in seen]
    assert len(set(seen)) >= 10
    assert lengths == sorted(lengths)
    assert seen[-1] == final


def test_cancel_stops_and_the_next_run_works(visit, engine):
    panel = visit().tab("Fuse")
    expect(button(panel, "Cancel")).to_be_disabled()
    left = engine.left
    start_long_run(panel)
    button(panel, "Cancel").click()
    expect(panel.locator(".result-notes")).to_have_text("Stopped.")
    expect(button(panel, "Cancel")).to_be_disabled()
    until(lambda: engine.left == left + 1)
    stopped = output(panel).inner_text()
    time.sleep(1)
    assert output(panel).inner_text() == stopped
    choose_settings(panel, Beams="", Longest_output="", Shortest_output="")
    finished_fusion(panel)


def test_cancel_stops_a_run_that_the_server_is_slow_to_take(visit):
    here = visit()
    joining = []
    here.page.route(
        "**/queue/join*",
        lambda route: joining.append(route) if TEXT in route.request.post_data else route.continue_(),
    )
    for tab, name, times in (("Fuse", "Fuse", 30), ("Summarize", "Summarize", 300), ("Pattern", "Read", 300)):
        panel = here.tab(tab)
        buttons = panel.locator(".buttons").filter(has=here.page.get_by_role("button", name=name, exact=True))
        notes = panel.locator(".result").first.locator(".result-notes")
        box(panel).fill(f"{TEXT} " * times)  # a short one may be done before the request to cancel it is understood
        button(buttons, name).click()
        with here.page.expect_request("**/cancel"):
            button(buttons, "Cancel").click()
        joining.pop().continue_()
        expect(notes).to_have_text("Stopped.")
        here.page.wait_for_timeout(1000)
        expect(notes).to_have_text("Stopped.")
        expect(button(buttons, name)).to_be_enabled()


def test_a_long_text_is_summarized_section_by_section_and_cancel_keeps_what_is_there(visit):
    panel = visit().tab("Summarize")
    panel.get_by_label("The model’s own").check()
    bar = panel.get_by_role("progressbar", name="Progress")
    run(panel, "Summarize", long_text(12))
    expect(panel.locator(".count").first).to_contain_text("will be summarized in 12 sections")
    expect(bar).to_have_attribute("aria-valuemax", "12")
    expect(panel.locator(".result-progress p")).to_have_text(re.compile(r"^Section \d+ of 12, about \d+ (s|min) left$"))
    expect(bar).to_have_attribute("aria-valuenow", re.compile("^[2-9]|1."))
    button(panel, "Cancel").click()
    expect(panel.locator(".result-notes")).to_have_text("Stopped.")
    expect(panel.locator(".result-progress p")).to_have_text(re.compile(r"^Stopped after \d+ of 12 sections$"))
    stopped = output(panel).inner_text()
    assert len(stopped.split("\n\n")) >= 2
    time.sleep(1)
    assert output(panel).inner_text() == stopped
    expect(button(panel, "Summarize this again")).to_be_hidden()
    expect(button(panel, "Copy")).to_be_visible()


def test_a_summary_in_sections_can_be_looked_at_and_summarized_again(visit):
    panel = visit().tab("Summarize")
    panel.get_by_label("The model’s own").check()
    open_settings(panel)
    choose_settings(panel, Beams=1, Longest_output=30)
    run(panel, "Summarize", long_text(3))
    result = wait_until_finished(panel)
    paragraphs = result.split("\n\n")
    assert len(paragraphs) == 3
    for number, paragraph in enumerate(paragraphs):
        choose_section(panel, number + 1)
        expect(written(panel)).to_have_count(len(paragraph.split()))
        assert "".join(written(panel).all_inner_texts()) == "".join(paragraph.split())
    button(panel, "Summarize this again").click()
    expect(panel.locator(".result-longer")).to_be_visible()
    shorter = wait_until_finished(panel)
    assert 0 < len(shorter) < len(result)
    expect(panel.get_by_role("progressbar")).to_have_count(0)
    panel.get_by_text("The longer summary").click()
    assert panel.locator(".result-longer p").inner_text() == result
    expect(panel.get_by_label("Section of your text")).to_be_hidden()


def test_a_text_is_quoted_unless_the_models_own_words_are_asked_for(visit):
    panel = visit().tab("Summarize")
    text = long_text(2)
    run(panel, "Summarize", text)
    result = wait_until_finished(panel)
    expect(panel.locator(".result-notes")).to_contain_text("Sentences of your text, chosen from")
    sentences = [sentence.text for sentence in sentences_of(result)]
    assert sentences
    assert set(sentences) <= {sentence.text for sentence in sentences_of(text)}
    expect(output(panel).locator("mark")).to_have_count(0)
    expect(panel.get_by_text("looked for the very first word")).to_be_visible()
    expect(panel.get_by_role("heading", name="Quoted", exact=True)).to_be_visible()
    expect(panel.get_by_role("group", name="What was quoted").get_by_role("button").first).to_be_visible()
    panel.get_by_label("The model’s own").check()
    run(panel, "Summarize", sentences[0])
    wait_until_finished(panel)
    expect(panel.locator(".result-notes")).to_contain_text("a second")
    expect(panel.get_by_role("heading", name="Written", exact=True)).to_be_visible()
    expect(panel.get_by_role("heading", name="Quoted", exact=True)).to_have_count(0)
    expect(written(panel).first).to_be_visible()


def long_text(num_sections: int) -> str:
    """A text that gloss-summaries, which reads 4,096 tokens at once, reads in so many sections."""
    paragraphs = ["The town of Holm voted for a bridge. " * 400, "The ferry sank in a storm in May. " * 430]
    return "\n\n".join(paragraphs[number % 2].strip() for number in range(num_sections))


def choose_section(panel, number: int) -> None:
    panel.get_by_label("Section of your text").click()
    panel.page.get_by_role("option", name=re.compile(f"^{number} of")).click()


def test_who_waits_sees_the_queue_and_can_leave_it(visit):
    first, second = visit().tab("Fuse"), visit().tab("Fuse")
    start_long_run(first)
    run(second, "Fuse", TEXT)
    expect(second.locator(".result .progress-text")).to_contain_text(re.compile(r"queue: \d+/\d+"))
    button(second, "Cancel").click()
    expect(second.locator(".result-notes")).to_have_text("Stopped.")
    expect(button(second, "Fuse")).to_be_enabled()
    button(first, "Cancel").click()
    finished_fusion(second)


def test_a_closed_tab_frees_the_model_for_the_next_visitor(visit, engine):
    first, second = visit(), visit()
    left = engine.left
    start_long_run(first.tab("Fuse"))
    first.page.close()
    finished_fusion(second.tab("Fuse"))
    assert engine.left == left + 1


def test_visitors_at_the_same_time_get_their_own_answers(visit, engine):
    texts = [TEXT, "Rain fell all night. The river rose."]
    panels = [visit().tab("Fuse") for _ in texts]
    for panel, text in zip(panels, texts, strict=True):
        run(panel, "Fuse", text)
    results = [wait_until_finished(panel) for panel in panels]
    for panel, result in zip(panels, results, strict=True):
        written(panel).first.wait_for()
        assert "".join(written(panel).all_inner_texts()) == "".join(result.split())
    assert results == [list(engine.run("fuse", text))[-1].text for text in texts]


def test_impatience_does_no_harm(visit, engine):
    panel = visit().tab("Fuse")
    finished = engine.finished
    box(panel).fill(TEXT)
    button(panel, "Fuse").dblclick(no_wait_after=True)
    wait_until_finished(panel)
    written(panel).first.wait_for()
    assert engine.finished == finished + 1, "two clicks are one run"
    open_settings(panel)
    choose_settings(panel, Beams=16, Longest_output=500, Shortest_output=500)
    run(panel, "Fuse", TEXT)
    button(panel, "Cancel").click()
    expect(panel.locator(".result-notes")).to_have_text("Stopped.")
    time.sleep(1)
    expect(panel.locator(".result-notes")).to_have_text("Stopped.")
    expect(panel.locator(".is-running")).to_have_count(0)
    choose_settings(panel, Beams="", Longest_output="", Shortest_output="")
    finished_fusion(panel)


def test_another_task_chosen_while_a_run_goes_on_is_for_the_next(visit):
    panel = visit().tab("Fuse")
    start_long_run(panel)
    panel.get_by_label("Split into several").check()
    expect(button(panel, "Split")).to_be_disabled()
    button(panel, "Cancel").click()
    choose_settings(panel, Beams="", Longest_output="", Shortest_output="")
    run(panel, "Split", TEXT)
    wait_until_finished(panel)


def test_ctrl_enter_runs(visit):
    panel = visit().tab("Fuse")
    box(panel).fill(TEXT)
    box(panel).press("Control+Enter")
    wait_until_finished(panel)


def test_copy_and_download(visit):
    here = visit()
    panel = here.tab("Fuse")
    result = finished_fusion(panel)
    assert copied(panel) == result
    here.page.evaluate("navigator.clipboard.writeText('').then(() => (navigator.clipboard.writeText = undefined))")
    assert copied(panel) == result
    with here.page.expect_download() as download:
        button(panel, "Download").click()
    assert download.value.suggested_filename == "gloss-fuse.txt"
    assert download.value.path().read_text(encoding="utf-8").strip() == result


def test_words_that_the_text_does_not_have_are_underlined_and_copied_as_they_are(visit):
    here = visit()
    panel = here.tab("Summarize")
    panel.get_by_label("The model’s own").check()
    open_settings(panel)
    panel.get_by_label("Sample").check()
    choose_settings(panel, Temperature=5, Longest_output=30)
    run(panel, "Summarize", TEXT)
    written = wait_until_finished(panel)
    novel = output(panel).locator("mark").all_inner_texts()
    assert novel
    assert not {word.lower() for word in novel} & {"ada", "wrote", "notes", "them", "1843"}
    expect(panel.get_by_text("Not in your text, so check them")).to_contain_text(f"“{novel[0]}”")
    assert copied(panel).split() == written.split()
