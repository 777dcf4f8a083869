"""Where an answer may start and where it may end: the model's two scores over the words of a text, drawn and told.

Of a long text only the words around the likeliest places are drawn. The words between two such places share a column,
which has what they have together, so the columns of a figure always add up to the whole text. Knows no spans but
the best, whose words it sets in bold.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from components.palette import ACCENT, LAYOUT, label, percent, visible
from seq2seq.trace import Answer, Span, Token, group_into_words

HEIGHT = 340  # pixels
MIN_COLUMNS = 24  # that there is room for, or a few bars would be as wide as the figure
MAX_WORDS = 48  # that are drawn each by itself
NEIGHBOURS = 5  # words drawn on either side of a likely place
LIKELY = 0.01  # below, a place is not worth a column of its own
VISIBLE = 0.001  # below, a bar has no outline, as that would be all of it
LOWEST_TOP = 0.05  # the axis reaches this high at least, or it would make much of nothing
NUM_ROWS = 12  # of the table
GAP = "⋯"


@dataclass(frozen=True)
class Column:
    """A word, or a stretch of words that are not drawn one by one."""

    words: tuple[Token, ...]
    first: int  # the number of its first word in the text, from 1
    start: float  # the probability that the answer starts in it
    end: float


def answer_figure(answer: Answer) -> go.Figure:
    """Bars over the words: filled and upwards for where it may start, hatched and downwards for where it may end."""
    columns = columns_of(answer)
    top = max(LOWEST_TOP, *(max(column.start, column.end) for column in columns))
    figure = go.Figure(
        [
            _bars("Starts here", [column.start for column in columns], 1, "", [_told(column) for column in columns]),
            _bars("Ends here", [column.end for column in columns], -1, "/"),
        ]
    )
    figure.update_layout(
        LAYOUT,
        height=HEIGHT,
        barmode="overlay",
        bargap=0.25,
        hovermode="x unified",
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "itemclick": False},
    )
    figure.update_xaxes(
        tickvals=list(range(len(columns))),
        ticktext=[_name(column, answer.best) for column in columns],
        range=[-0.5, max(len(columns), MIN_COLUMNS) - 0.5],
        tickangle=-90,
        showspikes=False,
        automargin=True,
        showgrid=False,
        zeroline=False,
        ticks="",
    )
    figure.update_yaxes(
        tickvals=[-top, 0, top],
        ticktext=[percent(top), "0%", percent(top)],
        range=[-1.02 * top, 1.02 * top],
        automargin=True,
        showgrid=False,
        zerolinecolor="rgba(128,128,128,0.6)",
        ticks="",
    )
    return figure


def answer_table(answer: Answer) -> str:
    """The same in words: an HTML table of the likeliest words, in the order of the text."""
    words = [column for column in columns_of(answer) if len(column.words) == 1]
    likeliest = sorted(words, key=lambda column: -max(column.start, column.end))[:NUM_ROWS]
    rows = "".join(_row(column) for column in sorted(likeliest, key=lambda column: column.first))
    return (
        "<table class='links'><thead><tr><th scope='col'>Word</th><th scope='col'>Starts here</th>"
        f"<th scope='col'>Ends here</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def columns_of(answer: Answer) -> list[Column]:
    """The words around likely places, and the stretches between them; together every word once, in order."""
    words, groups = group_into_words(answer.tokens, answer.context)
    firsts = [group.start for group in groups]
    starts = np.add.reduceat(answer.start_scores, firsts)
    ends = np.add.reduceat(answer.end_scores, firsts)
    runs = stretches(len(words), around_peaks(np.maximum(starts, ends)))
    return [
        Column(words[run.start : run.stop], run.start + 1, float(starts[run].sum()), float(ends[run].sum()))
        for run in (slice(each.start, each.stop) for each in runs)
    ]


def around_peaks(scores: np.ndarray) -> set[int]:
    """Which of the words are drawn by themselves: all where they are few, else the likeliest and their neighbours."""
    if len(scores) <= MAX_WORDS:
        return set(range(len(scores)))
    drawn: set[int] = set()
    for peak in np.argsort(-scores, kind="stable"):
        near = drawn.union(range(max(0, peak - NEIGHBOURS), min(len(scores), peak + NEIGHBOURS + 1)))
        if drawn and (scores[peak] < LIKELY or len(near) > MAX_WORDS):
            break
        drawn = near
    return drawn


def stretches(count: int, alone: set[int]) -> list[range]:
    """0 to `count` cut into ranges: one for each number in `alone`, one for each stretch between them."""
    cuts = sorted({0, count, *alone, *(number + 1 for number in alone)})
    return [range(first, stop) for first, stop in zip(cuts, cuts[1:], strict=False)]


def _bars(name: str, scores: list[float], direction: int, pattern: str, places: Sequence[str] = ()) -> go.Bar:
    """One row of bars; what is said of them on pointing there begins with their places, if given."""
    ink = f"rgb{ACCENT}"
    told = [f"{name.lower()}: {score:.1%}" for score in scores]
    return go.Bar(
        name=name,
        x=list(range(len(scores))),
        y=[direction * score for score in scores],
        customdata=[f"{place}<br>{said}" for place, said in zip(places, told, strict=True)] if places else told,
        hovertemplate="%{customdata}<extra></extra>",
        marker={
            "color": ink,
            "pattern": {"shape": pattern, "fillmode": "replace", "fgcolor": ink, "size": 5, "solidity": 0.4},
            "line": {"color": ink, "width": [int(score >= VISIBLE) for score in scores]},
        },
    )


def _name(column: Column, best: Span | None) -> str:
    if len(column.words) > 1:
        return GAP
    word = column.words[0]
    chosen = best is not None and word.start < best.end and best.start < word.end
    return f"<b>{label(word)}</b>" if chosen else label(word)


def _told(column: Column) -> str:
    if len(column.words) > 1:
        return f"{len(column.words):,} words in between, together"
    return f"word {column.first:,}"


def _row(column: Column) -> str:
    word, start, end = (
        html.escape(each) for each in (visible(column.words[0]), percent(column.start), percent(column.end))
    )
    return (
        f"<tr><th scope='row' dir='auto'>{word} <small>word {column.first:,}</small></th>"
        f"<td>{start}</td><td>{end}</td></tr>"
    )
