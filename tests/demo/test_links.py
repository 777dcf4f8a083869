"""Links to a view: there and back, and what is wrong with a link in a visitor's words."""

from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import parse_qs

import gradio as gr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo import explorer_words, links
from demo.arriving import TABS, Arriving
from demo.handlers import Handlers
from demo.links import (
    LEAST_KEPT,
    LONGEST_IN_LINK,
    LONGEST_TEXT,
    MARKS,
    WHOLE,
    KeptTexts,
    Look,
    has_text,
    link_of,
    read_link,
    spelled,
)
from demo.setting_fields import AUTOMATIC, FIELDS
from seq2seq.explain.grain import GRAINS
from seq2seq.tasks import QUOTED, TASKS, InputError, Written
from seq2seq.trace import ATTENTION_KINDS, COMBINATIONS
from tests.demo.stand_in import StandInEngine

places = st.integers(0, 95)
looks = st.builds(
    Look,
    kind=st.sampled_from(ATTENTION_KINDS),
    layer=places | st.sampled_from(COMBINATIONS),
    heads=st.lists(places, max_size=16, unique=True).map(tuple),
    grain=st.sampled_from(GRAINS),
    part=places | st.just(WHOLE),
    largest=st.booleans(),
    marks=st.sampled_from(MARKS),
    log=st.booleans(),
)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
outputs = st.builds(
    Written,
    task=st.sampled_from(TASKS),
    text=texts | texts.map(lambda text: 300 * (text + ", ")),
    target_ids=st.lists(st.integers(0, 96102), min_size=1).map(tuple),
    model=st.sampled_from([None, "gloss-fusion", "google/roberta2roberta_L-24_discofuse"]),
)
FUSED = Written("fuse", "Ada wrote. She read.", (5, 6, 7), "gloss-fusion")


def parameters(query: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(query, strict_parsing=True).items()}


@given(outputs, looks)
def test_a_link_stands_for_what_it_was_made_of(written, look):
    kept = KeptTexts()
    query = link_of(written, look, kept)
    assert len(query) < LONGEST_IN_LINK + 10 * len(written.target_ids) + 1000
    assert read_link(parameters(query), kept) == (written, look)


def test_a_long_text_is_named_by_its_hash_and_kept_here_alone():
    kept, long = KeptTexts(), Written("summarize", "A river. " * 500, (5,), None)
    query = link_of(long, Look(), kept)
    assert not has_text(query)
    assert has_text(link_of(FUSED, Look(), kept))
    with pytest.raises(InputError, match=explorer_words.TEXT_GONE):
        read_link(parameters(query), KeptTexts())


def test_the_texts_that_were_kept_first_make_room(monkeypatch):
    kept = KeptTexts(most_bytes=10)
    monkeypatch.setattr(links, "LEAST_KEPT", 1)
    first, second = kept.keep("äöü"), kept.keep("four")
    assert kept.find(first) == "äöü"
    kept.keep("äöü")
    third = kept.keep("x")
    assert [kept.find(name) for name in (first, second, third)] == ["äöü", None, "x"]
    largest = kept.keep("ten signs.")
    assert [kept.find(name) for name in (first, third, largest)] == [None, None, "ten signs."]


def test_no_text_takes_the_room_of_many():
    kept = KeptTexts(most_bytes=16 * LEAST_KEPT)
    name = kept.keep("A text of others")
    with pytest.raises(InputError, match=explorer_words.TOO_LONG_FOR_A_LINK):
        spelled({"text": "😀" * LONGEST_IN_LINK}, kept)
    assert kept.find(name)


def test_a_page_that_no_link_opened_is_left_alone():
    assert read_link({"__theme": "dark", "view": "api"}, KeptTexts()) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("task", "sing"), ("task", ""), ("output", ""), ("output", "5.x"), ("output", "5..6"), ("output", "9" * 5000),
     ("output", "٣"), ("layer", "0"), ("layer", "-1"), ("layer", "sum"), ("heads", "1.0"), ("kind", "<b>"),
     ("by", "letters"), ("part", "0"), ("part", "one"), ("marks", "gone")],
)  # fmt: skip
def test_a_broken_link_is_refused(name, value):
    kept = KeptTexts()
    query = parameters(link_of(FUSED, Look(), kept)) | {name: value}
    with pytest.raises(InputError, match=explorer_words.BROKEN_LINK[:20]):
        read_link(query, kept)


LONGEST = {
    "output": ".".join(["96102"] * 1_024), "heads": ".".join(["16"] * 64), "model": "m" * 1_000,
    "text": "x" * LONGEST_TEXT,
}  # fmt: skip


@pytest.mark.parametrize(("name", "more"), [("output", ".5"), ("heads", ".1"), ("model", "m"), ("text", "x")])
def test_a_link_has_so_much_at_most(name, more):
    kept = KeptTexts()
    query = parameters(link_of(FUSED, Look(), kept)) | LONGEST | {"__sign": "x" * 10_000}
    assert read_link(query, kept) is not None
    with pytest.raises(InputError, match=explorer_words.BROKEN_LINK[:20]):
        read_link(query | {name: LONGEST[name] + more}, kept)


@pytest.fixture
def arriving(engine) -> Arriving:
    return Arriving(Handlers(engine), ["fuse", "summarize", "answer", "pattern", "attention", "models"])


def opened(arriving: Arriving, query: str) -> tuple[str | None, dict]:
    """The tab that a page opens with, and what the form shows that it fills in."""
    told, *shown = arriving.arrive(SimpleNamespace(query_params=parameters(query) if query else {}))
    forms, start = {}, 0
    for tab, names in arriving.forms():
        form = dict(zip(names, shown[start : start + len(names)], strict=True))
        start += len(names)
        if form != dict.fromkeys(names, gr.skip()):
            forms[tab] = {name: value["value"] if isinstance(value, dict) else value for name, value in form.items()}
    assert start == len(shown)
    tab = told.get("selected")
    assert set(forms) <= {tab}, "no other form is touched"
    return tab, forms.get(tab, {})


typed_settings = st.fixed_dictionaries(
    {field.name: st.just("") | st.integers(max(1, int(field.low)), int(field.high)).map(str) for field in FIELDS}
)


@given(
    st.sampled_from(TASKS),
    st.just("") | texts | texts.map(lambda text: 300 * (text + ", ")),
    st.sampled_from(["stand-in", "stand-in-2"]),
    st.booleans(),
    typed_settings,
)
def test_a_form_of_writing_is_filled_in_as_it_was(task, text, model, do_sample, typed):
    arriving = Arriving(Handlers(StandInEngine()), ["fuse", "summarize"])
    told = "quoted" if task in QUOTED else AUTOMATIC
    values = (text, model, told, do_sample, *(typed[field.name] for field in FIELDS))
    tab, form = opened(arriving, arriving.link(task, *values)["query"])
    assert tab == TABS.get(task, task)
    assert tuple(form.values()) == (task, *values)


def test_a_question_and_a_pattern_are_filled_in(arriving):
    link = arriving.link("answer", "Who wrote?", "[Ada] wrote. " * 400, "stand-in")
    assert link["note"] == explorer_words.LINK_WITH_HASH
    assert link["query"].startswith("task=answer&question=Who+wrote%3F&text_hash=")
    assert opened(arriving, link["query"]) == (
        "answer",
        {"task": "answer", "question": "Who wrote?", "text": "[Ada] wrote. " * 400, "model": "stand-in"},
    )
    numbers = (2048, 32, 2, 4, 5, 12, 64, 4096)
    query = arriving.link("pattern", "reference", *numbers)["query"]
    tab, form = opened(arriving, query)
    assert (tab, *form.values()) == ("pattern", "pattern", "reference", *numbers)


def test_a_link_has_only_what_was_changed(arriving):
    usual = arriving.usual("fuse")[2:]
    assert arriving.link("fuse", "", *usual) == {"query": "task=fuse", "note": ""}
    link = arriving.link("fuse", "Ada wrote.", *usual)
    assert link == {"query": "task=fuse&text=Ada+wrote.", "note": explorer_words.LINK_WITH_TEXT}
    assert arriving.link(*arriving.usual("pattern"))["query"] == "task=pattern"


@pytest.mark.parametrize("tab", ["models", "attention"])
def test_a_tab_without_a_form_is_opened(arriving, tab):
    assert opened(arriving, f"task={tab}") == (tab, {})


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("task=sing", "This link is not whole"),
        ("task=%3Cscript%3E", "This link is not whole"),
        ("task=fuse&text=Ada&model=../../etc", "There is no model called"),
        ("task=fuse&model=%3Cscript%3Ealert(1)%3C/script%3E", "“&lt;script&gt;"),
        ("task=fuse&num_beams=99", "Beams must be a whole number"),
        ("task=summarize&wording=sung", "The wording must be"),
        ("task=summarize&text_hash=zz", "not on this server any more"),
        ("task=answer&question_hash=zz", "not on this server any more"),
        ("task=fuse&text=" + "x" * 20_001, "This link is not whole"),
        ("task=fuse&text=" + "%C3%A9" * 20_001, "This link is not whole"),
        ("task=answer&question=" + "x" * 20_001, "This link is not whole"),
        ("task=fuse&num_beams=" + "0" * 1_000 + "4", "This link is not whole"),
        ("task=fuse&model=" + "x" * 1_001, "This link is not whole"),
        ("task=pattern&plan=mine", "The plan of random blocks"),
        ("task=pattern&length=1e99", "This link is not whole"),
        ("task=pattern&length=999999", "Length must be"),
    ],
)
def test_a_hostile_link_leaves_the_page_as_it_is_and_says_so(arriving, monkeypatch, query, says):
    said = []
    monkeypatch.setattr(gr, "Warning", said.append)
    assert opened(arriving, query) == (None, {})
    [warning] = said
    assert says in warning
    assert "<" not in warning


def test_a_link_cannot_choose_what_the_form_does_not_show(arriving):
    assert opened(arriving, "task=fuse&text=Ada&wording=quoted")[1]["wording"] == AUTOMATIC


@pytest.mark.parametrize("query", ["", "__theme=dark", "text=Ada", "task=fuse&output=5"])
def test_other_links_fill_in_no_form(arriving, query):
    assert opened(arriving, query) == (None, {})


def test_a_host_without_a_task_has_no_links_to_it(engine, monkeypatch):
    said = []
    monkeypatch.setattr(gr, "Warning", said.append)
    assert opened(Arriving(Handlers(engine), ["fuse", "models"]), "task=answer&question=Who")[0] is None
    assert len(said) == 1


def test_settings_that_cannot_be_are_refused_before_there_is_a_link(arriving):
    with pytest.raises(gr.Error, match="Beams must be"):
        arriving.link("fuse", "Ada", "stand-in", AUTOMATIC, False, "many", *[""] * (len(FIELDS) - 1))
