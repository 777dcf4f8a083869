"""Cancel, pressed early.

Before the server has said what the run is called: Gradio's page learns an event's name when it has joined the queue,
and before that asks to cancel one without a name, which Gradio refuses; the run would go on. What is to be cancelled
is looked up here, or waited for, as it was sent before the request to cancel it: what is sent later is another run.

Before the first step of the run's task: Python then ends the task without that step, in which Gradio sees to it that
the run's place in the queue is given back; whoever comes next would wait for ever. Here the step is taken, for nobody.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter, defaultdict
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gradio.queueing import Event, Queue
from starlette.types import Scope

from demo.serving.door import CAME
from demo.serving.limits import visitor_of

CANCEL, RESET = "/gradio_api/cancel", "/gradio_api/reset"
SECONDS_TO_JOIN = 10  # that what is cancelled may still be on its way here
SECONDS_APART = 0.5  # that of two requests the first may come later, by a connection of its own
MOST_WAITING = 1_000
MOST_OF_ONE = 20  # visitor


@dataclass(eq=False)
class Cancelling:
    """A request to cancel what has not joined the queue yet."""

    came: float  # by time.monotonic
    joined: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def is_after(self, scope: Scope) -> bool:
        return scope[CAME] < self.came + SECONDS_APART


class EarlyCancel:
    """What of one queue is to be cancelled before Gradio could; made before that queue starts."""

    def __init__(self, queue: Queue):
        self.queue = queue
        self.waiting: dict[tuple[str, int], list[Cancelling]] = defaultdict(list)  # by session and kind of event
        self.of_visitors: Counter[str] = Counter()
        self.let_in, self.process = queue.push, queue.process_events
        queue.push, queue.process_events = self.push, self.process_events

    async def with_its_event(self, scope: Scope, asked: Any) -> Any:
        """The request, naming the session's newest event of that kind if it asks to cancel one without a name."""
        if not isinstance(asked, dict) or asked.get("event_id", "") is not None:
            return asked
        if scope["path"].endswith(RESET):  # comes after the cancelling, which leaves nothing to reset
            return asked | {"event_id": ""}
        if not scope["path"].endswith(CANCEL):
            return asked
        return asked | {"event_id": await self.event_of(asked.get("session_hash"), asked.get("fn_index"), scope)}

    async def event_of(self, session_hash: Any, fn_index: Any, scope: Scope) -> str:
        """Its name once it has joined; none if it does not come, or too many others are waited for."""
        for event_id, event in reversed(self.queue.event_ids_to_events.items()):
            if (event.session_hash, event.fn._id) == (session_hash, fn_index):
                return event_id
        visitor = visitor_of(scope["client"][0])
        if self.of_visitors[visitor] >= MOST_OF_ONE or self.of_visitors.total() >= MOST_WAITING:
            return ""
        kind = str(session_hash), fn_index if isinstance(fn_index, int) else -1
        with self.cancelling(kind, visitor, scope[CAME]) as asked:
            await asyncio.wait([asked.joined], timeout=SECONDS_TO_JOIN)
        return asked.joined.result() if asked.joined.done() else ""

    @contextmanager
    def cancelling(self, kind: tuple[str, int], visitor: str, came: float) -> Iterator[Cancelling]:
        asked = Cancelling(came)
        self.waiting[kind].append(asked)
        self.of_visitors[visitor] += 1
        try:
            yield asked
        finally:
            self.waiting[kind].remove(asked)
            if not self.waiting[kind]:
                del self.waiting[kind]
            self.of_visitors -= Counter([visitor])  # which forgets whom it has counted down

    async def push(self, body: Any, **about: Any) -> tuple:
        """Gradio's own; what joins is not begun if somebody waits to cancel it, who is told its name."""
        answer = joined, event_id, _ = await self.let_in(body, **about)
        for asked in self.waiting.get((body.session_hash, body.fn_index), ()):
            if asked.is_after(about["request"].scope) and not asked.joined.done():
                asked.joined.set_result(event_id if joined else "")
                if joined:
                    self.queue.event_ids_to_events[event_id].alive = False
        return answer

    def process_events(self, events: list[Event], *about: Any) -> Coroutine:
        return Processing(self.process(events, *about), events)


class Processing(Coroutine):
    """Gradio's coroutine around a run: cancelled before its first step, it takes that step with nobody to run for."""

    def __init__(self, coroutine: Coroutine, events: list[Event]):
        self.coroutine = coroutine
        self.events = events

    def throw(self, *error: Any) -> Any:
        if inspect.getcoroutinestate(self.coroutine) != inspect.CORO_CREATED:
            return self.coroutine.throw(*error)
        for event in self.events:
            event.alive = False
        return self.send(None)

    def send(self, value: Any) -> Any:
        return self.coroutine.send(value)

    def __await__(self) -> Any:
        return self.coroutine.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.coroutine, name)  # its state, which libraries look at
