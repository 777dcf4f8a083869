"""Links to a view: there and back, and what is wrong with a link in a visitor's words."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo import explorer_words
from demo.links import LONGEST_IN_LINK, MARKS, WHOLE, KeptTexts, Look, has_text, link_of, read_link
from seq2seq.explain.grain import GRAINS
from seq2seq.tasks import TASKS, InputError, Written
from seq2seq.trace import ATTENTION_KINDS, COMBINATIONS

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


def test_the_texts_that_were_kept_first_make_room():
    kept = KeptTexts(most_bytes=10)
    first, second = kept.keep("äöü"), kept.keep("four")
    assert kept.find(first) == "äöü"
    kept.keep("äöü")
    third = kept.keep("x")
    assert [kept.find(name) for name in (first, second, third)] == ["äöü", None, "x"]
    largest = kept.keep("longer than all")
    assert [kept.find(name) for name in (first, third, largest)] == [None, None, "longer than all"]


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
