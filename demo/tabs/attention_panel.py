"""What the model looked at: the cross-attention of a finished run, as linked texts, a heat map and a table.

Choosing a section or a layer asks the engine for that; choosing a head, or words or tokens, redraws what is there. One
event draws for both, or a layer that took its time would be shown with the head that was chosen before.
"""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from demo import explorer_words, wording
from demo.handlers import Handlers, redraw
from demo.tabs.events import MODEL_EVENT, NO_PROGRESS, VIEW_EVENT
from demo.tabs.widgets import token_view


@dataclass(frozen=True)
class AttentionPanel:
    frame: gr.Column
    title: gr.Markdown
    section: gr.Dropdown  # there only where the text was read in several
    layer: gr.Dropdown
    head: gr.Dropdown
    unit: gr.Radio
    record: gr.State  # AttentionRecord of the layer that is shown
    looks: gr.State  # how often another record was looked for: its change draws
    views: list  # token view, heat map, table
    take: gr.Button  # opens the result in the Attention tab


def attention_panel() -> AttentionPanel:
    """The widgets, hidden until there is something to show."""
    with gr.Column(visible=False, elem_classes="attention") as frame:
        title = gr.Markdown(wording.attention_head(quoted=False))
        section = gr.Dropdown(label=wording.SECTION_LABEL, visible=False)
        with gr.Row(elem_classes="choices"):
            layer = gr.Dropdown(label=wording.LAYER_LABEL, min_width=120)
            head = gr.Dropdown(label=wording.HEAD_LABEL, min_width=120)
            unit = gr.Radio(wording.UNIT_CHOICES, value="words", label=wording.UNIT_LABEL, min_width=400)
            take = gr.Button(explorer_words.TAKE_LABEL, size="sm", elem_classes="take")
        tokens = token_view()
        with gr.Accordion(wording.HEATMAP_TITLE, open=True):
            picture = gr.Plot(show_label=False, container=False, elem_classes="heatmap")
        with gr.Accordion(wording.TABLE_TITLE, open=False):
            table = gr.HTML(apply_default_css=False, js_on_load=None)
    views = [tokens, picture, table]
    return AttentionPanel(frame, title, section, layer, head, unit, gr.State(), gr.State(0), views, take)


def follow_run(
    panel: AttentionPanel, run: gr.State, finished: gr.events.Dependency, handlers: Handlers
) -> gr.events.Dependency:
    """Fill the panel when `finished` has left a run. Returns the filling event."""
    return finished.success(
        handlers.first_look,
        [run, panel.unit],
        [panel.frame, panel.title, panel.section, panel.layer, panel.head, panel.record, *panel.views],
        **NO_PROGRESS,  # there is nothing to see yet
        **MODEL_EVENT,
    )


def follow_choices(panel: AttentionPanel, run: gr.State, handlers: Handlers) -> None:
    """Show what is chosen: another section or layer asks the engine, another head or unit only draws."""
    gr.on(
        [panel.section.select, panel.layer.select],
        handlers.look,
        [run, panel.section, panel.layer, panel.looks],
        [panel.record, panel.looks],
        trigger_mode="always_last",
        show_progress="minimal",
        show_progress_on=panel.views[0],
        **MODEL_EVENT,
    )
    gr.on(
        [panel.looks.change, panel.head.select, panel.unit.input],
        redraw,
        [run, panel.record, panel.head, panel.unit],
        panel.views,
        trigger_mode="always_last",
        **VIEW_EVENT,
    )
