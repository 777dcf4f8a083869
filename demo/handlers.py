"""Between the widgets and the engine: plain values in, plain values out. The one place where errors are told.

Nothing about a visitor lives here; what a visitor's page must remember goes in and out as an argument. Knows
no layout and no tensors.
"""

from __future__ import annotations

import html
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Literal

import gradio as gr
import plotly.graph_objects as go

from components.heatmap import heatmap
from components.links_table import links_table
from components.packing import NO_VIEW, packed
from components.provenance_view import provenance_view
from components.selection import readable
from components.token_view import token_view
from demo import wording
from demo.calls import current
from demo.limit_words import NOT_UNDERSTOOD, quoting
from demo.refusals import told
from demo.sent_back import read_result
from demo.setting_fields import read_settings
from seq2seq.checkpoints.errors import CheckpointError, NotFiniteError
from seq2seq.engine import Engine, Loading, ModelCard, View
from seq2seq.tasks import SKILLS, Generated, GenerationSettings, InputError, Section, Skill, Task, Written
from seq2seq.tasks.documents import read_document
from seq2seq.tasks.novelty import novel_words
from seq2seq.trace import AttentionRecord, Provenance, by_words

log = logging.getLogger(__name__)

MEAN_HEAD = -1  # the value of the choice "mean of all heads"
Unit = Literal["words", "tokens", "everything"]
UNITS: tuple[Unit, ...] = Unit.__args__
Views = tuple[str, go.Figure, str]  # token view, heat map, table


@dataclass(frozen=True)
class Run:
    """A finished run, as far as the pictures of it need it."""

    task: Task
    model: str
    sections: tuple[Section, ...]
    settings: GenerationSettings

    @property
    def quoted(self) -> bool:
        return self.sections[0].quoted

    def written(self, section: int) -> Written:
        """A section, as an engine is asked about it."""
        shown = self.sections[section]
        return Written(self.task, shown.source_text, shown.target_ids, self.model)


def result(
    task: Skill,
    text: str = "",
    *,
    hint: str = "",
    score: str = "",
    notes: Sequence[str] = (),
    problem: str = "",
    running: bool = False,
    progress: dict | None = None,
    pieces: Sequence[Sequence[str]] = (),
    opened: bool = False,
) -> dict:
    """What the result widget shows (assets/js/result.js).

    `pieces` are those of `cut_at_novel_words`; `opened` says whether what is below it takes it apart.
    """
    return {
        "text": text,
        "pieces": list(pieces),
        "hint": hint,
        "score": score,
        "notes": list(notes),
        "problem": problem,
        "running": running,
        "progress": progress,
        "longer": "",
        "known": "",
        "opened": opened,
        "filename": f"gloss-{task}.txt",
    }


def cut_at_novel_words(source: str, text: str) -> list[list[str]]:
    """The text as a list of [what the source has, a word that it has not], the last word being empty."""
    pieces, done = [], 0
    for start, end in novel_words(source, text):
        pieces.append([text[done:start], text[start:end]])
        done = end
    return [*pieces, [text[done:], ""]]


def progress_of(generated: Generated) -> dict | None:
    """How far a text is that is read in several sections; None for one that is read at once."""
    if generated.num_sections == 1:
        return None
    return {
        "done": generated.num_finished_sections,
        "of": generated.num_sections,
        "says": wording.progress(generated),
        "stopped": wording.progress_stopped(generated.num_finished_sections, generated.num_sections),
    }


def fetching(task: Skill, model: Loading) -> dict:
    """What the result widget shows while the model is loaded, or fetched, that is to make the result."""
    if not model.total:
        return result(task, running=True)
    says = wording.fetching(model.done, model.total)
    progress = {"done": model.done, "of": model.total, "says": says, "stopped": wording.FETCHED_ALL_THE_SAME}
    return result(task, running=True, progress=progress)


def explain(error: Exception) -> str:
    """An error in the visitor's words. What nobody foresaw is logged in full and apologized for."""
    call = current.get()
    if call:
        call.went_wrong(error)
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, CheckpointError):  # which says nothing of a text
        log.error("no model for request %s: %s", call and call.id, error)
        return wording.NO_NUMBERS if isinstance(error, NotFiniteError) else wording.NO_MODEL
    log.error("unexpected error in request %s", call and call.id, exc_info=error)
    return quoting(wording.APOLOGY, call.id) if call else wording.APOLOGY


@contextmanager
def in_plain_words() -> Iterator[None]:
    """Turn whatever goes wrong inside into a notice that the page, or the caller of an endpoint, can show."""
    try:
        yield
    except Exception as error:
        raise gr.Error(html.escape(explain(error)), print_exception=False) from error


def selected(record: AttentionRecord, unit: Unit) -> AttentionRecord:
    """What of a record is shown: words, the tokens that stand for text, or every token."""
    record = replace(record, weights=record.weights.astype("float32", copy=False))  # sums of halves would be off
    if unit == "words":
        return readable(by_words(record))
    return readable(record) if unit == "tokens" else record


def redraw(run: Run | None, record: AttentionRecord | None, head: int, unit: Unit) -> Views:
    """The three views of a run's record that is there already; empty, if another run has begun.

    What is chosen comes as it was sent.
    """
    with in_plain_words():
        if run is None or record is None:
            return NO_VIEW, go.Figure(), ""
        if unit not in UNITS or type(head) is not int or not MEAN_HEAD <= head < record.num_heads:
            raise InputError(NOT_UNDERSTOOD)
        shown = selected(record, unit)
        chosen = None if head == MEAN_HEAD else head
        linked = packed(token_view(shown, chosen, run.quoted))
        return linked, heatmap(shown, chosen), links_table(shown, chosen)


def open_document(path: str | None) -> str:
    """The text of a file that a visitor chose, for the text box. The file is deleted, whether or not it can be read."""
    with in_plain_words():
        data = Path(path).read_bytes()
        Path(path).unlink()
        document = read_document(data)
        if document.is_cut:
            gr.Warning(wording.file_cut(len(document.text)))
        return document.text


def chosen_card(engine: Engine, task: Skill, model: str | None) -> ModelCard:
    """The model that a visitor asked for, or the task's first.

    Only what the host offers: an engine would also load any folder or Hub id that it is given.
    """
    refuse_unknown(task)
    if model is None:
        return engine.card(task)
    cards = {card.name: card for card in engine.models(task)}
    if not isinstance(model, str) or model not in cards:
        raise InputError(wording.no_such_model(model, cards))
    return cards[model]


def refuse_unknown(task: Skill) -> None:
    """An engine's own word on one that there is not quotes it, and would be logged."""
    if task not in SKILLS:
        raise InputError(NOT_UNDERSTOOD)


def sent_text(text: object) -> str:
    """A text as it was sent. Raises: InputError for what is none."""
    if not isinstance(text, str | None):
        raise InputError(NOT_UNDERSTOOD)
    return text or ""


def model_options(engine: Engine, task: Skill, model: str | None = None) -> dict:
    """Choices and value for the list of models, keeping `model` where the task has it."""
    refuse_unknown(task)
    cards = engine.models(task)
    kept = model if model in [card.name for card in cards] else engine.card(task).name
    return {"choices": [wording.model_choice(card) for card in cards], "value": kept}


def buttons(running: bool) -> tuple[dict, dict]:
    """Run and Cancel: not both can be pressed, and Cancel as soon as there is something to stop (`let_cancel`)."""
    return gr.update(interactive=not running), gr.skip() if running else gr.update(interactive=False)


def begin(task: Task) -> tuple:
    """Run was pressed: the buttons, an empty result, no finished run, and no pictures of an older one."""
    return *buttons(running=True), result(task, running=True), None, gr.update(visible=False)


def begin_shorter(task: Task, shown: dict) -> tuple:
    """A summary in sections is to be summarized itself: as `begin`, and the summary is kept for the new result."""
    shown = read_result(shown)
    run, cancel, fresh, *rest = begin(task)
    known = " ".join(known for known, _ in shown["pieces"])
    return run, cancel, {**fresh, "longer": shown["text"], "known": known}, *rest


def no_provenance() -> tuple[dict, str]:
    """Where the sentences of an older run come from is hidden."""
    return gr.update(visible=False), NO_VIEW


def provenance_shown(found: Sequence[Provenance], *, running: str = "", problem: str = "") -> str:
    """What the view of it shows of the sections that were looked at so far."""
    says = wording.found_by(each.method for each in found)
    return packed({**provenance_view(found), "says": says, "running": running, "problem": problem})


def end(shown: dict, request: gr.Request | None = None) -> tuple:
    """A run is over, however it ended: the buttons, and the result. One without a last word was stopped, or refused."""
    shown = read_result(shown)
    if shown["running"]:
        progress = shown["progress"]
        if progress:
            progress = {**progress, "says": progress["stopped"]}
        problem = told(request)
        notes = [] if problem else [wording.STOPPED]
        shown = {**shown, "notes": notes, "problem": problem, "progress": progress, "running": False}
    return *buttons(running=False), shown


class Handlers:
    """What the page asks of the engine."""

    def __init__(self, engine: Engine):
        self.engine = engine

    def choose_task(self, task: Task, model: str | None) -> tuple:
        """Another task was chosen: the text box's hint, the run button, the models, the examples."""
        refuse_unknown(task)
        return (
            gr.update(placeholder=wording.TEXT_HINTS[task]),
            gr.update(value=wording.RUN_LABELS[task]),
            gr.update(**model_options(self.engine, task, model)),
            *(gr.update(visible=each == task) for _, each in wording.TASK_CHOICES),
        )

    def count(self, task: Task, text: str | None, model: str | None) -> str:
        """The line below the text box."""
        with in_plain_words():
            refuse_unknown(task)
            try:
                card = chosen_card(self.engine, task, model)
                if self.engine.must_be_fetched(task, card.name):
                    return wording.to_fetch(card)
                count = self.engine.count_tokens(task, sent_text(text), card.name)
                widest = max(self.engine.models(task), key=lambda card: card.max_source_tokens)
                return wording.counted(count, card, widest)
            except InputError:  # nothing to count yet, or not by this model; whoever presses Run is told
                return wording.KEYS_HINT

    def generate(
        self, task: Task, text: str | None, model: str | None, told: str, do_sample: bool, *settings: str | None
    ) -> Iterator[tuple[dict, Run | None]]:
        """The result as it grows; with the last, the run that the pictures are made of.

        The engine works inside this generator, so whoever closes it (Cancel, a closed tab) stops the work.
        """
        yield from self.write(task, text, model, text or "", told, do_sample, *settings)

    def write(
        self, task: Task, text: str | None, model: str | None, known: str, told: str, do_sample: bool,
        *settings: str | None,
    ) -> Iterator[tuple[dict, Run | None]]:  # fmt: skip
        """As `generate`; `known` is the visitor's own text, whose words are not novel."""
        written, progress = "", None
        try:
            chosen = read_settings(told, do_sample, settings)
            card = chosen_card(self.engine, task, model)
            for fetched in self.engine.loading(task, card.name):
                yield fetching(task, fetched), None
            for generated in self.engine.run(task, text or "", card.name, chosen):
                written, progress = generated.text, progress_of(generated)
                if generated.finished:
                    run = Run(task, card.name, generated.sections, chosen)
                    problem = "" if written else wording.NOTHING_WRITTEN
                    pieces = [[written, ""]] if generated.quoted else cut_at_novel_words(known, written)
                    notes = [*wording.finished(generated), *wording.novelty([word for _, word in pieces if word])]
                    shown = result(task, written, notes=notes, problem=problem, progress=progress, pieces=pieces)
                    yield shown, run if written else None
                else:
                    notes = wording.running(generated)
                    yield result(task, written, notes=notes, running=True, progress=progress), None
        except Exception as error:
            notes = [wording.BROKEN_OFF] if written else []
            yield result(task, written, notes=notes, problem=explain(error), progress=progress), None

    def shorten(
        self, task: Task, shown: dict, model: str | None, told: str, do_sample: bool, *settings: str | None
    ) -> Iterator[tuple[dict, Run | None]]:
        """As `generate`, of the longer summary that `begin_shorter` kept; every result keeps it too.

        What was novel in that is novel still.
        """
        longer, known = itemgetter("longer", "known")(read_result(shown))
        for view, run in self.write(task, longer, model, known, told, do_sample, *settings):
            yield {**view, "longer": longer, "known": known}, run

    def first_look(self, run: Run | None, unit: Unit) -> tuple:
        """The attention panel for a run that has just finished: is it there, its choices, what it shows."""
        if run is None:
            hidden = gr.update(visible=False)
            return hidden, gr.update(), hidden, gr.update(), gr.update(), None, *redraw(None, None, MEAN_HEAD, unit)
        card = chosen_card(self.engine, run.task, run.model)
        layer = telling_layer(card.num_layers)
        record = self.record(run, 0, layer)
        return (
            gr.update(visible=True),
            wording.attention_head(run.quoted),
            gr.update(choices=wording.section_choices(run.sections), value=0, visible=len(run.sections) > 1),
            gr.update(choices=wording.layer_choices(card.num_layers), value=layer),
            gr.update(choices=wording.head_choices(card.num_heads, MEAN_HEAD), value=MEAN_HEAD),
            record,
            *redraw(run, record, MEAN_HEAD, unit),
        )

    def provenance(self, run: Run | None) -> Iterator[tuple[dict, dict]]:
        """Where each sentence of a run that has just finished comes from, section by section: is it there, and what."""
        if run is None:
            yield no_provenance()
            return
        found, of = [], len(run.sections)
        try:
            for number, section in enumerate(run.sections):
                yield gr.update(visible=True), provenance_shown(found, running=wording.finding(number, of))
                found.append(self.engine.provenance(run.written(number), section.quoted))
            yield gr.update(visible=True), provenance_shown(found)
        except Exception as error:
            yield gr.update(visible=True), provenance_shown(found, problem=explain(error))

    def look(self, run: Run | None, section: int, layer: int, looks: int) -> tuple[AttentionRecord | None, int]:
        """Another section or layer: its record, and how often one was looked for.

        None, if another run has begun since this was asked for.
        """
        return None if run is None else self.record(run, section, layer), looks + 1

    def record(self, run: Run, section: int, layer: int) -> AttentionRecord:
        """One layer's cross-attention for a section of a finished run, as a page's session keeps it.

        In half precision, three digits of a share and more: of a long text it is the heaviest that a session has.
        """
        with in_plain_words():
            record = self.engine.attention(run.written(section), View("cross", layer))
            return replace(record, weights=record.weights.astype("float16"))


def telling_layer(num_layers: int) -> int:
    """The layer to show first: the last, from which the next word is read off.

    Chosen by measurement on an earlier checkpoint of ours, 20 texts: of 411 words that the output copies, the mean of
    the last layer's heads points most at the same word of the source for 97%, that of either layer below for 64%,
    others for less.
    """
    return num_layers - 1
