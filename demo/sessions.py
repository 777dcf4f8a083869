"""What is kept for each session: what a visitor's page has changed, and the messages that are still to be read.

A program that names no session begins one with each request, so nothing stays of one whose answer has been read.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any
from weakref import WeakValueDictionary

import gradio as gr
from gradio.queueing import Queue
from gradio.state_holder import SessionState, StateHolder
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

STREAMS = re.compile(r"/gradio_api/(?:queue/data|call/(?:v2/)?[^/]+/(?P<event_id>[^/]+))/?$")


class Sessions(StateHolder):
    """The sessions of one page, each kept from its first change on.

    Those used least recently are forgotten beyond the page's `state_session_capacity`.
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

    def __setitem__(self, key: int, value: Any) -> None:
        super().__setitem__(key, value)
        self.keep(self)


class Streams:
    """ASGI middleware around Gradio's streams of messages.

    Once a program has read its answer, that is forgotten. Gradio itself keeps the messages of its last 2,000 sessions,
    and a word on every other for ever.
    """

    def __init__(self, app: ASGIApp, demo: gr.Blocks):
        self.app = app
        self.demo = demo

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = STREAMS.search(scope["path"]) if scope["type"] == "http" else None
        if stream is None:
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        except RuntimeError as error:
            if not isinstance(error.__cause__, HTTPException):
                raise
            await send({"type": "http.response.body"})  # whom there is nothing for has been told so in the stream
        finally:
            forget_answered(self.demo._queue, stream["event_id"])


def forget_answered(queue: Queue, session_hash: str | None) -> None:
    """Unless a message is still to be read. A program's session, where it names none, has the name of its event."""
    if not queue.pending_event_ids_session.get(session_hash):
        queue.pending_event_ids_session.pop(session_hash, None)
        queue.pending_messages_per_session.pop(session_hash, None)
