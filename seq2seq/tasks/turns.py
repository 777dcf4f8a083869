"""Who computes when: threads that share a processor take turns, in the order in which they ask."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import TypeVar

Item = TypeVar("Item")


class Turns:
    """A lock that threads get in the order in which they asked for it; whoever has it may take it again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, threading.Event]] = deque()
        self._owner: int | None = None  # a thread
        self._depth = 0

    def __enter__(self) -> None:
        me, my_turn = threading.get_ident(), threading.Event()
        with self._lock:
            if self._owner in (None, me):
                self._owner = me
                self._depth += 1
                return
            self._waiting.append((me, my_turn))
        my_turn.wait()

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth:
                return
            if not self._waiting:
                self._owner = None
                return
            self._owner, next_turn = self._waiting.popleft()
            self._depth = 1
            next_turn.set()


def in_turns(turns: Turns, items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each computed in a turn of its own."""
    over = object()
    while True:
        with turns:
            item = next(items, over)
        if item is over:
            return
        yield item
