"""Every event of the page, and every endpoint, that a model works for, followed as a call from its start to its end.

What nobody asked for is no call, and left undone while there are any. Counts of a text, the drawing of a pattern and
the views of a result are none either, and made few at a time.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from asyncio import Lock, Semaphore
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from functools import partial, wraps
from typing import Any
from weakref import WeakValueDictionary

import gradio as gr
from anyio.to_thread import run_sync
from gradio.context import LocalContext

from demo import limit_words
from demo.calls import Call, Calls, current
from demo.serving.door import ARRIVED
from demo.serving.limits import visitor_of
from demo.tabs.events import COUNTS, DRAWINGS, FILES, FOLLOWED, SPARE, VIEWS, endpoint_name
from seq2seq.tasks import InputError
from seq2seq.tasks.patience import waiting

MOST_COUNTS = 2  # at a time
MOST_WAITING_COUNTS = 50  # each with its text
MOST_DRAWINGS = 1
MOST_WAITING_DRAWINGS = 16  # of seconds each, if they are the largest
MOST_VIEWS = 1
MOST_WAITING_VIEWS = 200  # each a moment of a page that shows a result
MOST_SPARE = 1
MOST_WAITING_SPARE = 8  # each with its text, for what nobody may ask


def follow(demo: gr.Blocks, calls: Calls) -> None:
    """In one place for them all, so that none is forgotten; to be done once, when the page is built."""
    lines = {
        COUNTS: Line(MOST_COUNTS, MOST_WAITING_COUNTS, gr.skip),
        DRAWINGS: Line(MOST_DRAWINGS, MOST_WAITING_DRAWINGS, refuse),
        VIEWS: Line(MOST_VIEWS, MOST_WAITING_VIEWS, refuse),
        SPARE: Line(MOST_SPARE, MOST_WAITING_SPARE, gr.skip),
    }
    for event in demo.fns.values():
        if event.concurrency_id in FOLLOWED:
            event.fn = followed(event.fn, endpoint_name(event), calls, demo)
        elif event.concurrency_id == FILES:
            event.fn = waited_for(event.fn, endpoint_name(event), demo)
        elif event.concurrency_id == SPARE:
            event.fn = in_spare_time(event.fn, lambda: not calls.running and not len(demo._queue))
        if event.concurrency_id in lines:
            event.fn = few_at_once(event.fn, lines[event.concurrency_id])


def followed(run: Callable, endpoint: str, calls: Calls, demo: gr.Blocks) -> Callable:
    """The same function, as a call."""

    @contextmanager
    def call() -> Iterator[Call]:
        with calls.begun(endpoint, queue_seconds(), whether_wanted(demo)) as begun:
            current.set(begun)
            yield begun

    @wraps(run)
    async def stream(*args, **kwargs):
        with call():
            async with aclosing(run(*args, **kwargs)) as snapshots:
                async for snapshot in snapshots:
                    yield snapshot

    @wraps(run)
    async def once(*args, **kwargs):
        with call() as begun:
            return await to_its_end(partial(run, *args, **kwargs), begun, demo)

    return stream if inspect.isasyncgenfunction(run) else once


def waited_for(run: Callable, endpoint: str, demo: gr.Blocks) -> Callable:
    """The same function, which ends at its next step when nobody waits for it."""

    @wraps(run)
    async def once(*args) -> Any:
        return await to_its_end(partial(run, *args), Call(endpoint, is_wanted=whether_wanted(demo)), demo)

    return once


async def to_its_end(run: Callable, call: Call, demo: gr.Blocks) -> Any:
    """What a function returns that works in a thread, which nothing stops but its own steps.

    Whoever cancels it keeps its place in the queue until then: there would else be more at work than there are places.
    """

    def work() -> Any:
        with waiting(call.check):
            return run()

    thread = asyncio.ensure_future(run_sync(work, limiter=demo.limiter))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        call.leave()
        while not thread.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([thread])
        thread.exception()  # or asyncio would log what it says, as nobody has heard it
        raise


def in_spare_time(run: Callable, is_idle: Callable[[], bool]) -> Callable:
    """The same function where nobody is served or waits once it has its turn; else nothing."""

    @wraps(run)
    def once(*args) -> None:
        if is_idle():
            run(*args)

    return once


class Line:
    """So many at a time, and of each visitor one; whoever waits does so without a thread.

    Whoever finds it full, or has half of it already, gets something else.
    """

    def __init__(self, at_a_time: int, most_waiting: int, when_full: Callable[[], Any]):
        self.places = Semaphore(at_a_time)
        self.most_waiting = most_waiting
        self.when_full = when_full
        self.waiting: Counter[str] = Counter()  # by visitor
        self.turns: WeakValueDictionary[str, Lock] = WeakValueDictionary()

    def is_full(self, visitor: str) -> bool:
        return self.waiting.total() >= self.most_waiting or self.waiting[visitor] >= self.most_waiting // 2

    @asynccontextmanager
    async def place(self, visitor: str) -> AsyncIterator[None]:
        turn = self.turns.setdefault(visitor, Lock())
        self.waiting[visitor] += 1
        try:
            async with turn, self.places:
                yield
        finally:
            self.waiting -= Counter([visitor])  # which forgets whom it has counted down


def refuse() -> None:
    raise InputError(limit_words.BUSY)


def few_at_once(run: Callable, line: Line) -> Callable:
    """The same function, for whoever has a place in the line."""

    @wraps(run)
    async def once(*args) -> Any:
        visitor = visitor_asking()
        if line.is_full(visitor):
            return line.when_full()
        async with line.place(visitor):
            return await run_sync(run, *args)

    return once


def visitor_asking() -> str:
    request = LocalContext.request.get(None)
    client = request and request.request.client
    return visitor_of(client.host) if client else ""


def whether_wanted(demo: gr.Blocks) -> Callable[[], bool]:
    """Tells, from now on, whether somebody waits for the event under way: whoever hangs up cancels nothing."""
    event = demo._queue.event_ids_to_events.get(LocalContext.event_id.get(None))
    return lambda: event is None or event.alive


def queue_seconds() -> float | None:
    """How long the event under way has waited for its turn, as far as that is known."""
    request = LocalContext.request.get(None)
    arrived = request and request.request.scope.get(ARRIVED)
    return time.monotonic() - arrived if arrived else None
