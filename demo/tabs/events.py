"""How the page's events run: those that need a model wait in one queue, files in another, the rest do not wait.

Those that do not wait can end in any order, so what choices draw is drawn by one of them alone. It is one that begins
anew when it ends if there was a choice meanwhile ("always_last"): by default, Gradio would drop that choice.

Those that do not wait do not tell the page that they changed a gr.State: what others listen to waits, among the forms.

None is an endpoint for programs; those are in `demo.endpoints`.
"""

from __future__ import annotations

MODEL_QUEUE = "model"  # one concurrency group: Gradio would else give each event a queue of its own
PATTERN_QUEUE = "pattern"  # the largest patterns take half a gigabyte: one at a time
MODEL_EVENT = {"concurrency_id": MODEL_QUEUE, "api_visibility": "private"}
FILE_EVENT = {"concurrency_id": "files", "api_visibility": "private", "show_progress": "minimal"}
NO_PROGRESS = {"show_progress": "hidden", "show_progress_on": []}
FORM_EVENT = {"concurrency_id": "form", "api_visibility": "private", **NO_PROGRESS}
PAGE_EVENT = {"queue": False, "api_visibility": "private", **NO_PROGRESS}
