"""Waiting for what another thread or process is about to do, on machines that may be slow and busy with other tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 120  # seconds for what takes a moment


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What would take much longer if it were done in the wrong way."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds
