"""What every task's tab is made of: a text and its choices, the result, and what the model looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from demo import wording
from demo.examples import examples
from demo.handlers import Handlers, begin, begin_shorter, end, model_options, no_provenance, result
from demo.setting_fields import AUTOMATIC
from demo.tabs.attention_panel import AttentionPanel, attention_panel, follow_choices, follow_run
from demo.tabs.events import MODEL_EVENT, NO_PROGRESS, PAGE_EVENT, RUN_EVENT, at_the_end
from demo.tabs.linked_form import LinkedForm, linked_form
from demo.tabs.settings_panel import settings_panel
from demo.tabs.text_box import TextBox, example_buttons, let_cancel, run_buttons, text_box, wire_text_box
from demo.tabs.widgets import provenance_view, result_view
from seq2seq.engine.stopping import stoppable
from seq2seq.tasks import QUOTED, Task


@dataclass(frozen=True)
class ProvenancePanel:
    """Where each sentence of a result comes from; hidden until there is something to show."""

    frame: gr.Column
    view: gr.HTML


@dataclass(frozen=True)
class RunPanel:
    task: Component  # its value is the Task
    box: TextBox
    buttons: list[gr.Button]  # run, cancel
    examples: dict[Task, gr.Examples]
    model: gr.Dropdown
    settings: list[Component]  # whose values `demo.setting_fields.read_settings` reads
    result: gr.HTML
    finished: gr.State  # Run of the result that is shown
    attention: AttentionPanel
    provenance: ProvenancePanel | None
    form: LinkedForm


def run_panel(task: Component, tasks: tuple[Task, ...], handlers: Handlers, tells_provenance: bool = False) -> RunPanel:
    """The widgets for one or more tasks, of which `task` holds the chosen one, and their wiring."""
    first = tasks[0]
    with gr.Row(elem_classes="run-panel"):
        with gr.Column(elem_classes="ask"):
            task.render()
            box = text_box(wording.TEXT_HINTS[first])
            buttons = run_buttons(wording.RUN_LABELS[first])
            sets = {each: _examples(each, box.text, visible=each == first) for each in tasks}
            model = gr.Dropdown(**model_options(handlers.engine, first), label=wording.MODEL_LABEL)
            told = _wordings(tasks)
            settings = settings_panel()
            form = linked_form([task, box.text, model, told, *settings])
        with gr.Column(elem_classes="answer"):
            shown = result_view(result(first, hint=wording.RESULT_HINT))
    provenance = _provenance_panel() if tells_provenance else None
    asked = [told, *settings]
    panel = RunPanel(task, box, buttons, sets, model, asked, shown, gr.State(), attention_panel(), provenance, form)
    wire_text_box(box, handlers.count, [task, box.text, model])
    _wire_run(panel, handlers)
    return panel


def _provenance_panel() -> ProvenancePanel:
    with gr.Column(visible=False, elem_classes="findings") as frame:
        gr.Markdown(f"## {wording.PROVENANCE_TITLE}")
        return ProvenancePanel(frame, provenance_view())


def _wordings(tasks: tuple[Task, ...]) -> Component:
    """The choice between writing and quoting, where there is one."""
    if QUOTED.isdisjoint(tasks):
        return gr.State(AUTOMATIC)
    return gr.Radio(wording.WORDING_CHOICES, value=AUTOMATIC, label=wording.WORDING_LABEL, info=wording.WORDING_NOTE)


def _examples(task: Task, text: gr.Textbox, visible: bool) -> gr.Examples:
    return example_buttons({title: [example] for title, example in examples(task).items()}, [text], visible)


def _wire_run(panel: RunPanel, handlers: Handlers) -> None:
    """The run button, and the button in a sectioned result that summarizes it again, each with all that follows."""
    run, cancel = panel.buttons
    begun = [run, cancel, panel.result, panel.finished, panel.attention.frame]
    asked = [panel.model, *panel.settings]
    started = run.click(begin, panel.task, begun, **PAGE_EVENT)
    shortened = panel.result.submit(begin_shorter, [panel.task, panel.result], begun, **PAGE_EVENT)
    runs = [
        _run_after(started, panel, handlers.generate, [panel.task, panel.box.text, *asked], handlers),
        _run_after(shortened, panel, handlers.shorten, [panel.task, panel.result, *asked], handlers),
    ]
    going = [event for events in runs for event in events]
    follow_choices(panel.attention, panel.finished, handlers)
    if panel.provenance:
        found = _find_provenance(panel, [looked for _, looked in runs], handlers)
        gr.on([run.click, panel.result.submit], no_provenance, None, _shown(panel), cancels=found, **PAGE_EVENT)
        going += found
    cancel.click(None, cancels=going, **PAGE_EVENT)


def _run_after(
    started: gr.events.Dependency, panel: RunPanel, generate: Callable, inputs: list[Component], handlers: Handlers
) -> list[gr.events.Dependency]:
    """The result as it grows, then the pictures of it and the buttons. Returns what Cancel has to stop."""
    generated = started.then(
        stoppable(generate),
        inputs,
        [panel.result, panel.finished],
        show_progress_on=panel.result,
        **RUN_EVENT,
    )
    let_cancel(started, panel.buttons[1])
    looked = follow_run(panel.attention, panel.finished, generated, handlers)
    at_the_end(generated, end, panel.result, [*panel.buttons, panel.result])
    return [generated, looked]


def _find_provenance(
    panel: RunPanel, looked: list[gr.events.Dependency], handlers: Handlers
) -> list[gr.events.Dependency]:
    """After the attention panel's first look at a run of either kind. Returns what Cancel or another run must stop."""
    find = stoppable(handlers.provenance)
    return [each.success(find, panel.finished, _shown(panel), **NO_PROGRESS, **MODEL_EVENT) for each in looked]


def _shown(panel: RunPanel) -> list[Component]:
    return [panel.provenance.frame, panel.provenance.view]
