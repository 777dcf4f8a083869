"""Heads at a glance: each number against its definition, the maps against the attention that the model reports."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seq2seq.explain.attention import View, attention
from seq2seq.explain.heads import MAP_SHAPE, correlation, diagonality, distance, entropy, heads, ranks
from seq2seq.trace import Attribution
from tests.seq2seq.explain.conftest import pair


@pytest.mark.parametrize("kind", ["cross", "encoder", "decoder"])
def test_each_head_is_told_of_as_its_map_is(writer, kind):
    made = pair(writer, min_new_tokens=6)
    record = heads(made, kind)
    assert len(record.facts) == record.maps.shape[0] * record.maps.shape[1] == 3 * 4
    for layer in range(3):
        looked = attention(made, View(kind, layer))
        special = [token.special for token in looked.sources]
        small = torch.nn.functional.adaptive_avg_pool2d(torch.tensor(looked.weights), record.maps.shape[2:]).numpy()
        for head in range(4):
            fact = record.facts[4 * layer + head]
            weights = looked.weights[head].astype(float)
            assert (fact.layer, fact.head, fact.agreement) == (layer, head, None)
            rows = [-sum(p * np.log(p) for p in row if p > 0) / np.log(len(row)) for row in weights]
            assert fact.entropy == pytest.approx(np.mean(rows), abs=1e-4)
            assert fact.special == pytest.approx(weights[:, special].sum(-1).mean(), abs=1e-5)
            assert np.allclose(record.maps[layer, head], small[head] / small[head].max(), atol=1e-4)


def test_small_maps_stay_small(writer):
    record = heads(pair(writer, "Rain fell all night; the river rose. " * 3), "encoder")
    assert record.maps.shape[2:] == MAP_SHAPE
    assert record.maps.max(axis=(2, 3)) == pytest.approx(1)


def test_a_head_that_looks_at_one_token_and_one_that_looks_at_all():
    one, all_ = np.eye(5)[None], np.full((1, 5, 5), 0.2)
    assert entropy(one) == pytest.approx(0)
    assert entropy(all_) == pytest.approx(1)
    assert distance(one) == pytest.approx(0)
    assert distance(np.eye(5)[None, ::-1]) == pytest.approx(np.mean([1, 0.5, 0, 0.5, 1]))
    assert diagonality(one) == pytest.approx(1)
    assert diagonality(np.eye(5)[None, ::-1]) == pytest.approx(-1)
    assert diagonality(all_) == pytest.approx(0)


def test_ranks_share_the_places_of_equals():
    assert ranks(np.array([3.0, 1.0, 3.0, 7.0])).tolist() == [2.5, 1, 2.5, 4]
    assert correlation(np.array([1.0, 2.0]), np.array([5.0, 5.0])) == 0


def test_agreement_is_the_rank_correlation_of_what_text_gets(writer):
    made = pair(writer)
    looked = attention(made, View("cross", 1))
    got = looked.weights.mean(axis=1)[2]
    text = np.array([not token.special for token in looked.sources])
    for scores, expected in ((got, 1), (np.exp(-got), -1)):
        saliency = Attribution("gradient", scores, looked.sources, "", looked.targets[0], "", 0.0)
        fact = heads(made, "cross", saliency).facts[4 + 2]
        assert fact.agreement == pytest.approx(expected, abs=1e-6)
    assert text.sum() > 2
    assert heads(made, "decoder", saliency).facts[0].agreement is None
