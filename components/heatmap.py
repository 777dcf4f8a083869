"""One attention map: what was written runs down, what was read runs across, a weight is an amount of ink.

`heatmap` is record -> figure. It chooses no layer, groups no tokens and shows nothing by itself.
"""

from __future__ import annotations

import html
import math
import unicodedata
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from components.palette import INK_SCALE, LAYOUT, LOG_INK_SCALE, label, thinned
from seq2seq.trace import AttentionRecord, Token

ROW_HEIGHT = 24  # pixels
MAX_ROWS_HEIGHT = 740
LETTER, CAPITAL, BROAD, SQUARE = 7.5, 9.5, 12, 16  # pixels that a character takes, where a font is wide
COLORBAR = {"thickness": 8, "outlinewidth": 0, "tickformat": ".1~%", "len": 0.9, "x": 1, "xpad": 6}
COLORBAR_WIDTH = 72
MAX_WITH_GAPS = 48  # rows or columns
MAX_COLUMNS = 800  # more would be narrower than a pixel


def heatmap(record: AttentionRecord, head: int | None = None, log: bool = False) -> go.Figure:
    """The map of one head, or of the mean over heads for None; with `log`, ink grows with a weight's logarithm.

    Axes are named by tokens; the page names every n-th where there are more than fit, and more when one zooms in.
    Pointing at a cell names both of its tokens with their positions. Of more than MAX_COLUMNS, the darkest of some
    neighbours stands for them.
    """
    weights = record.head(head)  # T S
    darkest = darkest_weight(weights, record.sources)
    starts = thinned(len(record.sources), MAX_COLUMNS)
    weights = np.maximum.reduceat(weights, starts, axis=1)
    gap = 1 if max(weights.shape) <= MAX_WITH_GAPS else 0
    rows_height = min(MAX_ROWS_HEIGHT, max(120, ROW_HEIGHT * len(record.targets)))
    across = [_category(record.sources, start, starts.step) for start in starts]
    down = [_category(record.targets, place) for place in range(len(record.targets))]
    named = [record.sources[start] for start in starts]
    angle = -45 if len(named) <= 30 else -90
    margin = _margins(record.targets, named, angle)
    return go.Figure(
        go.Heatmap(
            z=weights.astype(np.float32),
            x=across,
            y=down,
            xgap=gap,
            ygap=gap,
            zmin=0.0,
            zmax=darkest,
            colorscale=LOG_INK_SCALE if log else INK_SCALE,
            colorbar=COLORBAR,
            hovertemplate="wrote <b>%{y}</b><br>looked at <b>%{x}</b><br>weight %{z:.1%}<extra></extra>",
        ),
        LAYOUT
        | {
            "height": margin["t"] + rows_height + margin["b"],
            "margin": margin,
            "xaxis": {"tickangle": angle} | _axis(across, named),
            "yaxis": {"autorange": "reversed"} | _axis(down, record.targets),
        },
    )


def darkest_weight(weights: np.ndarray, sources: tuple[Token, ...]) -> float:
    """The weight that gets full ink: the largest on a real word, as heads often rest on special tokens."""
    real = np.array([not token.special for token in sources])
    return float(weights[:, real].max() if real.any() else weights.max())


def _category(tokens: tuple[Token, ...], start: int, count: int = 1) -> str:
    """A name for a token, or for neighbours, that no other has, so that a figure keeps repeated words apart."""
    last = min(start + count, len(tokens)) - 1
    if last == start:
        return f"{label(tokens[start], 40)} ({start + 1})"
    return f"{label(tokens[start], 20)} to {label(tokens[last], 20)} ({start + 1} to {last + 1})"


def _margins(down: Sequence[Token], across: Sequence[Token], angle: int) -> dict[str, int]:
    """Room for the labels, in pixels. Left to find it out, the page draws everything twice."""
    space = LAYOUT["margin"]["t"]
    slope = math.radians(angle)
    first = _width(across[0]) * math.cos(slope)  # of the first column's name, which ends there
    height = max(map(_width, across)) * -math.sin(slope) + LETTER * math.cos(slope)
    return {
        "t": space,
        "l": round(space + max(first, *map(_width, down))),
        "b": round(2 * space + height),
        "r": COLORBAR_WIDTH,
    }


def _width(token: Token) -> float:
    """Of a label, in pixels."""
    return sum(map(_character_width, html.unescape(label(token))))


def _character_width(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return SQUARE
    if character in "mwMW@%":
        return BROAD
    return CAPITAL if character.isupper() else LETTER


def _axis(categories: Sequence[str], tokens: Sequence[Token]) -> dict:
    return {
        "type": "category",
        "labelalias": {category: label(token) for category, token in zip(categories, tokens, strict=True)},
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
    }
