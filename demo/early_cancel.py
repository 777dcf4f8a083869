"""Cancel, pressed before the server has said what the run is called: what is to be cancelled is looked up here.

Gradio's page learns an event's name when it has joined the queue, and before that asks to cancel one without a name,
which Gradio refuses; the run would go on.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from gradio.queueing import Queue

CANCEL, RESET = "/gradio_api/cancel", "/gradio_api/reset"
SECONDS_TO_JOIN = 10  # that what is cancelled may still be on its way here
SECONDS_BETWEEN_LOOKS = 0.05


async def with_its_event(path: str, asked: Any, queue: Queue) -> Any:
    """The request, naming the session's newest event of that kind if it asks to cancel one without a name."""
    if not isinstance(asked, dict) or asked.get("event_id", "") is not None:
        return asked
    if path.endswith(RESET):  # comes after the cancelling, which leaves nothing to reset
        return asked | {"event_id": ""}
    return asked | {"event_id": await event_of(asked, queue)} if path.endswith(CANCEL) else asked


async def event_of(asked: dict, queue: Queue) -> str:
    """Its name once it has joined; none if it does not come."""
    deadline = time.monotonic() + SECONDS_TO_JOIN
    while time.monotonic() < deadline:
        for event_id, event in reversed(queue.event_ids_to_events.copy().items()):
            if (event.session_hash, event.fn._id) == (asked.get("session_hash"), asked.get("fn_index")):
                return event_id
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
    return ""
