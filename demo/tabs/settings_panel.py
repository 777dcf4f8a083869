"""The generation settings, tucked into an accordion. An empty field means the model's own default."""

from __future__ import annotations

import gradio as gr
from gradio.components import Component

from demo import wording
from demo.handlers import SETTING_NAMES

WHOLE = {"precision": 0, "step": 1}
RANGES = {  # what a visitor may ask for
    "num_beams": {"minimum": 1, "maximum": 16, **WHOLE},
    "temperature": {"minimum": 0.05, "maximum": 5, "step": 0.1},
    "top_k": {"minimum": 0, "maximum": 1000, **WHOLE},
    "top_p": {"minimum": 0.01, "maximum": 1, "step": 0.05},
    "max_new_tokens": {"minimum": 1, "maximum": 512, **WHOLE},
    "min_new_tokens": {"minimum": 0, "maximum": 512, **WHOLE},
    "length_penalty": {"minimum": -5, "maximum": 5, "step": 0.1},
    "no_repeat_ngram_size": {"minimum": 0, "maximum": 10, **WHOLE},
    "repetition_penalty": {"minimum": 0.5, "maximum": 5, "step": 0.1},
    "seed": {"minimum": 0, **WHOLE},
}


def settings_panel() -> list[Component]:
    """The widgets in the order of `GenerationSettings`' fields."""
    with gr.Accordion(wording.SETTINGS_TITLE, open=False, elem_classes="settings"):
        gr.Markdown(wording.SETTINGS_NOTE)
        with gr.Row(elem_classes="settings-grid"):
            return [_widget(name) for name in SETTING_NAMES]


def _widget(name: str) -> Component:
    label, info = wording.SETTINGS[name]
    if name == "do_sample":
        return gr.Checkbox(False, label=label, info=info)
    return gr.Number(
        None, label=label, info=info, placeholder=wording.SETTING_EMPTY, min_width=150, **RANGES[name]
    )
