"""Where each sentence of an output comes from: its sentences with the numbers of those it leans on, and the source.

Here is the record -> data half. The half that runs in the browser is assets/js/provenance_view.js.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from textwrap import shorten

from components.palette import percent
from seq2seq.trace import Provenance, Token

FIRST_WORDS = 60  # characters of a source sentence by which a screen reader tells it


def provenance_view(records: Sequence[Provenance]) -> dict:
    """What the browser needs to show one record for each section of a text.

    Keys: `sections`, each with `sentences` of the output and `source`, the sentences of the section as [white space
    before it, its text]. A sentence has its `text` and `sources`, best first, each with `number` (from 1, of the whole
    text), `share` from 0 to 1, `shown` as a button says it, and a `label` that tells it without the text beside it.
    """
    ahead = accumulate((len(record.sources) for record in records), initial=0)
    return {"sections": [_section(record, before) for record, before in zip(records, ahead, strict=False)]}


def _section(record: Provenance, before: int) -> dict:
    """`before` is how many sentences of the text stand before the section."""
    numbers = {source.start: before + place for place, source in enumerate(record.sources, start=1)}
    return {
        "sentences": [
            {
                "text": leaning.sentence.text,
                "sources": [
                    _source(numbers[source.start], source, share, record.method == "quoted")
                    for source, share in leaning.sources
                ],
            }
            for leaning in record.leanings
        ],
        "source": _pieces(record.sources, record.source_text),
    }


def _source(number: int, source: Token, share: float, quoted: bool) -> dict:
    """Of a quote, the share goes without saying."""
    first_words = shorten(source.text, FIRST_WORDS, placeholder="…")
    return {
        "number": number,
        "share": round(share, 3),
        "shown": f"{number:,}" if quoted else f"{number:,} · {percent(share)}",
        "label": f"Source sentence {number:,}{'' if quoted else f', {percent(share)}'}: {first_words}",
    }


def _pieces(sentences: Sequence[Token], text: str) -> list[list[str]]:
    """The text as [white space before a sentence, the sentence], in the lines that it has."""
    pieces, shown = [], 0
    for sentence in sentences:
        stretch = text[shown : sentence.end]
        before = stretch[: len(stretch) - len(stretch.lstrip())]
        pieces.append([before, stretch.strip()])
        shown = sentence.end - (len(stretch) - len(stretch.rstrip()))
    return pieces
