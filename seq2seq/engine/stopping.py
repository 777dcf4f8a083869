"""Runs that stop when they are told to, whatever step they are in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial, wraps
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Snapshot = TypeVar("Snapshot")


def stoppable(
    run: Callable[Arguments, Iterator[Snapshot]],
) -> Callable[Arguments, AsyncIterator[Snapshot]]:
    """The same snapshots from a thread of their own, so that nobody who cancels has to wait for the step under way.

    That step is finished unseen, and the run is closed right after it. Given a generator, Gradio would answer a
    cancellation only then, by when the visitor may have begun another run, which it would take for the old one.
    The run is one step ahead of what is asked for, and so in time for those with which it shares its steps.
    The thread knows whose request it is, as a GPU is borrowed on a visitor's account.
    """

    @wraps(run)
    async def snapshots(*args: Arguments.args, **kwargs: Arguments.kwargs) -> AsyncIterator[Snapshot]:
        steps = run(*args, **kwargs)
        over = object()
        context = copy_context()
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=run.__name__)
        step = partial(thread.submit, context.run, next, steps, over)
        try:
            coming = step()
            while (snapshot := await asyncio.wrap_future(coming)) is not over:
                coming = step()
                yield snapshot
        finally:
            thread.submit(context.run, steps.close)
            thread.shutdown(wait=False)

    return snapshots
