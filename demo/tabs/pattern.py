"""The tab of the block-sparse pattern: who looks at whom, how far a token hears, what it costs, and over a text."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from demo import wording
from demo.exploring import FIRST, OF_THE_TEXT, PATTERN_FIELDS, Exploring, begin_work, draw, form_values, lay
from demo.handlers import end, open_document, result
from demo.tabs.events import DRAW_EVENT, FILE_EVENT, FORM_EVENT, PAGE_EVENT, RUN_EVENT, at_the_end
from demo.tabs.linked_form import LinkedForm, linked_form
from demo.tabs.text_box import TextBox, let_cancel, run_buttons, text_box
from demo.tabs.widgets import result_view
from seq2seq.engine import Engine
from seq2seq.engine.stopping import stoppable

SHAPE_FIELDS = ("num_heads", "head_dim", "max_length")


@dataclass(frozen=True)
class PatternForm:
    plan: gr.Radio
    numbers: dict[str, gr.Number]

    @property
    def values(self) -> list[Component]:
        """In the order that `demo.exploring.settings_of_form` reads them in."""
        return [self.plan, *(self.numbers[field.name] for field in PATTERN_FIELDS)]


@dataclass(frozen=True)
class TextPanel:
    box: TextBox
    buttons: list[gr.Button]  # run, cancel
    model: gr.Dropdown
    result: gr.HTML
    read: gr.State  # TextRead: what was read last
    laid: gr.State  # the same, once the form has been filled for it: its change draws


@dataclass(frozen=True)
class MeasuringPanel:
    buttons: list[gr.Button]  # run, cancel
    result: gr.HTML
    frame: gr.Column
    figure: gr.Plot


def pattern_tab(engine: Engine) -> LinkedForm:
    """Add the tab to the page that is being built."""
    exploring = Exploring(engine)
    with gr.Tab(wording.TAB_PATTERN, id="pattern") as tab:
        with gr.Row(elem_classes="run-panel pattern"):
            with gr.Column(elem_classes="ask"):
                form = pattern_form()
                linked = linked_form([gr.State("pattern"), *form.values])
            with gr.Column(elem_classes="answer"):
                views = map_views()
            with gr.Column(elem_classes="ask over-text"):
                text = text_panel(exploring)
        with gr.Row(elem_classes="findings pattern-curves"):
            with gr.Column(min_width=320):
                gr.Markdown(f"## {wording.HEARD_TITLE}\n\n{wording.HEARD_NOTE}")
                heard = figure()
            with gr.Column(min_width=320):
                gr.Markdown(f"## {wording.COST_TITLE}\n\n{wording.COST_NOTE}")
                counted = gr.Radio(wording.COUNTED_CHOICES, value="operations", label=wording.COUNTED_LABEL)
                cost = figure()
                measuring = measuring_panel()
    gr.on(
        [tab.select, text.laid.change, counted.input, *(field.input for field in form.values)],
        draw,
        [text.laid, counted, *form.values],
        [*views, heard, cost],
        trigger_mode="always_last",
        **DRAW_EVENT,
    )
    _wire_text(text, form, exploring)
    _wire_measuring(measuring, form, exploring)
    return linked


def pattern_form() -> PatternForm:
    gr.Markdown(wording.PATTERN_LEAD)
    values = form_values(FIRST)
    with gr.Row(elem_classes="settings-grid"):
        numbers = {name: _number(name, value) for name, value in values.items() if name not in SHAPE_FIELDS}
    plan = gr.Radio(wording.PLAN_CHOICES, value=FIRST.random_blocks, label=wording.PLAN_LABEL)
    with (
        gr.Accordion(wording.SHAPE_TITLE, open=False, elem_classes="settings"),
        gr.Row(elem_classes="settings-grid"),
    ):
        numbers |= {name: _number(name, values[name]) for name in SHAPE_FIELDS}
    return PatternForm(plan, numbers)


def _number(name: str, value: int) -> gr.Number:
    label, info = wording.PATTERN_SETTINGS[name]
    return gr.Number(value, label=label, info=info, min_width=130)


def text_panel(exploring: Exploring) -> TextPanel:
    """A text to read and the model that reads it."""
    gr.Markdown(f"### {wording.OVER_TEXT_TITLE}\n\n{wording.OVER_TEXT_NOTE}")
    box = text_box(wording.READ_TEXT_HINT)
    buttons = run_buttons(wording.READ_LABEL)
    shown = result_view(result("pattern"))
    model = gr.Dropdown(**exploring.model_options(), label=wording.MODEL_LABEL)
    return TextPanel(box, buttons, model, shown, gr.State(), gr.State())


def map_views() -> list[Component]:
    """A problem, the facts, a note on the map, the map, its table."""
    problem = gr.HTML(apply_default_css=False, js_on_load=None)
    gr.Markdown(f"## {wording.MAP_TITLE}")
    facts = gr.Markdown()
    note = gr.Markdown(elem_classes="map-note")
    picture = figure()
    with gr.Accordion(wording.PATTERN_TABLE_TITLE, open=False):
        table = gr.HTML(apply_default_css=False, js_on_load=None)
    return [problem, facts, note, picture, table]


def measuring_panel() -> MeasuringPanel:
    with gr.Column(elem_classes="measuring"):
        buttons = run_buttons(wording.MEASURE_LABEL)
        shown = result_view(result("pattern", hint=wording.MEASURE_HINT))
        with gr.Column(visible=False) as frame:
            times = figure()
    return MeasuringPanel(buttons, shown, frame, times)


def figure() -> gr.Plot:
    return gr.Plot(show_label=False, container=False, elem_classes="figure")


def _wire_text(text: TextPanel, form: PatternForm, exploring: Exploring) -> None:
    """A text is read, then fills the form, then is drawn.

    Three events, the second a queued function: Gradio tells the page that a gr.State has changed before it fills the
    fields where both come from a generator, after that where they come from a function, and never without a queue.
    """
    run, cancel = text.buttons
    text.box.file.upload(open_document, text.box.file, text.box.text, **FILE_EVENT)
    started = run.click(begin_work, None, [run, cancel, text.result], **PAGE_EVENT)
    read = started.then(
        stoppable(exploring.read),
        [text.box.text, text.model, *form.values],
        [text.result, text.read],
        show_progress_on=text.result,
        **RUN_EVENT,
    )
    let_cancel(started, cancel)
    at_the_end(read, end, text.result, [run, cancel, text.result])
    cancel.click(None, cancels=[read], **PAGE_EVENT)
    text.read.change(
        lay,
        [text.read, form.numbers["head"]],
        [text.laid, *(form.numbers[name] for name in OF_THE_TEXT)],
        **FORM_EVENT,
    )


def _wire_measuring(panel: MeasuringPanel, form: PatternForm, exploring: Exploring) -> None:
    run, cancel = panel.buttons
    started = run.click(begin_work, None, [run, cancel, panel.result], **PAGE_EVENT)
    measured = started.then(
        stoppable(exploring.measure),
        form.values,
        [panel.result, panel.frame, panel.figure],
        show_progress_on=panel.result,
        **RUN_EVENT,
    )
    let_cancel(started, cancel)
    at_the_end(measured, end, panel.result, [run, cancel, panel.result])
    cancel.click(None, cancels=[measured], **PAGE_EVENT)
