"""What a session keeps is weighed in a moment, and about right."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch

from demo.handlers import Handlers
from demo.looking import Looking
from demo.serving.weights import of_state
from demo.setting_fields import FIELDS
from seq2seq.trace import AttentionRecord, Token
from tests.demo.stand_in import StandInEngine, tokens_of
from tests.waiting import within

TEXT = "The river Thames rose near a bridge of London. " * 30
SETTINGS = ["automatic", False, *[""] * len(FIELDS)]


def record() -> AttentionRecord:
    tokens = tokens_of(TEXT)
    return AttentionRecord("cross", 0, np.zeros((12, len(tokens), len(tokens)), np.float32), tokens, tokens, TEXT, TEXT)


@pytest.mark.parametrize(
    "make",
    [
        record,
        lambda: tokens_of(TEXT),
        lambda: "x" * 10_000,
        lambda: {str(each): [each] * 9 for each in range(1_000, 3_000)},
    ],
    ids=["record", "tokens", "text", "dict"],
)
def test_the_estimate_is_near_what_is_taken(make):
    tracemalloc.start()
    kept = make()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert of_state(kept) == pytest.approx(taken, rel=0.4)


def test_what_is_held_twice_weighs_once():
    whole = record()
    assert of_state([whole, whole, (whole,)]) < of_state(whole) + 1_000


def test_a_part_of_an_array_weighs_what_it_keeps_whole():
    assert of_state(np.zeros(100_000, np.float32)[:3]) >= 400_000
    assert of_state(torch.zeros(100_000).numpy()[:3]) >= 400_000
    assert of_state(torch.zeros(100_000)[:3]) >= 400_000


def test_weighing_takes_a_moment():
    heavy = [Token("a", each, each + 1) for each in range(300_000)], np.zeros((100, 100_000), np.float32)
    with within(5):
        assert of_state(heavy) > 60_000_000


def test_nothing_that_a_page_keeps_is_left_out():
    engine = StandInEngine(0)
    *_, (_, run) = Handlers(engine).generate("fuse", TEXT, None, *SETTINGS)
    assert of_state(run) > len(TEXT)
    assert of_state(Looking(engine)) < 1_000  # no state, and no walk through what is everybody's
