"""Requests to a model while they are served: how long each may take and how it ended, never what it was about.

The one under way is found through a context variable, by what the engine does for it and by what tells its errors.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal

from demo.limit_words import LEFT, STOPPING, out_of_time
from seq2seq.tasks import InputError

Outcome = Literal["finished", "cancelled", "refused", "failed", "timed out"]


class Ended(InputError):
    """The call may not go on; what is there stays."""


class Left(Ended):
    """Nobody waits for it any more."""


@dataclass(eq=False)
class Call:
    """One request, from its turn in the queue to its end."""

    endpoint: str
    time_limit: float | None = None  # seconds
    queue_seconds: float | None = None
    is_wanted: Callable[[], bool] = lambda: True
    id: str = field(default_factory=lambda: secrets.token_hex(4))
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0  # from then to its end
    model: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    outcome: Outcome = "finished"
    reason: str | None = None  # why it was refused, or ran out of time
    must_end: bool = False  # the server stops

    def check(self) -> None:
        """Raises Ended where the call has had its time, or nobody waits for it."""
        if self.outcome == "cancelled" or not self.is_wanted():
            raise Left(LEFT)
        if self.must_end:
            raise Ended(STOPPING)
        if self.time_limit is not None and time.monotonic() - self.started > self.time_limit:
            raise Ended(out_of_time(self.time_limit))

    def leave(self) -> None:
        """Nobody waits for it from now on."""
        self.outcome = "cancelled"

    def went_wrong(self, error: Exception) -> None:
        if isinstance(error, Left):
            self.leave()
        elif isinstance(error, Ended):
            self.outcome, self.reason = "timed out", "stopping" if self.must_end else "time"
        elif isinstance(error, InputError):
            self.outcome, self.reason = "refused", "input"
        else:
            self.outcome = "failed"


current: ContextVar[Call | None] = ContextVar("current", default=None)


class Calls:
    """The requests under way; `tell` is told of each when it is over."""

    def __init__(self, time_limit: float | None, tell: Callable[[Call], None]):
        self.time_limit = time_limit
        self.tell = tell
        self.running: set[Call] = set()
        self.may_run = True

    @contextmanager
    def begun(self, endpoint: str, queue_seconds: float | None, is_wanted: Callable[[], bool]) -> Iterator[Call]:
        """A call from here to the end of the block, however that is left."""
        call = Call(endpoint, self.time_limit, queue_seconds, is_wanted, must_end=not self.may_run)
        self.running.add(call)
        try:
            yield call
        except Exception:
            if call.outcome == "finished":  # told by nobody yet
                call.outcome = "failed"
            raise
        except BaseException:  # a generator that is closed, a task that is cancelled
            call.leave()
            raise
        finally:
            call.seconds = time.monotonic() - call.started
            self.running.discard(call)
            self.tell(call)

    def end_all(self) -> None:
        """Those under way stop at their next step, and those that begin from now on at once."""
        self.may_run = False
        for call in tuple(self.running):
            call.must_end = True
