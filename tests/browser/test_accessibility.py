"""Every tab by axe's rules for WCAG 2.0 and 2.1, A and AA, its contrast in both themes; and what pictures are called.

What axe leaves undecided of contrast, as it cannot tell what lies beneath, is measured against the page. No rule and no
part of the page is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Visit
from tests.browser.panel import (
    TEXT,
    box,
    button,
    choose_settings,
    open_settings,
    run,
    wait_until_finished,
    written,
)
from tests.browser.test_explorer import explorer, look, part
from tests.browser.test_looks import contrast, luminance
from tests.browser.test_models import opened as models_opened
from tests.browser.test_pattern import opened as pattern_opened

pytestmark = pytest.mark.browser

NEWS = "The old bridge was closed in March, because engineers had found cracks. It will be mended by June. " * 4
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
AXE = """async (root, runOnly) => {
  const resultTypes = ["violations", "incomplete"];
  const { violations, incomplete } = await axe.run(root, { runOnly, resultTypes, preload: false }); // of sounds, styles
  const told = violations.flatMap(({ id, nodes }) => nodes.map(({ target, html }) => [id, target.join(" "), html]));
  const unsure = incomplete.filter(({ id }) => id === "color-contrast").flatMap(({ nodes }) => nodes);
  return [told, unsure.map(({ target }) => {
    const element = document.querySelector(target[0]);
    const style = getComputedStyle(element);
    return [element.ownerSVGElement ? style.fill : style.color, target[0]];
  })];
}"""
AT_REST = """() => document.getAnimations().every((each) => each.playState !== "running")
  && [...document.querySelectorAll(".run:disabled")].every((each) => !each.checkVisibility())"""
PAPER = "getComputedStyle(document.querySelector('gradio-app')).backgroundColor"


def of_a_fusion(here: Visit) -> Locator:
    """With all that folds open, and a word lit; and what is around the tabs."""
    panel = here.tab("Fuse")
    open_settings(panel)
    run(panel, "Fuse", TEXT)
    written(panel).first.hover()
    expect_map(panel, "Heat map", "The strongest links as a table")
    return here.page.locator("html")


def of_a_summary(here: Visit) -> Locator:
    panel = here.tab("Summarize")
    run(panel, "Summarize", NEWS)
    panel.get_by_role("group", name="What was quoted").get_by_role("button").first.wait_for()
    expect_map(panel, "Heat map", "The strongest links as a table")
    return panel


def of_an_answer(here: Visit) -> Locator:
    panel = here.tab("Answer")
    panel.get_by_label("Your question").fill("Who found cracks?")
    run(panel, "Answer", NEWS)
    panel.get_by_role("list", name="Possible answers").get_by_role("button").first.wait_for()
    expect_map(panel, "Where the answer may start and end", "The likeliest starts and ends as a table")
    return panel


def of_where_it_looked(here: Visit) -> Locator:
    panel = look(here.page, target="Ada wrote notes in 1843.")
    panel.get_by_text("How it is drawn").click()
    written(panel).nth(1).click()
    expect_map(panel, "Heat map", "The strongest links as a table")
    return panel


def of_all_heads(here: Visit) -> Locator:
    heads = part(here.page, "All heads")
    expect(heads.get_by_role("button", name=re.compile("^Layer 6, head 1: looks at")).first).to_be_visible()
    return heads


def of_how_sure(here: Visit) -> Locator:
    sure = part(here.page, "How sure it was")
    sure.get_by_role("group", name="The output, token by token").get_by_role("button").nth(1).click()
    sure.get_by_text("What a search weighs").click()
    sure.locator(".bt-written").first.wait_for()
    return sure


def of_why(here: Visit) -> Locator:
    why = part(here.page, "Why this word")
    button(why, "Find out").click()
    why.get_by_role("heading", name="Leaving out").wait_for()
    expect(button(why, "Find out")).to_be_enabled()
    return why


def of_heads_switched_off(here: Visit) -> Locator:
    muting = part(here.page, "Switch heads off")
    for label in ("In which layers", "Which heads"):
        muting.get_by_label(label, exact=True).click()
        here.page.get_by_role("option", name="2", exact=True).filter(visible=True).click()
        here.page.keyboard.press("Escape")
        expect(here.page.get_by_role("option")).to_have_count(0)
    button(muting, "Write without them").click()
    expect(muting.locator(".difference")).not_to_be_empty()
    return muting


def of_two_runs(here: Visit) -> Locator:
    button(part(here.page, "Two runs"), "Keep this run").click()
    look(here.page, target="Ada wrote letters in 1843.")
    runs = part(here.page, "Two runs")
    expect(runs.locator("ins")).to_have_text("letters")
    expect(runs.locator(".heatmaplayer")).to_have_count(2)
    return runs


def of_an_empty_form(here: Visit) -> Locator:
    """What went wrong is said."""
    panel = explorer(here.page)
    box(panel).fill("")
    button(panel, "Look").click()
    expect(panel.get_by_role("alert").first).to_contain_text("There is no text yet")
    return panel


def of_the_pattern(here: Visit) -> Locator:
    panel = pattern_opened(here)
    expect_map(panel, "Who looks at whom", "The map as a table")
    for lines in ("The pattern: [0-9.]+ at 1, .* Window only: ", "Full: .* Block-sparse: .* at 16384$"):
        expect(panel.get_by_role("img", name=re.compile(lines))).to_be_visible()
    return panel


def of_the_models(here: Visit) -> Locator:
    return models_opened(here.page)


PLACES: tuple[Callable[[Visit], Locator], ...] = (
    of_a_fusion,
    of_a_summary,
    of_an_answer,
    of_where_it_looked,
    of_all_heads,
    of_how_sure,
    of_why,
    of_heads_switched_off,
    of_two_runs,
    of_an_empty_form,
    of_the_pattern,
    of_the_models,
)


def expect_map(panel: Locator, name: str, table: str) -> None:
    """A picture that has a name, and beside it a table of the same, with a name too."""
    expect(panel.get_by_role("img", name=name, exact=True)).to_be_visible()
    fold = panel.get_by_role("button", name=re.compile(f"^{table}"))
    expect(fold).to_have_attribute("aria-expanded", "false")
    fold.click()
    expect(fold).to_have_attribute("aria-expanded", "true")
    expect(panel.get_by_role("table", name=table, exact=True)).to_be_visible()


def test_every_tab_is_accessible(visit):
    here = visit("light")
    here.page.evaluate(Axe().axe_script)
    found = {place.__name__: problems_in_both_themes(place(here)) for place in PLACES}
    assert {name: problems for name, problems in found.items() if problems} == {}


def problems_in_both_themes(root: Locator) -> list:
    found = problems(root, RULES)
    root.page.evaluate("() => document.body.classList.add('dark')")
    assert luminance(root.page.evaluate(PAPER)) < 0.2
    found += problems(root, ["color-contrast"])
    root.page.evaluate("() => document.body.classList.remove('dark')")
    return found


def problems(root: Locator, rules: list[str]) -> list:
    root.page.wait_for_function(AT_REST)
    broken, undecided = root.evaluate(AXE, rules)
    paper = luminance(root.page.evaluate(PAPER))
    faint = [where for ink, where in undecided if not ink.startswith("rgb") or contrast(luminance(ink), paper) < 4.5]
    return broken + faint


def test_whoever_runs_by_keyboard_is_at_cancel_then_and_back_at_run_in_the_end(visit):
    here = visit()
    panel = here.tab("Fuse")
    open_settings(panel)
    choose_settings(panel, Beams=16, Longest_output=500, Shortest_output=500)
    box(panel).fill(TEXT)
    button(panel, "Fuse").focus()
    here.page.keyboard.press("Enter")
    expect(button(panel, "Cancel")).to_be_focused()
    here.page.keyboard.press("Enter")
    expect(panel.locator(".result-notes")).to_have_text("Stopped.")
    expect(button(panel, "Fuse")).to_be_focused()


def test_a_run_takes_the_focus_from_nothing_else(visit):
    here = visit()
    panel = here.tab("Fuse")
    box(panel).fill(TEXT)
    here.page.keyboard.press("Control+Enter")
    wait_until_finished(panel)
    expect(box(panel)).to_be_focused()
