"""Between the widgets and the engine: plain values in, plain values out. The only place where an error is told.

Nothing about a visitor lives here; what a visitor's page must remember goes in and out as an argument. Knows no
widgets, no layout and no tensors.
"""

from __future__ import annotations

import html
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Literal

import gradio as gr
import plotly.graph_objects as go

from components.heatmap import heatmap
from components.links_table import links_table
from components.token_view import token_view
from demo import wording
from seq2seq.engine import Engine, ModelCard
from seq2seq.tasks import GenerationSettings, InputError, Task
from seq2seq.trace import AttentionRecord, by_words

log = logging.getLogger(__name__)

SETTING_NAMES = tuple(field.name for field in fields(GenerationSettings))
MEAN_HEAD = -1  # the value of the choice "mean of all heads"
BUTTONS_IDLE = (gr.update(interactive=True), gr.update(interactive=False))  # run, cancel
BUTTONS_BUSY = (gr.update(interactive=False), gr.update(interactive=True))
Unit = Literal["words", "tokens"]
Views = tuple[dict, go.Figure, str]  # token view, heat map, table


@dataclass(frozen=True)
class Run:
    """A finished run, as far as the pictures of it need it."""

    task: Task
    model: str
    source_text: str
    target_ids: tuple[int, ...]


def result(
    task: Task,
    text: str = "",
    *,
    hint: str = "",
    notes: Sequence[str] = (),
    problem: str = "",
    running: bool = False,
) -> dict:
    """What the result widget shows (assets/js/result.js)."""
    return {
        "text": text,
        "hint": hint,
        "notes": list(notes),
        "problem": problem,
        "running": running,
        "filename": f"gloss-{task}.txt",
    }


def explain(error: Exception) -> str:
    """An error in the visitor's words. What nobody foresaw goes to the log in full, and to the visitor as an apology."""
    if isinstance(error, InputError):
        return str(error)
    log.error("unexpected error", exc_info=error)
    return wording.APOLOGY


@contextmanager
def in_plain_words() -> Iterator[None]:
    """Turn whatever goes wrong inside into a notice that the page, or the caller of an endpoint, gets to read."""
    try:
        yield
    except Exception as error:
        raise gr.Error(html.escape(explain(error)), print_exception=False) from error


def redraw(record: AttentionRecord | None, head: int, unit: Unit) -> Views:
    """The three views of a record that is there already."""
    with in_plain_words():
        if record is None:
            return {}, go.Figure(), ""
        shown = by_words(record) if unit == "words" else record
        chosen = None if head == MEAN_HEAD else head
        return token_view(shown, chosen), heatmap(shown, chosen), links_table(shown, chosen)


def begin(task: Task) -> tuple:
    """Run was pressed: the buttons, an empty result, no finished run, and no pictures of an older one."""
    return *BUTTONS_BUSY, result(task, running=True), None, gr.update(visible=False)


def end() -> tuple:
    """A run is over, however it ended: the buttons."""
    return BUTTONS_IDLE


def cancelled(shown: dict) -> tuple:
    """A visitor cancelled: the buttons, and the result as far as it came."""
    return *BUTTONS_IDLE, {**shown, "notes": [wording.STOPPED], "running": False}


class Handlers:
    """What the page asks of the engine."""

    def __init__(self, engine: Engine):
        self.engine = engine

    def card(self, task: Task, model: str | None) -> ModelCard:
        """The chosen model's card; the task's first model where none is chosen."""
        cards = self.engine.models(task)
        return next((card for card in cards if card.name == model), cards[0])

    def model_options(self, task: Task, model: str | None = None) -> dict:
        """Choices and value for the list of models, keeping `model` where the task has it."""
        choices = [wording.model_choice(card) for card in self.engine.models(task)]
        return {"choices": choices, "value": self.card(task, model).name}

    def choose_task(self, task: Task, model: str | None) -> tuple:
        """Another task was chosen: the text box's hint, the run button, the models, and each choice's examples."""
        return (
            gr.update(placeholder=wording.TEXT_HINTS[task]),
            gr.update(value=wording.RUN_LABELS[task]),
            gr.update(**self.model_options(task, model)),
            *(gr.update(visible=each == task) for _, each in wording.TASK_CHOICES),
        )

    def count(self, task: Task, text: str | None, model: str | None) -> str:
        """The line below the text box."""
        if not text or not text.strip():
            return ""
        with in_plain_words():
            return wording.counted(self.engine.count_tokens(task, text, model))

    def generate(
        self, task: Task, text: str | None, model: str | None, *settings: float | int | bool | None
    ) -> Iterator[tuple[dict, Run | None]]:
        """The result as it grows; with the last, the run that the pictures are made of.

        The engine works inside this generator, so whoever closes it (Cancel, a closed tab) stops the work.
        """
        written = ""
        try:
            chosen = GenerationSettings(**dict(zip(SETTING_NAMES, settings, strict=True)))
            for generated in self.engine.run(task, text or "", model, chosen):
                written = generated.text
                if generated.finished:
                    run = Run(task, self.card(task, model).name, generated.source_text, generated.target_ids)
                    yield result(task, written, notes=wording.finished(generated)), run
                else:
                    yield result(task, written, notes=wording.running(generated), running=True), None
        except Exception as error:
            yield result(task, written, problem=explain(error)), None

    def first_look(self, run: Run | None, unit: Unit) -> tuple:
        """The attention panel for a run that has just finished: is it visible, its choices, and what it shows."""
        if run is None or not run.target_ids:
            return gr.update(visible=False), gr.update(), gr.update(), None, *redraw(None, MEAN_HEAD, unit)
        card = self.card(run.task, run.model)
        layer = telling_layer(card.num_layers)
        return (
            gr.update(visible=True),
            gr.update(choices=wording.layer_choices(card.num_layers), value=layer),
            gr.update(choices=wording.head_choices(card.num_heads, MEAN_HEAD), value=MEAN_HEAD),
            *self.look(run, layer, MEAN_HEAD, unit),
        )

    def look(
        self, run: Run, layer: int, head: int, unit: Unit
    ) -> tuple[AttentionRecord, dict, go.Figure, str]:
        """One layer's cross-attention for a finished run, and its views."""
        with in_plain_words():
            record = self.engine.attention(
                run.model, run.task, run.source_text, run.target_ids, "cross", layer
            )
        return record, *redraw(record, head, unit)


def telling_layer(num_layers: int) -> int:
    """The layer to show first: two thirds up, where source and output words are most often aligned."""
    return (2 * num_layers) // 3
