"""A block-sparse pattern as a map: blocks of queries run down, blocks of keys across, coloured by kind.

Most blocks see few others, so of each kind only a list of its places is sent. A long text in small blocks has more of
them than a screen has room for; then a cell of the map stands for a square of blocks. With a text, ink is the part of
its attention that a block gets in full attention, also where the pattern would not look.
"""

from __future__ import annotations

import html
import math
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from components.palette import ACCENT, LAYOUT, percent, thinned
from seq2seq.trace import BLOCK_KINDS, BlockKind, PatternRecord

HEIGHT = 640  # pixels
MAX_CELLS = 256  # along a side: more than two pixels each on a screen, one on a phone
MAX_LABELS_ACROSS = 5  # as many as a phone has room for
MAX_LABELS_DOWN = 8
MAX_CELLS_APART = 64  # along a side, with a hairline between them
MAX_CHARACTERS = 24  # of the beginning and of the end of a block's text where it is pointed at
FAINTEST = 0.25  # ink of a block that is seen and gets no attention
FULL_INK = 0.98  # quantile of all blocks: the few that get most of the attention would leave the others blank

# Told apart by any colour vision, on a light page and on a dark one; in this order in the legend. Of the kinds in a
# square of blocks, the first is shown.
KIND_COLORS: dict[BlockKind, tuple[int, int, int]] = {
    "full": ACCENT,
    "global": ACCENT,
    "repeated": (156, 2, 252),
    "random": (254, 76, 39),
    "window": (159, 72, 86),
}
UNSEEN_COLOR = (128, 128, 128)
KIND_NAMES: dict[BlockKind, str] = {
    "unseen": "not seen",
    "full": "full attention",
    "global": "global",
    "repeated": "seen more than once",
    "random": "random",
    "window": "window",
}


@dataclass(frozen=True)
class Cells:
    """What the map shows: C rows and columns, each of `blocks_a_side` blocks."""

    kinds: np.ndarray  # C C, places in BLOCK_KINDS
    counts: np.ndarray  # C C: of one block, how often it is seen; of several, how many pairs of them are seen
    blocks_a_side: int

    def __len__(self) -> int:
        return len(self.kinds)

    def said_of(self, count: int) -> str:
        """What is added to a kind."""
        if self.blocks_a_side > 1:
            return f", {count} of {self.blocks_a_side**2} pairs of blocks"
        return f", {count} times" if count > 1 else ""


def cells_of(record: PatternRecord) -> Cells:
    side = math.ceil(record.num_blocks / MAX_CELLS)
    if side == 1:
        return Cells(record.kinds, record.counts, 1)
    kinds = np.zeros((math.ceil(record.num_blocks / side),) * 2, dtype=np.int8)
    for kind in reversed(KIND_COLORS):
        kinds[squares(record.is_kind(kind), side) > 0] = BLOCK_KINDS.index(kind)
    return Cells(kinds, squares(record.counts > 0, side), side)


def squares(values: np.ndarray, side: int) -> np.ndarray:
    """N N -> C C: the sum over each square of `side` rows and columns, of which the last may be a part."""
    starts = np.arange(0, len(values), side)
    return np.add.reduceat(np.add.reduceat(values, starts, axis=0, dtype=np.int32), starts, axis=1)


def pattern_map(record: PatternRecord) -> go.Figure:
    """The map. Pointing at a place tells both blocks' tokens (with a text, their words) and how they are related."""
    cells = cells_of(record)
    names = [cell_name(record, cell, cells.blocks_a_side) for cell in range(len(cells))]
    present = [kind for kind in KIND_COLORS if (cells.kinds == BLOCK_KINDS.index(kind)).any()]
    figure = go.Figure([_unseen(record, cells, names), *(_seen(record, cells, kind, names) for kind in present)])
    gap = 1 if len(cells) <= MAX_CELLS_APART else 0
    figure.update_traces(xgap=gap, ygap=gap)
    figure.update_layout(
        LAYOUT,
        height=HEIGHT,
        legend={"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"},
    )
    step = cells.blocks_a_side * record.block_size
    figure.update_xaxes(
        title={"text": "Looked at: tokens from", "standoff": 8}, **_axis(len(cells), step, MAX_LABELS_ACROSS)
    )
    figure.update_yaxes(
        title={"text": "Looking: tokens from", "standoff": 8}, **_axis(len(cells), step, MAX_LABELS_DOWN)
    )
    figure.update_yaxes(autorange="reversed")
    return figure


def cell_name(record: PatternRecord, cell: int, blocks_a_side: int = 1) -> str:
    """A cell where it is pointed at: its tokens, counted from 1, and its words if there is a text."""
    last = min(record.num_blocks, (cell + 1) * blocks_a_side) - 1
    start, stop = record.tokens_of(cell * blocks_a_side).start, record.tokens_of(last).stop
    words = block_words(record, range(start, stop))
    return f"tokens {start + 1:,}–{stop:,}" + (f" “{html.escape(words)}”" if words else "")


def block_words(record: PatternRecord, places: range) -> str:
    """How the text of these tokens begins and ends; empty without a text."""
    tokens = [record.read.tokens[place] for place in places] if record.read is not None else []
    with_text = [token for token in tokens if not token.special]
    if not with_text:
        return ""
    words = " ".join(record.read.text[with_text[0].start : with_text[-1].end].split())
    if len(words) <= 2 * MAX_CHARACTERS:
        return words
    return f"{words[:MAX_CHARACTERS].rstrip()} … {words[-MAX_CHARACTERS:].lstrip()}"


def _seen(record: PatternRecord, cells: Cells, kind: BlockKind, names: list[str]) -> go.Heatmap:
    """The places of one kind, as columns x, y, z.

    The diagonal comes first, without values: plotly would widen cells over rows and columns that a trace does not
    name.
    """
    rows, columns = np.nonzero(cells.kinds == BLOCK_KINDS.index(kind))
    color = KIND_COLORS[kind]
    empty: list[None] = [None] * len(names)
    mass = _mass(record)
    return go.Heatmap(
        x=names + [names[column] for column in columns],
        y=names + [names[row] for row in rows],
        z=empty + ([1.0] * len(rows) if mass is None else mass[rows, columns].round(5).tolist()),
        text=empty + [cells.said_of(count) for count in cells.counts[rows, columns].tolist()],
        colorscale=_ink(color, FAINTEST if record.read else 1.0),
        zmin=0.0,
        zmax=_full_ink(record),
        name=KIND_NAMES[kind],
        showlegend=True,
        showscale=False,
        hoverongaps=False,
        hovertemplate=_hover(record, KIND_NAMES[kind] + "%{text}"),
    )


def _unseen(record: PatternRecord, cells: Cells, names: list[str]) -> go.Heatmap:
    """What lies below the kinds: gaps that can be pointed at; with a text, the attention that the pattern loses."""
    mass = _mass(record)
    lost = [None] * len(names) if mass is None else np.where(cells.kinds == 0, mass, np.nan).astype(np.float32)
    return go.Heatmap(
        x=names,
        y=names,
        z=lost,
        colorscale=_ink(UNSEEN_COLOR, 0.0),
        zmin=0.0,
        zmax=_full_ink(record),
        name=KIND_NAMES["unseen"],
        showlegend=mass is not None,
        showscale=False,
        hovertemplate=_hover(record, KIND_NAMES["unseen"]),
    )


def _mass(record: PatternRecord) -> np.ndarray | None:
    """N N: the attention of the record's head."""
    return None if record.read is None else record.read.mass[record.head]


def _full_ink(record: PatternRecord) -> float:
    """The attention that gets full ink."""
    mass = _mass(record)
    return 1.0 if mass is None else float(np.quantile(mass, FULL_INK))


def _ink(color: tuple[int, int, int], least: float) -> list[list]:
    return [[0.0, f"rgba{(*color, least)}"], [1.0, f"rgba{(*color, 1.0)}"]]


def _hover(record: PatternRecord, kind: str) -> str:
    attention = "" if record.read is None else "<br>gets %{z:.2%} of their attention"
    return f"<b>%{{y}}</b><br>look at <b>%{{x}}</b><br>{kind}{attention}<extra></extra>"


def _axis(num_cells: int, tokens_a_cell: int, max_labels: int) -> dict:
    shown = thinned(num_cells, max_labels)
    return {
        "type": "category",
        "tickvals": list(shown),
        "ticktext": [f"{cell * tokens_a_cell + 1:,}" for cell in shown],
        "tickangle": 0,
        "automargin": True,
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
    }


def pattern_table(record: PatternRecord) -> str:
    """The map in words, as an HTML table: of each kind, how much there is of it and where."""
    present = [kind for kind in ("unseen", *KIND_COLORS) if record.is_kind(kind).any()]
    head = ["Kind", "Pairs of blocks", "Share", "Where", *(["Attention"] if record.read else [])]
    columns = "".join(f"<th scope='col'>{name}</th>" for name in head)
    rows = "".join(_row(record, kind) for kind in present)
    return f"<table class='links'><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table>"


def _row(record: PatternRecord, kind: BlockKind) -> str:
    places = record.is_kind(kind)
    cells = [f"{int(places.sum()):,}", percent(places.mean()), _where(places)]
    mass = _mass(record)
    if mass is not None:
        weights = np.array([len(record.tokens_of(block)) for block in range(record.num_blocks)]) / record.length
        cells.append(percent(float(weights @ (mass * places).sum(axis=1))))
    return (
        f"<tr><th scope='row'>{KIND_NAMES[kind]}</th>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"
    )


def _where(places: np.ndarray) -> str:
    """In how many rows of blocks, and how often in each."""
    a_row = places.sum(axis=1)
    rows = np.nonzero(a_row)[0]
    least, most = a_row[rows].min(), a_row[rows].max()
    each = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    return f"{each} in each of {len(rows):,} rows"
