"""Connections: a request says how long it is, and whoever sends more than is read is cut off with the answer.

A body in chunks says no length, and of chunks of a byte each a quarter of a megabyte takes a second to take apart, in
which nobody else is served. No page, client or assistant sends one. So its head is read, and nothing else.
"""

from __future__ import annotations

from typing import Any

import h11
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import DEFAULT_MAX_INCOMPLETE_EVENT_SIZE, H11Protocol

from demo import limit_words

PROTOCOL = f"{__name__}:Connection"  # as uvicorn looks it up
IN_CHUNKS = "transfer-encoding"


class HeadOfChunks(h11.Connection):
    """What h11 makes of the bytes that come, which of chunks is nothing."""

    in_chunks = False

    def next_event(self) -> Any:
        if self.in_chunks:
            return h11.PAUSED
        event = super().next_event()
        self.in_chunks = isinstance(event, h11.Request) and IN_CHUNKS.encode() in dict(event.headers)
        return event


class Connection(H11Protocol):
    """Uvicorn's."""

    def __init__(self, *about: Any, **more: Any):
        super().__init__(*about, **more)
        self.conn = HeadOfChunks(h11.SERVER, DEFAULT_MAX_INCOMPLETE_EVENT_SIZE)


class Connections:
    """In front of all that answers, as ASGI middleware."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_unread = IN_CHUNKS in headers or headers.get("content-length", "0") != "0"

        async def receiving() -> Message:
            nonlocal is_unread
            message = await receive()
            is_unread = is_unread and message.get("more_body", False)
            return message

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and is_unread:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        app = refused(411, limit_words.NOT_UNDERSTOOD) if IN_CHUNKS in headers else self.app
        await app(scope, receiving, sending)


def refused(status: int, says: str) -> JSONResponse:
    return JSONResponse({"detail": says}, status)
