"""What of Gradio's server this page needs, and nothing more: all other routes are closed, and what is posted is
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
import httpx
from gradio.block_function import BlockFunction
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo import limit_words
from demo.serving.asked import NAME, asks_for_event, event_asked, names_plainly, way_of
from demo.serving.bodies import ASKED, UPLOADS, replayed
from demo.serving.connections import refused
from demo.serving.door import waits
from demo.serving.early_cancel import EarlyCancel
from demo.serving.pages import path_of
from demo.serving.tools import MESSAGES, can_be_answered

OPEN = re.compile(
    r"(?:/(?:config|theme\.css|favicon\.ico|robots\.txt|manifest\.json|healthz|readyz|metrics)?"
    r"|/(?:static|assets|svelte)/[\w.@+/-]{1,200}"  # what pages are made of
    r"|/gradio_api/(?:info|startup-events|app_id|upload|cancel|reset|queue/(?:join|data)|mcp(?:/(?:http|schema))?"
    rf"|(?:run|api)/{NAME}|call/(?:v2/)?{NAME}(?:/{NAME})?|heartbeat/{NAME})"
    r")?/?",
    re.ASCII,
)
AT_ONCE = re.compile(r"/gradio_api/(?:run|api)/")  # where an event answers that does not wait


class Gate:
    """Between the door and Gradio, as ASGI middleware."""

    def __init__(self, app: ASGIApp, demo: gr.Blocks, early_cancel: EarlyCancel):
        self.app = app
        self.demo = demo
        self.early_cancel = early_cancel

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # which nothing here talks by
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path, send = scope["path"], careful(send, bool(AT_ONCE.search(scope["path"])))
        if not is_open(scope):
            await refused(404, limit_words.NOTHING_THERE)(scope, receive, send)
        elif not (has_address(scope) and names_plainly(QueryParams(scope["query_string"]))):
            await refused(400, limit_words.NOT_UNDERSTOOD)(scope, receive, send)
        elif scope["method"] != "POST" or UPLOADS.search(path):
            await self.app(scope, receive, send)
        elif ASKED in scope:
            await self.post(scope, receive, send)
        else:  # unread
            await refused(404, limit_words.NOTHING_THERE)(scope, receive, send)

    async def post(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = await self.early_cancel.with_its_event(scope, scope.pop(ASKED))
        try:
            if MESSAGES in scope["path"] and not can_be_answered(asked):
                raise ValueError("an id that no answer can name")
            body = well_formed(asked)
        except ValueError:
            await refused(400, limit_words.NOT_UNDERSTOOD)(scope, receive, send)
            return
        if not self.knows(scope["path"], asked):
            await refused(404, limit_words.NOTHING_THERE)(scope, receive, send)
            return
        await self.app(scope, replayed(body, receive), send)

    def knows(self, path: str, asked: Any) -> bool:
        """Whether there is such an event, where one is asked for: none that does not wait among those that do, whose
        places it would take.
        """
        if not asks_for_event(path) or not isinstance(asked, dict):
            return True
        found = event_asked(self.demo, path, asked)
        if found is None or found.fn is None or not (waits(found) or AT_ONCE.search(path)):
            return False
        return way_of(path) != "call/v2" or takes(found, asked)


def is_open(scope: Scope) -> bool:
    """Whether the page, a program or an assistant has any use for it. There is one page, which has no name."""
    return bool(OPEN.fullmatch(path_of(scope))) and not any(QueryParams(scope["query_string"]).getlist("page"))


def has_address(scope: Scope) -> bool:
    """Whether Gradio can make an address of what proxies say that the page's is."""
    headers = Headers(scope=scope)
    host, server = (headers.get(name, "").split(",")[0].strip() for name in ("x-forwarded-host", "x-gradio-server"))
    try:
        httpx.URL(f"http://{host}")
        httpx.URL(server)
    except httpx.InvalidURL:
        return False
    return True


def takes(endpoint: BlockFunction, named: dict) -> bool:
    """Whether these are names of what it takes, and none is missing."""
    try:
        signature(endpoint.fn).bind(**named)
    except TypeError:
        return False
    return endpoint.api_visibility == "public"


def well_formed(asked: Any) -> bytes:
    """As JSON that every reader takes for the same.

    Raises: ValueError for what JSON has no words for.
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
