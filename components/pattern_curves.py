"""What a block-sparse pattern is good for and what it saves, as lines: how far tokens hear, and cost over length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import plotly.graph_objects as go

from components.palette import ACCENT, LAYOUT
from seq2seq.trace import CostCurve, PatternRecord, Timing

Counted = Literal["operations", "memory"]

HEIGHT = 320  # pixels
INK = f"rgb{ACCENT}"
OTHER_INK = "rgb(204, 82, 40)"  # stands out on white paper and on a near-black page; orange to every colour vision
GRID = "rgba(128, 128, 128, 0.25)"
HEARD = {  # part of the pattern: its name, its line
    "pattern": ("The pattern", {"color": INK, "dash": "solid"}),
    "without global blocks": ("Without global blocks", {"color": OTHER_INK, "dash": "dash"}),
    "window only": ("Window only", {"color": OTHER_INK, "dash": "dot"}),
}
UNITS: dict[Counted, tuple[str, str]] = {"operations": ("Multiply-adds", ""), "memory": ("Memory of the scores", "B")}
TICKS = (512, 1024, 2048, 4096, 8192, 16384)


def heard_lines(record: PatternRecord) -> go.Figure:
    """The share of pairs of tokens that have heard of each other, over the layers."""
    figure = go.Figure()
    num_layers = max(map(len, record.heard.values()))
    for part, shares in record.heard.items():
        name, line = HEARD[part]
        figure.add_scatter(
            x=list(range(1, num_layers + 1)),
            y=[*shares, *[shares[-1]] * (num_layers - len(shares))],
            name=name,
            mode="lines+markers",
            line=line,
            hovertemplate=f"after %{{x}} layers, %{{y:.1%}}<extra>{name}</extra>",
        )
    figure.update_xaxes(title="Layers", dtick=1)
    figure.update_yaxes(title="Pairs that have heard", tickformat=".0%", range=[0, 1.04])
    return _laid_out(figure)


def cost_lines(curve: CostCurve, counted: Counted) -> go.Figure:
    """Full and block-sparse attention over the length, both axes logarithmic."""
    title, unit = UNITS[counted]
    full, sparse = {
        "operations": (curve.full_operations, curve.sparse_operations),
        "memory": (curve.full_memory, curve.sparse_memory),
    }[counted]
    return _over_length(curve.lengths, full, sparse, title, unit)


def time_lines(timings: Sequence[Timing]) -> go.Figure:
    """The same of measured time."""
    full, sparse = [each.full_seconds for each in timings], [each.sparse_seconds for each in timings]
    return _over_length([each.length for each in timings], full, sparse, "Time", "s")


def _over_length(
    lengths: Sequence[int], full: Sequence[float], sparse: Sequence[float], title: str, unit: str
) -> go.Figure:
    figure = go.Figure()
    for name, values, dash, ink in (("Full", full, "dash", OTHER_INK), ("Block-sparse", sparse, "solid", INK)):
        figure.add_scatter(
            x=lengths,
            y=values,
            name=name,
            mode="lines+markers",
            line={"dash": dash, "color": ink},
            hovertemplate=f"%{{x:,}} tokens: %{{y:.3s}}{unit}<extra>{name}</extra>",
        )
    figure.update_xaxes(title="Tokens", type="log", tickvals=TICKS, ticktext=[f"{tick:,}" for tick in TICKS])
    figure.update_yaxes(title=title, type="log", exponentformat="SI", ticksuffix=unit, dtick=1)
    return _laid_out(figure)


def _laid_out(figure: go.Figure) -> go.Figure:
    figure.update_layout(
        LAYOUT, height=HEIGHT, showlegend=True, legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
    )
    figure.update_xaxes(gridcolor=GRID, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, automargin=True)
    return figure
