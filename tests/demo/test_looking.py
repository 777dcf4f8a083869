"""The Attention tab's way to the embedded models and back, and its endpoint, without a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import gradio as gr
import numpy as np
import plotly.graph_objects as go
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from components.packing import NO_VIEW
from demo.explorer_words import CHOICES_TAB, MAP_TAB, NO_HEADS, NO_SUCH_PLACE, PART_LABEL, RESULT_HINT
from demo.links import WHOLE, Look
from demo.looking import LONGEST_AHEAD, MOST_CELLS, Explored, Looking, draw, exported
from demo.wording import APOLOGY
from seq2seq.engine import Engine, EngineSettings, View, explaining
from seq2seq.explain.attention import attention
from tests.serving import serve

TEXT = "Anna Lind moved to Oslo in 2011. She opened a small bakery there."
OUTPUT = "Anna Lind moved to Oslo and opened a bakery."


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(EngineSettings())


@pytest.fixture(scope="module")
def looking(engine) -> Looking:
    return Looking(engine)


@pytest.fixture(scope="module")
def explored(looking) -> Explored:
    *_, (_, explored, *_) = looking.look("fuse", TEXT, OUTPUT, None)
    return explored


@pytest.fixture(scope="module")
def client(engine) -> Iterator[Client]:
    with serve(engine) as address:
        yield Client(address, verbose=False)


def look(kind: str, layer: int, grain: str, part: int = WHOLE) -> Look:
    return Look(kind, layer, (), grain, part)


def drawing(heads: Sequence[int] = (), largest: bool = False, marks: str = "hidden", log: bool = False) -> tuple:
    return list(heads), largest, marks, log


def test_what_the_visitor_gives_is_what_is_looked_at(looking, explored):
    assert explored.text == OUTPUT
    assert [sentence.text for sentence in explored.sentences] == TEXT.replace(". ", ".|").split("|")
    record = looking.seen(explored, look("cross", 5, "words")).record
    assert [token.text for token in record.targets if not token.special] == OUTPUT.split()


def test_a_look_at_what_is_there_already_is_taken_before_it_is_asked_for(looking, monkeypatch):
    seen = []
    monkeypatch.setattr(explaining, "attention", lambda *asked: seen.append(asked) or attention(*asked))
    output = "Anna Lind opened a small bakery."
    looking.read_ahead("fuse", TEXT, None)
    looking.read_ahead("fuse", TEXT, None, " ")
    looking.read_ahead("fuse", TEXT, None, "x" * LONGEST_AHEAD)
    assert not seen
    looking.read_ahead("fuse", TEXT, None, f"{output} ")
    assert len(seen) == 1
    *_, (shown, explored, *_) = looking.look("fuse", TEXT, output, None)
    assert shown["text"] == explored.text == output
    assert len(seen) == 1


def test_without_an_output_the_model_writes_it(looking):
    *growing, (shown, explored, *_) = looking.look("fuse", TEXT, " ", None)
    assert growing
    for snapshot, *opened in growing:
        assert snapshot["running"]
        assert all(each == gr.skip() for each in opened)  # or the page would take it for another result each time
    assert shown["text"] == explored.text != ""


def test_what_is_wrong_is_told_and_nothing_is_taken_apart(looking):
    for task, text, model in (("fuse", " ", None), ("fuse", TEXT, "/etc"), ("fuse", "\x00\x01", None)):
        [(shown, explored, *_)] = looking.look(task, text, "", model)
        assert shown["problem"]
        assert explored == gr.skip()


def test_a_part_of_the_text_is_shown_alone(looking, explored):
    record = looking.seen(explored, look("cross", 5, "words", 1)).record
    assert [token.text for token in record.sources] == ["She", "opened", "a", "small", "bakery", "there."]
    both = looking.seen(explored, look("encoder", 2, "words", 1)).record
    assert both.targets == both.sources == record.sources


def test_a_long_text_is_shown_by_sentences_and_the_page_says_so(looking):
    text = " ".join(f"The town of Holm number {n} voted for a bridge over the river at Vik." for n in range(200))
    *_, (_, explored, *_) = looking.look("summarize", text, "The towns voted for a bridge. " * 5, None)
    seen = looking.seen(explored, look("encoder", 5, "words"))
    assert seen.record.weights[0].size <= MOST_CELLS
    assert "shown by sentences" in seen.note
    assert PART_LABEL in seen.note
    assert np.allclose(seen.record.weights.sum(-1), 1, atol=1e-2)
    assert "sentences" not in looking.seen(explored, look("cross", 5, "words", 3)).note


def test_heads_and_marks_are_chosen_without_the_engine(looking, explored):
    seen = looking.seen(explored, look("cross", 3, "tokens"))
    _, _, mean, *_ = draw(seen, None, *drawing(marks="shown"))
    assert np.allclose(mean.data[0].z, seen.record.weights.mean(axis=0), atol=1e-6)
    _, _, largest, *_ = draw(seen, None, *drawing([1, 4], True, "shown", True))
    assert np.allclose(largest.data[0].z, seen.record.weights[[1, 4]].max(axis=0), atol=1e-6)
    assert largest.data[0].colorscale != mean.data[0].colorscale
    _, _, hidden, *_ = draw(seen, None, *drawing())
    assert hidden.data[0].z.sum(axis=1).max() < 1
    _, _, renewed, *_ = draw(seen, None, *drawing(marks="left out"))
    assert np.allclose(renewed.data[0].z.sum(axis=1), 1, atol=1e-5)
    assert not any(label.startswith((".", "&lt;")) for label in renewed.data[0].x)


def test_a_head_is_chosen_once_and_only_where_there_is_one(looking, explored):
    seen = looking.seen(explored, look("cross", 3, "tokens"))
    *_, (_, heads, *_) = draw(seen, None, *drawing([4, 1, 4, 10**9] * 1_000, True, "shown", True))
    assert heads == (1, 4)


def test_what_is_drawn_already_is_not_drawn_again(looking, explored):
    seen = looking.seen(explored, look("cross", 3, "words"))
    *_, drawn = draw(seen, None, *drawing([1]))
    unchanged = draw(seen, drawn, *drawing([1]))
    assert all(each == gr.skip() for each in unchanged)
    for other in drawing(), drawing([1], True), drawing([1], marks="shown"):
        assert isinstance(draw(seen, drawn, *other)[2], go.Figure)
    again = looking.seen(explored, look("cross", 3, "words"))
    assert isinstance(draw(again, drawn, *drawing([1]))[2], go.Figure)


def test_how_sure_it_was_is_computed_where_it_is_looked_at(looking, explored):
    told = looking.confidence(explored, False)
    assert told[0] != NO_VIEW
    assert told[1] is True
    assert looking.confidence(explored, True) == (gr.skip(), gr.skip())
    assert looking.again(CHOICES_TAB, explored) == (gr.skip(), gr.skip(), *told)
    assert looking.again(MAP_TAB, explored) == (gr.skip(),) * 4
    assert looking.open(explored)[18:20] == (NO_VIEW, False)
    assert looking.open(explored, told[0])[18:20] == (told[0], False)  # until it is told anew


def test_why_comes_method_by_method(looking, explored):
    place = next(i for i, each in enumerate(explored.stretches) if each.piece.text == "opened")
    *_, (_, packed), (done, _) = looking.why(explored, place)
    before = json.loads(packed)
    assert [method["title"] for method in before["methods"]] == [
        "Attention", "Gradient", "Leaving out", "Integrated gradients",
    ]  # fmt: skip
    assert not done["running"]
    assert "“opened”" in before["says"]


ODD = ("a text", "two\nlines", 1.5, True, None, [1], {}, -1, 10**9)


@pytest.mark.parametrize("odd", ODD)
def test_a_head_that_there_is_not_is_refused_and_never_shown(looking, explored, odd):
    for event in (SimpleNamespace(layer=odd, head=0), SimpleNamespace(layer=0, head=odd), SimpleNamespace()):
        with pytest.raises(gr.Error, match=NO_SUCH_PLACE):
            looking.choose_head(explored, 0, event, *vars(Look()).values())
    with pytest.raises(gr.Error, match=RESULT_HINT):
        looking.choose_head(None, 0, SimpleNamespace(layer=0, head=0), *vars(Look()).values())


@pytest.mark.parametrize("odd", ["a text", 1.5, {}, [[1]], -2])
@pytest.mark.parametrize("field", vars(Look()))
def test_a_form_that_no_page_sends_is_told_in_plain_words(looking, explored, field, odd):
    sent, seen = vars(Look()) | {field: odd}, looking.seen(explored, Look())
    asked = [lambda: looking.see(explored, 0, *sent.values()), lambda: looking.link(explored, *sent.values())]
    if field in ("heads", "largest", "marks", "log"):
        asked.append(lambda: draw(seen, None, *(sent[each] for each in ("heads", "largest", "marks", "log"))))
    if field in ("heads", "largest", "marks"):
        asked.append(lambda: exported(seen, "CSV", *(sent[each] for each in ("heads", "largest", "marks"))))
    for ask in asked:
        with pytest.raises(gr.Error, match=NO_SUCH_PLACE):
            ask()


def test_of_a_text_those_sentences_are_offered_that_were_read(looking):
    text = "Rain fell. " + "\u200b.\n" * 1_000 + "The river rose. " * 3_000
    *_, (_, explored, *opened) = looking.look("fuse", text, "Rain fell.", None)
    [parts] = [each for each in opened if isinstance(each, dict) and each.get("value") == WHOLE]
    assert 3 < len(explored.sentences) == len(parts["choices"]) - 1 <= 512


@pytest.mark.parametrize("odd", ODD)
def test_places_that_there_are_not_are_told_in_plain_words(looking, explored, odd):
    [(shown, _)] = looking.why(explored, odd)
    assert shown["problem"] == NO_SUCH_PLACE
    for event in (SimpleNamespace(place=odd, token_id=5), SimpleNamespace(place=0, token_id=odd)):
        [(shown, *_)] = looking.go_on(explored, event)
        assert shown["problem"]
        assert shown["problem"] != APOLOGY
    [(shown, *_)] = looking.go_on(None, SimpleNamespace(place=0, token_id=5))
    assert shown["problem"] == RESULT_HINT


def test_no_heads_are_no_experiment(looking, explored):
    with pytest.raises(gr.Error, match=NO_HEADS):
        looking.without_heads(explored, "cross", [], [1])
    said, shown = looking.without_heads(explored, "cross", [4, 5], list(range(12)))
    assert "Without 24 heads" in said
    assert "difference" in shown


@pytest.mark.parametrize("choice", [{"layer": 3}, {"kind": "encoder", "layer": 1}, {"combination": "rollout"}])
def test_the_endpoint_says_what_the_engine_found(client, engine, choice):
    report = client.predict("fuse", TEXT, OUTPUT, grain="tokens", api_name="/attention", **choice)
    layer = choice.get("combination") or choice["layer"] - 1
    record = engine.attention(
        engine.force("fuse", TEXT, OUTPUT), View(choice.get("kind", "cross"), layer, "tokens", "tokens")
    )
    assert np.allclose(report["weights"], record.weights, atol=1e-5)
    for token in report["sources"]:
        assert report["source_text"][token["start"] : token["end"]] == ("" if token["special"] else token["text"])


def test_the_endpoint_lets_the_model_write(client):
    report = client.predict("fuse", TEXT, api_name="/attention")
    assert report["target_text"] == client.predict(TEXT, api_name="/fuse")
    assert np.allclose(np.sum(report["weights"], axis=-1), 1, atol=1e-2)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"task": "sing"}, "There is no task"), ({"kind": "sideways"}, "no kind"), ({"grain": "letters"}, "no grain"),
     ({"layer": 7}, "from 1 to 6"), ({"layer": 1.5}, "it is 1.5"),
     ({"layer": "x"}, "it is x"), ({"layer": [1]}, "from 1 to 6"), ({"layer": {}}, "from 1 to 6"),
     ({"combination": "sum"}, "no combination"), ({"model": "/etc"}, "no model called"),
     ({"text": " "}, "no text yet")],
)  # fmt: skip
def test_the_endpoint_refuses_in_plain_words(client, wrong, said):
    with pytest.raises(AppError, match=said):
        client.predict(**{"task": "fuse", "text": TEXT, "output": OUTPUT} | wrong, api_name="/attention")
