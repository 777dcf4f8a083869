"""How the page's events run: those that need a model wait in one queue, files in another, the rest do not wait.

Neither kind is an endpoint for programs; those are in `demo.endpoints`.
"""

from __future__ import annotations

MODEL_QUEUE = "model"  # one concurrency group: Gradio would else give each event a queue of its own
PATTERN_QUEUE = "pattern"  # the largest patterns take half a gigabyte: one at a time
MODEL_EVENT = {"concurrency_id": MODEL_QUEUE, "api_visibility": "private"}
FILE_EVENT = {"concurrency_id": "files", "api_visibility": "private", "show_progress": "minimal"}
PAGE_EVENT = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
