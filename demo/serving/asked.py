"""Which of the page's events a request asks for, as Gradio finds it: by its number, or by its name; and for whom."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction

NAME = r"[\w.-]{1,64}"  # of an endpoint, an event or a session; longer than any that a page or a client draws
NAMED = ("session_hash", "event_id")
EVENTS = re.compile(r"/gradio_api/(?:(?P<numbered>queue/join)|(?P<way>run|api|call|call/v2)/(?P<api_name>[^/]+))/?$")
NUMBERED = ("run", "api")  # ways on which Gradio goes by an event's number, if there is one, and not its name


def names_plainly(asked: Mapping) -> bool:
    """Whether each session and event that is named could be one. Gradio keeps these names, and splits them at signs of
    its own: one with such a sign in it would end all cancelling, whoever cancels.
    """
    names = [asked.get(each) for each in NAMED]
    return all(name is None or isinstance(name, str) and re.fullmatch(NAME, name, re.ASCII) for name in names)


def asks_for_event(path: str) -> bool:
    return bool(EVENTS.search(path))


def way_of(path: str) -> str | None:
    """run, api, call or call/v2; None for the queue, and for what asks for no event."""
    event = EVENTS.search(path)
    return event and event["way"]


def event_asked(demo: gr.Blocks, path: str, asked: Any) -> BlockFunction | None:
    """None, if there is no such event, or none is asked for."""
    event = EVENTS.search(path)
    if event is None or not isinstance(asked, dict):
        return None
    number = asked.get("fn_index")
    if event["numbered"] or event["way"] in NUMBERED and type(number) is int:
        return demo.fns.get(number) if type(number) is int else None
    return next((each for each in demo.fns.values() if each.api_name == event["api_name"]), None)
