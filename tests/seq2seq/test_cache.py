"""The cache of keys and values: against plainly joined and plainly indexed tensors."""

from __future__ import annotations

import random

import pytest
import torch

from seq2seq.generation import KeyValueCache


def new_pair(rows: int, length: int, **options) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(rows, 2, length, 3, **options), torch.randn(rows, 2, length, 3, **options)


def append_everywhere(cache: KeyValueCache, rows: int, length: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    pairs = [new_pair(rows, length) for _ in cache.layers]
    for layer, pair in zip(cache.layers, pairs, strict=True):
        layer.self_attention.append(*pair)
    return pairs


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@torch.no_grad()
def test_append_returns_everything_so_far_over_many_growths():
    cache = KeyValueCache(1)
    keys, values = [], []
    for length in (5, *[1] * 300, 40):
        key, value = new_pair(2, length)
        keys.append(key)
        values.append(value)
        all_keys, all_values = cache.layers[0].self_attention.append(key, value)
        assert torch.equal(all_keys, torch.cat(keys, dim=2))
        assert torch.equal(all_values, torch.cat(values, dim=2))
    assert cache.length == 345


@torch.no_grad()
def test_a_step_does_not_copy_what_is_there():
    attention = KeyValueCache(1).layers[0].self_attention
    keys, _ = attention.append(*new_pair(2, 5))
    more_keys, _ = attention.append(*new_pair(2, 1))
    assert more_keys.data_ptr() == keys.data_ptr()


@torch.no_grad()
def test_length_counts_what_every_layer_has_seen():
    cache = KeyValueCache(2)
    assert cache.length == 0
    cache.layers[0].self_attention.append(*new_pair(1, 4))
    assert cache.length == 0
    cache.layers[1].self_attention.append(*new_pair(1, 4))
    assert cache.length == 4


@torch.no_grad()
@pytest.mark.parametrize("seed", range(12))
def test_reordering_beams_step_by_step_equals_indexing_everything(seed):
    draw = random.Random(seed)
    cache, num_beams, num_sources = KeyValueCache(2), 3, 2
    rows = num_beams * num_sources
    expected = append_everywhere(cache, num_sources, 3)
    order = torch.arange(num_sources).repeat_interleave(num_beams)
    for _ in range(90):
        cache.reorder(order)
        appended = append_everywhere(cache, rows, 1)
        expected = [
            tuple(torch.cat((held[order], new), dim=2) for held, new in zip(pair, news, strict=True))
            for pair, news in zip(expected, appended, strict=True)
        ]
        for entry, pair in zip(cache, expected, strict=True):
            assert torch.equal(entry[0], pair[0])
            assert torch.equal(entry[1], pair[1])
        order = torch.tensor(
            [source * num_beams + draw.randrange(num_beams) for source in range(num_sources) for _ in range(num_beams)]
        )


@torch.no_grad()
def test_reordering_to_fewer_rows_and_again():
    cache = KeyValueCache(1)
    ((keys, _),) = append_everywhere(cache, 4, 2)
    cache.reorder(torch.tensor([3, 1]))
    ((more, _),) = append_everywhere(cache, 2, 1)
    cache.reorder(torch.tensor([1, 0, 0]))
    expected = torch.cat((keys[[3, 1]], more), dim=2)[[1, 0, 0]]
    assert torch.equal(cache[0][0], expected)


@torch.no_grad()
def test_the_same_order_and_an_empty_cache_are_left_alone():
    cache = KeyValueCache(1)
    cache.reorder(torch.tensor([0, 0]))
    assert cache.length == 0
    ((keys, values),) = append_everywhere(cache, 3, 2)
    cache.reorder(torch.arange(3))
    assert torch.equal(cache[0][0], keys)
    assert torch.equal(cache[0][1], values)


@torch.no_grad()
def test_cross_attention_stays_at_one_row_a_source():
    cache = KeyValueCache(1)
    cross = cache.layers[0].cross_attention
    assert cross.pair is None
    key, value = new_pair(2, 7)
    cross.set(key, value)
    append_everywhere(cache, 2, 1)
    cache.reorder(torch.tensor([0, 0, 1, 1]))
    assert cross.pair[0] is key
    assert cache[0][0].shape[0] == 4


@torch.no_grad()
def test_reads_as_the_documented_tuple_of_tuples():
    cache = KeyValueCache(2)
    append_everywhere(cache, 1, 3)
    assert len(cache) == len(tuple(cache)) == 2
    assert [len(entry) for entry in cache] == [2, 2]
    cache.layers[1].cross_attention.set(*new_pair(1, 5))
    assert [part.shape[2] for part in cache[1]] == [3, 3, 5, 5]
    with pytest.raises(IndexError):
        cache[2]


@torch.no_grad()
@pytest.mark.parametrize("with_cross", [False, True])
def test_from_legacy_holds_the_same_and_leaves_the_given_tensors_alone(with_cross):
    given = tuple(new_pair(2, 3) + (new_pair(2, 6) if with_cross else ()) for _ in range(2))
    before = given[0][0].clone()
    cache = KeyValueCache.from_legacy(given)
    assert cache.length == 3
    for entry, expected in zip(cache, given, strict=True):
        assert all(torch.equal(*parts) for parts in zip(entry, expected, strict=True))
    append_everywhere(cache, 2, 1)
    cache.reorder(torch.tensor([1, 0]))
    assert torch.equal(given[0][0], before)
    assert torch.equal(cache[0][0][:, :, :3], before[[1, 0]])


def test_from_legacy_refuses_other_numbers_of_tensors():
    with pytest.raises(ValueError, match="layer 0 has 3"):
        KeyValueCache.from_legacy([new_pair(1, 2) + new_pair(1, 2)[:1]])


@torch.no_grad()
def test_another_batch_is_refused():
    cache = KeyValueCache(1)
    append_everywhere(cache, 3, 1)
    with pytest.raises(ValueError, match="holds 3 rows and the new keys have 1"):
        append_everywhere(cache, 1, 1)


def test_gradients_flow_through_appended_and_reordered_keys():
    attention = KeyValueCache(1).layers[0].self_attention
    key, value = new_pair(2, 2, requires_grad=True)
    later_key, later_value = new_pair(2, 1, requires_grad=True)
    attention.append(key, value)
    attention.reorder(torch.tensor([1, 1]))
    keys, values = attention.append(later_key, later_value)
    (keys.sum() + 2 * values.sum()).backward()
    assert key.grad[:, 0, 0, 0].tolist() == [0.0, 2.0]
    assert later_value.grad[:, 0, 0, 0].tolist() == [2.0, 2.0]


def test_tensors_held_for_backward_are_not_written_to_later():
    attention = KeyValueCache(1).layers[0].self_attention
    query = torch.randn(2, 2, 1, 3, requires_grad=True)
    keys, _ = attention.append(*new_pair(2, 4))
    loss = (query * keys).sum()
    with torch.no_grad():
        attention.append(*new_pair(2, 1))
        attention.reorder(torch.tensor([1, 0]))
    loss.backward()
    assert query.grad is not None
