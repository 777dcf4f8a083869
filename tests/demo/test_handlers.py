from __future__ import annotations

import json
import logging
from dataclasses import replace

import gradio as gr
import numpy as np
import pytest

from components.links_table import links_table
from components.packing import NO_VIEW
from demo import wording
from demo.answering import Answering
from demo.handlers import (
    MEAN_HEAD,
    Handlers,
    begin,
    begin_shorter,
    end,
    explain,
    model_options,
    no_provenance,
    open_document,
    redraw,
    result,
    selected,
)
from demo.looking import Looking
from demo.setting_fields import FIELDS
from seq2seq.engine import View
from seq2seq.tasks import Generated, InputError, Section
from tests.demo.stand_in import OUTPUTS
from tests.documents import pdf, word_file

EMPTY = [""] * len(FIELDS)
LONG = "Rain fell again. " * 325  # 1,300 of the stand-in's tokens


@pytest.fixture
def handlers(engine) -> Handlers:
    return Handlers(engine)


def test_a_run_grows_and_ends_with_what_the_pictures_need(handlers):
    shown = list(handlers.generate("fuse", "Ada wrote. She wrote notes.", None, "automatic", False, *EMPTY))
    texts = [view["text"] for view, _ in shown]
    assert all(later.startswith(earlier) for earlier, later in zip(texts, texts[1:], strict=False))
    assert [run for _, run in shown[:-1]] == [None] * (len(shown) - 1)
    view, run = shown[-1]
    [section] = run.sections
    assert (run.task, run.model, section.source_text) == ("fuse", "stand-in", "Ada wrote. She wrote notes.")
    assert len(section.target_ids) == len(shown)
    assert not view["running"]
    assert view["progress"] is None
    assert view["notes"][0].startswith(f"{len(shown)} tokens in ")


def test_words_that_the_text_does_not_have_are_marked_when_it_is_finished(handlers):
    text = "The old harbour bridge in Skarvik was closed. Engineers found cracks on 4 March."
    *growing, (view, _) = handlers.generate("fuse", text, None, "automatic", False, *EMPTY)
    assert all(each["pieces"] == [] for each, _ in growing)
    assert "".join(known + word for known, word in view["pieces"]) == view["text"] == OUTPUTS["fuse"]
    assert [word for _, word in view["pieces"]] == ["3", ""]
    assert view["notes"][-1].startswith("Not in your text, so check them: “")


def test_a_text_that_says_only_what_its_source_does_has_no_mark(handlers):
    *_, (view, _) = handlers.generate("fuse", "An echo, heard twice.", None, "automatic", False, *EMPTY)
    assert view["pieces"] == [[view["text"], ""]]
    assert len(view["notes"]) == 1


def test_what_was_not_read_is_said(handlers):
    *_, (view, _) = handlers.generate("fuse", "word " * 600, None, "automatic", False, *EMPTY)
    assert view["notes"][1] == "The last 88 tokens of your text did not fit and were not read."


def test_a_quoted_summary_says_so():
    section = Section("Ada wrote. She left.", "Ada wrote.", (1, 2, 3), 9, 0, 0.25, quoted=True)
    notes = wording.finished(Generated((section,), 1, finished=True))
    assert notes == ["Sentences of your text, chosen from 9 tokens in 0.2 s"]


def test_no_time_is_too_short_to_be_told():
    section = Section("Ada wrote. She left.", "Ada wrote.", (1, 2, 3), 9, 0, 0.004, quoted=True)
    notes = wording.finished(Generated((section,), 1, finished=True))
    assert notes == ["Sentences of your text, chosen from 9 tokens in <0.1 s"]


def test_the_wording_that_was_chosen_reaches_the_engine(handlers, engine, monkeypatch):
    asked = []
    monkeypatch.setattr(engine, "run", lambda task, text, model, settings: asked.append(settings.wording) or iter(()))
    for told in ("automatic", "own", "quoted"):
        list(handlers.generate("summarize", LONG, None, told, False, *EMPTY))
    assert asked == [None, "own", "quoted"]


def test_a_quoted_section_counts_as_soon_as_it_is_shown(handlers, engine, monkeypatch):
    one = Section("Ada wrote.", "Ada wrote.", (1, 2, 3), 9, 0, 2.0, quoted=True)
    snapshots = [Generated((one,) * count, 3, finished=count == 3) for count in (1, 2, 3)]
    monkeypatch.setattr(engine, "run", lambda *_: iter(snapshots))
    shown = [view for view, _ in handlers.generate("summarize", LONG, None, "quoted", False, *EMPTY)]
    assert [view["progress"]["done"] for view in shown] == [1, 2, 3]
    assert shown[0]["progress"]["says"] == "Section 2 of 3, about 5 s left"
    assert shown[0]["notes"] == ["Choosing sentences…"]
    *_, stopped = end(shown[0])
    assert stopped["progress"]["says"] == "Stopped after 1 of 3 sections"
    assert shown[-1]["pieces"] == [[shown[-1]["text"], ""]]


def test_words_that_a_long_summary_made_up_stay_marked_when_it_is_summarized_again(handlers):
    *_, (long, _) = handlers.generate("summarize", LONG, None, "automatic", False, *EMPTY)
    novel = [word for _, word in long["pieces"] if word]
    assert novel
    *_, fresh, _, _ = begin_shorter("summarize", long)
    *_, (view, _) = handlers.shorten("summarize", fresh, None, "automatic", False, *EMPTY)
    assert {word for _, word in view["pieces"] if word} == set(novel)


def test_a_picture_that_was_asked_for_before_another_run_began_is_left_out(handlers, engine):
    assert handlers.look(None, 0, 0, 4) == (None, 5)
    view, _, table = redraw(None, None, MEAN_HEAD, "words")
    assert (view, table) == (NO_VIEW, "")
    assert engine.looks == []


def test_a_long_summary_shows_how_far_it_is_and_keeps_all_that_the_pictures_need(handlers):
    shown = list(handlers.generate("summarize", LONG, None, "automatic", False, *EMPTY))
    progress = [view["progress"] for view, _ in shown]
    assert [each["done"] for each in progress] == sorted(each["done"] for each in progress)
    assert {(each["done"], each["of"]) for each in progress} == {(done, 3) for done in range(4)}
    assert progress[0]["says"] == "Section 1 of 3"
    assert progress[-2]["says"].startswith("Section 3 of 3, about ")
    view, run = shown[-1]
    assert view["text"] == "\n\n".join([OUTPUTS["summarize"]] * 3)
    assert view["progress"]["says"] == "Summarized in 3 sections, a paragraph for each"
    assert "".join(section.source_text for section in run.sections) == LONG


def test_a_long_summary_that_is_stopped_keeps_what_was_written(handlers):
    running = handlers.generate("summarize", LONG, None, "automatic", False, *EMPTY)
    half = next(view for view, _ in running if view["progress"]["done"] == 1)
    running.close()
    *_, stopped = end(half)
    assert stopped["text"].startswith(OUTPUTS["summarize"] + "\n\n")
    assert stopped["progress"]["says"] == "Stopped after 1 of 3 sections"
    assert (stopped["notes"], stopped["running"]) == ([wording.STOPPED], False)


def test_a_long_summary_can_be_summarized_again_and_is_kept(handlers):
    *_, (long, _) = handlers.generate("summarize", LONG, None, "automatic", False, *EMPTY)
    run, cancel, fresh, finished, frame = begin_shorter("summarize", long)
    assert (fresh["text"], fresh["longer"], fresh["running"]) == ("", long["text"], True)
    assert (run, cancel, finished, frame) == (*begin("summarize")[:2], *begin("summarize")[3:])
    shown = list(handlers.shorten("summarize", fresh, None, "automatic", False, *EMPTY))
    assert {view["longer"] for view, _ in shown} == {long["text"]}
    view, run = shown[-1]
    assert view["text"] == OUTPUTS["summarize"]
    assert [section.source_text for section in run.sections] == [long["text"]]


def test_each_section_of_a_long_summary_can_be_looked_at(handlers):
    *_, (_, run) = handlers.generate("summarize", LONG, None, "automatic", False, *EMPTY)
    frame, _, section, layer, *_ = handlers.first_look(run, "words")
    assert (frame["visible"], section["visible"], section["value"]) == (True, True, 0)
    assert [label[:8] for label, _ in section["choices"]] == ["1 of 3 ·", "2 of 3 ·", "3 of 3 ·"]
    for _, number in section["choices"]:
        record, looks = handlers.look(run, number, layer["value"], number)
        assert looks == number + 1
        assert record.source_text == run.sections[number].source_text


@pytest.mark.parametrize("text", ["", " \n", None])
def test_nothing_to_work_on_is_a_notice_not_a_failure(handlers, text):
    [(view, run)] = handlers.generate("fuse", text, None, "automatic", False, *EMPTY)
    assert view["problem"] == "Please write or paste some text first."
    assert run is None


def test_what_nobody_foresaw_is_logged_and_kept_from_the_visitor(handlers, caplog):
    with caplog.at_level(logging.ERROR):
        [(view, _)] = handlers.generate("fuse", "explode", None, "automatic", False, *EMPTY)
    assert view["problem"] == wording.APOLOGY
    assert "the secret inside" in caplog.text
    assert "Traceback" in caplog.text


def test_closing_the_generator_stops_the_engine(handlers, engine):
    running = handlers.generate("fuse", "Ada wrote. She wrote notes.", None, "automatic", False, *EMPTY)
    next(running)
    next(running)
    running.close()
    assert engine.steps == 2


def test_a_bad_setting_is_named(handlers):
    [(view, _)] = handlers.generate("fuse", "Ada.", None, "automatic", False, "many", *EMPTY[1:])
    assert view["problem"] == "Beams must be a whole number from 1 to 16; it is “many”."


def test_only_a_layer_asks_the_engine(handlers, engine):
    *_, (_, run) = handlers.generate("fuse", "Ada wrote. She wrote notes.", None, "automatic", False, *EMPTY)
    visible, title, section, layer, head, record, *_ = handlers.first_look(run, "words")
    assert visible["visible"]
    assert title == wording.attention_head(quoted=False)
    assert not section["visible"]
    assert engine.looks == [layer["value"]]
    assert len(layer["choices"]) == 6
    assert len(head["choices"]) == 13
    redraw(run, record, 3, "tokens")
    view, *_ = redraw(run, record, MEAN_HEAD, "words")
    assert json.loads(view)["sides"] == "cross"
    assert len(engine.looks) == 1
    handlers.look(run, 0, 0, 0)
    assert engine.looks[1:] == [0]


def test_the_pictures_of_a_quoted_run_say_so(handlers):
    *_, (_, run) = handlers.generate("fuse", "Ada wrote. She wrote notes.", None, "automatic", False, *EMPTY)
    quoted = replace(run, sections=(replace(run.sections[0], quoted=True),))
    _, title, _, _, _, _, view, *_ = handlers.first_look(quoted, "words")
    assert title == wording.attention_head(quoted=True)
    assert json.loads(view)["sides"] == "quoted"


def test_no_run_hides_the_pictures(handlers, engine):
    visible, *_, record, view, _, table = handlers.first_look(None, "words")
    assert not visible["visible"]
    assert (record, view, table) == (None, NO_VIEW, "")
    assert engine.looks == []


def finished_summary(handlers, text):
    *_, (_, run) = handlers.generate("summarize", text, None, "automatic", False, *EMPTY)
    return run


def test_where_a_summary_comes_from_is_shown_section_by_section(handlers):
    run = finished_summary(handlers, LONG)
    shown = list(handlers.provenance(run))
    assert all(frame["visible"] for frame, _ in shown)
    views = [json.loads(view) for _, view in shown]
    assert [len(view["sections"]) for view in views] == [0, 1, 2, 3]
    assert [view["running"] for view in views] == [
        *(f"Looking for the sources, section {number} of 3…" for number in (1, 2, 3)),
        "",
    ]
    assert [view["says"] for view in views] == ["", *[wording.PROVENANCE_NOTES["ablation"]] * 3]
    text = "".join(before + words for section in views[-1]["sections"] for before, words in section["source"])
    assert "".join(text.split()) == "".join(LONG.split())


def test_how_it_was_found_follows_what_was_quoted_in_each_section(handlers):
    run = finished_summary(handlers, LONG)
    first, *others = run.sections
    mixed = replace(run, sections=(replace(first, quoted=True), *others))
    *_, (_, view) = handlers.provenance(mixed)
    assert json.loads(view)["says"] == f"{wording.PROVENANCE_NOTES['quoted']} {wording.PROVENANCE_NOTES['ablation']}"


def test_a_text_of_one_section_has_no_count_of_them(handlers):
    run = finished_summary(handlers, "Rain fell. The river rose.")
    first, last = (json.loads(view) for _, view in handlers.provenance(run))
    assert (first["running"], last["running"]) == ("Looking for the sources…", "")
    assert len(last["sections"]) == 1


def test_whoever_leaves_stops_the_looking(handlers, engine):
    looking = handlers.provenance(finished_summary(handlers, LONG))
    next(looking)
    next(looking)
    before = engine.steps
    looking.close()
    assert engine.steps == before


def test_without_a_run_nothing_is_said_to_come_from_anywhere(handlers, engine):
    assert list(handlers.provenance(None)) == [no_provenance()]
    frame, view = no_provenance()
    assert (frame["visible"], view, engine.steps) == (False, NO_VIEW, 0)


def test_what_goes_wrong_on_the_way_is_told_beside_what_was_found(handlers, caplog):
    run = finished_summary(handlers, LONG)
    broken = replace(run, sections=(run.sections[0], replace(run.sections[1], source_text="Please explode.")))
    *_, (frame, view) = handlers.provenance(broken)
    assert frame["visible"]
    view = json.loads(view)
    assert (len(view["sections"]), view["running"], view["problem"]) == (1, "", wording.APOLOGY)
    assert "the secret inside" in caplog.text


def test_an_error_behind_a_picture_reaches_the_page_as_a_plain_notice(handlers, engine, monkeypatch):
    def fail(*_):
        raise InputError("Not <b>that</b>.")

    *_, (_, run) = handlers.generate("fuse", "Ada wrote.", None, "automatic", False, *EMPTY)
    monkeypatch.setattr(engine, "attention", fail)
    with pytest.raises(gr.Error) as raised:
        handlers.look(run, 0, 0, 0)
    assert raised.value.message == "Not &lt;b&gt;that&lt;/b&gt;."


def test_what_a_model_is_not_for_is_not_counted(handlers):
    assert handlers.count("fuse", "Ada wrote.", "no-such-model") == wording.KEYS_HINT


def test_the_count_says_when_a_text_is_cut(handlers):
    assert handlers.count("fuse", "one two three", None) == "3 of 512 tokens"
    assert "the last 88 will be left out" in handlers.count("fuse", "word " * 600, None)
    assert "Stand-in, longer reads 2,048." in handlers.count("fuse", "word " * 600, None)
    assert handlers.count("summarize", LONG, None) == (
        "**1,300 tokens.** Stand-in reads 512 at a time, so your text will be summarized in 3 sections. "
        "Stand-in, longer reads 2,048."
    )
    assert handlers.count("fuse", " ", None) == wording.KEYS_HINT


def test_a_model_is_kept_where_the_next_task_has_it(handlers):
    assert model_options(handlers.engine, "split", "stand-in-2")["value"] == "stand-in-2"
    assert model_options(handlers.engine, "split", "gone")["value"] == "stand-in"


def test_only_what_the_host_offers_can_be_asked_for(handlers):
    [(view, run)] = handlers.generate("fuse", "Ada wrote.", "someone/else", "automatic", False, *EMPTY)
    assert view["problem"].startswith("There is no model called “someone/else” here. Choose one of: stand-in,")
    assert run is None


def test_the_choice_of_a_model_says_how_much_it_reads(handlers):
    labels = [label for label, _ in model_options(handlers.engine, "summarize")["choices"]]
    assert labels == ["Stand-in · reads 512 tokens", "Stand-in, longer · reads 2,048 tokens"]


@pytest.mark.parametrize("data", [pdf("Ada wrote."), word_file()], ids=["pdf", "docx"])
def test_an_uploaded_file_is_read_and_not_kept(tmp_path, data):
    path = tmp_path / "upload"
    path.write_bytes(data)
    assert open_document(str(path)) == "Ada wrote."
    assert not path.exists()


def test_an_uploaded_file_that_cannot_be_read_is_not_kept_either(tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(b"\0")
    with pytest.raises(gr.Error, match="not a text"):
        open_document(str(path))
    assert not path.exists()


def test_a_file_that_is_not_read_to_its_end_is_told(tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(b"word " * 300_000)
    with pytest.warns(UserWarning, match="Its first 1,000,000 characters were taken"):
        open_document(str(path))


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.0, "5 s"), (12.0, "15 s"), (59.9, "60 s"), (61.0, "2 min"), (4000.0, "67 min")]
)
def test_the_time_left_is_rounded_up(seconds, said):
    sections = (Section("", "", (), 0, 0, seconds), Section("", "", (), 0, 0, 0.0))
    assert wording.progress(Generated(sections, 2)) == f"Section 2 of 2, about {said} left"


def test_buttons_and_result_follow_the_run():
    run, cancel, shown, finished, frame = begin("fuse")
    assert (run["interactive"], cancel) == (False, gr.skip())
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


@pytest.mark.parametrize("unit", ["words", "tokens", "everything"])
def test_what_is_kept_of_a_record_is_half_as_large_and_looks_the_same(handlers, engine, unit):
    *_, (_, run) = handlers.generate("fuse", "Ada wrote. She wrote notes. " * 20, None, "automatic", False, *EMPTY)
    whole, kept = engine.attention(run.written(0), View("cross", 5)), handlers.first_look(run, unit)[5]
    assert kept.weights.nbytes * 2 == whole.weights.nbytes
    one, other = selected(whole, unit), selected(kept, unit)
    assert other.weights.dtype == np.float32
    assert np.abs(one.weights - other.weights).max() < 0.0005
    assert links_table(other, None) == links_table(one, None)
    assert (one.targets, one.sources) == (other.targets, other.sources)


@pytest.mark.parametrize("odd", [True, 1.5, [1], {"a": 1}])
def test_what_is_sent_in_place_of_a_text_is_not_counted(handlers, odd, caplog):
    assert handlers.count("fuse", odd, None) == wording.KEYS_HINT
    assert Answering(handlers.engine).count(odd, None) == wording.KEYS_HINT
    Looking(handlers.engine).read_ahead("fuse", odd, None)
    assert handlers.choose_task("fuse", odd)[2]["value"] == handlers.engine.card("fuse").name
    assert not caplog.records
