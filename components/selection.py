"""Which tokens of a record a view shows.

Models rest much of their attention on marks that stand for no text: the prompt, the end of the text, the blank
piece before a number. Beside those a map of words would look empty.
"""

from __future__ import annotations

from dataclasses import replace

from seq2seq.trace import AttentionRecord, Token


def readable(record: AttentionRecord) -> AttentionRecord:
    """The same record with only the tokens that stand for text, or as it is where none would be left.

    Weights stay what they were, so a row sums to the share of attention that its text got.
    """
    rows, columns = _with_text(record.targets, record.target_text), _with_text(record.sources, record.source_text)
    if not rows or not columns:
        return record
    return replace(
        record,
        weights=record.weights[:, rows][:, :, columns],
        targets=tuple(record.targets[row] for row in rows),
        sources=tuple(record.sources[column] for column in columns),
    )


def _with_text(tokens: tuple[Token, ...], text: str) -> list[int]:
    return [i for i, token in enumerate(tokens) if not token.special and text[token.start : token.end].strip()]
