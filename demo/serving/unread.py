"""The messages of the queue that are still to be read: so many, and for so long.

Gradio keeps them for whoever does not come either: an answer that quotes a long text takes megabytes, and asks nothing
of whoever has asked for it. Here such a session is forgotten with its events, and is told so if it comes after all.
"""

from __future__ import annotations

import time
from asyncio import Queue as AsyncQueue
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from gradio.queueing import Queue

from demo.serving.weights import of_message

MOST_SECONDS = 60  # that messages wait while nobody takes any
SECONDS_BETWEEN = 1  # in which nobody new can have waited too long
MOST_BYTES = 32 * 2**20  # of one session
MOST_BYTES_IN_ALL = 256 * 2**20
MOST_SESSIONS = 2_000
SECONDS_TO_TAKE = 5  # in which whoever listens has taken what came last


class Messages(AsyncQueue):
    """Those of one session, weighed."""

    def __init__(self, grown: Callable[[], None]):
        super().__init__()
        self.grown = grown
        self.num_bytes = self.newest = 0
        self.touched()

    def touched(self) -> None:
        """Somebody listens, or has just done so."""
        self.untouched_since = time.monotonic()

    def _put(self, message: Any) -> None:
        if self.empty():
            self.touched()
        weight = of_message(vars(message))
        self.num_bytes += weight
        self.newest = weight
        super()._put((weight, message))
        self.grown()

    def _get(self) -> Any:
        weight, message = super()._get()
        self.num_bytes -= weight
        self.touched()
        return message

    def left_unread(self, is_heard: bool) -> int:
        """Bytes but for the message that is about to be taken."""
        is_read = is_heard and time.monotonic() - self.untouched_since < SECONDS_TO_TAKE
        return self.num_bytes - self.newest if is_read else self.num_bytes


class Unread(dict[str, Messages]):
    """In the place of what Gradio's queue keeps, by session."""

    def __init__(self, queue: Queue):
        super().__init__()
        self.queue = queue
        self.listeners: Counter[str] = Counter()
        self.swept = time.monotonic()

    def __setitem__(self, session_hash: str, _: AsyncQueue) -> None:
        self.sweep()
        if len(self) >= MOST_SESSIONS:
            self.forget(min(self, key=lambda each: (bool(self.listeners[each]), self[each].untouched_since)))
        super().__setitem__(session_hash, Messages(partial(self.bound, session_hash)))

    def __missing__(self, session_hash: str) -> AsyncQueue:
        """For what is said to one that was forgotten."""
        return AsyncQueue()

    def __delitem__(self, session_hash: str) -> None:
        self.pop(session_hash, None)

    def bound(self, session_hash: str) -> None:
        """Forget this session if it has too much; where all together have too much, those that leave most unread.

        Who listens and reads leaves nothing, and loses no answer to others, however large it is.
        """
        self.sweep()
        if session_hash in self and self[session_hash].num_bytes > MOST_BYTES:
            self.forget(session_hash)
        while sum(each.num_bytes for each in self.values()) > MOST_BYTES_IN_ALL:
            self.forget(max(self, key=self.left_unread))

    def left_unread(self, session_hash: str) -> tuple[int, int]:
        messages = self[session_hash]
        return messages.left_unread(bool(self.listeners[session_hash])), messages.num_bytes

    def sweep(self) -> None:
        """Forget whom nobody has listened to for long, and whoever listens and takes nothing."""
        now = time.monotonic()
        if now - self.swept < min(SECONDS_BETWEEN, MOST_SECONDS):
            return
        self.swept = now
        for session_hash, messages in tuple(self.items()):
            is_read = self.listeners[session_hash] and messages.empty()
            if now - messages.untouched_since > MOST_SECONDS and not is_read:
                self.forget(session_hash)
        for session_hash in tuple(self.queue.pending_event_ids_session):
            self.forget_if_over(session_hash)

    @contextmanager
    def heard(self, session_hash: str) -> Iterator[None]:
        """While somebody listens. A page may be about to listen again, and has a while to do so."""
        self.listeners[session_hash] += 1
        try:
            yield
        finally:
            self.listeners[session_hash] -= 1
            if not self.listeners[session_hash]:
                del self.listeners[session_hash]
                if session_hash in self:
                    self[session_hash].touched()

    def forget_abandoned(self, session_hash: str) -> None:
        """What still runs for a listener who has gone has no end to tell, for which Gradio would wait for ever."""
        events = self.queue.event_ids_to_events.items()
        ended = {event_id for event_id, event in events if event.session_hash == session_hash and not event.alive}
        if session_hash in self.queue.pending_event_ids_session:
            self.queue.pending_event_ids_session[session_hash] -= ended
            self.forget_if_over(session_hash)

    def forget_if_over(self, session_hash: str) -> None:
        """Gradio keeps what a page has left as one that has still to be told."""
        pending = self.queue.pending_event_ids_session
        goes_on = not self.queue.event_ids_to_events.keys().isdisjoint(pending[session_hash])
        if not (goes_on or session_hash in self or self.listeners[session_hash]):
            del pending[session_hash]

    def forget_answered(self, session_hash: str) -> None:
        """A program that has read all its answers, or given them up, does not come back."""
        if not (self.listeners[session_hash] or self.queue.pending_event_ids_session.get(session_hash)):
            self.forget(session_hash)

    def forget(self, session_hash: str) -> None:
        """With its events: those that wait run for nobody, and those that write stop at their next step."""
        for event in self.queue.event_ids_to_events.values():
            if event.session_hash == session_hash:
                event.alive = False
        self.pop(session_hash, None)
        waited_for = self.queue.pending_event_ids_session.pop(session_hash, None)
        if waited_for and self.listeners[session_hash]:  # whose stream, on its way out, still looks there
            self.queue.pending_event_ids_session[session_hash] = set()
