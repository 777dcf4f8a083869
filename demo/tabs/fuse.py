"""The tab that fuses sentences into one, or splits one into several."""

from __future__ import annotations

import gradio as gr

from demo import wording
from demo.handlers import Handlers
from demo.tabs.events import AS_SENT
from demo.tabs.run_panel import RunPanel, run_panel


def fuse_tab(handlers: Handlers) -> RunPanel:
    """Add the tab to the page that is being built."""
    with gr.Tab(wording.TAB_FUSE, id="fuse"):
        task = gr.Radio(wording.TASK_CHOICES, value="fuse", label=wording.TASK_LABEL, render=False)
        panel = run_panel(task, ("fuse", "split"), handlers)
    task.change(
        handlers.choose_task,
        [task, panel.model],
        [panel.box.text, panel.buttons[0], panel.model, *(each.dataset for each in panel.examples.values())],
        **AS_SENT,
    )
    return panel
