"""The page: its head, the tabs in order, and the endpoints for programs."""

from __future__ import annotations

import gradio as gr

from demo import wording
from demo.endpoints import Endpoint
from demo.handlers import Handlers
from demo.tabs.events import MODEL_QUEUE
from demo.tabs.fuse import fuse_tab
from demo.tabs.summarize import summarize_tab
from seq2seq.engine import Engine

UPLOADS_KEPT = (600, 600)  # seconds between sweeps, and before a file that was never read is swept away
ENDPOINTS = ("fuse", "split", "summarize")


def build(engine: Engine) -> gr.Blocks:
    """The whole page around one engine."""
    handlers = Handlers(engine)
    with gr.Blocks(title=wording.TITLE, analytics_enabled=False, delete_cache=UPLOADS_KEPT) as demo:
        gr.Markdown(f"# {wording.TITLE}\n\n{wording.LEAD}", elem_classes="masthead")
        with gr.Tabs():
            fuse_tab(handlers)
            summarize_tab(handlers)
        for task in ENDPOINTS:
            gr.api(Endpoint(engine, task).stream, api_name=task, concurrency_id=MODEL_QUEUE)
    return demo
