"""Why a stretch of an output was written: its source once for each method of saying so, inked by score.

Here is the record -> data half. The half that runs in the browser is assets/js/why_view.js.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from components.palette import percent, signed
from components.token_view import pieces_of
from seq2seq.trace import Attribution, Method

TITLES: Mapping[Method, str] = {
    "attention": "Attention",
    "gradient": "Gradient",
    "integrated_gradients": "Integrated gradients",
    "ablation": "Leaving out",
}
NUM_STRONGEST = 3
LONGEST_NAME = 60  # characters of a piece in a line


def why_view(attributions: Sequence[Attribution], notes: Mapping[Method, str]) -> dict:
    """What the browser needs to show attributions of one stretch; `notes` say what each method can and cannot tell.

    Keys: `says`, what is explained; `methods`, each with `title`, `note`, `pieces` of the source as [text before it,
    the piece, is it a mark without text, ink from -1 to 1, its number], the place of the `strongest` piece and what
    the strongest are in words (`told`).
    """
    return {
        "says": _stretch(attributions[0]) if attributions else "",
        "methods": [_method(each, notes.get(each.method, "")) for each in attributions],
    }


def _method(attribution: Attribution, note: str) -> dict:
    pieces = pieces_of(attribution.sources, attribution.source_text)
    numbers = [_number(score, attribution.method) for score in attribution.scores]
    real = np.array([not special and bool(text.strip()) for _, text, special in pieces], dtype=bool)
    sizes = np.abs(attribution.scores) * (real if real.any() else 1)
    ink = np.clip(attribution.scores / max(float(sizes.max(initial=0)), 1e-12), -1, 1)
    strongest = np.argsort(-sizes, kind="stable")[:NUM_STRONGEST]
    return {
        "title": TITLES[attribution.method],
        "note": note,
        "pieces": [
            [*piece, round(float(each), 3), number] for piece, each, number in zip(pieces, ink, numbers, strict=True)
        ],
        "strongest": int(strongest[0]) if len(strongest) else None,
        "told": _told([f"“{_name(pieces[place][1])}” {numbers[place]}" for place in strongest], attribution.residue),
    }


def _stretch(attribution: Attribution) -> str:
    sureness = f"{percent(math.exp(attribution.log_probability))}, {signed(attribution.log_probability)} nats"
    return f"Why “{_name(attribution.target.text)}” was written ({sureness})."


def _told(strongest: list[str], residue: float | None) -> str:
    unexplained = "" if residue is None else f" Left unexplained: {signed(residue)} nats."
    return f"Strongest: {', '.join(strongest)}.{unexplained}" if strongest else ""


def _number(score: float, method: Method) -> str:
    return percent(float(score)) if method == "attention" else signed(float(score))


def _name(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= LONGEST_NAME else words[: LONGEST_NAME - 1] + "…"
