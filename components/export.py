"""One map of attention to take away: CSV, JSON, SVG, or a page that works by itself, offline.

Every function is record -> the text of a file. Knows no files.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
import unicodedata
from collections.abc import Sequence
from itertools import groupby

import numpy as np

from components.heatmap import darkest_weight
from components.packing import packed
from components.palette import ACCENT, label, thinned, visible
from components.token_view import token_view
from seq2seq.trace import AttentionRecord, Token

DIGITS = 6  # of a weight
MAX_CELLS = 180  # an axis of a picture; of more, neighbours are pooled
MAX_LABELS = 120  # an axis
LEVELS = 16  # of ink; neighbours of one level are drawn as one
FONT = 11  # pixels
NARROW, WIDE = 0.62, 1.05  # widths of characters, of the font's size
ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML
KINDS = {"cross": "Cross-attention", "encoder": "Encoder self-attention", "decoder": "Decoder self-attention"}
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{
  --ink: {ink}; --body-text-color: #292524; --body-text-color-subdued: #57534e; --border-color-primary: #e7e5e4;
  --hairline: 1px solid #e7e5e4; --serif: Palatino, "Noto Serif", Georgia, serif;
  --font-mono: ui-monospace, Consolas, monospace; --text-sm: 0.875rem;
}}
{css}
body {{ max-width: 70rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; color: #292524; }}
h1 {{ font: 600 1.5rem/1.3 var(--serif); }}
figure {{ margin: 2rem 0; overflow-x: auto; }}
</style>
<h1>{title}</h1>
<div id="view" class="token-view"></div>
<figure>{svg}</figure>
<script id="record" type="application/json">{data}</script>
<script>
(() => {{
const element = document.getElementById("view");
const props = {{ value: document.getElementById("record").textContent }};
const watch = () => {{}};
const trigger = () => {{}};
{script}
}})();
</script>
</html>
"""


def as_csv(record: AttentionRecord, head: int | None) -> str:
    """A table of weights: its first row names the sources, its first column the targets, each with its position."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["", *_numbered(record.sources)])
    for name, row in zip(_numbered(record.targets), record.head(head), strict=True):
        writer.writerow([name, *_rounded(row)])
    return table.getvalue()


def as_json(record: AttentionRecord, head: int | None) -> str:
    """Weights with the texts and tokens that they are about. Layers and heads count from 0; a mean has no head."""
    return json.dumps(
        {
            "kind": record.kind,
            "layer": record.layer,
            "head": head,
            "target_text": record.target_text,
            "source_text": record.source_text,
            "targets": [vars(token) for token in record.targets],
            "sources": [vars(token) for token in record.sources],
            "weights": [_rounded(row) for row in record.head(head)],
        },
        ensure_ascii=False,
    )


def as_svg(record: AttentionRecord, head: int | None) -> str:
    """A heat map on white: what was written runs down, what was read runs across, a weight is an amount of ink."""
    weights = record.head(head)  # T S
    ink = np.clip(weights / max(darkest_weight(weights, record.sources), 1e-12), 0, 1)
    levels = np.round(LEVELS * _pooled(ink)).astype(int)
    rows, columns = levels.shape
    cell = 14 if max(rows, columns) <= 60 else 6
    left, top = _room(record.targets), _room(record.sources)
    width, height = left + columns * cell + FONT, top + rows * cell + FONT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="{FONT}" fill="#292524">',
        f'<title>{title_of(record, head)}</title><rect width="{width}" height="{height}" fill="#fff"/>',
        *_labels(record.targets, f"translate({left - 6} {top})", rows * cell, "end"),
        *_labels(record.sources, f"translate({left} {top - 6}) rotate(-90)", columns * cell, "start"),
        f'<g transform="translate({left} {top}) scale({cell})" fill="rgb{ACCENT}" shape-rendering="crispEdges">',
        *_cells(levels),
        f'</g><rect x="{left}" y="{top}" width="{columns * cell}" height="{rows * cell}" fill="none" '
        'stroke="#a8a29e"/></svg>',
    ]
    return "".join(parts)


def as_html(record: AttentionRecord, head: int | None, script: str, css: str) -> str:
    """A page with both texts to point at, and the map. `script` is assets/js/token_view.js, `css` the page's styles."""
    return PAGE.format(
        title=title_of(record, head),
        ink=f"rgb{ACCENT}",
        css=css.replace("</style", "<\\/style"),
        svg=as_svg(record, head),
        data=packed(token_view(record, head)),
        script=script.replace("</script", "<\\/script"),
    )


def title_of(record: AttentionRecord, head: int | None) -> str:
    layer = record.layer if isinstance(record.layer, str) else f"layer {record.layer + 1}"
    return f"{KINDS[record.kind]}, {layer}, {'mean over heads' if head is None else f'head {head + 1}'}"


def _numbered(tokens: Sequence[Token]) -> list[str]:
    """Names that keep repeated words apart. The number comes first, or a table might read "=…" as a formula."""
    return [f"{position} {visible(token)}" for position, token in enumerate(tokens, start=1)]


def _rounded(row: np.ndarray) -> list[float]:
    return [round(float(weight), DIGITS) for weight in row]


def _pooled(ink: np.ndarray) -> np.ndarray:
    """At most `MAX_CELLS` rows and columns: the darkest of neighbours stands for them, or thin lines would be lost."""
    for axis, size in enumerate(ink.shape):
        ink = np.maximum.reduceat(ink, thinned(size, MAX_CELLS), axis=axis)
    return ink


def _cells(levels: np.ndarray) -> list[str]:
    """A rectangle for each stretch of a row that has one level of ink."""
    cells = []
    for y, row in enumerate(levels.tolist()):
        x = 0
        for level, stretch in groupby(row):
            width = len(list(stretch))
            if level:
                opacity = f"{level / LEVELS:.2g}"
                cells.append(f'<rect x="{x}" y="{y}" width="{width}" height="1" fill-opacity="{opacity}"/>')
            x += width
    return cells


def _labels(tokens: Sequence[Token], transform: str, length: int, anchor: str) -> list[str]:
    """Names along an axis of `length` pixels, which `transform` puts in its place."""
    step = length / len(tokens)
    fitting = min(MAX_LABELS, int(length // (FONT + 1)))
    texts = [
        f'<text y="{(position + 0.5) * step + FONT / 3:.1f}">{_legal(label(tokens[position]))}</text>'
        for position in thinned(len(tokens), max(1, fitting))
    ]
    return [f'<g transform="{transform}" text-anchor="{anchor}">', *texts, "</g>"]


def _room(tokens: Sequence[Token]) -> int:
    """Pixels that the longest of the names needs."""
    names = (html.unescape(label(token)) for token in tokens)
    return 12 + max(int(FONT * sum(_width(character) for character in name)) for name in names)


def _width(character: str) -> float:
    return WIDE if unicodedata.east_asian_width(character) in "WF" else NARROW


def _legal(text: str) -> str:
    """`text` without what no XML may hold."""
    return ILLEGAL.sub("\ufffd", text)
