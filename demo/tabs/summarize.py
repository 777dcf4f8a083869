"""The tab that summarizes a text."""

from __future__ import annotations

import gradio as gr

from demo import wording
from demo.handlers import Handlers
from demo.tabs.run_panel import RunPanel, run_panel


def summarize_tab(handlers: Handlers) -> RunPanel:
    """Add the tab to the page that is being built."""
    with gr.Tab(wording.TAB_SUMMARIZE, id="summarize"):
        task = gr.Radio(["summarize"], value="summarize", visible=False, render=False)
        return run_panel(task, ("summarize",), handlers, tells_provenance=True)
