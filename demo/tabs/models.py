"""The tab of the models: which there are, what each is for, and its card. Nothing in it moves."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr

from demo import wording
from demo.model_cards import Model, overview, section


def models_tab(models: Sequence[Model]) -> None:
    """Add the tab to the page that is being built."""
    with gr.Tab(wording.TAB_MODELS, id="models"), gr.Column(elem_classes="models"):
        gr.Markdown(f"## {wording.MODELS_TITLE}\n\n{wording.MODELS_LEAD}")
        gr.HTML(overview(models), apply_default_css=False, js_on_load=None)
        gr.Markdown(f"## {wording.CARDS_TITLE}", elem_classes="cards")
        for number, model in enumerate(models):
            with gr.Accordion(model.about.title, open=number == 0):
                gr.HTML(section(model), js_on_load=None, elem_classes="model-card")
