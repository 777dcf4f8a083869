"""The page as such, which Gradio makes anew for whoever opens it: two at a time, and runs go on meanwhile."""

from __future__ import annotations

import re
from asyncio import Semaphore
from contextlib import ExitStack

from starlette.types import ASGIApp, Message, Receive, Scope, Send

AT_ONCE = 2  # each takes 43 ms of a processor and 0.7 MB
MADE = re.compile(r"/(?:config|gradio_api/(?:info|mcp/schema))?/?")


class Pages:
    """In front of whatever describes all of the page, as ASGI middleware. Who reads slowly holds nobody up."""

    def __init__(self, app: ASGIApp):
        self.app = app
        self.places = Semaphore(AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not MADE.fullmatch(path_of(scope)):
            await self.app(scope, receive, send)
            return
        place = ExitStack()
        await self.places.acquire()
        place.callback(self.places.release)

        async def sending(message: Message) -> None:
            place.close()  # it is made
            await send(message)

        with place:
            await self.app(scope, receive, sending)


def path_of(scope: Scope) -> str:
    """As the page knows it: a proxy may serve that below a path of its own, and leave it there."""
    return scope["path"].removeprefix(scope.get("root_path", ""))
