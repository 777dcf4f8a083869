"""Between the Answer tab and the engine: a question and a text in, what the tab's widgets show out.

What goes wrong is told as for every other tab, by `demo.handlers`. Knows no layout and no tensors.
"""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr
import plotly.graph_objects as go

from components.answer_scores import answer_figure, answer_table
from components.answer_view import answer_view
from components.packing import packed
from demo import wording
from demo.handlers import buttons, chosen_card, explain, fetching, in_plain_words, result, sent_text
from seq2seq.engine import Engine
from seq2seq.tasks import InputError
from seq2seq.tasks.results import Reading
from seq2seq.trace import Answer

Views = tuple[str, go.Figure, str]  # the answer in its text, its scores as a figure, as a table
UNCHANGED = (gr.skip(),) * 4  # the frame of the views, and each of them


def begin_answer() -> tuple:
    """Run was pressed: the buttons, an empty result, and no views of an older answer."""
    return *buttons(running=True), result("answer", running=True), gr.update(visible=False)


def views(answer: Answer) -> Views:
    return packed(answer_view(answer)), answer_figure(answer), answer_table(answer)


def found(answer: Answer) -> dict:
    """What the result widget shows of an answer, or of there being none."""
    notes = wording.answered(answer)
    if answer.best is None:
        return result("answer", hint=wording.NO_ANSWER, score=wording.likely(answer.no_answer_score), notes=notes)
    return result("answer", answer.best.text, score=wording.likely(answer.best.score), notes=notes)


def underway(reading: Reading) -> dict:
    """What the result widget shows while a text is read, with a bar where it is read in several sections."""
    if reading.num_windows == 1:
        return result("answer", notes=[wording.READING], running=True)
    done, of = reading.windows_read, reading.num_windows
    says, stopped = wording.reading(done, of), wording.progress_stopped(done, of)
    return result("answer", running=True, progress={"done": done, "of": of, "says": says, "stopped": stopped})


class Answering:
    """What the Answer tab asks of the engine."""

    def __init__(self, engine: Engine):
        self.engine = engine

    def count(self, text: str | None, model: str | None) -> str:
        """The line below the text box."""
        with in_plain_words():
            try:
                card = chosen_card(self.engine, "answer", model)
                if self.engine.must_be_fetched("answer", card.name):
                    return wording.to_fetch(card)
                return wording.counted_for_reading(self.engine.count_tokens("answer", sent_text(text), card.name))
            except InputError:  # nothing to count yet; whoever presses Run is told
                return wording.KEYS_HINT

    def read(self, question: str | None, text: str | None, model: str | None) -> Iterator[tuple]:
        """The result, and with the last the frame of the views and the views.

        The engine reads inside this generator, so whoever closes it (Cancel, a closed tab) stops it before the next
        section of the text.
        """
        try:
            card = chosen_card(self.engine, "answer", model)
            for fetched in self.engine.loading("answer", card.name):
                yield fetching("answer", fetched), *UNCHANGED
            for reading in self.engine.answer(question or "", text or "", card.name):
                if reading.answer is None:
                    yield underway(reading), *UNCHANGED
                else:
                    yield found(reading.answer), gr.update(visible=True), *views(reading.answer)
        except Exception as error:
            yield result("answer", problem=explain(error)), *UNCHANGED
