"""Two runs side by side: the one that was kept, and the one that is taken apart now."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from demo import explorer_words as words
from demo import wording
from demo.comparing import Comparing, keep
from demo.tabs.events import FOLLOWING, PAGE_EVENT, UNCHECKED
from demo.tabs.widgets import token_view


@dataclass(frozen=True)
class ComparePanel:
    button: gr.Button  # keeps a run
    kept: gr.State  # Explored
    note: gr.HTML
    frame: gr.Column
    views: list[Component]  # facts, difference, and of either run its linked texts, its map and that as a table

    @property
    def compared(self) -> list[Component]:
        """What `Comparing.compare` fills."""
        return [self.frame, *self.views]


def compare_panel() -> ComparePanel:
    gr.Markdown(words.RUNS_LEAD)
    button = gr.Button(words.KEEP_LABEL, elem_classes="keep")
    note = gr.HTML(apply_default_css=False, js_on_load=None)
    with gr.Column(visible=False, elem_classes="two-runs") as frame:
        facts = gr.HTML(apply_default_css=False, js_on_load=None)
        gr.Markdown(f"### {words.DIFFERENCE_TITLE}")
        difference = gr.HTML(apply_default_css=False, js_on_load=None)
        with gr.Row(elem_classes="beside"):
            runs = [_run(head) for head in words.RUNS]
    views = [facts, difference, *runs[0], *runs[1]]
    return ComparePanel(button, gr.State(), note, frame, views)


def _run(head: str) -> tuple[gr.HTML, gr.Plot, gr.HTML]:
    with gr.Column(min_width=280):
        gr.Markdown(f"### {head}")
        tokens = token_view()
        with gr.Accordion(wording.HEATMAP_TITLE, open=True):
            picture = gr.Plot(show_label=False, container=False, elem_classes="heatmap")
        with gr.Accordion(wording.TABLE_TITLE, open=False):
            return tokens, picture, gr.HTML(apply_default_css=False, js_on_load=None)


def wire_compare(
    panel: ComparePanel, tab: gr.Tab, explored: gr.State, form: list[Component], comparing: Comparing
) -> None:
    panel.button.click(keep, explored, [panel.kept, panel.note, panel.frame], **PAGE_EVENT)
    tab.select(
        comparing.compare,
        [panel.kept, explored, *form],
        panel.compared,
        show_progress_on=panel.views[0],
        **UNCHECKED,
        **FOLLOWING,
    )
