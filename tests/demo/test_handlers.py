from __future__ import annotations

import logging

import gradio as gr
import pytest

from demo import wording
from demo.handlers import MEAN_HEAD, Handlers, begin, end, explain, redraw, result
from demo.setting_fields import FIELDS
from seq2seq.tasks import InputError

EMPTY = [""] * len(FIELDS)


@pytest.fixture
def handlers(engine) -> Handlers:
    return Handlers(engine)


def test_a_run_grows_and_ends_with_what_the_pictures_need(handlers):
    shown = list(handlers.generate("fuse", "Ada wrote. She wrote notes.", None, False, *EMPTY))
    texts = [view["text"] for view, _ in shown]
    assert all(later.startswith(earlier) for earlier, later in zip(texts, texts[1:], strict=False))
    assert [run for _, run in shown[:-1]] == [None] * (len(shown) - 1)
    view, run = shown[-1]
    assert (run.task, run.model, run.source_text) == ("fuse", "stand-in", "Ada wrote. She wrote notes.")
    assert len(run.target_ids) == len(shown)
    assert not view["running"]
    assert view["notes"][0].startswith(f"{len(shown)} tokens in ")


def test_what_was_not_read_is_said(handlers):
    *_, (view, _) = handlers.generate("summarize", "word " * 600, None, False, *EMPTY)
    assert view["notes"][1] == "The last 88 tokens of your text did not fit and were not read."


@pytest.mark.parametrize("text", ["", " \n", None])
def test_nothing_to_work_on_is_a_notice_not_a_failure(handlers, text):
    [(view, run)] = handlers.generate("fuse", text, None, False, *EMPTY)
    assert view["problem"] == "Please write or paste some text first."
    assert run is None


def test_what_nobody_foresaw_is_logged_and_kept_from_the_visitor(handlers, caplog):
    with caplog.at_level(logging.ERROR):
        [(view, _)] = handlers.generate("fuse", "explode", None, False, *EMPTY)
    assert view["problem"] == wording.APOLOGY
    assert "the secret inside" in caplog.text
    assert "Traceback" in caplog.text


def test_closing_the_generator_stops_the_engine(handlers, engine):
    running = handlers.generate("fuse", "Ada wrote. She wrote notes.", None, False, *EMPTY)
    next(running)
    next(running)
    running.close()
    assert engine.steps == 2


def test_a_bad_setting_is_named(handlers):
    [(view, _)] = handlers.generate("fuse", "Ada.", None, False, "many", *EMPTY[1:])
    assert view["problem"] == "Beams must be a whole number from 1 to 16; it is “many”."


def test_only_a_layer_asks_the_engine(handlers, engine):
    *_, (_, run) = handlers.generate("fuse", "Ada wrote. She wrote notes.", None, False, *EMPTY)
    visible, layer, head, record, *_ = handlers.first_look(run, "words")
    assert visible["visible"]
    assert engine.looks == [layer["value"]]
    assert len(layer["choices"]) == 6
    assert len(head["choices"]) == 13
    redraw(record, 3, "tokens")
    redraw(record, MEAN_HEAD, "words")
    assert len(engine.looks) == 1
    handlers.look(run, 0, MEAN_HEAD, "words")
    assert engine.looks[1:] == [0]


def test_no_run_hides_the_pictures(handlers, engine):
    visible, *_, record, view, _, table = handlers.first_look(None, "words")
    assert not visible["visible"]
    assert (record, view, table) == (None, {}, "")
    assert engine.looks == []


def test_an_error_behind_a_picture_reaches_the_page_as_a_plain_notice(handlers, engine, monkeypatch):
    def fail(*_):
        raise InputError("Not <b>that</b>.")

    *_, (_, run) = handlers.generate("fuse", "Ada wrote.", None, False, *EMPTY)
    monkeypatch.setattr(engine, "attention", fail)
    with pytest.raises(gr.Error) as raised:
        handlers.look(run, 0, MEAN_HEAD, "words")
    assert raised.value.message == "Not &lt;b&gt;that&lt;/b&gt;."


def test_the_count_says_when_a_text_is_cut(handlers):
    assert handlers.count("fuse", "one two three", None) == "3 of 512 tokens"
    assert "the last 88 will be left out" in handlers.count("fuse", "word " * 600, None)
    assert handlers.count("fuse", " ", None) == wording.KEYS_HINT


def test_a_model_is_kept_where_the_next_task_has_it(handlers):
    assert handlers.model_options("split", "stand-in-2")["value"] == "stand-in-2"
    assert handlers.model_options("split", "gone")["value"] == "stand-in"


def test_only_what_the_host_offers_can_be_asked_for(handlers):
    [(view, run)] = handlers.generate("fuse", "Ada wrote.", "someone/else", False, *EMPTY)
    assert view["problem"].startswith("There is no model called “someone/else” here. Choose one of: stand-in,")
    assert run is None


def test_buttons_and_result_follow_the_run():
    run, cancel, shown, finished, frame = begin("fuse")
    assert (run["interactive"], cancel["interactive"]) == (False, True)
    assert shown["running"]
    assert finished is None
    assert not frame["visible"]
    half = result("fuse", "Half a", running=True)
    run, cancel, shown = end(half)
    assert (run["interactive"], cancel["interactive"]) == (True, False)
    assert (shown["text"], shown["running"], shown["notes"]) == ("Half a", False, [wording.STOPPED])


def test_a_finished_result_stays_as_it_is():
    whole = result("fuse", "A whole one.", notes=["4 tokens"])
    assert end(whole)[2] == whole


def test_only_errors_meant_for_visitors_are_told():
    assert explain(InputError("Too short.")) == "Too short."
    assert explain(ValueError("shape mismatch")) == wording.APOLOGY
