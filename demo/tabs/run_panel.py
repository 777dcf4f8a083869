"""What every task's tab is made of: a text and its choices, the result, and what the model looked at."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from demo import wording
from demo.documents import SUFFIXES
from demo.examples import examples
from demo.handlers import Handlers, begin, end, open_document, result
from demo.tabs.attention_panel import AttentionPanel, attention_panel, wire_attention
from demo.tabs.events import FILE_EVENT, MODEL_EVENT, PAGE_EVENT
from demo.tabs.settings_panel import settings_panel
from demo.tabs.widgets import result_view
from seq2seq.tasks import Task

NUM_LINES = 7  # of the text box


@dataclass(frozen=True)
class RunPanel:
    task: Component  # its value is the Task
    text: gr.Textbox
    count: gr.Markdown
    file: gr.UploadButton
    examples: dict[Task, gr.Examples]
    model: gr.Dropdown
    settings: list[Component]
    run: gr.Button
    cancel: gr.Button
    result: gr.HTML
    finished: gr.State  # Run of the result that is shown
    attention: AttentionPanel


def run_panel(task: Component, tasks: tuple[Task, ...], handlers: Handlers) -> RunPanel:
    """The widgets for one or more tasks, of which `task` holds the chosen one, and their wiring."""
    first = tasks[0]
    with gr.Row(elem_classes="run-panel"):
        with gr.Column(elem_classes="ask"):
            task.render()
            text = gr.Textbox(
                label=wording.TEXT_LABEL,
                placeholder=wording.TEXT_HINTS[first],
                lines=NUM_LINES,
                max_lines=NUM_LINES,  # equal, or Gradio measures the whole text after every key
                elem_classes="text",
            )
            with gr.Row(elem_classes="below-text"):
                count = gr.Markdown(wording.KEYS_HINT, elem_classes="count")
                file = gr.UploadButton(
                    wording.FILE_LABEL, file_types=list(SUFFIXES), size="sm", scale=0, elem_classes="open-file"
                )
            with gr.Row(elem_classes="buttons"):
                run = gr.Button(wording.RUN_LABELS[first], variant="primary", elem_classes="run")
                cancel = gr.Button(wording.CANCEL_LABEL, interactive=False, elem_classes="cancel")
            sets = {each: _examples(each, text, visible=each == first) for each in tasks}
            model = gr.Dropdown(**handlers.model_options(first), label=wording.MODEL_LABEL)
            settings = settings_panel()
        with gr.Column(elem_classes="answer"):
            shown = result_view(result(first, hint=wording.RESULT_HINT))
    panel = RunPanel(task, text, count, file, sets, model, settings, run, cancel, shown, gr.State(), attention_panel())
    _wire_input(panel, handlers)
    _wire_run(panel, handlers)
    return panel


def _examples(task: Task, text: gr.Textbox, visible: bool) -> gr.Examples:
    texts = examples(task)
    return gr.Examples(
        [[example] for example in texts.values()],
        text,
        example_labels=list(texts),
        label=wording.EXAMPLES_LABEL,
        visible=visible,
        api_visibility="private",
    )


def _wire_input(panel: RunPanel, handlers: Handlers) -> None:
    panel.file.upload(open_document, panel.file, panel.text, **FILE_EVENT)
    gr.on(
        [panel.text.change, panel.model.change, panel.task.change],
        handlers.count,
        [panel.task, panel.text, panel.model],
        panel.count,
        trigger_mode="always_last",
        **PAGE_EVENT,
    )


def _wire_run(panel: RunPanel, handlers: Handlers) -> None:
    buttons = [panel.run, panel.cancel]
    started = panel.run.click(
        begin, panel.task, [*buttons, panel.result, panel.finished, panel.attention.frame], **PAGE_EVENT
    )
    generated = started.then(
        handlers.generate,
        [panel.task, panel.text, panel.model, *panel.settings],
        [panel.result, panel.finished],
        show_progress="full",  # says how long the queue is
        **MODEL_EVENT,
    )
    looked = wire_attention(panel.attention, panel.finished, generated, handlers)
    generated.then(end, panel.result, [*buttons, panel.result], **PAGE_EVENT)
    panel.cancel.click(end, panel.result, [*buttons, panel.result], cancels=[generated, looked], **PAGE_EVENT)
