"""Links that fill in a form: asked for on one page, followed on another, where nothing runs by itself."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.panel import TEXT, box, button, output


def open_tab(page) -> Locator:
    return page.get_by_role("tabpanel").filter(visible=True)


def link_to_form(panel: Locator) -> str:
    button(panel, "Link to this form").click()
    field = panel.get_by_role("textbox", name="Link")
    expect(field).to_have_value(re.compile("task="))
    return field.input_value().split("?")[1]


def test_a_text_and_its_settings(visit, engine):
    panel = visit().tab("Fuse")
    panel.get_by_label("Split into several").check()
    box(panel).fill(TEXT)
    panel.get_by_text("Generation settings").click()
    panel.get_by_role("textbox", name="Beams Candidate").fill("3")
    query = link_to_form(panel)
    assert query == "task=split&text=Ada+wrote+the+notes.+Ada+wrote+them+in+1843.&num_beams=3"
    expect(panel.get_by_text("Whoever has the link can read the text")).to_be_visible()
    panel.get_by_role("textbox", name="Beams Candidate").fill("4")
    expect(panel.get_by_role("textbox", name="Link")).to_be_hidden()

    page = visit(query=query).page
    followed = open_tab(page)
    expect(box(followed)).to_have_value(TEXT)
    expect(followed.get_by_label("Split into several")).to_be_checked()
    expect(followed.get_by_text(re.compile(r"^\d+ of 512 tokens$"))).to_be_visible()
    followed.get_by_text("Generation settings").click()
    expect(followed.get_by_role("textbox", name="Beams Candidate")).to_have_value("3")
    expect(output(followed)).to_have_text("")
    button(followed, "Split").click()
    expect(output(followed)).to_contain_text("1843")


def test_a_question(visit):
    panel = visit().tab("Answer")
    panel.get_by_label("Your question").fill("Who wrote?")
    box(panel).fill(TEXT)
    followed = open_tab(visit(query=link_to_form(panel)).page)
    expect(followed.get_by_label("Your question")).to_have_value("Who wrote?")
    expect(box(followed)).to_have_value(TEXT)
    button(followed, "Answer").click()
    expect(followed.get_by_text(re.compile(r"^\d+% likely$"))).to_be_visible()


def test_a_long_text_to_be_summarized(visit):
    panel = visit().tab("Summarize")
    text = TEXT + " It rained." * 300
    box(panel).fill(text)
    panel.get_by_label("The text’s own").check()
    query = link_to_form(panel)
    assert len(query) < 200
    followed = open_tab(visit(query=query).page)
    expect(box(followed)).to_have_value(text)
    expect(followed.get_by_label("The text’s own")).to_be_checked()


def test_a_pattern_is_drawn_as_it_is_linked_to(visit):
    page = visit(query="task=pattern&length=1024&block_size=32&plan=reference").page
    panel = open_tab(page)
    expect(panel.get_by_label("Length")).to_have_value("1024")
    expect(panel.get_by_text(re.compile("32 blocks"))).to_be_visible()
    expect(panel.locator(".heatmaplayer").first).to_be_attached()


def test_the_models(visit):
    expect(
        open_tab(visit(query="task=models").page).get_by_role("heading", name="The models of this page")
    ).to_be_visible()


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("task=sing", "This link is not whole"),
        (f"task=fuse&text=Ada&model={quote('<img src=x onerror=alert(1)>')}", "There is no model called “<img"),
        ("task=summarize&text_hash=zz", "not on this server any more"),
    ],
)
def test_a_broken_link_says_so_on_the_page_as_it_always_is(visit, query, says):
    page = visit(query=query).page
    expect(page.get_by_test_id("toast-body")).to_contain_text(says)
    expect(page.get_by_role("tab", name="Fuse")).to_have_attribute("aria-selected", "true")
    expect(box(open_tab(page))).to_have_value("")


def test_a_script_in_a_link_is_a_text(visit):
    script = "<script>document.title = 'mine'</script><img src=x onerror=\"document.title = 'mine'\">"
    page = visit(query=f"task=fuse&text={quote(script)}").page
    expect(box(open_tab(page))).to_have_value(script)
    expect(page).to_have_title("Gloss")


def test_where_no_link_leads_to_the_page_nothing_waits_for_a_model(profile, url):
    page, asked = profile.new_page(), []
    page.on("request", lambda request: request.method == "POST" and asked.append(request.post_data_json["fn_index"]))
    page.goto(url)
    page.get_by_role("tab", name="Fuse").wait_for()
    page.wait_for_timeout(2_000)
    events = page.evaluate("asked => gradio_config.dependencies.filter(({ id }) => asked.includes(id))", asked)
    assert [name for event in events for _, name in event["targets"]] == ["load"] * 2
    page.close()
