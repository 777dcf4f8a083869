"""Every event of the page, and every endpoint, that a model works for, followed as a call from its start to its end.

What nobody asked for is no call, and left undone while there are any.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from contextlib import aclosing
from functools import wraps

import gradio as gr
from gradio.context import LocalContext

from demo.calls import Calls, current
from demo.door import ARRIVED
from demo.tabs.events import FOLLOWED, SPARE, endpoint_name


def follow(demo: gr.Blocks, calls: Calls) -> None:
    """In one place for them all, so that none is forgotten; to be done once, when the page is built."""
    for event in demo.fns.values():
        if event.concurrency_id in FOLLOWED:
            event.fn = followed(event.fn, endpoint_name(event), calls)
        elif event.concurrency_id == SPARE:
            event.fn = in_spare_time(event.fn, lambda: not calls.running and not len(demo._queue))


def followed(run: Callable, endpoint: str, calls: Calls) -> Callable:
    """The same function, of the same kind to Gradio."""

    @wraps(run)
    async def stream(*args, **kwargs):
        with calls.begun(endpoint, queue_seconds()) as call:
            current.set(call)
            async with aclosing(run(*args, **kwargs)) as snapshots:
                async for snapshot in snapshots:
                    yield snapshot

    @wraps(run)
    def once(*args, **kwargs):
        with calls.begun(endpoint, queue_seconds()) as call:
            current.set(call)
            return run(*args, **kwargs)

    return stream if inspect.isasyncgenfunction(run) else once


def in_spare_time(run: Callable, is_idle: Callable[[], bool]) -> Callable:
    """The same function where nobody is served or waits; else nothing."""

    @wraps(run)
    def once(*args) -> None:
        if is_idle():
            run(*args)

    return once


def queue_seconds() -> float | None:
    """How long the event under way has waited for its turn, as far as that is known."""
    request = LocalContext.request.get(None)
    arrived = request and request.request.scope.get(ARRIVED)
    return time.monotonic() - arrived if arrived else None
