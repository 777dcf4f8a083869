"""The attention map in words: for each word written, the words it looked at most, as an HTML table.

It says what the heat map shows to those who cannot see it, and gives the numbers to those who want them.
"""

from __future__ import annotations

import html

import numpy as np

from components.palette import visible
from seq2seq.trace import AttentionRecord

NUM_LINKS = 3


def links_table(record: AttentionRecord, head: int | None = None) -> str:
    """A table with a row for each target token: its text, and its strongest sources with their weights."""
    weights = record.head(head)  # T S
    rows = "".join(
        f"<tr><th scope='row' dir='auto'>{html.escape(visible(target))}</th>{_cells(record, row)}</tr>"
        for target, row in zip(record.targets, weights, strict=True)
    )
    return (
        "<table class='links'><thead><tr><th scope='col'>Wrote</th>"
        f"<th scope='col' colspan='{NUM_LINKS}'>Looked most at</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _cells(record: AttentionRecord, row: np.ndarray) -> str:
    strongest = np.argsort(-row, kind="stable")[:NUM_LINKS]
    return "".join(
        f"<td dir='auto'>{html.escape(visible(record.sources[position]))} <small>{row[position]:.0%}</small></td>"
        for position in strongest
    )
