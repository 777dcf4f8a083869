"""What is posted, as JSON: read where something takes it, and understood once.

Python takes half a second for a megabyte of brackets, and ten times its size of memory, in which nobody else is served.
So how much there is to build is counted first, which takes no longer than reading. A long text is one part.

Whoever is answered late, because others are before it, has its body in memory meanwhile, and what was made of it. Of
an event that waits in the queue only what it is about is kept, which counts until it has ended.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from gradio.queueing import Queue
from starlette.types import Message, Receive, Scope

from demo import limit_words
from demo.refusals import BUSY_SECONDS, Refusal
from demo.serving.asked import asks_for_event

ASKED = "gloss.asked"  # in a request's ASGI scope: what is posted, once it is understood
WEIGHT = "gloss.weight"  # there, too: bytes that its event has while it waits and runs
TAKEN = re.compile(r"/gradio_api/(?:cancel|reset|mcp(?:/.*)?)/?$", re.DOTALL)  # beside what asks for an event
UPLOADS = re.compile(r"/gradio_api/upload/*$")  # of files, which are no JSON
MOST_SECONDS = 60  # to send one
MOST_BYTES = 256 * 2**20  # of all that are being sent or answered
SMALL = 2**16  # bytes of one that is always taken
MOST_PARTS = 50_000  # the page's largest is a result: five for each word that its text has not
DEEPEST = 16  # one in another; the page's go 5 deep
OF_64_BITS = range(-(2**63), 2**64)  # signed or not
COPIES = 2  # of its texts: as the door understands it, and Gradio once more
TOO_MUCH = Refusal("size", 413, limit_words.TOO_MUCH)
BUSY = Refusal("busy", 503, limit_words.BUSY, BUSY_SECONDS)
STRUCTURE = b"[]{},"
ORDINARY = bytes({*range(256)} - {*STRUCTURE})
STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def is_taken(scope: Scope) -> bool:
    """Whether JSON is posted to where it is wanted."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return False
    return asks_for_event(scope["path"]) or bool(TAKEN.search(scope["path"]))


class Arriving:
    """The bodies that are here or on their way: all large ones together no more than there is room for.

    None is on its way for long, and one that is here counts until its request is answered; `queued` says how much then
    waits in the queue.
    """

    def __init__(self, queued: Callable[[], int] = lambda: 0):
        self.num_bytes = 0
        self.queued = queued

    async def whole(self, receive: Receive, most: int) -> bytes | Refusal:
        """One of at most so many bytes, that can be understood in a moment; or why it is not taken.

        To be read in the task of its request, which a server begins for each and ends with the answer.
        """
        try:
            body = await asyncio.wait_for(self.read(receive, most), MOST_SECONDS)
        except asyncio.TimeoutError:
            return Refusal("slow", 408, limit_words.TOO_SLOW)
        if isinstance(body, Refusal):
            return body
        return self.kept(body) if is_simple(body) else TOO_MUCH

    async def read(self, receive: Receive, most: int) -> bytes | Refusal:
        pieces, size, more = [], 0, True
        try:
            while more:
                message = await receive()
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
                self.num_bytes += len(pieces[-1])
                if size > most:
                    return TOO_MUCH
                if size > SMALL and self.num_bytes + self.queued() > MOST_BYTES:
                    return BUSY
                more = message.get("more_body", False)
            return b"".join(pieces)
        finally:
            self.num_bytes -= size

    def kept(self, body: bytes) -> bytes | Refusal:
        """The body, counted until its task ends; or why there is no room for it. One alone has room."""
        weight, others = weight_of(body), self.num_bytes + self.queued()
        if others and len(body) > SMALL and others + weight > MOST_BYTES:
            return BUSY
        self.num_bytes += weight
        asyncio.current_task().add_done_callback(lambda _: self.let_go(weight))
        return body

    def let_go(self, weight: int) -> None:
        self.num_bytes -= weight


def weight_of(body: bytes) -> int:
    """Bytes that it takes at most while it is answered: Python has four for each character of a text with one emoji."""
    is_narrow = body.isascii() and rb"\u" not in body
    return len(body) * (1 + COPIES * (1 if is_narrow else 4))


def weight_of_queued(queue: Queue) -> int:
    """Bytes that the events of a queue have, which Gradio keeps until they have ended."""
    return sum(event.request.scope.get(WEIGHT, 0) for event in queue.event_ids_to_events.values())


def replayed(body: bytes, receive: Receive) -> Receive:
    """What there is to receive for whoever reads the body again, once."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


def is_simple(body: bytes) -> bool:
    """Whether JSON has few enough parts, and none too deep, to be understood in a moment."""
    bare = body.replace(rb"\\", b"").replace(rb"\"", b"")
    if bare.count(b'"') > 2 * MOST_PARTS:
        return False
    structure = b"".join(bare.split(b'"')[::2]).translate(None, ORDINARY)
    if len(structure) > MOST_PARTS:
        return False
    return max(accumulate(STEPS.get(each, 0) for each in structure), default=0) <= DEEPEST


def understood(body: bytes) -> Any:
    """No body asks for nothing in particular.

    Raises: ValueError for what is no JSON, or not in UTF-8, or has whole numbers that could not be sent back.
    """
    return json.loads(body.decode("utf-8-sig", "surrogatepass"), parse_int=whole_number) if body else {}


def whole_number(digits: str) -> int:
    number = int(digits)
    if number not in OF_64_BITS:
        raise ValueError("a number that Gradio cannot write")
    return number
