"""Heads at a glance: pieces of a layer against the plain definitions, which hold its whole map, and worked examples."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seq2seq.attention import masks
from seq2seq.attention.block_sparse import BlockSparse
from seq2seq.attention.block_table import BlockSparsity
from seq2seq.attention.kernel import Dense
from seq2seq.explain.attention import View, attention
from seq2seq.explain.heads import MAP_SHAPE, Glance, correlation, heads, ranks
from seq2seq.trace import Attribution
from tests.seq2seq.explain.conftest import pair

EVERY = ("entropy", "distance", "special", "diagonality", "agreement")


def by_definition(weights, is_text_row, is_text_column, saliency=None) -> tuple[np.ndarray, list[list[float]]]:
    """H T S -> H R C, and each of EVERY number, one a head; in float64."""
    weights = weights.astype(float)
    rows, columns = weights.shape[1:]
    told = [entropy(weights), distance(weights), weights[:, :, ~is_text_column].sum(-1).mean(-1)]
    looked_at = (weights @ places(columns))[:, is_text_row]
    told.append([correlation(row, places(is_text_row.sum())) for row in looked_at])
    if saliency is not None:
        got = weights.mean(axis=1)[:, is_text_column]
        told.append([correlation(ranks(row), ranks(saliency[is_text_column])) for row in got])
    shape = [min(rows, MAP_SHAPE[0]), min(columns, MAP_SHAPE[1])]
    return torch.nn.functional.adaptive_avg_pool2d(torch.tensor(weights), shape).numpy(), told


def entropy(weights):
    if weights.shape[-1] == 1:
        return np.zeros(len(weights))
    logs = np.log(weights, where=weights > 0, out=np.zeros_like(weights))
    return -(weights * logs).sum(-1).mean(-1) / np.log(weights.shape[-1])


def places(count):
    return np.arange(count) / max(1, count - 1)


def distance(weights):
    away = np.abs(places(weights.shape[1])[:, None] - places(weights.shape[2]))
    return (weights * away).sum(-1).mean(-1)


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def block_sparse(length, block_size, plan, mask=None):
    table = BlockSparsity(block_size, 2, plan).table(length, 3, 512, 1)
    return BlockSparse(table, block_size, length, torch.float32, torch.device("cpu"), mask)


def unpadded(count, length):
    return (torch.arange(length) < count).long()[None]


PATTERNS = {  # T, S, who sees whom
    "one by one": (1, 1, Dense()),
    "one row": (1, 50, Dense()),
    "one column": (70, 1, Dense()),
    "everything": (131, 77, Dense()),
    "causal": (130, 130, Dense(masks.as_bias(masks.causal(130, 130), torch.float32))),
    "padded": (65, 40, Dense(masks.as_bias(masks.padding(unpadded(31, 40)), torch.bfloat16))),
    "relative": (100, 90, Dense(randn(1, 3, 100, 90, seed=5))),
    "blocks, first block again": (96, 96, block_sparse(96, 8, "reference")),
    "blocks, a draw a head": (96, 96, block_sparse(96, 8, "original")),
    "blocks, a last one in part": (101, 101, block_sparse(101, 8, "reference")),
    "blocks, padded": (101, 101, block_sparse(101, 8, "original", unpadded(59, 101))),
    "blocks of one": (20, 20, block_sparse(20, 1, "original")),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_pieces_tell_what_the_whole_map_tells(name):
    num_rows, num_columns, pattern = PATTERNS[name]
    query, key = 2 * randn(1, 3, num_rows, 8), randn(1, 3, num_columns, 8, seed=1)
    rows, columns = (torch.arange(count).numpy() % 5 != 2 for count in (num_rows, num_columns))
    saliency = randn(num_columns, seed=2).numpy()
    glance = Glance(rows, columns, saliency)
    small = glance(query, key, pattern)
    weights = pattern.attend_with_weights(query, key, key)[1][0].numpy()
    expected, told = by_definition(weights, rows, columns, saliency)
    assert np.abs(small[0].numpy() - expected).max() < 1e-5
    for number, found, wanted in zip(EVERY, glance.facts[0], told, strict=True):
        assert found == pytest.approx(list(wanted), abs=1e-5), number


@pytest.mark.parametrize("kind", ["cross", "encoder", "decoder"])
def test_each_head_is_told_of_as_its_map_is(writer, kind):
    made = pair(writer, min_new_tokens=6)
    record = heads(made, kind)
    assert len(record.facts) == record.maps.shape[0] * record.maps.shape[1] == 3 * 4
    for layer in range(3):
        looked = attention(made, View(kind, layer))
        is_text = [np.array([not token.special for token in side]) for side in (looked.targets, looked.sources)]
        small, told = by_definition(looked.weights, *is_text)
        for head in range(4):
            fact = record.facts[4 * layer + head]
            assert (fact.layer, fact.head, fact.agreement) == (layer, head, None)
            assert [getattr(fact, name) for name in EVERY[:3]] == pytest.approx(
                [each[head] for each in told[:3]], abs=1e-4
            )
            assert np.allclose(record.maps[layer, head], small[head] / small[head].max(), atol=1e-4)


def test_small_maps_stay_small(writer):
    record = heads(pair(writer, "Rain fell all night; the river rose. " * 3), "encoder")
    assert record.maps.shape[2:] == MAP_SHAPE
    assert record.maps.max(axis=(2, 3)) == pytest.approx(1)


def told_of(query, key):
    """Entropy, distance and diagonality of one head over 5 tokens, all of which stand for text."""
    glance = Glance(np.ones(5, bool), np.ones(5, bool), None)
    glance(query[None, None], key[None, None], Dense())
    return [glance.facts[0][place][0] for place in (0, 1, 3)]


def test_a_head_that_looks_at_one_token_and_one_that_looks_at_all():
    one = 1000 * torch.eye(5)
    assert told_of(one, one) == pytest.approx([0, 0, 1])
    assert told_of(one, one.flip(0)) == pytest.approx([0, np.mean([1, 0.5, 0, 0.5, 1]), -1])
    away = np.abs(np.subtract.outer(np.arange(5), np.arange(5))) / 4
    assert told_of(0 * one, one) == pytest.approx([1, away.mean(), 0])


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
