"""The browser halves of the views, each alone in a plain page: no server, no model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from components.beam_tree import beam_tree
from components.choices_view import choices_view
from components.export import as_html
from components.heads_grid import heads_grid
from components.palette import percent
from components.why_view import why_view
from seq2seq.trace import (
    Alternative,
    Attribution,
    BeamTree,
    Branch,
    Choice,
    HeadFacts,
    HeadsRecord,
    Token,
)
from tests.components.records import record, spaced

pytestmark = pytest.mark.browser

ASSETS = Path(__file__).parents[2] / "assets"
PAGE = """<!doctype html><meta charset="utf-8"><style>
:root {{ --ink: #3181bd; --color-accent: #24699f; --hairline: 1px solid #e7e5e4; --serif: Palatino, Georgia, serif;
  --font: system-ui, sans-serif; --font-mono: monospace; --text-sm: 0.875rem; --radius-md: 6px;
  --body-text-color: #292524; --body-text-color-subdued: #78716c; --border-color-primary: #e7e5e4;
  --background-fill-primary: #fdfdfc; --background-fill-secondary: #f5f5f4;
  --button-secondary-border-color: #d6d3d1; --button-secondary-text-color: #292524; }}
body {{ margin: 1rem; font: 1rem/1.5 var(--font); color: var(--body-text-color); background: #fdfdfc; }}
*, ::before {{ box-sizing: border-box; }} button {{ font: inherit; border: 0; padding: 0; background: none; }}
{css}</style><div id="view"></div>"""
SHIM = """([value, script]) => {
  window.props = { value: JSON.stringify(value) };
  window.sent = [];
  const watch = (name, callback) => (window.changed = callback);
  const trigger = (name, data) => sent.push([name, data]);
  Function("element", "props", "watch", "trigger", script)(document.getElementById("view"), props, watch, trigger);
}"""


@pytest.fixture
def show(browser):
    """show(name, value, width) makes the page of a widget; the console must stay clean."""
    complaints, pages = [], []

    def make(name: str, value: dict, width: int = 1100) -> Page:
        page = browser.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.set_content(PAGE.format(css=(ASSETS / "css" / f"{name}.css").read_text(encoding="utf-8")))
        script = (ASSETS / "js" / f"{name}.js").read_text(encoding="utf-8")
        page.evaluate(SHIM, [json.loads(json.dumps(value)), script])
        return page

    yield make
    for page in pages:
        page.close()
    assert complaints == []


def heads(num_layers: int = 3, num_heads: int = 12, agreement: bool = True) -> HeadsRecord:
    random = np.random.default_rng(0)
    maps = random.random((num_layers, num_heads, 12, 16)).astype(np.float32) ** 8
    for head in range(num_heads):
        rows = np.arange(12)
        maps[:, head, rows, np.clip(rows + head - 6, 0, 15)] = 1
    facts = [
        HeadFacts(layer, head, *random.random(3), random.uniform(-1, 1), random.uniform(-1, 1) if agreement else None)
        for layer in range(num_layers)
        for head in range(num_heads)
    ]
    return HeadsRecord("cross", maps, tuple(facts))


OUTPUT = "The old <b>bridge</b> was closed on Monday because its cables had rusted."


def choices() -> tuple[Choice, ...]:
    random = np.random.default_rng(1)
    written = (*spaced(OUTPUT), Token("</s>", 0, 0, special=True))
    return tuple(
        Choice(token, place, probability, others_of(token, place, probability))
        for place, token in enumerate(written)
        for probability in [float(random.choice([0.98, 0.9, 0.7, 0.35]))]
    )


def others_of(token: Token, place: int, probability: float) -> tuple[Alternative, ...]:
    rest = (1 - probability) / 3
    others = [Alternative(f"▁{text}", 100 + number, rest) for number, text in enumerate(("harbour", "<i>", ""))]
    return (Alternative(f"▁{token.text}", place, probability), *others)


def searched(num_words: int = 14) -> BeamTree:
    """A written path with a pruned branch at each word, and one that came to an end beside it."""
    branches = [Branch(None, "▁The", -0.3, "written"), Branch(None, "▁<b>", -0.9, "kept")]
    branches += [Branch(1, "▁town", -1.4, "kept"), Branch(1, "▁bridge", -1.9, "pruned")]
    branches += [Branch(2, "▁rests", -2.4, "kept"), Branch(4, "</s>", -2.6, "finished")]
    parent = 0
    for number, word in enumerate(
        [word for word in OUTPUT.split()[1:] for _ in range(num_words // 11 + 1)][:num_words]
    ):
        if number % 3:
            branches.append(Branch(parent, f"▁other{number}", -1.0 - number, "pruned"))
        branches.append(Branch(parent, f"▁{word}", -0.4 - 0.1 * number, "written"))
        parent = len(branches) - 1
    return BeamTree(4, (*branches, Branch(parent, "</s>", -3.1, "written")))


def attributions(num_sentences: int = 1) -> list[Attribution]:
    text = " ".join(["The old harbour <b>bridge</b> was closed on Monday after an inspection."] * num_sentences)
    sources = spaced(text)
    scores = np.random.default_rng(0).normal(size=len(sources)).astype(np.float32)
    scores[-3] = -4
    target = Token("bridge", 8, 14)
    return [
        Attribution(method, abs(scores) / 40 if method == "attention" else scores, sources, text, target, OUTPUT, -0.4)
        for method in ("attention", "gradient", "integrated_gradients", "ablation")
    ]


def focused(page: Page) -> str:
    return page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent")


def test_every_head_has_a_picture_and_the_one_chosen_is_marked(show):
    page = show("heads_grid", heads_grid(heads()))
    assert page.locator(".hg-thumb canvas").count() == 36
    pressed = page.locator(".hg-thumb[aria-pressed='true']")
    expect(pressed).to_have_count(0)
    page.locator(".hg-thumb").nth(14).click()
    expect(pressed).to_have_count(1)
    expect(pressed).to_have_attribute("aria-label", re.compile("^Layer 2, head 3: looks at "))
    assert ink_of(page, 0) == [0x31, 0x81, 0xBD, 255]


def ink_of(page: Page, thumb: int) -> list[int]:
    """The darkest pixel of a picture."""
    return (
        page.locator(".hg-thumb canvas")
        .nth(thumb)
        .evaluate(
            """canvas => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            const pixels = Array.from({ length: data.length / 4 }, (_, at) => [...data.slice(4 * at, 4 * at + 4)]);
            return pixels.sort((a, b) => b[3] - a[3])[0];
        }"""
        )
    )


def test_arrows_move_between_heads_and_enter_chooses(show):
    page = show("heads_grid", heads_grid(heads()))
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    for key, at in [
        ("ArrowRight", "1, head 2"),
        ("ArrowDown", "2, head 2"),
        ("End", "2, head 12"),
        ("Home", "2, head 1"),
    ]:
        page.keyboard.press(key)
        assert focused(page).startswith(f"Layer {at}:")
    expect(page.locator(".hg-says")).to_contain_text("Layer 2, head 1: looks at")
    page.keyboard.press("Enter")
    assert page.evaluate("sent") == [["submit", {"layer": 1, "head": 0}]]
    expect(page.locator(".hg-thumb[aria-pressed='true']")).to_have_count(1)
    expect(page.locator(".hg-facts button[aria-pressed='true']")).to_have_text("Layer 2, head 1")


def layer(page: Page, number: int) -> Locator:
    """The button that shows a layer larger."""
    return page.locator(".hg-layer").filter(visible=True).nth(number - 1)


def test_a_layer_alone_has_larger_pictures_of_its_heads(show):
    record = heads()
    page = show("heads_grid", heads_grid(record))
    layer(page, 2).click()
    pictures = page.get_by_role("group", name="Heads of layer 2").get_by_role("button")
    expect(pictures).to_have_count(12)
    expect(page.locator(".hg-grid")).to_be_hidden()
    expect(page.locator(".hg-facts tbody tr")).to_have_count(12)
    expect(pictures.nth(2)).to_have_attribute("aria-pressed", "false")
    expect(pictures.nth(2)).to_contain_text(f"Head 3 {heads_grid(record)['heads'][14]['caption']}")
    width, rendering = pictures.first.locator("canvas").evaluate(
        "canvas => [canvas.clientWidth, getComputedStyle(canvas).imageRendering]"
    )
    assert 140 <= width <= 220
    assert rendering == "pixelated"
    assert ink_of(page, 36 + 2) == [0x31, 0x81, 0xBD, 255]
    assert pixels(pictures.nth(2)) == pixels(page.locator(".hg-grid .hg-thumb").nth(14))
    layer(page, 3).click()
    expect(page.get_by_role("group", name="Heads of layer 3")).to_be_visible()
    expect(page.locator(".hg-bar [aria-pressed='true']")).to_have_text("3")
    assert focused(page) == "Layer 3"
    pictures = page.get_by_role("group", name="Heads of layer 3").get_by_role("button")
    pictures.nth(4).click()
    assert page.evaluate("sent") == [["submit", {"layer": 2, "head": 4}]]
    expect(pictures.nth(4)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="All layers").click()
    expect(page.locator(".hg-grid .hg-thumb[aria-pressed='true']")).to_have_attribute(
        "aria-label", re.compile("^Layer 3, head 5:")
    )
    expect(page.locator(".hg-large, .hg-bar").filter(visible=True)).to_have_count(0)
    expect(page.locator(".hg-facts tbody tr")).to_have_count(24)


def pixels(picture: Locator) -> str:
    return picture.locator("canvas").evaluate("canvas => canvas.toDataURL()")


def test_a_layer_is_opened_walked_and_left_by_keyboard(show):
    page = show("heads_grid", heads_grid(heads()))
    page.keyboard.press("Tab")
    for key, name in [
        ("ArrowDown", "Layer 2, larger"),
        ("ArrowRight", "Layer 2, head 1:"),
        ("ArrowLeft", "Layer 2, larger"),
        ("Enter", "Layer 2, head 1:"),
        ("ArrowRight", "Layer 2, head 2:"),
        ("ArrowDown", "Layer 2, head 8:"),
        ("ArrowUp", "Layer 2, head 2:"),
        ("End", "Layer 2, head 12:"),
        ("Home", "Layer 2, head 1:"),
        ("Shift+Tab", "Layer 3"),
        ("Escape", "Layer 2, larger"),
        ("Tab", "Layer 2, head 1:"),
    ]:
        page.keyboard.press(key)
        assert focused(page).startswith(name), key
    assert page.evaluate("sent") == []
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert page.evaluate("sent") == [["submit", {"layer": 1, "head": 0}]]


def test_a_new_value_shows_all_layers_again(show):
    page = show("heads_grid", heads_grid(heads()))
    layer(page, 3).click()
    page.evaluate("value => { props.value = JSON.stringify(value); changed(); }", heads_grid(heads(2, 4)))
    expect(page.locator(".hg-thumb").filter(visible=True)).to_have_count(8)
    expect(page.locator(".hg-large")).to_be_hidden()


def test_a_layer_alone_fits_a_phone_two_pictures_a_row(show):
    page = show("heads_grid", heads_grid(heads(2, 16)), width=390)
    layer(page, 1).click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    tops = page.locator(".hg-large .hg-thumb").evaluate_all("all => all.map(each => each.offsetTop)")
    assert tops[0] == tops[1] < tops[2]


def test_facts_are_sorted_shown_in_part_and_choose_too(show):
    record = heads()
    page = show("heads_grid", heads_grid(record))
    rows = page.locator(".hg-facts tbody tr")
    expect(rows).to_have_count(24)
    page.get_by_role("button", name="Show all 36").click()
    expect(rows).to_have_count(36)
    page.get_by_role("button", name="Entropy", exact=True).click()
    expect(page.locator("[aria-sort='descending']")).to_have_text("Entropy")
    most = max(record.facts, key=lambda facts: facts.entropy)
    expect(rows.first.locator("td").first).to_have_text(percent(most.entropy))
    rows.first.get_by_role("button").click()
    assert page.evaluate("sent") == [["submit", {"layer": most.layer, "head": most.head}]]
    page.get_by_role("button", name="Entropy", exact=True).click()
    expect(page.locator("[aria-sort='ascending']")).to_have_text("Entropy")


def test_what_was_not_computed_is_a_dash(show):
    page = show("heads_grid", heads_grid(heads(1, 2, agreement=False)))
    assert page.locator(".hg-facts td:last-child").all_inner_texts() == ["–", "–"]


def test_unsure_tokens_are_marked_and_markup_stays_text(show):
    page = show("choices_view", choices_view(choices(), OUTPUT))
    assert page.locator(".cv-text").inner_text().startswith(OUTPUT)
    unsure = [choice.token.text for choice in choices() if choice.probability < 0.5]
    assert page.locator(".cv-unsure").all_inner_texts() == unsure
    assert page.locator("b, i").count() == 0
    page.locator(".cv-word").nth(2).hover()
    expect(page.locator(".cv-others")).to_contain_text("<i>")
    assert page.locator("b, i").count() == 0


def test_a_pinned_token_keeps_its_alternatives_and_one_is_picked(show):
    page = show("choices_view", choices_view(choices(), OUTPUT))
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".cv-word[aria-pressed='true']")).to_have_text("old")
    page.locator(".cv-word").nth(4).hover()
    expect(page.locator(".cv-others h4")).to_contain_text("“old”")
    page.keyboard.press("Tab")
    assert focused(page).startswith("Go on from here with “harbour”")
    page.keyboard.press("Enter")
    assert page.evaluate("sent") == [["submit", {"place": 1, "token_id": 100}]]
    page.keyboard.press("Escape")
    assert focused(page).startswith("old, ")
    expect(page.locator("[aria-pressed='true']")).to_have_count(0)


def test_a_new_output_replaces_the_old(show):
    page = show("choices_view", choices_view(choices(), OUTPUT))
    page.locator(".cv-word").first.click()
    page.evaluate("props.value = ''; changed()")
    expect(page.locator(".cv-word, .cv-other")).to_have_count(0)


def test_the_written_path_is_in_sight_and_side_branches_open(show):
    page = show("beam_tree", beam_tree(searched()))
    expect(page.locator(".bt-says")).to_contain_text("continuations weighed with 4 beams")
    written = page.locator(".bt-written")
    assert " ".join(written.all_inner_texts()).startswith("The old")
    assert "✓ ends −3.10" in page.locator(".bt-list > li").last.inner_text()
    expect(page.locator(".bt-kept")).to_have_count(0)
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".bt-kept").first).to_have_text("<b>")
    expect(page.locator(".bt-finished")).to_contain_text("town rests")
    assert page.locator("b").count() == 0


def test_a_tree_of_400_branches_is_shown(show):
    tree = searched(230)
    assert len(tree.branches) > 380
    page = show("beam_tree", beam_tree(tree))
    assert page.locator("summary").count() > 100
    page.evaluate("changed()")
    assert page.locator("summary").count() > 100


def test_each_method_has_the_text_inked_and_scrolled_to_the_strongest(show):
    page = show("why_view", why_view(attributions(40), {"attention": "Where it looked."}))
    expect(page.locator(".wv-text")).to_have_count(4)
    expect(page.locator(".wv-note").first).to_have_text("Where it looked.")
    for text in page.locator(".wv-text").all():
        text.scroll_into_view_if_needed()
        expect(text.locator(".wv-strongest")).to_be_in_viewport()
        assert text.evaluate("element => element.clientHeight") <= 22 * 16 + 1
    assert page.locator("b").count() == 0
    assert "<b>bridge</b>" in page.locator(".wv-text").first.inner_text()
    paper = page.locator(".wv-less").last.evaluate("element => getComputedStyle(element).backgroundColor")
    assert paper != page.locator(".wv-strongest").first.evaluate("element => getComputedStyle(element).backgroundColor")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("heads_grid", heads_grid(heads(2, 16))),
        ("choices_view", choices_view(choices(), OUTPUT)),
        ("beam_tree", beam_tree(searched())),
        ("why_view", why_view(attributions(), {})),
    ],
)
def test_nothing_is_wider_than_a_phone(show, name, value):
    page = show(name, value, width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("name", ["heads_grid", "choices_view", "beam_tree", "why_view"])
def test_a_widget_without_a_value_is_empty(show, name):
    assert show(name, {}).locator("#view").inner_text().strip() == ""


def test_an_exported_page_lights_up_words_offline(browser, tmp_path):
    script = (ASSETS / "js/token_view.js").read_text(encoding="utf-8")
    css = (ASSETS / "css/token_view.css").read_text(encoding="utf-8")
    file = tmp_path / "page.html"
    file.write_text(as_html(record("a b", "</script><b> d e"), 0, script, css), encoding="utf-8")
    context = browser.new_context(offline=True)
    page = context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    page.goto(file.as_uri())
    page.locator('[data-side="target"] .tv-word').first.hover()
    expect(page.locator(".tv-says")).to_contain_text("“a” looked at")
    expect(page.locator('[data-side="source"] .tv-word').first).to_have_attribute("style", re.compile("--weight"))
    assert page.locator("svg text").count() == 6
    assert page.locator("b").count() == 0
    assert complaints == []
    context.close()
