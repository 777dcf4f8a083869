from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from components.heads_grid import heads_grid
from seq2seq.trace import HeadFacts, HeadsRecord


def heads(num_layers: int, num_heads: int, size: int = 3, agreement: float | None = None) -> HeadsRecord:
    maps = np.random.default_rng(0).random((num_layers, num_heads, size, size + 1)).astype(np.float32)
    facts = tuple(
        HeadFacts(layer, head, 0.2, 0.1, 0.4, -0.83, agreement)
        for layer in range(num_layers)
        for head in range(num_heads)
    )
    return HeadsRecord("cross", maps, facts)


def test_maps_survive_the_journey():
    some = heads(2, 3)
    view = heads_grid(some)
    maps = np.frombuffer(base64.b64decode(view["maps"]), np.uint8).reshape(view["shape"]) / 255
    assert np.abs(maps - some.maps).max() <= 0.5 / 255 + 1e-6


def test_heads_come_layer_by_layer():
    view = heads_grid(heads(2, 2))
    assert [head["place"] for head in view["heads"]] == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_a_head_is_told_in_a_line_and_in_numbers():
    [head] = heads_grid(heads(1, 1, agreement=0.5))["heads"]
    assert head["says"] == (
        "Layer 1, head 1: looks at few tokens (entropy 20%), 10% of the text away, 40% on special tokens, "
        "diagonality −0.83, agreement with gradients +0.50"
    )
    assert head["caption"] == "few\xa0tokens, 10%\xa0away, 40%\xa0special"
    assert head["facts"] == [0.2, 0.1, 0.4, -0.83, 0.5]
    assert head["shown"] == ["20%", "10%", "40%", "−0.83", "+0.50"]


def test_what_was_not_computed_is_none_and_not_told():
    [head] = heads_grid(heads(1, 1))["heads"]
    assert (head["facts"][-1], head["shown"][-1]) == (None, "–")
    assert "agreement" not in head["says"]


@pytest.mark.parametrize(("entropy", "amount"), [(0.1, "few"), (0.5, "some"), (0.9, "many")])
def test_entropy_is_told_as_an_amount(entropy, amount):
    record = HeadsRecord("cross", np.ones((1, 1, 1, 1), np.float32), (HeadFacts(0, 0, entropy, 0, 0, 0),))
    assert f"looks at {amount} tokens" in heads_grid(record)["heads"][0]["says"]


def test_a_large_model_is_light():
    assert len(json.dumps(heads_grid(heads(16, 16, size=24)))) < 350_000
