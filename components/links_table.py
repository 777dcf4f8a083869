"""The attention map in words: for each word written, the words it looked at most, as an HTML table.

It says what the heat map shows to those who cannot see it, and gives the numbers to those who want them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.palette import label
from seq2seq.trace import AttentionRecord

NUM_LINKS = 3
LONGEST = 200  # characters of what is named, which may be named in every row


def links_table(record: AttentionRecord, head: int | None = None) -> str:
    """A table with a row for each target token: its text, and its strongest sources with their weights."""
    weights = record.head(head)  # T S
    targets, sources = ([label(token, LONGEST) for token in side] for side in (record.targets, record.sources))
    rows = "".join(
        f"<tr><th scope='row' dir='auto'>{target}</th>{_cells(sources, row)}</tr>"
        for target, row in zip(targets, weights, strict=True)
    )
    return (
        "<table class='links'><thead><tr><th scope='col'>Wrote</th>"
        f"<th scope='col' colspan='{NUM_LINKS}'>Looked most at</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _cells(sources: Sequence[str], row: np.ndarray) -> str:
    strongest = np.argsort(-row, kind="stable")[:NUM_LINKS]
    return "".join(
        f"<td dir='auto'>{sources[position]} <small>{row[position]:.0%}</small></td>" for position in strongest
    )
