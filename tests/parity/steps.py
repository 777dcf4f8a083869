"""Decoding step by step with a cache, ours beside the reference library's."""

from __future__ import annotations

from typing import Any

import torch

from tests.parity.cases import SOURCES, WATCHED
from tests.parity.pairs import Pair, assert_close, assert_equal_outputs, mask_of_lengths, token_ids

LENGTH = 9
# Where a text of 9 tokens is cut into steps: one token at a time, several at once, a late start.
CUTS = {"one by one": tuple(range(1, 9)), "several": (1, 2, 6), "two halves": (4,), "the last alone": (8,)}


def steps(cuts: tuple[int, ...], across: bool, padded: bool) -> list[dict[str, Any]]:
    """The arguments of each step's call, without the cache."""
    ids = token_ids(3, LENGTH)
    mask = mask_of_lengths((9, 7, 5), LENGTH, "left")
    inputs = []
    for start, end in zip((0, *cuts), (*cuts, LENGTH), strict=True):
        inputs.append({"input_ids": ids[:, start:end], "use_cache": True, **WATCHED})
        if across:
            inputs[-1].update(SOURCES["a padded source"]())
        if padded:
            inputs[-1]["attention_mask"] = mask[:, :end]
    return inputs


@torch.no_grad()
def check_steps(pair: Pair, cuts: str, across: bool, padded: bool) -> None:
    """Every step's outputs, cache included, are equal; the last step's also to those of one whole pass."""
    our_past = their_past = None
    for arguments in steps(CUTS[cuts], across, padded):
        ours = pair.ours(**arguments, past_key_values=our_past)
        theirs = pair.theirs(**arguments, past_key_values=their_past)
        assert_equal_outputs(ours, theirs)
        our_past, their_past = ours.past_key_values, theirs.past_key_values
    arguments["input_ids"] = token_ids(3, LENGTH)
    whole = pair.ours(**{**arguments, "use_cache": False})
    assert_close(ours[0][:, -1], whole[0][:, -1], "one whole pass")


@torch.no_grad()
def check_steps_from_tuples(pair: Pair, cuts: str, across: bool) -> None:
    """A cache goes from step to step as the documented tuple of tuples."""
    our_past = their_past = None
    for arguments in steps(CUTS[cuts], across, padded=False):
        ours = pair.ours(**arguments, past_key_values=our_past)
        theirs = pair.theirs(**arguments, past_key_values=their_past)
        assert_equal_outputs(ours, theirs)
        our_past, their_past = tuple(ours.past_key_values), theirs.past_key_values
        assert all(type(layer) is tuple and len(layer) == (4 if across else 2) for layer in our_past)
