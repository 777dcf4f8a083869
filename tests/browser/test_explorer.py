"""The Attention tab in a real Chromium, with the real engine: a result is taken over, forced and taken apart."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from seq2seq.engine import explaining
from seq2seq.explain.attention import attention
from tests.browser.panel import TEXT, box, button, finished_fusion, lit, output, read, run, start_long_run, written
from tests.browser.test_choices import choose
from tests.waiting import until

pytestmark = pytest.mark.browser


def explorer(page: Page) -> Locator:
    """All of the tab, whose own tabs are panels too."""
    return page.get_by_role("tabpanel").filter(visible=True).first


def look(page: Page, text: str = TEXT, target: str = "") -> Locator:
    page.get_by_role("tab", name="Attention", exact=True).click()
    panel = explorer(page)
    box(panel).fill(text)
    panel.get_by_role("textbox", name=re.compile("^What was written")).fill(target)
    button(panel, "Look").click()
    written(panel).first.wait_for()
    return panel


def part(page: Page, name: str) -> Locator:
    page.get_by_role("tab", name=name, exact=True).click()
    return page.get_by_role("tabpanel").filter(visible=True).last


def test_each_tab_is_there_once_however_often_it_was_opened(visit):
    page = visit().page
    tabs = page.get_by_role("tablist").first.get_by_role("tab")
    names = tabs.all_inner_texts()
    assert len(names) == 6
    for name in [*names, *names]:
        page.get_by_role("tab", name=name, exact=True).click()
        page.get_by_role("tabpanel").filter(visible=True).first.wait_for()
        expect(tabs).to_have_text(names)


def test_a_result_is_taken_over_with_one_click(visit):
    page = visit().page
    fused = finished_fusion(page.get_by_role("tabpanel").filter(visible=True))
    page.get_by_role("button", name="Take it apart").click()
    panel = explorer(page)
    expect(box(panel)).to_have_value(TEXT)
    expect(output(panel).first).to_have_text(fused)
    expect(written(panel)).to_have_text(fused.split())
    expect(panel.locator(".js-plotly-plot .heatmaplayer")).to_be_visible()


def test_a_summary_is_taken_over_with_its_task_and_model(visit):
    page = visit().page
    page.get_by_role("tab", name="Summarize").click()
    run(
        page.get_by_role("tabpanel").filter(visible=True),
        "Summarize",
        "The old bridge was closed in March, at last. " * 4,
    )
    page.get_by_role("button", name="Take it apart").click()
    panel = explorer(page)
    expect(panel.locator(".heatmaplayer")).to_be_visible()
    expect(panel.get_by_label("Summarize", exact=True)).to_be_checked()
    expect(panel.get_by_text(re.compile("of 4,096 tokens$"))).to_be_visible()
    expect(page.locator(".toast-body")).to_have_count(0)


def test_another_task_brings_its_own_models(visit):
    page = visit().page
    page.get_by_role("tab", name="Attention", exact=True).click()
    panel = explorer(page)
    box(panel).fill(TEXT)
    expect(panel.get_by_text(re.compile("of 512 tokens$"))).to_be_visible()
    panel.get_by_label("Summarize", exact=True).check()
    expect(panel.get_by_text(re.compile("of 4,096 tokens$"))).to_be_visible()
    expect(page.locator(".toast-body")).to_have_count(0)


def test_tasks_and_texts_in_quick_turns_are_counted_in_the_end(visit):
    """The console must stay clean: for a moment the model is one that the task lacks."""
    page = visit().page
    page.get_by_role("tab", name="Attention", exact=True).click()
    panel = explorer(page)
    for number in range(1, 4):
        panel.get_by_label("Split", exact=True).check()
        box(panel).fill(TEXT * number)
        panel.get_by_label("Summarize", exact=True).check()
        box(panel).fill(TEXT * 10 * number)
    expect(panel.get_by_text(re.compile(r"^\d{3} of 4,096 tokens$"))).to_be_visible()


def test_a_text_is_read_while_what_was_written_is_typed(visit, engine):
    page = visit().page
    page.get_by_role("tab", name="Attention", exact=True).click()
    panel = explorer(page)
    box(panel).fill(TEXT)
    before = engine.read
    panel.get_by_role("textbox", name=re.compile("^What was written")).fill("Ada wrote notes in 1843.")
    until(lambda: engine.read > before)
    box(panel).fill("\n")
    before = engine.read
    panel.get_by_role("textbox", name=re.compile("^What was written")).fill("Ada")
    button(panel, "Look").click()
    expect(panel.get_by_text(re.compile("^There is no text yet"))).to_be_visible()
    expect(page.locator(".toast-body")).to_have_count(0)


@pytest.mark.parametrize("width", [390, 1280])
def test_names_below_a_map_do_not_run_into_each_other(visit, width):
    page = visit(width=width).page
    panel = look(
        page,
        text=" ".join(f"The river Lenz rose by {metres} metres in May." for metres in range(20)),
        target="It rose.",
    )
    names = panel.locator(".js-plotly-plot .xtick text")
    names.first.wait_for()
    lefts = names.evaluate_all("names => names.map((name) => name.getBoundingClientRect().left)")
    assert len(lefts) > 10
    assert np.diff(lefts).min() >= 12  # pixels: a name's height


def test_words_of_ones_own_are_looked_at_as_if_they_were_written(visit):
    page = visit().page
    panel = look(page, target="Ada wrote notes in 1843.")
    expect(panel.get_by_text("Not written by the model")).to_be_visible()
    expect(written(panel)).to_have_text(["Ada", "wrote", "notes", "in", "1843."])
    written(panel).nth(4).hover()
    expect(read(panel).last).to_have_attribute("style", re.compile("--weight: 1"))
    written(panel).nth(4).click()
    page.mouse.move(0, 0)
    assert lit(read(panel))[-1] == 1


def test_another_kind_of_attention_a_combination_and_a_head_are_drawn(visit):
    page = visit().page
    panel = look(page)
    panel.get_by_label("The text at itself").check()
    for name in ("Who looks", "What is looked at"):
        words = panel.get_by_role("group", name=name, exact=True).get_by_role("button")
        expect(words).to_have_text(TEXT.split())
    choose(panel, "Layer", "rolled out")
    expect(panel.get_by_text("Abnar and Zuidema")).to_be_visible()
    panel.get_by_label("The output at the text").check()
    panel.get_by_label("Sentences", exact=True).check()
    expect(read(panel)).to_have_text(TEXT.replace(". ", ".|").split("|"))


def test_all_heads_are_back_when_the_choice_of_some_is_cleared(visit):
    panel = look(visit().page)
    panel.get_by_text("The strongest links as a table").first.click()
    table = panel.locator("table.links").first
    of_all = table.inner_text()
    heads = panel.get_by_label("Heads (all, if none is chosen)")
    heads.click()
    panel.page.get_by_role("option", name="2", exact=True).click()
    heads.press("Tab")
    expect(table).not_to_have_text(of_all, use_inner_text=True)
    panel.get_by_title("Clear").first.click()
    expect(table).to_have_text(of_all, use_inner_text=True)


def test_a_head_is_chosen_in_the_grid(visit):
    page = visit().page
    panel = look(page)
    grid = part(page, "All heads")
    grid.get_by_role("button", name=re.compile("^Layer 2, head 3:")).first.click()
    expect(panel.get_by_label("Layer", exact=True)).to_have_value("2 of 6")
    expect(page.get_by_role("tab", name="Where it looked")).to_have_attribute("aria-selected", "true")
    expect(panel.locator(".tv-texts")).to_be_visible()


def test_nothing_of_the_pictures_shows_before_there_is_a_result(visit):
    page = visit().page
    page.get_by_role("tab", name="Attention", exact=True).click()
    box(explorer(page)).wait_for()
    page.locator(".explorer .js-plotly-plot").wait_for(state="attached")
    expect(page.locator(".attention").filter(visible=True)).to_have_count(0)
    look(page)
    plot = page.locator(".explorer .js-plotly-plot")
    expect(plot).to_be_visible()
    assert plot.bounding_box()["width"] == page.locator(".explorer .heatmap").bounding_box()["width"]


def test_a_map_is_drawn_once(visit):
    page = visit().page
    look(page)
    page.locator(".heatmaplayer image").wait_for()
    page.evaluate(
        """() => {
          window.titles = new Set();  // of the axes: each drawing makes two of its own
          const watch = new MutationObserver((changes) => {
            for (const { addedNodes } of changes)
              for (const node of addedNodes) if (node.matches?.(".g-xtitle")) titles.add(node);
          });
          watch.observe(document.body, { childList: true, subtree: true });
        }"""
    )
    look(page, target="Ada wrote letters.")
    page.wait_for_function("titles.size")
    page.wait_for_timeout(2_000)  # in which it was once drawn again
    assert page.evaluate("titles.size") == 1


def test_a_map_that_was_drawn_out_of_sight_fits_its_place_when_it_is_seen(visit):
    page = visit().page
    panel = look(page)
    other = part(page, "Two runs")
    panel.get_by_role("textbox", name=re.compile("^What was written")).fill("Ada wrote notes in 1843.")
    button(panel, "Look").click()
    expect(panel.get_by_text("Not written by the model")).to_be_visible()
    expect(other).to_be_visible()
    page.get_by_role("tab", name="Where it looked").click()
    drawing, place = (page.locator(f".explorer .heatmap {part}").first for part in (".main-svg", ".js-plotly-plot"))
    expect(drawing).to_be_visible()
    until(lambda: drawing.bounding_box()["width"] == place.bounding_box()["width"])


def test_a_text_that_is_pasted_is_read_at_once_and_one_that_is_typed_when_it_is_left(visit, engine):
    page = visit().page
    page.get_by_role("tab", name="Attention", exact=True).click()
    panel = explorer(page)
    read = engine.read
    box(panel).press_sequentially("Nobody has read this before.")
    page.wait_for_timeout(300)
    assert engine.read == read
    for number, name in enumerate(("this", "that"), start=1):  # as long as what it stands in place of, too
        box(panel).fill(f"Nor has anybody read {name} one, which is rather longer. " * 5)
        until(lambda number=number: engine.read == read + number)
    expect(box(panel)).to_be_focused()


def test_an_output_that_is_left_is_looked_at_before_look_is_pressed(visit, monkeypatch):
    seen = []
    monkeypatch.setattr(explaining, "attention", lambda *asked: seen.append(asked) or attention(*asked))
    page = visit().page
    page.get_by_role("tab", name="Attention", exact=True).click()
    panel = explorer(page)
    target = panel.get_by_role("textbox", name=re.compile("^What was written"))
    box(panel).fill(TEXT)
    target.fill("Ada wrote all of the notes.")
    target.press("Tab")
    until(lambda: seen)
    button(panel, "Look").click()
    expect(written(panel)).to_have_text(["Ada", "wrote", "all", "of", "the", "notes."])
    assert len(seen) == 1


def test_only_who_has_to_wait_to_look_sees_the_queue(visit):
    first, second = visit().tab("Fuse"), visit().page
    start_long_run(first)
    second.get_by_role("tab", name="Attention", exact=True).click()
    panel = explorer(second)

    def ask() -> None:
        box(panel).fill(TEXT)
        button(panel, "Look").click()
        button(panel, "Cancel").wait_for()

    ask()
    panel.locator(".queue .progress-text").filter(has_text=re.compile(r"queue: \d+/\d+")).wait_for()
    button(first, "Cancel").click()

    def does_not_wait() -> bool:
        """It has to, too, while what the last look asked for is still made."""
        button(panel, "Look").wait_for()
        ask()
        button(panel, "Look").wait_for()
        return panel.locator(".queue").count() == 0

    until(does_not_wait, seconds=60)


def test_the_names_in_a_map_have_room(visit):
    """Latin letters, the broadest among them, and Chinese ones."""
    page = visit().page
    text = "WWWWWWWWWWWWWWWWWWWW saw mmmmmmmmmmmmmmmmmmmm at 東京都庁舎東京都庁舎東京都庁舎東京都庁舎 in May. "
    for repeated, aslant in ((1, True), (8, False)):
        panel = look(page, text * repeated, "HELLOWORLDHELLOWORLD saw MMMMMMMMMMMMMMMMMMMM.")
        plot = panel.locator(".js-plotly-plot")
        expect(plot.locator(".ytick")).to_have_count(3)
        expect(plot.locator(".xtick text").first).to_have_attribute(
            "transform", re.compile(r"rotate\(-45," if aslant else r"rotate\(-90,")
        )
        outside = plot.evaluate(
            """(plot) => [...plot.querySelectorAll(".xtick text, .ytick text, .cbaxis text")].filter((name) => {
              const [inner, outer] = [name.getBoundingClientRect(), plot.getBoundingClientRect()];
              return inner.left < outer.left || inner.right > outer.right || inner.bottom > outer.bottom;
            }).map((name) => name.textContent)"""
        )
        assert outside == []


def test_all_heads_are_those_of_the_next_result_too(visit):
    page = visit().page
    look(page, target="Ada wrote notes.")
    grid = part(page, "All heads")
    pictures = grid.locator(".hg-thumb canvas")
    pictures.first.wait_for()
    before = inked(pictures)
    panel = explorer(page)
    panel.get_by_role("textbox", name=re.compile("^What was written")).fill("Letters were written in 1843.")
    button(panel, "Look").click()
    until(lambda: inked(pictures) not in ([], before))


def inked(pictures: Locator) -> list[str]:
    return pictures.evaluate_all("pictures => pictures.map(picture => picture.toDataURL())")


def test_how_sure_it_was_is_told_of_the_next_result_too(visit):
    page = visit().page
    look(page, target="Ada wrote notes.")
    tokens = part(page, "How sure it was").get_by_role("group", name="The output, token by token")
    expect(tokens).to_contain_text("Ada wrote notes.")
    panel = explorer(page)
    panel.get_by_role("textbox", name=re.compile("^What was written")).fill("Letters were written in 1843.")
    button(panel, "Look").click()
    expect(tokens).to_contain_text("Letters were written")


def test_an_alternative_is_picked_and_writing_goes_on(visit):
    page = visit().page
    panel = look(page)
    first = output(panel).first.inner_text()
    sure = part(page, "How sure it was")
    second = sure.get_by_role("group", name="The output, token by token").get_by_role("button").nth(1)
    kept = first[: first.index(second.inner_text())]
    second.click()
    sure.get_by_role("region", name="What else it weighed").get_by_role("button").first.click()
    expect(panel.get_by_text("With the word that you chose")).to_be_visible()
    other = output(panel).first.inner_text()
    assert other != first
    assert other.startswith(kept)


def test_four_methods_say_why(visit):
    page = visit().page
    look(page)
    why = part(page, "Why this word")
    choose(why, "Which words", "^notes$")
    button(why, "Find out").click()
    for title in ("Attention", "Gradient", "Integrated gradients", "Leaving out"):
        expect(why.get_by_role("heading", name=title, exact=True)).to_be_visible()
    expect(why.get_by_text("Why “notes” was written")).to_be_visible()
    expect(button(why, "Find out")).to_be_enabled()


def test_why_is_not_asked_on_about_what_is_no_longer_there(visit, engine, monkeypatch):
    why_of, asked_on = engine.why, []

    def slowly(*asked):
        yield from why_of(*asked)
        for _ in range(30):
            asked_on.append(asked)
            time.sleep(0.5)
            yield from why_of(*asked)

    page = visit().page
    look(page)
    monkeypatch.setattr(engine, "why", slowly)
    why = part(page, "Why this word")
    button(why, "Find out").click()
    expect(why.get_by_role("heading", name="Attention", exact=True).first).to_be_visible()
    button(explorer(page), "Look").click()
    expect(why.get_by_role("heading")).to_have_count(0)
    expect(button(why, "Find out")).to_be_enabled()
    page.wait_for_timeout(1000)
    expect(why.get_by_role("heading")).to_have_count(0)
    assert len(asked_on) < 20


def test_heads_are_switched_off(visit):
    page = visit().page
    look(page)
    muting = part(page, "Switch heads off")
    button(muting, "Write without them").click()
    expect(page.get_by_text("No heads are chosen")).to_be_visible()
    for label, options in (("In which layers", ("6", "5")), ("Which heads", ("2", "3", "4"))):
        for option in options:
            muting.get_by_label(label, exact=True).click()
            page.get_by_role("option", name=option, exact=True).filter(visible=True).click()
        page.keyboard.press("Escape")
        expect(page.get_by_role("option")).to_have_count(0)
    button(muting, "Write without them").click()
    expect(muting.get_by_text(re.compile(r"Without 6 heads, the log-probability .* nats"))).to_be_visible()
    expect(muting.locator(".difference")).not_to_be_empty()
    muting.get_by_label("The text at itself").check()
    button(explorer(page), "Look").click()
    expect(muting.get_by_text("the log-probability")).to_have_count(0)
    expect(muting.locator(".difference")).to_have_count(0)
    expect(muting.get_by_label("The output at the text")).to_be_checked()


def test_what_a_search_weighs_is_asked_anew_for_the_next_result(visit):
    page = visit().page
    look(page)
    sure = part(page, "How sure it was")
    fold = sure.get_by_role("button", name=re.compile("^What a search weighs"))
    tree = sure.locator(".bt-tree > *").first
    fold.click()
    tree.wait_for()
    expect(fold).to_have_attribute("aria-expanded", "true")
    button(explorer(page), "Look").click()
    expect(fold).to_have_attribute("aria-expanded", "false")
    fold.click()
    expect(tree).to_be_visible()


def test_without_a_text_nothing_is_shown_but_what_to_do(visit):
    page = visit().page
    page.get_by_role("tab", name="Attention", exact=True).click()
    panel = explorer(page)
    button(panel, "Look").click()
    expect(panel.get_by_role("alert").first).to_contain_text("There is no text yet")
    expect(page.get_by_role("tab", name="All heads")).to_have_count(0)


def saved(page: Page, panel: Locator, form: str) -> bytes:
    with page.expect_download() as waiting:
        button(panel, form).click()
    assert waiting.value.suggested_filename == f"gloss-attention.{form.lower()}"
    return Path(waiting.value.path()).read_bytes()


def test_a_map_is_taken_along_in_every_form(visit):
    page = visit().page
    panel = look(page, target="Ada wrote notes.")
    rows = list(csv.reader(io.StringIO(saved(page, panel, "CSV").decode("utf-8"))))
    assert [row[0].split(" ", 1)[1] for row in rows[1:]] == ["Ada", "wrote", "notes."]
    record = json.loads(saved(page, panel, "JSON"))
    assert record["source_text"] == TEXT
    assert np.allclose(record["weights"], [[float(each) for each in row[1:]] for row in rows[1:]], atol=1e-5)
    assert ElementTree.fromstring(saved(page, panel, "SVG")).tag.endswith("svg")
    assert saved(page, panel, "PNG").startswith(b"\x89PNG")
    assert "://" not in re.sub(r"http://www.w3.org\S+", "", saved(page, panel, "HTML").decode("utf-8"))


def test_the_fewest_words_that_carry_a_share_are_lit(visit):
    page = visit().page
    panel = look(page, target="Ada wrote notes in 1843.")
    weights = json.loads(saved(page, panel, "JSON"))["weights"][2]
    panel.get_by_role("slider").fill("60")
    written(panel).nth(2).click()
    page.mouse.move(0, 0)
    share, strongest = 0, set()
    for place in sorted(range(len(weights)), key=lambda place: -weights[place]):
        if share < 0.6 * sum(weights):
            strongest.add(place)
            share += weights[place]
    assert {place for place, ink in enumerate(lit(read(panel))) if ink} == strongest
    assert 0 < len(strongest) < len(weights)
    expect(panel.locator(".tv-says")).to_contain_text(f"{len(strongest)} of {len(weights)} carry 60%")


def link_to_view(panel: Locator) -> str:
    button(panel, "Link to this view").click()
    field = panel.get_by_role("textbox", name="Link")
    expect(field).to_have_value(re.compile("output="))
    return field.input_value().split("?")[1]


def test_a_link_restores_the_view(visit):
    page = visit().page
    panel = look(page)
    panel.get_by_label("Tokens", exact=True).check()
    choose(panel, "Layer", "^2 of")
    panel.get_by_text("How it is drawn").click()
    panel.get_by_label("Shown", exact=True).check()
    expect(panel.locator(".tv-special").first).to_be_visible()
    record = json.loads(saved(page, panel, "JSON"))
    other = visit(query=link_to_view(panel)).page
    expect(other.get_by_text("From a link")).to_be_visible()
    restored = explorer(other)
    expect(restored.locator(".tv-special").first).to_be_visible()
    expect(box(restored)).to_have_value(TEXT)
    assert json.loads(saved(other, restored, "JSON")) == record


def test_the_text_of_a_link_may_be_long(visit):
    page = visit().page
    text = TEXT + " It rained." * 250
    query = link_to_view(look(page, text, target="Ada wrote notes."))
    assert len(query) < 1000
    other = visit(query=query).page
    expect(written(explorer(other))).to_have_text(["Ada", "wrote", "notes."])
    expect(box(explorer(other))).to_have_value(text)
    lost = visit(query=re.sub("text_hash=..", "text_hash=zz", query)).page
    expect(explorer(lost).get_by_role("alert").first).to_contain_text("not on this server any more")


def test_two_runs_are_compared(visit):
    page = visit().page
    first, second = "Ada wrote the notes in 1843.", "Ada wrote letters in 1843."
    look(page, target=first)
    runs = part(page, "Two runs")
    button(runs, "Keep this run").click()
    expect(runs.get_by_text(f"Kept: “{first}”")).to_be_visible()
    look(page, target=second)
    runs = part(page, "Two runs")
    expect(runs.locator("ins")).to_have_text("letters")
    expect(runs.locator("del")).to_have_text("the notes")
    expect(runs.get_by_role("row", name="Model").locator(".differs")).to_have_count(0)
    expect(runs.get_by_role("row", name=re.compile("^Output")).locator(".differs")).to_have_count(2)
    expect(written(runs)).to_have_text(f"{first} {second}".split())
    expect(runs.locator(".heatmaplayer")).to_have_count(2)
