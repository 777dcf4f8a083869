"""Two versions of a text as one, as HTML: what was removed is struck out, what was added is underlined."""

from __future__ import annotations

import html
from collections.abc import Sequence


def difference_view(pieces: Sequence[Sequence[str]]) -> str:
    """`pieces` are [kept, removed, added], in order."""
    return f"<p class='difference' dir='auto'>{''.join(_piece(*piece) for piece in pieces)}</p>"


def _piece(kept: str, removed: str, added: str) -> str:
    marked = [f"<{tag}>{html.escape(text)}</{tag}>" for tag, text in (("del", removed), ("ins", added)) if text]
    return html.escape(kept) + " ".join(marked)
