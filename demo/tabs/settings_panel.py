"""The generation settings, tucked into an accordion. An empty field means the model's own default."""

from __future__ import annotations

import gradio as gr
from gradio.components import Component

from demo import wording
from demo.setting_fields import FIELDS


def settings_panel() -> list[Component]:
    """The widgets for sampling, and for each of FIELDS."""
    with gr.Accordion(wording.SETTINGS_TITLE, open=False, elem_classes="settings"):
        gr.Markdown(wording.SETTINGS_NOTE)
        label, info = wording.SETTINGS["do_sample"]
        do_sample = gr.Checkbox(False, label=label, info=info)
        with gr.Row(elem_classes="settings-grid"):
            return [do_sample, *(_field(field.name) for field in FIELDS)]


def _field(name: str) -> gr.Textbox:
    label, info = wording.SETTINGS[name]
    return gr.Textbox(label=label, info=info, placeholder=wording.SETTING_EMPTY, min_width=150, max_lines=1)
