"""Who is let in to the queue: so many that wait, so many requests a minute of one visitor, none too large.

Whoever is not is told at once, before anything is queued, whether the page asks or a program that skips it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from functools import partial
from math import ceil
from typing import Any, Literal

import gradio as gr
from gradio.block_function import BlockFunction
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from demo import limit_words
from demo.refusals import BUSY_SECONDS, Refusal, remember
from demo.serving.asked import event_asked, names_plainly
from demo.serving.bodies import ASKED, WEIGHT, Arriving, is_taken, understood, weight_of_queued
from demo.serving.limits import Allowance, visitor_of
from demo.serving.places import Places, place_of
from demo.serving.tools import MESSAGES, ON_BEHALF
from demo.serving.weights import of_message
from demo.settings import PageSettings
from demo.tabs.events import endpoint_name

CAME, ARRIVED = "gloss.came", "gloss.arrived"  # in a request's ASGI scope, by time.monotonic: its first bytes, and all
NOTED = ON_BEHALF.encode()
Kind = Literal["run", "look", "file", "form", "touch"]  # the last: what the page does at once, at each key at most
ALLOWED: dict[Kind, int] = {"run": 1, "look": 10, "file": 10, "form": 30, "touch": 300}  # for each run of a visitor
BYTES_A_CHARACTER = 6  # of JSON, at most
OTHER_BYTES = 16_000_000  # of a request: what the page sends of its own beside a text


class Door:
    """In front of whatever is posted, as ASGI middleware."""

    def __init__(
        self,
        app: ASGIApp,
        demo: gr.Blocks,
        settings: PageSettings,
        places: Places,
        is_open: Callable[[], bool],
        tell: Callable[[str, Refusal], None],
    ):
        self.app = app
        self.demo = demo
        self.places = places
        self.is_open = is_open
        self.tell = tell  # what was refused, by the endpoint's name
        self.max_characters = settings.max_characters
        self.max_bytes = settings.max_characters * BYTES_A_CHARACTER + OTHER_BYTES
        self.arriving = Arriving(partial(weight_of_queued, demo._queue))
        self.secret = secrets.token_hex()  # by which what a tool asks of this server is known
        rate = settings.rate_limit
        self.allowances = {kind: Allowance(rate * many) for kind, many in ALLOWED.items()} if rate else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_taken(scope):
            await self.app(scope, receive, send)
            return
        scope[CAME] = time.monotonic()
        body = await self.arriving.whole(receive, self.max_bytes)
        if isinstance(body, Refusal):
            await self.refused(body, None, {}, scope)(scope, receive, send)
            return
        try:
            asked = understood(body)
            values = named_plainly(asked)
        except ValueError:
            await JSONResponse({"detail": limit_words.NOT_UNDERSTOOD}, 400)(scope, receive, send)
            return
        event = event_asked(self.demo, scope["path"], values)
        refusal = self.refusal(event, scope)
        if refusal:
            await self.refused(refusal, event, values, scope)(scope, receive, send)
            return
        if event is not None and waits(event):
            asked = shortened(values, self.max_characters)
        scope[ASKED], scope[WEIGHT], scope[ARRIVED] = asked, of_message(asked), time.monotonic()
        if MESSAGES in scope["path"]:
            scope["headers"] = self.on_behalf(scope)
        await self.app(scope, receive, send)

    def refused(self, refusal: Refusal, event: BlockFunction | None, asked: dict, scope: Scope) -> JSONResponse:
        """The answer, which the host is told of, and the page where it asks."""
        self.tell(endpoint_name(event), refusal)
        remember(scope["app"], str(asked.get("session_hash")), refusal)
        headers = {"Retry-After": str(ceil(refusal.wait))} if refusal.wait else None
        return JSONResponse({"detail": refusal.says}, refusal.status, headers)

    def refusal(self, event: BlockFunction | None, scope: Scope) -> Refusal | None:
        """Why this visitor's event may not be queued, or done at once, if it may not."""
        if event is None:
            return None
        if waits(event):
            if not self.is_open():
                return Refusal("stopping", 503, limit_words.STOPPING, BUSY_SECONDS)
            if busy := self.places.refuse(event):
                return Refusal("busy", 503, busy, BUSY_SECONDS)
        if not self.allowances:
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


def named_plainly(asked: Any) -> dict:
    """What is asked for, by name.

    Raises: ValueError for a session or an event that could be none.
    """
    values = asked if isinstance(asked, dict) else {}
    if not names_plainly(values):
        raise ValueError("no name of a session or an event")
    return values


def shortened(asked: dict, most: int) -> dict:
    """Of a text that is too long as much as whoever refuses it has to see: all the rest would wait in memory."""
    if isinstance(asked.get("data"), list):
        asked = asked | {"data": [cut(value, most) for value in asked["data"]]}
    return {name: cut(value, most) for name, value in asked.items()}


def cut(value: Any, most: int) -> Any:
    return value[: most + 1] if isinstance(value, str) else value


def waits(event: BlockFunction) -> bool:
    """In the queue. What the page does at once is done in any case, or a run could not end."""
    return event.queue is not False


def kind_of(event: BlockFunction) -> Kind:
    """What a visitor or program asks for is a run; what the page shows of one, or looks up after it, is a look."""
    if not waits(event):
        return "touch"
    place = place_of(event.concurrency_id)
    if place != "run":
        return place
    asks = event.types_generator and not event.trigger_only_on_success
    return "run" if asks or event.api_visibility == "public" else "look"
