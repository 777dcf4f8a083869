"""Between the Pattern tab and what there is to know of a pattern: a form's values in, what the widgets show out.

The pattern needs no model; reading a text and measuring ask the engine. Knows no layout and no tensors.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass

import gradio as gr
import plotly.graph_objects as go

from components.pattern import cells_of, pattern_map, pattern_table
from components.pattern_curves import UNITS, Counted, cost_lines, heard_lines, time_lines
from demo import pattern_words, wording
from demo.handlers import buttons, explain, fetching, in_plain_words, result
from demo.limit_words import NOT_UNDERSTOOD
from demo.setting_fields import SettingField
from seq2seq.engine import Engine, ModelCard
from seq2seq.tasks import InputError
from seq2seq.tasks.cost import cost_curve, measured_lengths
from seq2seq.tasks.mass import LayersRead
from seq2seq.tasks.pattern import PatternSettings, pattern
from seq2seq.trace import BlockMass, PatternRecord

PATTERN_FIELDS = (  # whole numbers of the form, in its order; layers and heads are counted from 1
    SettingField("length", int, 1, 16_384),
    SettingField("block_size", int, 1, 1024),
    SettingField("num_random_blocks", int, 0, 16),
    SettingField("layer", int, 1, 96),
    SettingField("head", int, 1, 64),
    SettingField("num_heads", int, 1, 64),
    SettingField("head_dim", int, 1, 512),
    SettingField("max_length", int, 1, 65_536),
)
OF_THE_TEXT = ("length", "head", "num_heads", "head_dim", "max_length")  # fields that follow from a text and its model
COUNTED_FROM_ONE = ("layer", "head")

FIRST = PatternSettings(random_blocks="original")  # what the form shows first: it has blocks of every kind

Drawn = tuple[str, str, str, go.Figure, str, go.Figure, go.Figure]


@dataclass(frozen=True, eq=False)
class TextRead:
    """A text that was read. Read again, it is another: by that, Gradio sees that a gr.State has changed."""

    mass: BlockMass


def form_values(settings: PatternSettings) -> dict[str, int]:
    """What the fields of the form show for these settings."""
    return {field.name: getattr(settings, field.name) + (field.name in COUNTED_FROM_ONE) for field in PATTERN_FIELDS}


def settings_of_form(plan: str, *numbers: float | int | None) -> PatternSettings:
    """The settings for a form's values, in the order of PATTERN_FIELDS.

    Raises: InputError that names the field that is off.
    """
    if plan not in [value for _, value in wording.PLAN_CHOICES]:
        raise InputError(wording.PLAN_UNKNOWN)
    given = zip(PATTERN_FIELDS, numbers, strict=True)
    checked = {field.name: field.check("" if number is None else number) for field, number in given}
    return PatternSettings(
        random_blocks=plan, **{name: value - (name in COUNTED_FROM_ONE) for name, value in checked.items()}
    )


def problem(text: str) -> str:
    """A notice beside the form, as HTML; what is shown already stays as it is."""
    return f"<p class='problem' role='alert'>{html.escape(text)}</p>" if text else ""


def draw(laid: TextRead | None, counted: Counted, plan: str, *numbers: float | int | None) -> Drawn:
    """A problem or none, the facts, a note on the map, the map, its table, how far tokens hear, the cost."""
    read = laid and laid.mass
    try:
        if counted not in UNITS:
            raise InputError(NOT_UNDERSTOOD)
        settings = settings_of_form(plan, *numbers)
        record = pattern(settings, read if read is not None and settings.carries(read) else None)
        facts = pattern_words.pattern_facts(record, settings, cost_curve(settings, [settings.length]))
        return (
            problem(""),
            facts,
            note_on_map(record, read),
            pattern_map(record),
            pattern_table(record),
            heard_lines(record),
            cost_lines(cost_curve(settings), counted),
        )
    except Exception as error:
        return problem(explain(error)), *[gr.skip()] * 6


def note_on_map(record: PatternRecord, read: BlockMass | None) -> str:
    if read is not None and record.read is None:
        return pattern_words.other_text(read)
    return pattern_words.map_note(record, cells_of(record).blocks_a_side)


def lay(read: TextRead | None, head: float | int | None) -> tuple:
    """The text that is drawn from now on, and what the fields of OF_THE_TEXT show for it.

    A head that the model lacks becomes its last.
    """
    with in_plain_words():
        if read is None:
            raise InputError(pattern_words.NOTHING_READ)
    mass = read.mass
    known_head = min(head, mass.num_heads) if type(head) in (int, float) else None
    return read, len(mass.tokens), known_head, mass.num_heads, mass.head_dim, mass.max_length


def begin_work() -> tuple:
    """A model is asked to read or a measurement is begun: the buttons, and an empty result."""
    return *buttons(running=True), result("pattern", running=True)


class Exploring:
    """What the Pattern tab asks of the engine."""

    def __init__(self, engine: Engine):
        self.engine = engine

    def model_options(self) -> dict:
        cards = self.engine.encoders()
        return {"choices": [wording.model_choice(card) for card in cards], "value": cards[0].name}

    def chosen_encoder(self, model: str | None) -> ModelCard:
        """The model that a visitor asked for, or the first; only what the host offers."""
        cards = {card.name: card for card in self.engine.encoders()}
        if model is None:
            return next(iter(cards.values()))
        if not isinstance(model, str) or model not in cards:
            raise InputError(wording.no_such_model(model, cards))
        return cards[model]

    def read(self, text: str | None, model: str | None, plan: str, *numbers: float | int | None) -> Iterator[tuple]:
        """How far the text is read; with the last, what was read.

        The engine reads inside this generator, so whoever closes it (Cancel, a closed tab) stops it at the next layer.
        """
        try:
            settings = settings_of_form(plan, *numbers)
            card = self.chosen_encoder(model)
            for fetched in self.engine.loading(card.tasks[0], card.name):
                yield fetching("pattern", fetched), gr.skip()
            for step in self.engine.read_blocks(card.name, text or "", settings.layer, settings.block_size):
                if isinstance(step, LayersRead):
                    yield result("pattern", notes=pattern_words.layers_read(step), running=True), gr.skip()
                else:
                    notes = pattern_words.text_read(step, card.title)
                    yield result("pattern", notes=notes), TextRead(step)
        except Exception as error:
            yield result("pattern", problem=explain(error)), gr.skip()

    def measure(self, plan: str, *numbers: float | int | None) -> Iterator[tuple[dict, dict, go.Figure]]:
        """The measurements as they come, as text; with the last, the frame of the figure, and the figure."""
        lines, unchanged = [], (gr.skip(), gr.skip())
        try:
            settings = settings_of_form(plan, *numbers)
            lengths = measured_lengths(settings)
            notes = [pattern_words.on_machine(self.engine.machine, settings), *pattern_words.not_measured(lengths)]
            timings = []
            yield result("pattern", notes=pattern_words.measuring(0, len(lengths)), running=True), *unchanged
            for timing in self.engine.measure(settings):
                timings.append(timing)
                lines.append(pattern_words.measured(timing))
                if len(timings) < len(lengths):
                    said = pattern_words.measuring(len(timings), len(lengths))
                    yield result("pattern", "\n".join(lines), notes=said, running=True), *unchanged
            yield result("pattern", "\n".join(lines), notes=notes), gr.update(visible=True), time_lines(timings)
        except Exception as error:
            yield result("pattern", "\n".join(lines), problem=explain(error)), *unchanged
