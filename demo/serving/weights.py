"""How much memory things take: what is kept for a session, about; a message that waits to be read, all of it.

What is kept are records with hundreds of thousands of numbers, and of these a few are looked at. A message quotes what
a visitor has sent, who could put what is heavy where nobody looks.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import fields, is_dataclass
from itertools import islice
from typing import Any

import numpy as np

NUMBERS = frozenset((float, int))
MOST_LOOKED_AT = 64  # of a collection; the others weigh as much as these do on average


def of_message(value: Any) -> int:
    """Bytes of a plain value. Numbers weigh alike: a map has hundreds of thousands."""
    inside = ()
    if isinstance(value, dict):
        inside = (*value, *value.values())
    elif isinstance(value, (list, tuple)):
        inside = value
    if inside and NUMBERS.issuperset(map(type, inside)):
        return sys.getsizeof(value) + len(inside) * sys.getsizeof(0.0)
    return sys.getsizeof(value) + sum(map(of_message, inside))


def of_state(value: Any, known: set[int] | None = None) -> int:
    """Bytes of a value and all that it holds, each once; `known` are those that were weighed already."""
    known = set() if known is None else known
    if id(value) in known:
        return 0
    known.add(id(value))
    if isinstance(value, np.ndarray):
        return sys.getsizeof(value) if value.base is None else of_state(value.base, known)
    if hasattr(type(value), "untyped_storage"):  # a tensor, which a view of it keeps whole
        return value.untyped_storage().nbytes()
    return sys.getsizeof(value) + of_inside(value, known)


def of_inside(value: Any, known: set[int]) -> int:
    if isinstance(value, dict):
        return of_some(value.keys(), known) + of_some(value.values(), known)
    if isinstance(value, (list, tuple, set, frozenset)):
        return of_some(value, known)
    if is_dataclass(value) and not isinstance(value, type):
        held = [getattr(value, field.name) for field in fields(value)]
        return sys.getsizeof(held) + sum(of_state(each, known) for each in held)
    return 0


def of_some(values: Collection, known: set[int]) -> int:
    """As much as all of them take, going by some that are spread evenly."""
    looked_at = list(islice(values, 0, None, -(-len(values) // MOST_LOOKED_AT) or 1))
    weight = sum(of_state(each, known) for each in looked_at)
    return weight * len(values) // len(looked_at) if looked_at else 0
