"""Which tokens of a record a view shows.

Models rest much of their attention on marks that stand for no text: the prompt, the end of the text, the blank
piece before a number. Beside those a map of words would look empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

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


def of_heads(record: AttentionRecord, heads: Sequence[int], largest: bool = False) -> AttentionRecord:
    """The same record with one head in the place of some (of all, for none): their mean, or the largest of each weight.

    Rows of largest weights may sum to more than 1.
    """
    weights = record.weights[list(heads)] if heads else record.weights
    return replace(record, weights=weights.max(axis=0, keepdims=True) if largest else weights.mean(axis=0)[None])


def without_sinks(record: AttentionRecord) -> AttentionRecord:
    """The same record without what heads rest on: marks that stand for no text, and punctuation.

    What is left of each row is shared out anew, so that it sums to 1. As it is where nothing would be left.
    """
    kept = [i for i, token in enumerate(record.sources) if any(character.isalnum() for character in _words(token))]
    if not kept:
        return record
    weights = record.weights[..., kept]
    sums = np.maximum(weights.sum(axis=-1, keepdims=True), 1e-12)
    return readable(replace(record, weights=weights / sums, sources=tuple(record.sources[i] for i in kept)))


def _words(token: Token) -> str:
    return "" if token.special else token.text


def _with_text(tokens: tuple[Token, ...], text: str) -> list[int]:
    return [i for i, token in enumerate(tokens) if not token.special and text[token.start : token.end].strip()]
