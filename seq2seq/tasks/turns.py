"""Who computes when: threads that share a processor take turns, in the order in which they ask.

As everything that computes does so in a turn, this is also where running out of memory is told in plain words.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from traceback import clear_frames
from typing import TypeVar

import torch

from seq2seq.openmp import Helpers
from seq2seq.tasks.results import InputError

Item = TypeVar("Item")

TOO_MUCH = "This takes more memory than there is here. Shorten the text, or choose a smaller model or fewer beams."


class Turns:
    """A lock that threads get in the order in which they asked for it; whoever has it may take it again.

    With it comes the turn of the whole process, if there are others to take turns with.
    """

    def __init__(self, turn_of_process: AbstractContextManager | None = None) -> None:
        self._turn_of_process = turn_of_process or nullcontext()
        self._helpers = Helpers()
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, threading.Event]] = deque()
        self._owner: int | None = None  # a thread
        self._depth = 0

    @property
    def are_free(self) -> bool:
        """Whether no thread here has a turn just now."""
        return self._owner is None

    def __enter__(self) -> None:
        me, my_turn = threading.get_ident(), threading.Event()
        with self._lock:
            if self._owner == me:
                self._depth += 1
                return
            if self._owner is None:
                self._owner, self._depth = me, 1
                my_turn.set()
            else:
                self._waiting.append((me, my_turn))
        my_turn.wait()
        self._turn_of_process.__enter__()
        self._helpers.__enter__()

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Raises: InputError in place of an error that says that memory ran out."""
        if self._depth == 1:
            self._helpers.__exit__()
        with self._lock:
            self._depth -= 1
            if not self._depth:
                self._turn_of_process.__exit__(None, None, None)
                self._pass_on()
        refuse_too_much(error)

    def _pass_on(self) -> None:
        if not self._waiting:
            self._owner = None
            return
        self._owner, next_turn = self._waiting.popleft()
        self._depth = 1
        next_turn.set()


def refuse_too_much(error: BaseException | None) -> None:
    """Raises: InputError in place of an error that says that memory ran out."""
    if is_out_of_memory(error):
        clear_frames(error.__traceback__)  # which hold what was computed until then
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise InputError(TOO_MUCH) from error


@contextmanager
def between_turns() -> Iterator[None]:
    """For what is done with what was computed: there too memory may run out, and is told of as in a turn."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        refuse_too_much(error)
        raise


def is_out_of_memory(error: BaseException | None) -> bool:
    """torch says it of a CPU in a RuntimeError."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def in_turns(turns: Turns, items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each computed in a turn of its own."""
    over = object()
    while True:
        with turns:
            item = next(items, over)
        if item is over:
            return
        yield item
