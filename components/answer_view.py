"""An answer in the text that it was copied from: the candidates by score, and each where it stands.

Here is the record -> data half. The half that runs in the browser is assets/js/answer_view.js. The text is cut here
and not there, because Python counts characters and JavaScript counts halves of some. Knows no scores of single words;
those are in `components.answer_scores`.
"""

from __future__ import annotations

from components.palette import percent
from seq2seq.trace import Answer, Span

SURROUNDINGS = 48  # characters on either side by which a reader knows the place


def answer_view(answer: Answer) -> dict:
    """What the browser needs to show `answer`.

    Keys: `candidates`, likeliest first, each with `text`, `score` as a reader should see it, and the words `before`
    and `after` it; `pieces`, the context cut at the candidates: a list of [text before, text of the candidate, which
    one it is]; `rest`, the context after the last of them; `found`, whether the first candidate is the answer.
    """
    places = sorted(enumerate(answer.spans), key=lambda place: place[1].start)
    pieces = []
    shown = 0
    for index, span in places:
        pieces.append([answer.context[shown : span.start], answer.context[span.start : span.end], index])
        shown = span.end
    return {
        "found": answer.best is not None,
        "candidates": [_candidate(span, answer.context) for span in answer.spans],
        "pieces": pieces,
        "rest": answer.context[shown:],
    }


def _candidate(span: Span, context: str) -> dict:
    return {
        "text": span.text,
        "score": percent(span.score),
        "before": _before(context[: span.start]),
        "after": _after(context[span.end :]),
    }


def _before(text: str) -> str:
    """The last words of `text`, with a mark where it goes on."""
    near = text[-SURROUNDINGS:].replace("\n", " ")
    return near if len(text) <= SURROUNDINGS else "…" + (near.partition(" ")[2] or near)


def _after(text: str) -> str:
    """The first words of `text`, with a mark where it goes on."""
    near = text[:SURROUNDINGS].replace("\n", " ")
    return near if len(text) <= SURROUNDINGS else (near.rpartition(" ")[0] or near) + "…"
