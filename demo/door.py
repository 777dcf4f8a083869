"""Who is let in to the queue: so many that wait, so many requests a minute of one visitor, none too large.

Whoever is not is told at once, before anything is queued, whether the page asks or a program that skips it.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Literal

import gradio as gr
from gradio.block_function import BlockFunction
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo import limit_words
from demo.limits import Allowance, visitor_of
from demo.settings import PageSettings
from demo.tabs.events import FOLLOWED, endpoint_name
from demo.tools import MESSAGES, ON_BEHALF

ARRIVED = "gloss.arrived"  # in a request's ASGI scope: when it was let in, by time.monotonic
JOINS_QUEUE = re.compile(r"/gradio_api/(?:queue/join|call/(?:v2/)?(?P<api_name>[^/]+))/?$")
UPLOADS = "/gradio_api/upload"  # which Gradio bounds by itself
NOTED = ON_BEHALF.encode()
LOOKS_A_RUN = 10  # pictures that a visitor may ask for
BYTES_A_CHARACTER = 6  # of JSON, at most
OTHER_BYTES = 16_000_000  # of a request: what the page sends of its own beside a text
BUSY_SECONDS = 60
LONGEST_SESSION = 64  # characters that are kept of its name; a page's are shorter
SECONDS_TO_ASK = 10  # in which the page asks why it was refused


@dataclass(frozen=True)
class Refusal:
    reason: Literal["size", "stopping", "busy", "rate"]
    status: int
    says: str
    wait: float = 0  # seconds until it may be asked again; 0 where waiting does not help


class Door:
    """In front of whatever is posted, as ASGI middleware."""

    def __init__(
        self,
        app: ASGIApp,
        demo: gr.Blocks,
        settings: PageSettings,
        is_open: Callable[[], bool],
        tell: Callable[[str, Refusal], None],
    ):
        self.app = app
        self.demo = demo
        self.is_open = is_open
        self.tell = tell  # what was refused, by the endpoint's name
        self.max_waiting = settings.max_waiting
        self.max_bytes = settings.max_characters * BYTES_A_CHARACTER + OTHER_BYTES
        self.secret = secrets.token_hex()  # by which what a tool asks of this server is known
        rate = settings.rate_limit
        self.allowances = {"run": Allowance(rate), "look": Allowance(rate * LOOKS_A_RUN)} if rate else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"].endswith(UPLOADS):
            await self.app(scope, receive, send)
            return
        body = await whole_body(receive, self.max_bytes)
        asked = values_of(body)
        event = self.event(scope["path"], asked)
        refusal = Refusal("size", 413, limit_words.TOO_MUCH) if body is None else self.refusal(event, scope)
        if refusal is None:
            scope[ARRIVED] = time.monotonic()
            if MESSAGES in scope["path"]:
                scope["headers"] = self.on_behalf(scope)
            await self.app(scope, replayed(body, receive), send)
            return
        self.tell(endpoint_name(event), refusal)
        remember(scope["app"], str(asked.get("session_hash"))[:LONGEST_SESSION], refusal)
        headers = {"Retry-After": str(ceil(refusal.wait))} if refusal.wait else None
        await JSONResponse({"detail": refusal.says}, refusal.status, headers)(scope, receive, send)

    def event(self, path: str, asked: dict) -> BlockFunction | None:
        """Which is to be queued; None for none, or none that there is, which Gradio answers."""
        joins = JOINS_QUEUE.search(path)
        if joins is None:
            return None
        if joins["api_name"] is None:
            number = asked.get("fn_index")
            return self.demo.fns.get(number) if isinstance(number, int) else None
        return next((event for event in self.demo.fns.values() if event.api_name == joins["api_name"]), None)

    def refusal(self, event: BlockFunction | None, scope: Scope) -> Refusal | None:
        """Why this visitor's event may not be queued now, if it may not."""
        if event is None:
            return None
        if not self.is_open():
            return Refusal("stopping", 503, limit_words.STOPPING, BUSY_SECONDS)
        if len(self.demo._queue) >= self.max_waiting:
            return Refusal("busy", 503, limit_words.BUSY, BUSY_SECONDS)
        if not self.allowances or event.concurrency_id not in FOLLOWED:
            return None
        wait = self.allowances[kind_of(event)].take(self.visitor(scope), time.monotonic())
        return Refusal("rate", 429, limit_words.too_many(wait), wait) if wait else None

    def on_behalf(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """The headers of a message to the tools, with whose it is for what they ask of this server."""
        noted = f"{self.secret} {self.visitor(scope)}"
        return [*(each for each in scope["headers"] if each[0] != NOTED), (NOTED, noted.encode())]

    def visitor(self, scope: Scope) -> str:
        """Whose request it is, or on whose behalf a tool of this server asks."""
        secret, _, visitor = dict(scope["headers"]).get(NOTED, b"").decode("latin-1").partition(" ")
        is_ours = secrets.compare_digest(secret.encode(), self.secret.encode())
        return visitor if is_ours else visitor_of(scope["client"][0])


def kind_of(event: BlockFunction) -> Literal["run", "look"]:
    """What a visitor or program asks for is a run; what the page shows of one, or looks up after it, is a look."""
    asks = event.types_generator and not event.trigger_only_on_success
    return "run" if asks or event.api_visibility == "public" else "look"


async def whole_body(receive: Receive, most: int) -> bytes | None:
    """None, if it is larger."""
    pieces, size, more = [], 0, True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > most:
            return None
        more = message.get("more_body", False)
    return b"".join(pieces)


def replayed(body: bytes, receive: Receive) -> Receive:
    """What there is to receive for whoever reads the body again."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def again() -> Message:
        return next(messages, None) or await receive()

    return again


def values_of(body: bytes | None) -> dict:
    try:
        values = json.loads(body or b"")
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def remember(app: Starlette, session: str, refusal: Refusal) -> None:
    """For `told`, for as long as the page needs to ask."""
    now = time.monotonic()
    kept = getattr(app.state, "refusals", {})
    recent = {each: (then, says) for each, (then, says) in kept.items() if now - then < SECONDS_TO_ASK}
    app.state.refusals = recent | {session: (now, refusal.says)}


def told(request: gr.Request | None) -> str:
    """Why what this visitor's page has just asked for was refused; nothing, if it was not."""
    if request is None:
        return ""
    then, says = getattr(request.request.app.state, "refusals", {}).pop(request.session_hash, (0.0, ""))
    return says if time.monotonic() - then < SECONDS_TO_ASK else ""
