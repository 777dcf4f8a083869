"""Who computes when: threads that share a processor take turns, in the order in which they ask, looks among themselves.

As everything that computes does so in a turn, this is also where running out of memory is told in plain words.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from traceback import clear_frames
from typing import TypeVar

import torch

from seq2seq.openmp import Helpers
from seq2seq.tasks.patience import go_on
from seq2seq.tasks.results import InputError

Item = TypeVar("Item")
Line = deque[tuple[int, threading.Event]]  # of threads, each of which is called by its event

TOO_MUCH = "This takes more memory than there is here. Shorten the text, or choose a smaller model or fewer beams."
SECONDS_TO_LEAVE = 0.2  # at most, for whoever waits in vain
MOMENT = 0.05  # seconds, at most, in which a run asks for its next token: it searches, and its text is shown


class Turns:
    """A lock that threads get in the order in which they asked for it; whoever has it may take it again.

    With it comes the turn of the whole process, if there are others to take turns with.

    Whoever writes asks anew for every token, and who looks back at something may take seconds. So looks wait in a line
    of their own: else each token would wait for all of them. After a look, the others have as long as it took, if they
    come again within a moment of each other, and then the next look has its turn.
    """

    def __init__(self, turn_of_process: AbstractContextManager | None = None) -> None:
        self.looks = LooksLine(self)
        self._turn_of_process = turn_of_process or nullcontext()
        self._helpers = Helpers()
        self._lock = threading.Lock()
        self._steps: Line = deque()
        self._looks: Line = deque()
        self._owner: int | None = None  # a thread
        self._depth = 0
        self._is_look = False
        self._began = self._ended = 0.0  # the last turn, and the last that was no look
        self._looks_from = 0.0  # while others come

    @property
    def are_free(self) -> bool:
        """Whether no thread here has a turn just now, or waits for one."""
        return self._owner is None and not self._looks

    def __enter__(self) -> None:
        self.enter(self._steps)

    def enter_to_look(self) -> None:
        self.enter(self._looks)

    def enter(self, line: Line) -> None:
        """Raises: whatever `go_on` does, where nobody waits for this thread before it is its turn."""
        me, called = threading.get_ident(), threading.Event()
        with self._lock:
            if self._owner == me:
                self._depth += 1
                return
            line.append((me, called))
            if self._owner is None:
                self._pass_on()
        try:
            self._wait(me, called)
            self._turn_of_process.__enter__()
        except BaseException:
            self._leave(line, me, called)
            raise
        self._helpers.__enter__()

    def _wait(self, me: int, called: threading.Event) -> None:
        """Until it is this thread's turn. Whoever is called while nobody has it sees in a moment whether it is free."""
        while True:
            while not called.wait(SECONDS_TO_LEAVE):
                go_on()
            with self._lock:
                if self._owner == me:
                    return
                called.clear()
                moment = self._end_of_moment() - time.monotonic()
            time.sleep(max(0, moment))
            with self._lock:
                if self._owner is None:
                    self._pass_on()

    def _leave(self, line: Line, me: int, called: threading.Event) -> None:
        """Before it was this thread's turn, or has been used."""
        with self._lock:
            if self._owner == me:
                self._depth = 0
                self._end()
            else:
                line.remove((me, called))
                if self._owner is None:
                    self._pass_on()

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Raises: InputError in place of an error that says that memory ran out."""
        if self._depth == 1:
            self._helpers.__exit__()
        with self._lock:
            self._depth -= 1
            if not self._depth:
                self._turn_of_process.__exit__(None, None, None)
                self._end()
        refuse_too_much(error)

    def _end(self) -> None:
        now = time.monotonic()
        if self._is_look:
            self._looks_from = now + now - self._began
        else:
            self._ended = now
        self._owner = None
        self._pass_on()

    def _pass_on(self) -> None:
        """To who is next; a look that may be next is called to see whether it is."""
        now = time.monotonic()
        if self._steps and (not self._looks or now < self._looks_from):
            self._give(self._steps)
        elif self._looks and now < self._end_of_moment():
            _, called = self._looks[0]
            called.set()
        elif self._looks:
            self._give(self._looks)

    def _end_of_moment(self) -> float:
        """Until then, a look waits for others to come."""
        return min(self._looks_from, self._ended + MOMENT)

    def _give(self, line: Line) -> None:
        self._is_look = line is self._looks
        self._owner, called = line.popleft()
        self._depth = 1
        self._began = time.monotonic()
        called.set()


class LooksLine(AbstractContextManager):
    """The turns of those who look back at something."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def __enter__(self) -> None:
        self._turns.enter_to_look()

    def __exit__(self, *error: object) -> None:
        self._turns.__exit__(*error)


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


def in_turns(turns: AbstractContextManager, items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each computed in a turn of its own."""
    over = object()
    while True:
        with turns:
            go_on()
            item = next(items, over)
        if item is over:
            return
        yield item
