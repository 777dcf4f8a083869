"""A run that is cancelled in the middle of a step."""

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from threading import Event, get_ident

import pytest

from seq2seq.engine.stopping import stoppable


def finished(coroutine):
    """Its result, from a loop in a thread of its own: the browser's tests keep one running in this."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


async def collected(snapshots) -> list:
    return [snapshot async for snapshot in snapshots]


def test_it_yields_what_the_run_yields_and_looks_like_it_to_a_caller():
    def counted(upto: int, start: int = 0):
        """Counts."""
        yield from range(start, upto)

    assert finished(collected(stoppable(counted)(5, start=2))) == [2, 3, 4]
    assert inspect.isasyncgenfunction(stoppable(counted))
    assert inspect.signature(stoppable(counted)) == inspect.signature(counted)


def test_an_error_in_the_run_reaches_the_caller():
    def broken():
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        finished(collected(stoppable(broken)()))


def test_the_run_knows_whose_request_it_is():
    visitor, told = ContextVar("visitor", default=None), []

    def asking():
        try:
            yield visitor.get()
            yield visitor.get()
        finally:
            told.append(visitor.get())

    async def visit() -> list:
        visitor.set("Ada")
        return await collected(stoppable(asking)())

    assert finished(visit()) == ["Ada", "Ada"]
    assert told == ["Ada"]


def test_cancelling_does_not_wait_for_the_step_and_closes_the_run_after_it():
    working, go_on, closed = Event(), Event(), Event()
    threads = set()

    def slow():
        try:
            yield "first"
            threads.add(get_ident())
            working.set()
            assert go_on.wait(10)
            yield "unseen"
        finally:
            threads.add(get_ident())
            closed.set()

    async def visit() -> list:
        seen = []

        async def look():
            async for snapshot in stoppable(slow)():
                seen.append(snapshot)

        looking = asyncio.create_task(look())
        await asyncio.to_thread(working.wait, 10)
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
        assert not closed.is_set()
        return seen

    try:
        assert finished(visit()) == ["first"]
    finally:
        go_on.set()
    assert closed.wait(10)
    assert len(threads) == 1
