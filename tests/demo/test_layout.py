from __future__ import annotations

import re

from demo.endpoints import Endpoint, pattern_report
from demo.examples import examples
from demo.exploring import draw, lay
from demo.handlers import open_document
from demo.layout import ENDPOINTS, build
from demo.looking import Looking
from demo.tabs.events import MODEL_QUEUE
from demo.theme import launch_options, theme


def test_all_model_events_share_one_queue(engine):
    page = build(engine)
    queued = [event for event in page.fns.values() if event.queue and event.fn is not None]
    assert len(queued) >= 2 * 3 + len(ENDPOINTS)
    others = {open_document.__name__, pattern_report.__name__, lay.__name__, Looking.arrive.__name__}
    assert {event.concurrency_id for event in queued if event.fn.__name__ not in others} == {MODEL_QUEUE}


def test_no_choice_is_dropped_while_another_is_followed(engine):
    choices = {"change", "input", "select"}
    events = [event for event in build(engine).fns.values() if choices & {name for _, name in event.targets}]
    assert len(events) >= 2 * 2 + 1
    assert {event.trigger_mode for event in events} == {"always_last"}


def test_a_pattern_is_drawn_by_one_event_alone(engine):
    events = build(engine).fns.values()
    [drawing] = [event for event in events if event.fn is draw]
    assert {drawing} == {event for event in events if set(event.outputs) & set(drawing.outputs)}


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
    for task in ENDPOINTS:
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
