"""How long whoever asked for something waits for it, where that is work of many steps without a snapshot in between.

They hand in what raises an error once they wait no longer; the work calls it at its steps. In a process of its own, it
is called by nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_check: ContextVar[Callable[[], None] | None] = ContextVar("check", default=None)


@contextmanager
def waiting(check: Callable[[], None]) -> Iterator[None]:
    """Work done in this block calls `check` now and then."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def go_on() -> None:
    """Called by the work. Raises whatever `check` does."""
    check = _check.get()
    if check is not None:
        check()
