"""The Pattern tab without a browser: what its form says, what is shown, and the endpoint."""

from __future__ import annotations

import time

import gradio as gr
import pytest
from gradio.utils import deep_hash
from gradio_client import Client
from gradio_client.exceptions import AppError

from demo import wording
from demo.exploring import FIRST, PATTERN_FIELDS, Exploring, begin_work, draw, form_values, lay, settings_of_form
from demo.handlers import end
from seq2seq.tasks.pattern import PatternSettings
from tests.demo.stand_in import StandInEngine

TEXT = "The old harbour bridge was closed. " * 20


def form(plan: str = "reference", **changed: float | int | None) -> tuple:
    """A form's values: its defaults, but for what is changed."""
    return plan, *(form_values(PatternSettings()) | changed).values()


@pytest.fixture
def exploring(engine: StandInEngine) -> Exploring:
    return Exploring(engine)


def facts_of(shown: tuple) -> str:
    problem, facts, *_ = shown
    assert problem == ""
    return facts


def test_the_form_counts_layers_and_heads_from_one():
    assert form_values(PatternSettings())["layer"] == 1
    assert settings_of_form(*form("original", layer=3, head=12)) == PatternSettings(
        random_blocks="original", layer=2, head=11
    )
    assert settings_of_form(*form()) == PatternSettings()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"length": 0}, "Length must be a whole number from 1 to 16,384; it is “0”."),
        ({"length": 20_000}, "Length must be a whole number from 1 to 16,384; it is “20000”."),
        ({"block_size": 3.5}, "Block size must be a whole number from 1 to 1,024; it is “3.5”."),
        ({"layer": None}, "Layer must be a whole number from 1 to 96; it is “”."),
        ({"head": 13}, "There is no head 13"),
        ({"length": 16_384, "block_size": 1}, "Choose a block size of 16 or more."),
    ],
)
def test_what_cannot_be_drawn_is_said_and_nothing_is_lost(changed, message):
    problem, *views = draw(None, "operations", *form(**changed))
    assert message in problem
    assert "role='alert'" in problem
    assert all(view == {"__type__": "update"} for view in views)


def test_what_nobody_foresaw_is_an_apology(monkeypatch):
    monkeypatch.setattr("demo.exploring.pattern", lambda *_: 1 / 0)
    assert "Sorry, something went wrong" in draw(None, "operations", *form())[0]


def test_the_facts_of_a_pattern():
    facts = facts_of(draw(None, "operations", *form()))
    assert "4,096 tokens in 64 blocks of 64: **10.6%** of all pairs" in facts
    assert "**Block 1 is there 4 times in 62 rows.**" in facts
    assert "Every token has heard of every other after **2 layers**." in facts
    assert "Without the global blocks, 35% of the pairs have heard of each other after 12 layers." in facts
    assert "2.76 billion multiply-adds and 86.1 MB" in facts
    assert "**9.4 times** as much" in facts
    assert "Block 1 is there" not in facts_of(draw(None, "operations", *form("original")))
    assert "Block 1 is there" not in facts_of(draw(None, "operations", *form(num_random_blocks=0)))


def test_dense_attention_is_said():
    facts = facts_of(draw(None, "operations", *form(length=704)))
    assert "so short a text is read with **full attention**. Up to 704 tokens" in facts
    assert "after **1 layer**" in facts
    assert "times** as much" not in facts


def test_squares_of_blocks_are_said():
    _, _, note, *_ = draw(None, "operations", *form(length=16_384, block_size=16))
    assert "each cell stands for 4 × 4 of them" in note


@pytest.mark.parametrize("plan", ["reference", "original"])
@pytest.mark.parametrize("block_size", [16, 64])
def test_4096_tokens_are_drawn_within_a_second(plan, block_size):
    started = time.process_time()
    facts_of(draw(None, "operations", *form(plan, block_size=block_size, num_heads=16, layer=16)))
    assert time.process_time() - started < 1


def test_a_text_fills_the_form_and_its_attention_is_drawn(exploring):
    values = form(block_size=16, num_random_blocks=1, head=12)
    *steps, (shown, read) = exploring.read(TEXT, "stand-in", *values)
    assert [view["notes"] for view, _ in steps] == [["Reading layer 1 of 1…"]]
    assert shown["notes"] == ["Stand-in has read 202 tokens, marks included; the map shows layer 1."]
    laid, length, head, num_heads, head_dim, max_length = lay(read, 12)
    assert laid is read
    assert (length, head, num_heads, head_dim, max_length) == (202, 4, 4, 32, 512)
    of_text = {"length": length, "head": head, "num_heads": num_heads, "head_dim": head_dim, "max_length": max_length}
    shown = draw(laid, "operations", *form(block_size=16, num_random_blocks=1, **of_text))
    assert "Of the full attention of head 4 over this text, the pattern keeps **" in facts_of(shown)
    assert shown[2].startswith("The more ink")
    shown = draw(laid, "operations", *form(block_size=8, num_random_blocks=1, **of_text))
    assert "over this text" not in facts_of(shown)
    assert shown[2].startswith("The text was read with 202 tokens, blocks of 16, layer 1 and 4 heads.")


def test_a_text_leaves_a_head_that_its_model_has_and_a_field_that_is_empty(exploring):
    *_, (_, read) = exploring.read(TEXT, "stand-in", *form())
    assert [lay(read, head)[2] for head in (3, 4, 5, None)] == [3, 4, 4, None]


def test_the_same_text_read_again_is_drawn_again(exploring):
    (*_, (_, first)), (*_, (_, second)) = (exploring.read(TEXT, "stand-in", *form()) for _ in range(2))
    assert deep_hash(first) != deep_hash(second)


@pytest.mark.parametrize(
    ("text", "model", "changed", "message"),
    [
        ("", "stand-in", {}, "Please write or paste some text first."),
        (TEXT, "someone/else", {}, "There is no model called “someone/else” here."),
        (TEXT, "stand-in", {"layer": 0}, "Layer must be a whole number"),
        ("explode", "stand-in", {}, wording.APOLOGY),
    ],
)
def test_what_cannot_be_read_is_said(exploring, text, model, changed, message):
    [(shown, read)] = exploring.read(text, model, *form(**changed))
    assert message in shown["problem"]
    assert read == {"__type__": "update"}


@pytest.mark.parametrize("head", ["a text", [1], {}, None, True])
def test_a_head_that_is_no_number_is_left_open_for_the_text(exploring, head):
    *_, (_, read) = exploring.read(TEXT, "stand-in", *form())
    _, length, known_head, *_ = lay(read, head)
    assert (length, known_head) == (len(read.mass.tokens), None)
    with pytest.raises(gr.Error, match="No text has been read yet"):
        lay(None, head)


def test_measurements_come_one_by_one_and_end_with_a_figure(exploring):
    begun, *steps, (shown, frame, figure) = exploring.measure(*form())
    assert begun[0]["notes"] == ["Measuring length 1 of 5…"]
    assert [len(view["text"].splitlines()) for view, *_ in steps] == [1, 2, 3, 4]
    assert all(view["running"] for view, *_ in steps)
    assert shown["text"].splitlines()[3] == "4,096 tokens: full 1.68 s, block-sparse 410 ms (4.1 times as fast)"
    assert shown["notes"] == [
        "Abacus, 2 threads, float32; 12 heads of 64, blocks of 64, 3 random; full attention is torch’s fused kernel."
    ]
    assert frame["visible"]
    assert len(figure.data[0].x) == 5


def test_lengths_that_would_take_long_are_not_measured_and_that_is_said(exploring):
    *_, (shown, _, figure) = exploring.measure(*form(num_heads=64))
    assert len(shown["text"].splitlines()) == len(figure.data[0].x) == 3
    assert shown["notes"][1:] == ["Beyond 2,048 tokens, these settings take too long to be measured while others wait."]


def test_a_measurement_that_is_left_keeps_what_it_has(exploring):
    measuring = exploring.measure(*form())
    next(measuring)
    shown, *_ = next(measuring)
    measuring.close()
    run, cancel, stopped = end(shown)
    assert stopped["notes"] == [wording.STOPPED]
    assert stopped["text"] == shown["text"]
    assert (run["interactive"], cancel["interactive"]) == (True, False)
    assert begin_work()[2]["running"]


def test_a_form_that_cannot_be_read_measures_nothing(exploring):
    [(shown, *_)] = exploring.measure(*form(num_heads=0))
    assert shown["problem"].startswith("Heads must be a whole number")


@pytest.fixture(scope="module")
def client(served) -> Client:
    return Client(served[1], verbose=False)


def test_the_endpoint_tells_which_blocks_each_sees(client):
    report = client.predict(length=1000, block_size=32, plan="original", layer=2, head=3, api_name="/pattern")
    assert report["num_blocks"] == len(report["key_blocks"]) == 32
    assert report["key_blocks"][0] == list(range(32))
    assert {0, 9, 10, 11, 31} < set(report["key_blocks"][10])
    assert len(report["key_blocks"][10]) == 8
    assert report["layers_until_all_heard"] == 2
    assert report["full_operations"] > report["operations"]
    repeated = client.predict(length=1000, block_size=32, api_name="/pattern")
    assert repeated["counts"][10][0] == 4
    assert repeated["num_repeated"] == 30


def test_the_endpoint_explains_what_is_off_and_is_typed(client):
    with pytest.raises(AppError, match="Length must be a whole number from 1 to 16,384"):
        client.predict(length=0, api_name="/pattern")
    with pytest.raises(AppError, match="must be “reference” or “original”"):
        client.predict(plan="random", api_name="/pattern")
    parameters = client.view_api(return_format="dict")["named_endpoints"]["/pattern"]["parameters"]
    assert {each["parameter_name"] for each in parameters} == {"plan", *(field.name for field in PATTERN_FIELDS)}
    assert all(each["parameter_has_default"] for each in parameters)


def test_without_a_model_the_first_reads_the_text(exploring):
    values = [FIRST.random_blocks, *form_values(FIRST).values()]
    *_, (_, read) = exploring.read(TEXT, None, *values)
    assert read.mass.model == exploring.engine.encoders()[0].name


@pytest.mark.parametrize("model", [5, ["stand-in"], {"a": 1}, "x" * 1_000])
def test_what_is_no_model_is_told_in_words(exploring, model, caplog):
    values = [FIRST.random_blocks, *form_values(FIRST).values()]
    *_, (shown, _) = exploring.read(TEXT, model, *values)
    assert shown["problem"].startswith("There is no model called “")
    assert len(shown["problem"]) < 300
    assert not caplog.records
