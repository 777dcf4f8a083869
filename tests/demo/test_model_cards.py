"""What the Models tab tells of a model, from the card in its folder, whoever wrote it."""

from __future__ import annotations

import os
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from lxml import html

from demo import model_cards, wording
from demo.layout import build
from demo.model_cards import MOST_BYTES, card_html, facts, models_of, overview, read_card, section
from seq2seq.engine import Engine, EngineSettings
from seq2seq.tasks import SKILLS
from tests.demo.stand_in import StandInEngine
from tests.waiting import within

HOSTILE = """---
license: "<img src=x onerror=alert(1)>"
---

# Title

<script>alert(1)</script>

Text <img src="https://elsewhere.example/pixel.png" onerror="alert(1)"> and ![a *picture*](https://elsewhere.example/p.png)

[run](javascript:alert(1)) [data](data:text/html,<script>alert(1)</script>) [file](other.md) [two](//elsewhere.example)

[good](https://example.org/a?b=1&c=2 "onmouseover=alert(1)") <https://example.org/auto> ${alert(1)} {{value}}

`<fuse>` \\`<b onclick=alert(1)>not code</b>`

<iframe src="https://elsewhere.example"></iframe>

```html
<b>
# not a heading
```
"""
TAGS = {"p", "a", "span", "code", "pre"}  # what Markdown itself makes of it


def folder_of_models(folder: Path, **cards: str | None) -> Engine:
    """An engine with a model of each name, which has that card; the first of the embedded ones lends its shape."""
    config = next(EngineSettings().models.glob("*/config.json"))
    for name, card in cards.items():
        (folder / name).mkdir()
        shutil.copy(config, folder / name)
        if card is not None:
            (folder / name / "README.md").write_text(card, encoding="utf-8")
    return Engine(EngineSettings(models=folder))


def written(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "README.md"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


class Elements(HTMLParser):
    """The tags and attributes in a piece of HTML, as a browser would make them."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs


@pytest.fixture(scope="module")
def embedded() -> Engine:
    return Engine(EngineSettings())


def test_every_model_is_there_once_and_every_task_has_one_default(embedded):
    models = models_of(embedded)
    assert sorted(model.about.name for model in models) == sorted(card.name for card in embedded.encoders())
    assert sorted(skill for model in models for skill in model.default_for) == sorted(SKILLS)
    for model in models:
        assert all(embedded.card(skill).name == model.about.name for skill in model.default_for)


def test_the_embedded_models_have_cards_that_state_a_licence(embedded):
    for model in models_of(embedded):
        assert model.card.licence
        assert not model.card.broken
        page = html.fromstring(section(model))
        headings = [int(heading.tag[1:]) for heading in page.xpath("//h1|//h2|//h3|//h4|//h5|//h6")]
        assert headings
        assert min(headings) == 3
        assert all(step <= 1 for step in (b - a for a, b in zip(headings, headings[1:], strict=False)))


def test_size_and_parameters_are_those_of_the_weights(embedded):
    for about in embedded.encoders():
        files = list(about.folder.glob("*.safetensors"))
        assert about.num_bytes == sum(path.stat().st_size for path in files)
        weights = embedded.load(about.tasks[0], about.name).model
        exact = sum(parameter.numel() for parameter in weights.parameters())
        assert about.num_parameters == pytest.approx(exact, rel=1e-3)  # a tied bias may be stored twice


def test_a_model_without_weights_or_licence_says_so(tmp_path):
    (model,) = models_of(folder_of_models(tmp_path, bare="# Bare\n\nNo front matter."))
    assert facts(model)[wording.MODEL_FACTS[-2]] == wording.NOT_ON_DISK
    assert facts(model)[wording.MODEL_FACTS[-1]] == wording.NOT_STATED


def test_weights_of_another_format_are_weighed_and_not_counted(tmp_path):
    (about,) = folder_of_models(tmp_path, old=None).encoders()
    (about.folder / "pytorch_model.bin").write_bytes(b"x" * 4_000_000)
    assert (about.num_bytes, about.num_parameters) == (4_000_000, None)
    assert wording.model_size(about.num_bytes, about.num_parameters) == "4 MB"


def test_damaged_weights_are_left_to_be_told_when_they_are_loaded(tmp_path):
    (about,) = folder_of_models(tmp_path, damaged=None).encoders()
    (about.folder / "model.safetensors").write_bytes(b"not safetensors at all")
    assert (about.num_bytes, about.num_parameters) == (22, None)


def test_a_card_that_cannot_be_read_is_none(tmp_path):
    (tmp_path / "README.md").mkdir()
    assert read_card(tmp_path / "README.md") is None
    unreadable = Path("/proc/self/mem")
    assert not unreadable.exists() or read_card(unreadable) is None


def test_a_link_that_leads_out_of_the_model_s_folder_is_no_card(tmp_path):
    (tmp_path / "secret").write_text("The host's alone.")
    for folder, target in (("model", "../secret"), ("model-2", "/proc/self/environ"), ("model-3", "README.md")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "README.md").symlink_to(target)
        assert read_card(tmp_path / folder / "README.md") is None


def test_a_link_within_the_folder_or_into_the_cache_of_downloads_is_one(tmp_path):
    snapshot, blobs = tmp_path / "models--own--one" / "snapshots" / "0a1b", tmp_path / "models--own--one" / "blobs"
    for folder in (snapshot, blobs):
        folder.mkdir(parents=True)
    (blobs / "2c3d").write_text("Downloaded.")
    (snapshot / "README.md").symlink_to("../../blobs/2c3d")
    assert read_card(snapshot / "README.md").text == "Downloaded."
    (snapshot / "card.md").write_text("Beside.")
    (snapshot / "README.md").unlink()
    (snapshot / "README.md").symlink_to("card.md")
    (tmp_path / "linked").symlink_to(snapshot)
    assert read_card(tmp_path / "linked" / "README.md").text == "Beside."


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_no_card_and_keeps_nobody_waiting(tmp_path):
    os.mkfifo(tmp_path / "README.md")
    with within(5):
        assert read_card(tmp_path / "README.md") is None


def test_a_giant_is_no_card_and_a_giant_front_matter_is_not_read(tmp_path):
    assert read_card(written(tmp_path, "a" * (MOST_BYTES + 1))) is None
    assert read_card(written(tmp_path, "a" * MOST_BYTES)).text == "a" * MOST_BYTES
    head = "license: mit\n" + "".join(f"a{number}: b\n" for number in range(15_000))
    with within(1):
        card = read_card(written(tmp_path, f"---\n{head}---\nText."))
    assert (card.licence, card.text, card.broken) == ("", "Text.", True)


def test_the_page_reads_each_card_once(tmp_path, monkeypatch):
    engine = folder_of_models(tmp_path, one="Text.", two="Text.")
    looked_for = []
    monkeypatch.setattr(model_cards, "read_card", lambda path: looked_for.append(path.parent.name))
    build(engine)
    assert sorted(looked_for) == ["one", "two"]


def test_a_model_in_a_folder_without_a_card_says_so_and_links_nowhere(tmp_path):
    (model,) = models_of(folder_of_models(tmp_path, silent=None))
    assert wording.NO_CARD in section(model)
    assert "href" not in section(model)


def test_a_model_of_the_hub_links_to_its_page_there(engine):
    model = models_of(engine)[0]
    assert wording.NO_CARD in section(model)
    assert f"href='https://huggingface.co/{model.about.name}'" in section(model)
    assert facts(model)["Size"] == wording.NOT_ON_DISK


def test_the_overview_has_a_header_cell_for_every_column_and_row(embedded):
    models = models_of(embedded)
    table = html.fromstring(overview(models))
    assert table.xpath("//th[@scope='col']/text()") == [wording.MODEL_LABEL, *wording.MODEL_FACTS]
    assert table.xpath("//th[@scope='row']/text()") == [model.about.title for model in models]
    assert all(len(row) == 1 + len(wording.MODEL_FACTS) for row in table.xpath("//tr"))


@pytest.mark.parametrize(
    ("head", "licence"),
    [
        ("license: mit", "mit"),
        ("license: other\nlicense_name: house-rules", "house-rules"),
        ("license: [mit, cc-by-4.0]", "mit, cc-by-4.0"),
        ("license: 3", ""),
        ("license: mit\nget: 3", "mit"),
        ("language: en", ""),
    ],
)
def test_the_licence_as_the_front_matter_states_it(tmp_path, head, licence):
    card = read_card(written(tmp_path, f"---\n{head}\n---\n\nText."))
    assert (card.licence, card.text.strip(), card.broken) == (licence, "Text.", False)


@pytest.mark.parametrize(
    "head",
    [
        "license: [mit",
        "- a list",
        "just words",
        "1: 2",
        "self: me",
        "a: " + "[" * 5000,
        "a: !!python/name:os.system",
        "a: !!timestamp x",
    ],
)
def test_a_card_whose_front_matter_is_broken_is_still_shown(tmp_path, head):
    engine = folder_of_models(tmp_path, odd=f"---\n{head}\n---\n# Title\n\nThe text.")
    (model,) = models_of(engine)
    assert model.card.broken
    shown = section(model)
    assert wording.CARD_BROKEN in shown
    assert "<p>The text.</p>" in shown
    assert head not in shown


def test_bytes_that_are_no_text_do_not_stop_the_page(tmp_path):
    assert read_card(written(tmp_path, b"\xff\xfe\x00 text")).text.endswith(" text")
    assert read_card(written(tmp_path, "")).text == ""


def test_line_ends_and_marks_of_other_systems_are_read(tmp_path):
    card = read_card(written(tmp_path, "\ufeff---\r\nlicense: mit\r\n---\r\n# T\r\n\r\nText.\r\n"))
    assert card.licence == "mit"
    assert card_html(card.text, "T") == "<p>Text.</p>\n"


def test_only_the_title_goes_and_headings_stand_below_the_page_s_own():
    shown = card_html("# Title\n\n# One\n\n## Two\n\n### Three\n\n###### Six\n\nSetext\n===\n\n```\n# code\n```\n", "T")
    assert "Title" not in shown
    assert [(each.tag, each.text) for each in html.fromstring(f"<div>{shown}</div>").xpath("*")] == [
        ("h3", "One"),
        ("h3", "Two"),
        ("h4", "Three"),
        ("h6", "Six"),
        ("h3", "Setext"),
        ("pre", None),
    ]
    assert "# code" in shown
    assert "<h3>Later</h3>" in card_html("Text first.\n\n# Later", "T")


def test_tables_have_header_cells_and_scroll_in_a_labelled_box():
    shown = html.fromstring(card_html("| a | b |\n|---|---|\n| 1 | 2 |\n", 'The "T" <model>'))
    assert (shown.tag, shown.get("tabindex"), shown.get("aria-label")) == (
        "div",
        "0",
        'Table in the card of The "T" <model>',
    )
    assert shown.xpath("table//th[@scope='col']/text()") == ["a", "b"]


def test_a_hostile_card_is_text(tmp_path):
    (model,) = models_of(folder_of_models(tmp_path, hostile=HOSTILE))
    body = Elements(card_html(model.card.text, model.about.title))
    assert body.tags == TAGS
    assert {name for name, _ in body.attributes} == {"href", "target", "rel", "title", "class"}
    addresses = [value for name, value in body.attributes if name == "href"]
    assert addresses == ["https://example.org/a?b=1&c=2", "https://example.org/auto"]
    whole = Elements(section(model) + overview([model]))
    assert "img" not in whole.tags
    assert not any(name.startswith("on") or name == "src" for name, _ in whole.attributes)


def test_the_code_and_the_descriptions_of_a_hostile_card_stay_legible():
    shown = html.fromstring(card_html(HOSTILE, "T")).text_content()
    for text in ("<fuse>", "# not a heading", "a *picture*", "<script>alert(1)</script>", "file", "two"):
        assert text in shown


def test_the_page_is_built_with_models_that_are_not_here(engine: StandInEngine):
    values = [
        block.value for block in build(engine).blocks.values() if "model-card" in getattr(block, "elem_classes", ())
    ]
    assert len(values) == 2
    assert all(wording.NO_CARD in value for value in values)
