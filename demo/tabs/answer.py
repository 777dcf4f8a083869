"""The tab that answers a question from a text: what is asked, the answer, and where in the text it stands."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from demo import wording
from demo.answering import Answering, begin_answer
from demo.examples import questions
from demo.handlers import Handlers, end, model_options, result
from demo.tabs.events import PAGE_EVENT, RUN_EVENT, at_the_end
from demo.tabs.linked_form import LinkedForm, linked_form
from demo.tabs.text_box import TextBox, example_buttons, let_cancel, run_buttons, text_box, wire_text_box
from demo.tabs.widgets import answer_view, result_view
from seq2seq.engine.stopping import stoppable


@dataclass(frozen=True)
class AnswerPanel:
    question: gr.Textbox
    box: TextBox
    buttons: list[gr.Button]  # run, cancel
    model: gr.Dropdown
    result: gr.HTML
    frame: gr.Column  # around the views
    views: list  # the answer in its text, figure, table
    form: LinkedForm


def answer_tab(handlers: Handlers) -> LinkedForm:
    """Add the tab to the page that is being built."""
    answering = Answering(handlers.engine)
    with gr.Tab(wording.TAB_ANSWER, id="answer"):
        panel = answer_panel(handlers)
    wire_text_box(panel.box, answering.count, [panel.box.text, panel.model])
    _wire_run(panel, answering)
    return panel.form


def answer_panel(handlers: Handlers) -> AnswerPanel:
    """The widgets; the views are hidden until there is something to show."""
    with gr.Row(elem_classes="run-panel"):
        with gr.Column(elem_classes="ask"):
            question = gr.Textbox(
                label=wording.QUESTION_LABEL, placeholder=wording.QUESTION_HINT, max_lines=1, elem_classes="question"
            )
            box = text_box(wording.CONTEXT_HINT)
            buttons = run_buttons(wording.ANSWER_LABEL)
            example_buttons(questions(), [question, box.text])
            model = gr.Dropdown(**model_options(handlers.engine, "answer"), label=wording.MODEL_LABEL)
            form = linked_form([gr.State("answer"), question, box.text, model])
        with gr.Column(elem_classes="answer"):
            shown = result_view(result("answer", hint=wording.ANSWER_HINT))
    with gr.Column(visible=False, elem_classes="findings") as frame:
        gr.Markdown(f"## {wording.ANSWER_TITLE}\n\n{wording.ANSWER_CAVEAT}")
        places = answer_view()
        with gr.Accordion(wording.SCORES_TITLE, open=True):
            picture = gr.Plot(show_label=False, container=False, elem_classes="heatmap")
        with gr.Accordion(wording.SCORES_TABLE_TITLE, open=False):
            table = gr.HTML(apply_default_css=False, js_on_load=None)
    return AnswerPanel(question, box, buttons, model, shown, frame, [places, picture, table], form)


def _wire_run(panel: AnswerPanel, answering: Answering) -> None:
    run, cancel = panel.buttons
    started = run.click(begin_answer, None, [run, cancel, panel.result, panel.frame], **PAGE_EVENT)
    answered = started.then(
        stoppable(answering.read),
        [panel.question, panel.box.text, panel.model],
        [panel.result, panel.frame, *panel.views],
        show_progress_on=panel.result,
        **RUN_EVENT,
    )
    let_cancel(started, cancel)
    at_the_end(answered, end, panel.result, [run, cancel, panel.result])
    cancel.click(None, cancels=[answered], **PAGE_EVENT)
