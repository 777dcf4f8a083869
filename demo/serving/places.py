"""Where events wait for their turn: runs, files and forms each have places of their own, and none fills another's."""

from __future__ import annotations

from typing import Any, Literal

from gradio.block_function import BlockFunction
from gradio.queueing import Queue
from starlette.requests import Request

from demo import limit_words
from demo.tabs.events import FILES, FOLLOWED

Place = Literal["run", "file", "form"]
MOST_FILES = 32  # that wait to be read, a few at a time
MOST_FORMS = 64  # that wait to be filled in, which takes a moment


def place_of(concurrency_id: str | None) -> Place:
    """Whatever else a program may queue waits among the forms."""
    if concurrency_id in FOLLOWED:
        return "run"
    return "file" if concurrency_id == FILES else "form"


class Places:
    """Of one queue; made before that starts. Gradio itself counts all that wait together."""

    def __init__(self, queue: Queue, most_runs: int):
        self.queue = queue
        self.most = {"run": most_runs, "file": MOST_FILES, "form": MOST_FORMS}
        self.let_in, queue.push = queue.push, self.push

    def refuse(self, event: BlockFunction) -> str | None:
        """What is said to whoever finds none left for this event."""
        place = place_of(event.concurrency_id)
        queues = self.queue.event_queue_per_concurrency_id.values()
        waiting = sum(len(each.queue) for each in queues if place_of(each.concurrency_id) == place)
        if waiting < self.most[place]:
            return None
        return limit_words.FILES_BUSY if place == "file" else limit_words.BUSY

    async def push(self, body: Any, **about: Any) -> tuple:
        """Gradio's own, where there is still a place: of many who come at once, all have passed the door."""
        event = self.queue.blocks.fns.get(body.fn_index)
        says = event and self.refuse(event)
        if says:
            return False, says, "queue_full"
        body.request = Request(about["request"].scope)  # the other has what was posted in memory, in two forms
        return await self.let_in(body, **about | {"request": body.request})
