"""Two texts side by side in the page: point at a word in one, and the words of the other light up by weight.

Here is the record -> data half. The half that runs in the browser is assets/js/token_view.js; it gets every
weight once and never asks again. A row of weights is sent as bytes relative to its largest, so 100 written by
500 read tokens are 67 kB. Knows no layers and no heads beyond the one it is asked for.
"""

from __future__ import annotations

import base64

import numpy as np

from components.palette import visible
from seq2seq.trace import AttentionRecord, Token


def token_view(record: AttentionRecord, head: int | None = None, quoted: bool = False) -> dict:
    """What the browser needs to show `record`, whose target was written or `quoted`.

    Keys: `target` and `source`, lists of [text before the token, the token, is it a mark without text]; `weights`,
    base64 of T x S bytes, row by row; `row_max`, the weight that 255 stands for in each row; `sides`, what the two
    texts are: "quoted" or the record's kind.
    """
    weights = record.head(head)  # T S
    row_max = weights.max(axis=1, keepdims=True)  # T 1
    bytes_ = np.round(255 * weights / np.maximum(row_max, 1e-12)).astype(np.uint8)
    return {
        "target": pieces_of(record.targets, record.target_text),
        "source": pieces_of(record.sources, record.source_text),
        "weights": base64.b64encode(bytes_.tobytes()).decode("ascii"),
        "row_max": [round(float(value), 4) for value in row_max[:, 0]],
        "sides": "quoted" if quoted else record.kind,
    }


def pieces_of(tokens: tuple[Token, ...], text: str) -> list[list]:
    """The text cut at its tokens. Where several tokens share a character (its bytes), the first shows it."""
    pieces = []
    shown = 0
    for token in tokens:
        if token.special or token.start == token.end:
            pieces.append(["", visible(token), True])
        else:
            start, end = max(shown, token.start), max(shown, token.end)
            pieces.append([text[shown:start], text[start:end], False])
            shown = end
    return pieces
