"""The model view: every head of every layer as a small picture, and what can be said of each in numbers.

Here is the record -> data half. The half that runs in the browser is assets/js/heads_grid.js. Layers and heads are
counted from 0 in the data, and from 1 in words.
"""

from __future__ import annotations

import base64

import numpy as np

from components.palette import percent, signed
from seq2seq.trace import HeadFacts, HeadsRecord

SHARES, CORRELATIONS = ("entropy", "distance", "special"), ("diagonality", "agreement")
FEW, MANY = 1 / 3, 2 / 3  # of the largest entropy


def heads_grid(record: HeadsRecord) -> dict:
    """What the browser needs to show `record`.

    Keys: `shape`, L H R C; `maps`, base64 of as many bytes; `heads`, layer by layer, each with `place` (layer and
    head), `facts` (numbers or None: entropy, distance, special, diagonality, agreement), the same as a reader should
    see them (`shown`), in a line (`says`) and beneath a picture (`caption`).
    """
    return {
        "shape": list(record.maps.shape),
        "maps": base64.b64encode(np.round(255 * record.maps).astype(np.uint8).tobytes()).decode("ascii"),
        "heads": [_head(facts) for facts in record.facts],
    }


def _head(facts: HeadFacts) -> dict:
    shares = [getattr(facts, name) for name in SHARES]
    correlations = [getattr(facts, name) for name in CORRELATIONS]
    return {
        "place": [facts.layer, facts.head],
        "facts": [None if number is None else round(float(number), 4) for number in shares + correlations],
        "shown": [percent(share) for share in shares]
        + ["–" if each is None else signed(each) for each in correlations],
        "says": _told(facts),
        "caption": _caption(facts),
    }


def _caption(facts: HeadFacts) -> str:
    """A head in a few words, broken between them only."""
    told = (
        f"{_amount(facts)} tokens",
        f"{percent(facts.distance)} away",
        f"{percent(facts.special)} special",
    )
    return ", ".join(each.replace(" ", "\N{NO-BREAK SPACE}") for each in told)


def _amount(facts: HeadFacts) -> str:
    return "few" if facts.entropy < FEW else "many" if facts.entropy > MANY else "some"


def _told(facts: HeadFacts) -> str:
    """A head in one line."""
    told = [
        f"looks at {_amount(facts)} tokens (entropy {percent(facts.entropy)})",
        f"{percent(facts.distance)} of the text away",
        f"{percent(facts.special)} on special tokens",
        f"diagonality {signed(facts.diagonality)}",
    ]
    if facts.agreement is not None:
        told.append(f"agreement with gradients {signed(facts.agreement)}")
    return f"Layer {facts.layer + 1}, head {facts.head + 1}: {', '.join(told)}"
