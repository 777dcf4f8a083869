"""How the page's events run: those that need a model wait in one queue, files in another, the rest do not wait.

Those that do not wait can end in any order, so what choices draw is drawn by one of them alone. It is one that begins
anew when it ends if there was a choice meanwhile ("always_last"): by default, Gradio would drop that choice.

Those that do not wait do not tell the page that they changed a gr.State: what others listen to waits, among the forms.

None is an endpoint for programs; those are in `demo.endpoints`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.components import Component
from gradio.context import LocalContext

MODEL_QUEUE = "model"  # one concurrency group: Gradio would else give each event a queue of its own
PATTERN_QUEUE = "pattern"  # the largest patterns take half a gigabyte: one at a time
FORM_QUEUE = "form"
FOLLOWED = (MODEL_QUEUE, PATTERN_QUEUE)  # whose events are limited, logged and counted
MODEL_EVENT = {"concurrency_id": MODEL_QUEUE, "api_visibility": "private"}
FOLLOWING = {**MODEL_EVENT, "trigger_mode": "always_last", "show_progress": "minimal"}
RUN_EVENT = {**MODEL_EVENT, "show_progress": "full"}  # says how long the queue is
FILES = "files"
FILE_EVENT = {
    "concurrency_id": FILES,
    "concurrency_limit": 4,  # a hostile one can take half a gigabyte
    "api_visibility": "private",
    "show_progress": "minimal",
}
NO_PROGRESS = {"show_progress": "hidden", "show_progress_on": []}
FORM_EVENT = {"concurrency_id": FORM_QUEUE, "api_visibility": "private", **NO_PROGRESS}
PAGE_EVENT = {"queue": False, "api_visibility": "private", **NO_PROGRESS}
# What a function gets is then as it was sent. Gradio's check of a gr.Dropdown would tell a model that a new task lacks
# as an error, before the list has followed, and so any choice of a session that has lost its lists.
UNCHECKED = {"preprocess": False}
AS_SENT = {**PAGE_EVENT, **UNCHECKED}
SPARE = "spare"  # what nobody asks for: done where the server has nothing else to do
SPARE_EVENT = {**AS_SENT, "concurrency_id": SPARE}
COUNTS = "counts"  # of a long text take a second: few at a time
COUNT_EVENT = {**AS_SENT, "concurrency_id": COUNTS}
DRAWINGS = "drawings"  # of a pattern, which can take as much as in PATTERN_QUEUE, and may not wait behind that
DRAW_EVENT = {**PAGE_EVENT, "concurrency_id": DRAWINGS}
VIEWS = "views"  # of a result that is there: the largest take a second each
VIEW_EVENT = {**AS_SENT, "concurrency_id": VIEWS}
LINK_EVENT = {**PAGE_EVENT, "concurrency_id": VIEWS}


def at_the_end(
    run: gr.events.Dependency, end: Callable[..., tuple], inputs: Component, outputs: Sequence[Component]
) -> None:
    """However the run ends: the page passes over what comes "then" where it was not let in to the queue."""
    for ended in (run.then, run.failure):
        ended(end, inputs, list(outputs), **PAGE_EVENT)


def must_wait() -> bool:
    """Whether whoever asks the model now has others before them."""
    queue = LocalContext.blocks.get()._queue.event_queue_per_concurrency_id.get(MODEL_QUEUE)
    return queue is not None and queue.current_concurrency >= queue.concurrency_limit


def endpoint_name(event: BlockFunction | None) -> str:
    """An endpoint's path, or what the page's event does; for logs and metrics."""
    if event is None:
        return "unknown"
    return f"/{event.api_name}" if event.api_visibility == "public" else f"page: {event.name}"
