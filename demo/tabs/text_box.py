"""The parts that every tab asks with: a text box that takes files and counts tokens, examples, and the buttons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from demo import wording
from demo.handlers import open_document
from demo.tabs.events import COUNT_EVENT, FILE_EVENT, PAGE_EVENT
from seq2seq.tasks.documents import SUFFIXES

NUM_LINES = 7
FILLED = "() => { document.dispatchEvent(new Event('gloss:filled')) }"  # for assets/js/page.js
LET_PRESS = "() => ({ __type__: 'update', interactive: true })"


@dataclass(frozen=True)
class TextBox:
    text: gr.Textbox
    count: gr.Markdown
    file: gr.UploadButton


def text_box(hint: str) -> TextBox:
    """A visitor's text; below it how long it is, and a way to open a file."""
    text = gr.Textbox(
        label=wording.TEXT_LABEL,
        placeholder=hint,
        lines=NUM_LINES,
        max_lines=NUM_LINES,  # equal, or Gradio measures the whole text after every key
        elem_classes="text",
    )
    with gr.Row(elem_classes="below-text"):
        count = gr.Markdown(wording.KEYS_HINT, elem_classes="count")
        file = gr.UploadButton(
            wording.FILE_LABEL, file_types=list(SUFFIXES), size="sm", scale=0, elem_classes="open-file"
        )
    return TextBox(text, count, file)


def wire_text_box(box: TextBox, count: Callable[..., str], inputs: Sequence[Component]) -> None:
    """A file fills the box; `count` of the inputs is the line below it, anew whenever one of them changes.

    A task that the page itself chooses comes with a model and a text, which are counted when all are there.
    """
    box.file.upload(open_document, box.file, box.text, **FILE_EVENT)
    box.text.change(None, js=FILLED, **PAGE_EVENT)
    gr.on(
        [each.input if isinstance(each, gr.Radio) else each.change for each in inputs],
        count,
        list(inputs),
        box.count,
        trigger_mode="always_last",
        **COUNT_EVENT,
    )


def run_buttons(label: str) -> list[gr.Button]:
    """Run and Cancel."""
    with gr.Row(elem_classes="buttons"):
        return [
            gr.Button(label, variant="primary", elem_classes="run"),
            gr.Button(wording.CANCEL_LABEL, interactive=False, elem_classes="cancel"),
        ]


def let_cancel(started: gr.events.Dependency, cancel: gr.Button) -> None:
    """To be called when what Cancel stops follows `started` already: a press before that would stop nothing.

    Done by the page itself, as the answer of a server might come when the run is over.
    """
    started.then(None, None, cancel, js=LET_PRESS, **PAGE_EVENT)


def example_buttons(
    rows: Mapping[str, Sequence[str]], fields: Sequence[Component], visible: bool = True
) -> gr.Examples:
    """A button for each title, which fills the fields with its values."""
    return gr.Examples(
        [list(values) for values in rows.values()],
        list(fields),
        example_labels=list(rows),
        label=wording.EXAMPLES_LABEL,
        visible=visible,
        api_visibility="private",
    )
