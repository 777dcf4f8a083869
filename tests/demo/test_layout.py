from __future__ import annotations

import re

import gradio as gr
import pytest

from demo import wording
from demo.arriving import Arriving
from demo.endpoints import Endpoint
from demo.examples import examples
from demo.exploring import draw, lay
from demo.handlers import open_document
from demo.layout import build
from demo.looking import Looking
from demo.tabs.events import MODEL_QUEUE, PATTERN_QUEUE
from demo.theme import launch_options, theme
from seq2seq.tasks import TASKS


def test_all_model_events_share_one_queue(engine):
    page = build(engine)
    queued = [event for event in page.fns.values() if event.queue and event.fn is not None]
    assert len(queued) >= 2 * 3 + len(TASKS)
    others = {each.__name__ for each in (open_document, lay, Looking.arrive, Looking.take, Arriving.arrive)}
    others |= {"pattern", "models"}  # endpoints that need no model
    assert {event.concurrency_id for event in queued if event.fn.__name__ not in others} == {MODEL_QUEUE}


@pytest.mark.parametrize(
    ("skills", "tabs", "asked"),
    [
        (["summarize"], ["summarize", "attention"], ["summarize"]),
        (["fuse", "split"], ["fuse", "attention"], ["fuse", "split"]),
        (["split", "summarize"], ["summarize", "attention"], ["split", "summarize"]),
        (["answer"], ["answer"], None),
    ],
)
def test_a_host_with_models_for_only_some_tasks_has_the_tabs_for_those(engine, monkeypatch, skills, tabs, asked):
    able, every = engine.models, engine.encoders()
    monkeypatch.setattr(engine, "models", lambda task: able(task) if task in skills else ())
    monkeypatch.setattr(engine, "encoders", lambda: every)
    blocks = build(engine).blocks.values()
    [frame] = [block for block in blocks if isinstance(block, gr.Tabs) and "explorer" not in block.elem_classes]
    assert [tab.id for tab in frame.children] == [*tabs, "pattern", "models"]
    for tab in frame.children:
        if tab.id == "attention":
            [task, *_] = [block for block in blocks if isinstance(block, gr.Radio) and is_within(block, tab)]
            assert ([value for _, value in task.choices], task.value) == (asked, asked[0])


def is_within(block: gr.blocks.Block | None, frame: gr.blocks.Block) -> bool:
    return block is frame or (block is not None and is_within(block.parent, frame))


def test_patterns_for_programs_are_made_one_at_a_time(engine):
    [event] = [event for event in build(engine).fns.values() if event.concurrency_id == PATTERN_QUEUE]
    assert event.concurrency_limit == 1


def test_no_choice_is_dropped_while_another_is_followed(engine):
    choices = {"change", "input", "select"}
    events = [event for event in build(engine).fns.values() if choices & {name for _, name in event.targets}]
    assert len(events) >= 2 * 2 + 1
    assert {event.trigger_mode for event in events} == {"always_last"}


def test_a_pattern_is_drawn_by_one_event_alone(engine):
    events = build(engine).fns.values()
    [drawing] = [event for event in events if event.fn is draw]
    assert {drawing} == {event for event in events if set(event.outputs) & set(drawing.outputs)}


def test_tabs_hold_tabs_alone(engine):
    """Whatever else stands in them, a gr.State too, shifts their numbers, and an opened tab appears twice."""
    frames = [block for block in build(engine).blocks.values() if isinstance(block, gr.Tabs)]
    assert len(frames) == 2
    assert {type(child) for frame in frames for child in frame.children} == {gr.Tab}


def test_progress_is_kept_only_where_it_shows(engine):
    """Gradio's page copies what is kept, and of a frame all that it holds, at every sign of progress of any event."""
    page = [event for event in build(engine).fns.values() if event.fn and event.api_visibility == "private"]
    events = [event for event in page if "gradio" not in event.fn.__module__]
    targets = {event: event.outputs if event.show_progress_on is None else event.show_progress_on for event in events}
    hidden = [event for event in events if event.show_progress == "hidden"]
    assert len(hidden) >= 30
    assert all(targets[event] == [] for event in hidden)
    kept = {block for event in events for block in targets[event]}
    assert len(kept) >= 10
    assert not [block for block in kept if isinstance(block, gr.State) or getattr(block, "children", None)]


def test_a_model_that_another_task_left_there_is_no_error(engine):
    """What follows a choice, and no press, may be told of the new task before its models are there."""
    page = build(engine)
    chosen_together = [
        event
        for event in page.fns.values()
        if {wording.TASK_LABEL, wording.MODEL_LABEL} <= {getattr(block, "label", None) for block in event.inputs}
        and event.fn
    ]
    followed = [event for event in chosen_together if not {name for _, name in event.targets} & {"click", "then"}]
    assert len(followed) >= 5
    assert not [event.name for event in followed if event.preprocess]


def test_nothing_is_reported_to_anyone(engine):
    assert build(engine).analytics_enabled is False
    assert launch_options()["run_history"] is False
    assert launch_options()["enable_monitoring"] is False


def test_the_theme_fetches_nothing():
    assert theme()._stylesheets == []
    assert not re.search(r"@import|url\(.?http", theme()._get_theme_css())
    for path in launch_options()["css_paths"]:
        assert not re.search(r"@import|url\(", path.read_text())


def test_each_task_has_examples():
    for task in TASKS:
        texts = examples(task)
        assert len(texts) >= 4
        assert all(len(text.split()) > 10 for text in texts.values())


def test_an_endpoint_passes_its_settings_on(monkeypatch, engine):
    seen = []
    monkeypatch.setattr(engine, "run", lambda *arguments: seen.append(arguments) or iter(()))
    list(Endpoint(engine, "split").stream("Ada.", model="stand-in", top_p=0.5, seed=7))
    task, text, model, settings = seen[0]
    assert (task, text, model, settings.top_p, settings.seed, settings.num_beams) == (
        "split",
        "Ada.",
        "stand-in",
        0.5,
        7,
        None,
    )
