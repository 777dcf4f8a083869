"""What every view of weights shares: one colour, the scale made of it, a figure's paper, and how a token is written.

The scale runs from clear to the accent, so a weight is an amount of ink on whatever paper lies beneath. One
hue of rising opacity reads the same to every kind of colour vision, on a light page and on a dark one. Knows
no record.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from seq2seq.trace import Token

ACCENT = (49, 129, 189)  # stands out at 4 to 1 against both white paper and a near-black page
BLANK = "␣"  # stands for a token that has nothing to show
INK_SCALE = [[0.0, f"rgba{(*ACCENT, 0.0)}"], [1.0, f"rgba{(*ACCENT, 1.0)}"]]
DECADES = 3  # that a logarithmic scale tells apart: a thousandth of the largest weight has no ink
LOG_INK_SCALE = [
    [0.0, INK_SCALE[0][1]],
    *([10 ** (-half / 2), f"rgba{(*ACCENT, round(1 - half / 2 / DECADES, 3))}"] for half in range(2 * DECADES, -1, -1)),
]
LAYOUT = {  # of every figure: what lies beneath it shows through
    "template": "none",
    "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"family": "system-ui, sans-serif", "size": 12},
    "modebar": {"remove": ["select", "lasso", "autoScale"]},
}


def visible(token: Token) -> str:
    """A token's text, or the sign for one that has nothing to show."""
    return token.text if token.text.strip() else BLANK


def label(token: Token, max_characters: int = 18) -> str:
    """A token as an axis shows it: shortened, and safe where a figure would read `<b>` as markup."""
    text = " ".join(visible(token).split())
    if len(text) > max_characters:
        text = text[: max_characters - 1] + "…"
    return html.escape(text)


def thinned(count: int, max_labels: int) -> Sequence[int]:
    """Evenly spaced positions among `count`, at most `max_labels` of them, the first always there."""
    return range(0, count, max(1, math.ceil(count / max_labels)))


def percent(share: float) -> str:
    """A share of 1 for readers, never rounded to nothing or to certainty."""
    if 0 < share < 0.01:
        return "<1%"
    return ">99%" if 0.99 < share < 1 else f"{share:.0%}"


def signed(number: float) -> str:
    """A number that may be below 0, with a minus as wide as a plus."""
    return f"{number:+.2f}".replace("-", "−")
