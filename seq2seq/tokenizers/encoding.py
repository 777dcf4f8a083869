"""What a tokenizer call returns, and the steps from tokenized texts to it: cut, join, pad, make tensors.

Pure functions on lists of ids. Knows no vocabulary and no text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import numpy as np

Span = tuple[int, int]  # characters [start, end) of a text
Side = Literal["left", "right"]

NO_SPAN: Span = (0, 0)  # of a token that stands for no part of the text


class Encoding(dict):
    """The columns of a batch by name: lists, or arrays of B T. `encoding.input_ids` works too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"This encoding has no {name!r}, only {', '.join(self)}.") from None

    def to(self, device: Any) -> Encoding:
        """The same encoding with its torch tensors on `device`."""
        return Encoding({name: value.to(device) for name, value in self.items()})


@dataclass(frozen=True)
class Tokens:
    """One text cut into tokens; `spans` says where each one lies in the text, if that was asked for."""

    ids: list[int]
    spans: list[Span] | None = None

    def keep(self, count: int, truncation_side: Side) -> Tokens:
        """At most `count` tokens; the others are taken away from the given side."""
        kept = slice(count) if truncation_side == "right" else slice(max(len(self.ids) - count, 0), None)
        return Tokens(self.ids[kept], None if self.spans is None else self.spans[kept])


@dataclass(frozen=True)
class Frame:
    """The special tokens that a model expects before, between and after the text or texts of a row."""

    before: tuple[int, ...] = ()
    between: tuple[int, ...] = ()
    after: tuple[int, ...] = ()

    @classmethod
    def of_bert(cls, cls_id: int, sep_id: int, pair: bool) -> Frame:
        """[CLS] text [SEP], or [CLS] text [SEP] text [SEP] (Devlin et al. 2018, arXiv 1810.04805, section 3)."""
        return cls((cls_id,), (sep_id,) if pair else (), (sep_id,))

    def __len__(self) -> int:
        return len(self.before) + len(self.between) + len(self.after)


Halving = Callable[[int, int, int], int]  # room, tokens of the first text, of the second -> room for the first


def truncate(row: Sequence[Tokens], room: int, strategy: str, side: Side, halve: Halving) -> list[Tokens]:
    """One text, or the two of a pair, cut so that together they have at most `room` tokens.

    "longest_first" cuts the longer of a pair down to the shorter, and then both to the shares that `halve`
    gives. "only_first" and "only_second" leave the other whole. ValueError if nothing were left of one.
    """
    counts = [len(text.ids) for text in row]
    excess = sum(counts) - room
    if excess <= 0:
        return list(row)
    if strategy == "longest_first":
        kept = [room] if len(row) == 1 else _shares(room, counts[0], counts[1], halve)
    else:
        cut = _text_to_cut(strategy, len(row))
        if len(row) > 1 and counts[cut] <= excess:
            raise ValueError(
                f"truncation={strategy!r} cannot make a pair of {counts[0]} and {counts[1]} tokens fit into "
                f"{room}. Use a larger max_length, or truncation='longest_first'."
            )
        kept = [count - excess if index == cut else count for index, count in enumerate(counts)]
    return [text.keep(count, side) for text, count in zip(row, kept, strict=True)]


def _shares(room: int, first: int, second: int, halve: Halving) -> tuple[int, int]:
    half = halve(room, first, second)
    if first < half:
        return first, room - first
    if second < room - half:
        return room - second, second
    return half, room - half


def _text_to_cut(strategy: str, num_texts: int) -> int:
    if strategy == "only_first":
        return 0
    if strategy == "only_second" and num_texts == 2:
        return 1
    raise ValueError(
        f"truncation={strategy!r} does not fit a row of {num_texts} text(s). Expected True, False, "
        "'longest_first', 'only_first', or 'only_second' for pairs."
    )


def join(row: Sequence[Tokens], frame: Frame, names: Collection[str]) -> dict[str, list]:
    """One text, or the two of a pair, inside their special tokens: the columns of these names, all of T entries."""
    first, *second = row
    parts = [Tokens([*frame.before]), first]
    if second:
        parts += [Tokens([*frame.between]), *second]
    parts.append(Tokens([*frame.after]))
    width = sum(len(part.ids) for part in parts)
    width_of_first = sum(len(part.ids) for part in parts[:3]) if second else width
    spans = (part.spans or [NO_SPAN] * len(part.ids) for part in parts)
    columns = {
        "input_ids": lambda: list(chain.from_iterable(part.ids for part in parts)),
        "token_type_ids": lambda: [0] * width_of_first + [1] * (width - width_of_first),
        "attention_mask": lambda: [1] * width,
        "offset_mapping": lambda: list(chain.from_iterable(spans)),
    }
    return {name: columns[name]() for name in names}


def pad(row: Mapping[str, list], width: int, pad_id: int, side: Side) -> dict[str, list]:
    """The row with padding on one side, so that it is at least `width` long."""
    filling = {"input_ids": pad_id, "token_type_ids": 0, "attention_mask": 0, "offset_mapping": NO_SPAN}
    missing = width - len(row["input_ids"])
    if side == "right":
        return {name: values + [filling[name]] * missing for name, values in row.items()}
    return {name: [filling[name]] * missing + values for name, values in row.items()}


def as_tensors(columns: Mapping[str, list[list]], kind: str) -> dict[str, Any]:
    """Each column (a list of rows) as one int64 array, B T: numpy's for kind "np", torch's for "pt"."""
    if kind not in ("np", "pt"):
        raise ValueError(f"return_tensors={kind!r} is not known. Expected 'pt' (torch), 'np' (numpy) or None.")
    _check_equal_lengths(len(row) for row in columns["input_ids"])
    arrays = {name: np.array(rows, dtype=np.int64) for name, rows in columns.items()}
    if kind == "np":
        return arrays
    import torch  # only here: nothing else about tokens needs it

    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _check_equal_lengths(lengths: Iterable[int]) -> None:
    different = sorted(set(lengths))
    if len(different) > 1:
        raise ValueError(
            f"Rows of {different[0]} to {different[-1]} tokens do not make one tensor. Pass padding=True to "
            "make them equally long, and truncation=True with max_length if they may be too long."
        )
