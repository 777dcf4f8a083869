"""What of Gradio's server this page needs, and nothing more: routes it has no use for are closed, and what is posted is
well-formed before Gradio reads it.

So a visitor reads no answer of 500 to what only a broken or hostile program sends, and no reader of a body takes it for
something else than the one before.
"""

from __future__ import annotations

import json
import re
from inspect import signature
from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo import limit_words
from demo.door import UPLOADS, replayed, whole_body
from demo.early_cancel import EarlyCancel

CLOSED = re.compile(
    r"/gradio_api/(?:"
    r"file=https?:|proxy=|"  # would fetch an address for a visitor
    r"process_recording|component_server|stream/|dev/|vibe-|undo-vibe|"  # of widgets and modes that this page lacks
    r"deep_link"  # would write a session to the disk
    r")|/monitoring|/login|/custom_component",
    re.IGNORECASE,
)
EVENTS = re.compile(r"/gradio_api/(?:queue/join|(?P<way>run|api|call|call/v2)/(?P<api_name>[^/]+))/?$")
AT_ONCE = re.compile(r"/gradio_api/(?:run|api)/")  # where an event answers that does not wait
OTHER_BYTES = 65_536  # of an upload beside the file


class Gate:
    """Between the door and Gradio, as ASGI middleware."""

    def __init__(self, app: ASGIApp, demo: gr.Blocks, early_cancel: EarlyCancel, max_file_bytes: int):
        self.app = app
        self.demo = demo
        self.early_cancel = early_cancel
        self.max_upload = max_file_bytes + OTHER_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path, send = scope["path"], careful(send, bool(AT_ONCE.search(scope["path"])))
        if CLOSED.search(path):
            await refused(404, limit_words.NOTHING_THERE)(scope, receive, send)
        elif scope["method"] != "POST":
            await self.app(scope, receive, send)
        elif path.rstrip("/").endswith(UPLOADS):
            await self.upload(scope, receive, send)
        else:
            await self.post(scope, receive, send)

    async def upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One file at a time, whose length is told beforehand."""
        length = Headers(scope=scope).get("content-length", "")
        if not length.isdecimal():
            await refused(411, limit_words.NOT_UNDERSTOOD)(scope, receive, send)
        elif int(length) > self.max_upload:
            await refused(413, limit_words.TOO_MUCH)(scope, receive, send)
        else:
            try:
                await self.app(scope, receive, send)
            except TypeError:  # Gradio's own, for a form in which what should be a file has no name
                await refused(400, limit_words.NOT_UNDERSTOOD)(scope, receive, send)

    async def post(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await whole_body(receive, float("inf"))  # which the door has bounded
        try:
            asked = await self.early_cancel.with_its_event(scope["path"], json.loads(body) if body else {})
            body = well_formed(asked) if body else b""
        except (ValueError, RecursionError):
            await refused(400, limit_words.NOT_UNDERSTOOD)(scope, receive, send)
            return
        if not self.knows(scope["path"], asked):
            await refused(404, limit_words.NOTHING_THERE)(scope, receive, send)
            return
        await self.app(scope, replayed(body, receive), send)

    def knows(self, path: str, asked: Any) -> bool:
        """Whether there is such an event, where one is asked for."""
        event = EVENTS.search(path)
        if event is None or not isinstance(asked, dict):
            return True
        number = asked.get("fn_index")
        if type(number) is int and event["way"] != "call/v2":
            return number in self.demo.fns and self.demo.fns[number].fn is not None
        named = next((each for each in self.demo.fns.values() if each.api_name == event["api_name"]), None)
        return named is not None and (event["way"] != "call/v2" or takes(named, asked))


def takes(endpoint: BlockFunction, named: dict) -> bool:
    """Whether these are names of what it takes, and none is missing."""
    try:
        signature(endpoint.fn).bind(**named)
    except TypeError:
        return False
    return endpoint.api_visibility == "public"


def well_formed(asked: Any) -> bytes:
    """As JSON that every reader takes for the same.

    Raises: ValueError, RecursionError for what JSON has no words for.
    """
    return json.dumps(asked, ensure_ascii=False, allow_nan=False).encode(
        "utf-8", "ignore"
    )  # half characters are left out


def careful(send: Send, at_once: bool) -> Send:
    """Browsers are not to guess what an answer is; and what an event at once refuses, Gradio would call 500."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["X-Content-Type-Options"] = "nosniff"
            if at_once and message["status"] == 500:
                message["status"] = 422
        await send(message)

    return sending


def refused(status: int, says: str) -> JSONResponse:
    return JSONResponse({"detail": says}, status)
