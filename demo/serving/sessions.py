"""What is kept for each session: what a visitor's page has changed, and the messages that are still to be read.

A program that names no session begins one with each request, so nothing stays of one whose answer has been read.

What a page looks back with is heavy, megabytes of it, and Gradio keeps it for an hour after the page was closed. So all
of it together has so much room; beyond, the page that was used least recently is told to run again.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, NoReturn
from weakref import WeakValueDictionary

import gradio as gr
from gradio.blocks import Block
from gradio.queueing import Queue
from gradio.state_holder import SessionState, StateHolder
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from demo import limit_words
from demo.serving.unread import Unread
from demo.serving.weights import of_state
from seq2seq.tasks import InputError

MOST_BYTES = 512 * 2**20  # of what all sessions have changed
LIGHT = 2**10  # bytes of what stays in any case, such as a choice
LIGHT_WIDGET = 2**16  # of one that stays in any case, such as a list of heads
STREAMS = re.compile(r"/gradio_api/(?:queue/data|call/(?:v2/)?[^/]+/(?P<event_id>[^/]+))/?$")


class Sessions(StateHolder):
    """The sessions of one page, each kept from its first change on.

    Those used least recently are forgotten beyond the page's `state_session_capacity`, and what is heavy of them
    beyond MOST_BYTES.
    """

    def __init__(self, blocks: gr.Blocks):
        super().__init__()
        self.set_blocks(blocks)
        self.unchanged: WeakValueDictionary[str, Session] = WeakValueDictionary()  # in use by an event

    def __getitem__(self, session_hash: str) -> SessionState:
        if session_hash in self.session_data:
            return super().__getitem__(session_hash)
        session = self.unchanged.get(session_hash)
        if session is None:
            session = self.unchanged[session_hash] = Session(self.blocks, partial(self.keep, session_hash))
        return session

    def keep(self, session_hash: str, session: Session) -> None:
        self.session_data[session_hash] = session
        self.update(session_hash)
        self.make_room(session)

    def make_room(self, newest: Session) -> None:
        excess = sum(each.num_bytes for each in self.session_data.values()) - MOST_BYTES
        if excess <= 0:
            return
        for session in tuple(self.session_data.values()):
            if session is not newest and session.num_bytes:
                excess -= session.lighten()
                if excess <= 0:
                    return

    def delete_state(self, session_id: str, expired_only: bool = False) -> None:
        """Gradio's own, which looks through all sessions each second."""
        session = self.session_data.get(session_id)
        kept = len(session.state_data) if session else 0
        super().delete_state(session_id, expired_only)
        if session and len(session.state_data) < kept:
            session.weigh()


class Session(SessionState):
    """What one visitor's page has changed, over what is everybody's.

    Gradio's own begins with a copy of every widget's configuration, for deep links of its kind, which are not used
    here: 0.7 MB and half of a busy server's time.
    """

    def __init__(self, blocks: gr.Blocks, keep: Callable[[Session], None]):
        shared = blocks.default_config
        super().__init__(SimpleNamespace(default_config=shared, blocks=()))  # of no widget a configuration
        self.blocks_config.blocks = ChainMap({}, shared.blocks)
        self.blocks_config.fns = shared.fns
        self.blocks_config.config_for_block = lambda *_: {}
        self.keep = keep
        self.num_bytes = 0  # of what is heavy
        self.heavy_widgets: dict[int, int] = {}  # key: bytes

    def __setitem__(self, key: int, value: Any) -> None:
        is_known = key in self.state_data and self.state_data[key] is value
        super().__setitem__(key, value)
        if key in self.changed_widgets:
            self.heavy_widgets.pop(key, None)
            weight = of_state(value.constructor_args)
            if weight > LIGHT_WIDGET:
                self.heavy_widgets[key] = weight
        if not is_known:
            self.weigh()
        self.keep(self)

    @property
    def changed_widgets(self) -> dict[int, Block]:
        return self.blocks_config.blocks.maps[0]

    def weigh(self) -> None:
        known: set[int] = set()
        sizes = [of_state(value, known) for value in self.state_data.values()]
        self.num_bytes = sum(size for size in sizes if size > LIGHT) + sum(self.heavy_widgets.values())

    def lighten(self) -> int:
        """Lose what is heavy, and of widgets what they were changed to; how many bytes that were."""
        for key, value in self.state_data.items():
            if of_state(value) > LIGHT:
                self.state_data[key] = Lost()
        for key in self.heavy_widgets:
            del self.changed_widgets[key]
        self.heavy_widgets.clear()
        lost, self.num_bytes = self.num_bytes, 0
        return lost


class Lost:
    """In the place of what a session has lost: whoever looks into it is told so."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise InputError(limit_words.FORGOTTEN)

    def __iter__(self) -> NoReturn:
        raise InputError(limit_words.FORGOTTEN)


class Streams:
    """ASGI middleware around Gradio's streams of messages.

    Once a program has read its answers, they are forgotten. Gradio itself keeps a word on every session for ever.
    """

    def __init__(self, app: ASGIApp, demo: gr.Blocks):
        self.app = app
        self.queue = demo._queue
        self.unread = demo._queue.pending_messages_per_session = Unread(demo._queue)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = STREAMS.search(scope["path"]) if scope["type"] == "http" else None
        if stream is None:
            await self.app(scope, receive, send)
            return
        event_id, asked = stream["event_id"], Request(scope).query_params
        session = session_of(self.queue, event_id) if event_id else asked.get("session_hash", "")
        try:
            with self.unread.heard(session):
                await self.app(scope, receive, send)
        except RuntimeError as error:
            if not isinstance(error.__cause__, HTTPException):
                raise
            await send({"type": "http.response.body"})  # whom there is nothing for has been told so in the stream
        finally:
            self.unread.forget_abandoned(session)
            if event_id:
                self.unread.forget_answered(session)


def session_of(queue: Queue, event_id: str) -> str:
    """A program's session, where it names none, has the name of its event."""
    return next((each for each, events in queue.pending_event_ids_session.items() if event_id in events), event_id)
