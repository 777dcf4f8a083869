"""Where a result looked: a form, and what it chooses as linked texts, a heat map and a table, to take along.

What is chosen asks the engine; heads, and what is drawn of them, only draw what is there already.
"""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr
import plotly.graph_objects as go
from gradio.components import Component

from demo import explorer_words as words
from demo import wording
from demo.links import WHOLE
from demo.looking import Looking, draw, exported
from demo.tabs.events import MODEL_EVENT, UNCHECKED, VIEW_EVENT
from demo.tabs.widgets import download, link_view, token_view


@dataclass(frozen=True)
class MapPanel:
    kind: gr.Radio
    layer: gr.Dropdown
    heads: gr.Dropdown
    grain: gr.Radio
    part: gr.Dropdown
    drawing: list[Component]  # together, marks, scale: choices that need no model
    seen: gr.State  # Seen
    looks: gr.State  # how often another record was looked for: its change draws
    views: list[Component]  # note, token view, heat map, table
    exports: dict[words.Format, gr.Button]
    download: gr.HTML
    link: tuple[gr.Button, gr.HTML]  # asks for one, shows it
    now: gr.State  # what the views show

    @property
    def form(self) -> list[Component]:
        """The fields of a Look, in order."""
        return [self.kind, self.layer, self.heads, self.grain, self.part, *self.drawing]

    @property
    def looked(self) -> list[Component]:
        """What `Looking.see` fills."""
        return [self.layer, self.heads, self.seen, self.looks]

    @property
    def drawn(self) -> list[Component]:
        """What `draw` fills."""
        return [*self.views, self.link[1], self.now]


def map_panel() -> MapPanel:
    with gr.Row(elem_classes="choices"):
        kind = gr.Radio(words.KIND_CHOICES, value="cross", label=words.KIND_LABEL)
        grain = gr.Radio(words.GRAIN_CHOICES, value="words", label=words.GRAIN_LABEL)
    with gr.Row(elem_classes="choices"):
        layer = gr.Dropdown(label=words.LAYER_LABEL, min_width=150)
        heads = gr.Dropdown(label=words.HEADS_LABEL, multiselect=True, min_width=150)
        part = gr.Dropdown([(words.WHOLE_TEXT, WHOLE)], value=WHOLE, label=words.PART_LABEL, min_width=220)
    with gr.Accordion(wording.DRAWING_TITLE, open=False, elem_classes="settings"), gr.Row(elem_classes="choices"):
        drawing = [
            gr.Radio(words.TOGETHER_CHOICES, value=False, label=words.TOGETHER_LABEL),
            gr.Radio(words.MARKS_CHOICES, value="hidden", label=words.MARKS_LABEL),
            gr.Radio(words.SCALE_CHOICES, value=False, label=words.SCALE_LABEL),
        ]
    gr.Markdown(words.CAVEAT)
    note = gr.Markdown(elem_classes="map-note")
    tokens = token_view()
    with gr.Accordion(wording.HEATMAP_TITLE, open=True):
        # An empty one has the page fetch Plotly (4.6 MB) before there is anything to draw.
        picture = gr.Plot(go.Figure(), show_label=False, container=False, elem_classes="heatmap")
    with gr.Accordion(wording.TABLE_TITLE, open=False):
        table = gr.HTML(apply_default_css=False, js_on_load=None)
    with gr.Row(elem_classes="exports"):
        gr.Markdown(words.EXPORT_LABEL)
        exports = {form: gr.Button(form, size="sm") for form in words.EXPORTS}
        saved = download()
        ask_link = gr.Button(words.LINK_LABEL, size="sm")
    link = (ask_link, link_view())
    views = [note, tokens, picture, table]
    seen, looks, now = gr.State(), gr.State(0), gr.State()
    return MapPanel(kind, layer, heads, grain, part, drawing, seen, looks, views, exports, saved, link, now)


def wire_map(shown: MapPanel, explored: gr.State, looking: Looking) -> None:
    """What is chosen asks the engine; what came is drawn by one event alone.

    Of a gr.Dropdown's events, "input" comes a second time when it loses the focus, and clearing several choices is
    only a "change".
    """
    gr.on(
        [shown.kind.input, shown.layer.select, shown.grain.input, shown.part.select],
        looking.see,
        [explored, shown.looks, *shown.form],
        shown.looked,
        trigger_mode="always_last",
        show_progress="minimal",
        show_progress_on=shown.views[1],
        **UNCHECKED,
        **MODEL_EVENT,
    )
    gr.on(
        [shown.looks.change, shown.heads.change, *(each.input for each in shown.drawing)],
        draw,
        [shown.seen, shown.now, shown.heads, *shown.drawing],
        shown.drawn,
        trigger_mode="always_last",
        **VIEW_EVENT,
    )
    together, marks, _ = shown.drawing
    for form, button in shown.exports.items():
        what = [shown.seen, gr.State(form), shown.heads, together, marks]
        button.click(exported, what, shown.download, **VIEW_EVENT)
    button, link = shown.link
    button.click(looking.link, [explored, *shown.form], link, **VIEW_EVENT)
