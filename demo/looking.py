"""Between the Attention tab and the engine: what was written, and every way to look back at it. Knows no layout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from math import inf

import gradio as gr
import plotly.graph_objects as go

from components.beam_tree import beam_tree
from components.choices_view import choices_view
from components.difference_view import difference_view
from components.export import as_csv, as_html, as_json, as_svg
from components.heads_grid import heads_grid
from components.heatmap import heatmap
from components.links_table import links_table
from components.packing import NO_VIEW, packed
from components.selection import of_heads, readable, without_sinks
from components.token_view import token_view
from components.why_view import why_view
from demo import explorer_words, wording
from demo.files import script, stylesheet
from demo.handlers import (
    Run,
    buttons,
    chosen_card,
    explain,
    fetching,
    in_plain_words,
    model_options,
    result,
    sent_text,
)
from demo.links import MARKS, WHOLE, KeptTexts, Look, Marks, has_text, link_of, read_link
from seq2seq.engine import Engine, View
from seq2seq.explain.grain import GRAINS
from seq2seq.explain.stretches import Stretch
from seq2seq.tasks import TASKS, GenerationSettings, InputError, Task, Written
from seq2seq.tasks.differing import differing
from seq2seq.trace import ATTENTION_KINDS, COMBINATIONS, AttentionKind, AttentionRecord, Attribution, Token

AUTOMATIC = GenerationSettings()
MOST_CELLS = 100_000  # of a map: about a megabyte on its way to the page
LONGEST_AHEAD = 100_000  # characters of a text that is cut into tokens for nobody yet
UNTOUCHED = (gr.skip(),) * 30  # in place of what `Looking.open` returns


@dataclass(frozen=True, eq=False)
class Explored:
    """What is taken apart. Taken again, it is another: by that, Gradio sees that a gr.State has changed."""

    written: Written
    text: str  # what was written, as a reader sees it
    sentences: tuple[Token, ...]  # of the source
    stretches: tuple[Stretch, ...]  # of the output
    num_layers: int  # of the decoder
    num_encoder_layers: int
    look: Look  # the first one at it
    settings: GenerationSettings  # that it was written with, as far as they are known

    def layers(self, kind: AttentionKind) -> int:
        return self.num_encoder_layers if kind == "encoder" else self.num_layers


@dataclass(frozen=True, eq=False)
class Seen:
    """A record that is drawn, and what there is to say of it."""

    record: AttentionRecord
    note: str


def begin_look(task: Task) -> tuple:
    """Look was pressed: the buttons, an empty result, and nothing to take apart."""
    return *buttons(running=True), result(task, running=True), None


def begin_why() -> tuple:
    """Find out was pressed: the buttons, no word on it yet, and no older findings."""
    return *buttons(running=True), result("why", running=True), NO_VIEW


def draw(seen: Seen | None, drawn: tuple | None, heads, largest, marks, log) -> tuple:
    """Of a record that is there already, as `views_of`."""
    with in_plain_words():
        return views_of(seen, look_of(heads=heads, largest=largest, marks=marks, log=log), drawn)


def views_of(seen: Seen | None, look: Look, drawn: tuple | None) -> tuple:
    """A note, two linked texts, a heat map and a table of a record, and no link to it yet.

    Last, what is drawn now, by which nothing is drawn twice when a record comes with other heads.
    """
    asked = seen and (seen, known_heads(seen, look.heads), look.largest, look.marks, look.log)
    if asked == drawn:
        return (gr.skip(),) * 6
    if seen is None:
        return "", NO_VIEW, go.Figure(), "", {}, asked
    record = shown_of(seen, look)
    picture = heatmap(record, log=look.log)
    return seen.note, packed(token_view(record)), picture, links_table(record), {}, asked


def exported(seen: Seen | None, file: explorer_words.Format, heads, largest, marks) -> dict:
    """The map that is drawn, as a file for the visitor's browser to save."""
    with in_plain_words():
        if seen is None:
            return {}
        record = shown_of(seen, look_of(heads=heads, largest=largest, marks=marks))
        mime, text = {
            "PNG": ("image/svg+xml", lambda: as_svg(record, None)),
            "SVG": ("image/svg+xml", lambda: as_svg(record, None)),
            "CSV": ("text/csv", lambda: as_csv(record, None)),
            "JSON": ("application/json", lambda: as_json(record, None)),
            "HTML": ("text/html", lambda: as_html(record, None, script("token_view"), stylesheet("token_view"))),
        }[file]
        return {"filename": f"gloss-attention.{file.lower()}", "mime": mime, "text": text()}


def look_of(
    kind="cross", layer=0, heads=(), grain="words", part=WHOLE, largest=False, marks="hidden", log=False
) -> Look:
    """The look that a form's values are, as they were sent.

    Raises: InputError for values that no form has.
    """
    chosen = [] if heads is None else heads
    known = (
        kind in ATTENTION_KINDS and grain in GRAINS and marks in MARKS,
        layer in COMBINATIONS or is_place(layer),
        isinstance(chosen, (list, tuple)) and all(map(is_place, chosen)),
        is_place(part) or part == WHOLE,
        isinstance(largest, bool) and isinstance(log, bool),
    )
    if not all(known):
        raise InputError(explorer_words.NO_SUCH_PLACE)
    return Look(kind, layer, tuple(dict.fromkeys(chosen)), grain, part, largest, marks, log)


def shown_of(seen: Seen, look: Look) -> AttentionRecord:
    """What is drawn of a record: the chosen heads that it has as one, with or without marks."""
    return marked(of_heads(seen.record, list(known_heads(seen, look.heads)), look.largest), look.marks)


def known_heads(seen: Seen, heads: Sequence[int]) -> tuple[int, ...]:
    """Those of the chosen that there are, each once."""
    chosen = set(heads)
    return tuple(head for head in range(seen.record.num_heads) if head in chosen)


def marked(record: AttentionRecord, marks: Marks) -> AttentionRecord:
    """With the tokens that stand for no text, without them, or as if there were none."""
    if marks == "left out":
        return without_sinks(record)
    return readable(record) if marks == "hidden" else record


def told_number(event: gr.EventData, name: str, count: float = inf) -> int:
    """What the page tells of an event. Raises: InputError for anything but a whole number from 0, below `count`."""
    told = getattr(event, name, None)
    refuse_other_than_place(told, count)
    return told


def refuse_other_than_place(given: object, count: float) -> None:
    """Raises: InputError for anything but a whole number from 0, below `count`. Gradio would log what else is sent."""
    if not is_place(given, count):
        raise InputError(explorer_words.NO_SUCH_PLACE)


def is_place(given: object, count: float = inf) -> bool:
    return type(given) is int and 0 <= given < count


class Looking:
    """What the Attention tab asks of the engine."""

    def __init__(self, engine: Engine):
        self.engine = engine
        self.kept_texts = KeptTexts()

    def explored(
        self, written: Written, text: str, look: Look | None = None, settings: GenerationSettings = AUTOMATIC
    ) -> Explored:
        card = chosen_card(self.engine, written.task, written.model)
        return Explored(
            written,
            text,
            self.engine.sentences(written),
            self.engine.stretches(written),
            card.num_layers,
            card.num_encoder_layers,
            look or Look(layer=card.num_layers - 1),
            settings,
        )

    def link(self, explored: Explored | None, *form) -> dict:
        """The query of a link to what is shown, and a note on it; `form` are the values of Look, in order."""
        if explored is None:
            return {}
        with in_plain_words():
            query = link_of(explored.written, look_of(*form), self.kept_texts)
            return {"query": query, "note": explorer_words.link_note(has_text(query))}

    def arrive(self, request: gr.Request) -> tuple:
        """The page was opened: by a link, it begins with the form of the tab filled in, and what is to be followed."""
        untouched = [gr.skip()] * 6
        try:
            linked = read_link(dict(request.query_params), self.kept_texts)
            if linked is None:
                return *untouched, None
            written, _ = linked
            card = chosen_card(self.engine, written.task, written.model)
            models = gr.update(**model_options(self.engine, written.task, card.name))
            shown = result(written.task, running=True)
            return gr.update(selected="attention"), written.task, models, written.text, "", shown, linked
        except Exception as error:
            return gr.update(selected="attention"), *untouched[:4], result(TASKS[0], problem=explain(error)), None

    def follow(self, linked: tuple[Written, Look] | None) -> tuple:
        """What the page was opened with: the result, and it as `open` opens it."""
        if linked is None:
            return gr.skip(), *UNTOUCHED
        written, look = linked
        try:
            list(self.engine.loading(written.task, written.model))  # here, as no one else need wait for a download
            text = self.engine.written_text(written)
            opened = self.open(self.explored(written, text, look))
            return result(written.task, text, notes=[explorer_words.LINKED], opened=True), *opened
        except Exception as error:
            return result(written.task, problem=explain(error)), *UNTOUCHED

    def take(self, run: Run | None, section: int | None) -> tuple:
        """A result of another tab: what form and result show of it, and it as `open` opens it."""
        with in_plain_words():
            if run is None:
                raise InputError(wording.RESULT_HINT)
            number = section or 0
            shown = run.sections[number]
            return (
                run.task,
                gr.update(**model_options(self.engine, run.task, run.model)),
                shown.source_text,
                "",
                result(run.task, shown.text, notes=[explorer_words.TAKEN], opened=True),
                *self.open(self.explored(run.written(number), shown.text, settings=run.settings)),
            )

    def read_ahead(self, task: Task, text: str | None, model: str | None, target: str | None = None) -> None:
        """The text is there, and its output about to be, or there too: whoever looks soon need not wait as long."""
        with suppress(InputError):  # which whoever looks is told
            text, target = sent_text(text), sent_text(target)
            if len(text) + len(target) > LONGEST_AHEAD:
                return
            name = chosen_card(self.engine, task, model).name
            if self.engine.read_ahead(task, text, name) and target.strip():
                explored = self.explored(self.engine.force(task, text, target, name), target)
                self.seen(explored, explored.look)

    def look(self, task: Task, text: str | None, target: str | None, model: str | None) -> Iterator[tuple]:
        """The output as it is written, or at once where the visitor gives it; with the last, it as `open` opens it."""
        so_far = ""
        try:
            card = chosen_card(self.engine, task, model)
            for fetched in self.engine.loading(task, card.name):
                yield fetching(task, fetched), *UNTOUCHED
            if target and target.strip():
                written = self.engine.force(task, text or "", target, card.name)
                opened = self.open(self.explored(written, target))
                yield result(task, target.strip(), notes=[explorer_words.FORCED_NOTE], opened=True), *opened
                return
            for generated in self.engine.run(task, text or "", card.name):
                so_far = generated.sections[0].text
                if generated.finished:
                    break
                yield result(task, so_far, notes=wording.running(generated), running=True), *UNTOUCHED
            first = generated.sections[0]
            if not first.text:
                raise InputError(wording.NOTHING_WRITTEN)
            notes = wording.finished(generated) + [explorer_words.FIRST_SECTION] * (len(generated.sections) > 1)
            written = Written(task, first.source_text, first.target_ids, card.name)
            yield result(task, first.text, notes=notes, opened=True), *self.open(self.explored(written, first.text))
        except Exception as error:
            yield result(task, so_far, problem=explain(error)), *UNTOUCHED

    def open(self, explored: Explored, sure: str | dict = NO_VIEW) -> tuple:
        """What is taken apart; the form of its map, as the values of Look in order; the first record and its views.

        Then what is beside the map, which shows nothing until it is asked: all heads, how sure it was (or `sure` until
        it is told anew), why, without heads, beams.
        """
        look = explored.look
        layers, heads, seen = self.choices_and_record(explored, look)
        chosen = [head for head in look.heads if head < seen.record.num_heads]
        parts = gr.update(choices=explorer_words.part_choices(explored.sentences), value=look.part)
        stretches = explorer_words.stretch_choices([each.piece for each in explored.stretches])
        return (
            explored,
            *(look.kind, layers, heads | {"value": chosen}, look.grain, parts, look.largest, look.marks, look.log),
            seen,
            *views_of(seen, look, None),
            *(NO_VIEW, None),
            *(sure, False),
            *(gr.update(choices=stretches, value=0), result("why"), NO_VIEW),
            *("cross", *self.heads_of(explored, "cross"), "", ""),
            *(NO_VIEW, gr.update(open=False)),
        )

    def see(self, explored: Explored | None, looks: int, *form) -> tuple:
        """Another kind, layer, grain or part: the layers and heads to choose from, the record, how many there were."""
        if explored is None:
            return gr.skip(), gr.skip(), None, looks
        with in_plain_words():
            return *self.choices_and_record(explored, look_of(*form)), looks + 1

    def choices_and_record(self, explored: Explored, look: Look) -> tuple[dict, dict, Seen]:
        """The layers and heads of a kind, and the record; a layer that the kind lacks becomes its last."""
        count = explored.layers(look.kind)
        known = min(look.layer, count - 1) if isinstance(look.layer, int) else look.layer
        seen = self.seen(explored, replace(look, layer=known))
        return (
            gr.update(choices=explorer_words.layer_choices(count), value=known),
            gr.update(choices=explorer_words.head_choices(seen.record.num_heads)),
            seen,
        )

    def seen(self, explored: Explored, look: Look) -> Seen:
        """The record, coarser where it would have more cells than fit."""
        if look.part >= len(explored.sentences):
            raise InputError(explorer_words.NO_SUCH_PART)
        kind, grain = look.kind, look.grain
        within = None if look.part == WHOLE or kind == "decoder" else explored.sentences[look.part]
        rows = "words" if grain == "sentences" and kind != "encoder" else grain
        wanted = View(kind, look.layer, rows, grain, within if kind == "encoder" else None, within)
        got = self.engine.fitting(explored.written, wanted, MOST_CELLS)
        return Seen(self.engine.attention(explored.written, got), explorer_words.note_on_map(wanted, got))

    def glance(self, explored: Explored | None, kind: AttentionKind, shown: AttentionKind | None) -> tuple:
        """All heads of a kind, if it is not the one that is shown already; and which is shown now."""
        if explored is None or shown == kind:
            return gr.skip(), gr.skip()
        with in_plain_words():
            return packed(heads_grid(self.engine.heads(explored.written, kind))), kind

    def again(self, tab: str, explored: Explored | None) -> tuple:
        """As `glance` and `confidence`, which opening a tab asks for, where that tab is open already."""
        unasked = gr.skip(), gr.skip()
        if explored is None:
            return *unasked, *unasked
        heads = self.glance(explored, explored.look.kind, None) if tab == explorer_words.HEADS_TAB else unasked
        sure = self.confidence(explored, False) if tab == explorer_words.CHOICES_TAB else unasked
        return *heads, *sure

    def choose_head(self, explored: Explored | None, looks: int, event: gr.EventData, *form) -> tuple:
        """A head of the grid was clicked: its layer and itself in the form, the record, and how many there were."""
        with in_plain_words():
            if explored is None:
                raise InputError(explorer_words.RESULT_HINT)
            look = look_of(*form)
            layer = told_number(event, "layer", explored.layers(look.kind))
            head = told_number(event, "head", self.engine.num_heads(explored.written, look.kind))
            layers, heads, seen = self.choices_and_record(explored, replace(look, layer=layer))
            return layers, heads | {"value": [head]}, seen, looks + 1, gr.update(selected="map")

    def confidence(self, explored: Explored | None, is_told: bool) -> tuple:
        """How sure the model was of each token, if that is not told already; and that it is told now."""
        if explored is None or is_told:
            return gr.skip(), gr.skip()
        with in_plain_words():
            return packed(choices_view(self.engine.choices(explored.written), explored.text)), True

    def go_on(self, explored: Explored | None, event: gr.EventData) -> Iterator[tuple]:
        """As `look`: the output with the alternative that was picked, and what the model writes after it.

        Until then what was taken apart stays so.
        """
        so_far, grown = "", partial(result, explored.written.task if explored else TASKS[0], opened=True)
        try:
            if explored is None:
                raise InputError(explorer_words.RESULT_HINT)
            written = explored.written
            place, token_id = told_number(event, "place"), told_number(event, "token_id")
            for generated in self.engine.go_on(written, place, token_id):
                so_far = generated.text
                if not generated.finished:
                    yield grown(so_far, notes=wording.running(generated), running=True), *UNTOUCHED
            other = replace(written, target_ids=generated.target_ids)
            yield grown(so_far, notes=[explorer_words.WENT_ON]), *self.open(self.explored(other, so_far), gr.skip())
        except Exception as error:
            yield grown(so_far, problem=explain(error)), *UNTOUCHED

    def why(self, explored: Explored | None, place: int) -> Iterator[tuple[dict, str]]:
        """How far it is, and what each method says, as they come."""
        found: list[Attribution] = []
        try:
            if explored is None:
                raise InputError(explorer_words.RESULT_HINT)
            refuse_other_than_place(place, len(explored.stretches))
            for step in self.engine.why(explored.written, explored.stretches[place]):
                if isinstance(step, Attribution):
                    found.append(step)
                notes = explorer_words.finding_out(step)
                yield result("why", notes=notes, running=True), packed(why_view(found, explorer_words.METHOD_NOTES))
            yield result("why", notes=explorer_words.found_out([each.method for each in found])), gr.skip()
        except Exception as error:
            yield result("why", problem=explain(error)), gr.skip()

    def heads_of(self, explored: Explored | None, kind: AttentionKind) -> tuple:
        """Another kind of attention: the layers and heads that may be switched off."""
        if explored is None:
            return gr.skip(), gr.skip()
        layers = explorer_words.layer_numbers(explored.layers(kind))
        heads = explorer_words.head_choices(self.engine.num_heads(explored.written, kind))
        return gr.update(choices=layers, value=[]), gr.update(choices=heads, value=[])

    def without_heads(
        self, explored: Explored | None, kind: AttentionKind, layers: list[int], heads: list[int]
    ) -> tuple[str, str]:
        """What switching off these heads in these layers did, and both outputs as one text, as HTML."""
        with in_plain_words():
            if explored is None or not layers or not heads:
                raise InputError(explorer_words.NO_HEADS)
            muted = [(kind, layer, head) for layer in sorted({*layers}) for head in sorted({*heads})]
            rewriting = self.engine.without_heads(explored.written, muted)
            return explorer_words.rewritten(rewriting), difference_view(differing(rewriting.before, rewriting.after))

    def beams(self, explored: Explored | None) -> str:
        """What a beam search weighs for the same text."""
        with in_plain_words():
            return NO_VIEW if explored is None else packed(beam_tree(self.engine.beam_tree(explored.written)))
