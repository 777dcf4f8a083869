"""Two runs beside each other in facts, as an HTML table. What differs is set in bold."""

from __future__ import annotations

import html
from collections.abc import Sequence


def runs_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """`heads` name the two runs; a row is a fact's name and what it is in either."""
    columns = "".join(f"<th scope='col'>{html.escape(head)}</th>" for head in ("", *heads))
    body = "".join(_row(*row) for row in rows)
    return f"<table class='runs'><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>"


def _row(name: str, first: str, second: str) -> str:
    tag = "td" if first == second else "td class='differs'"
    cells = "".join(f"<{tag} dir='auto'>{html.escape(fact)}</td>" for fact in (first, second))
    return f"<tr><th scope='row'>{html.escape(name)}</th>{cells}</tr>"
