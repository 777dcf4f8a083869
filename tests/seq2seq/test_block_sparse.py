"""Block-sparse attention against full attention under its own pattern as a mask, for any shapes."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.attention import block_sparse
from seq2seq.attention.block_sparse import BlockSparse
from seq2seq.attention.block_table import BlockSparsity, BlockTable, block_table


@pytest.fixture(scope="module", autouse=True, params=[True, False], ids=["fused", "by definition"])
def multiplies_tiles(request):
    """Both ways of a CPU, whatever this one is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block_sparse, "cpu_multiplies_tiles", lambda: request.param)
        yield


def randn(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def full_attention(query, key, value, table: BlockTable, block_size: int, attention_mask):
    """By its definition, over all pairs in float64: log(count) of its block is added to each score, 0 is no pair."""
    query, key, value = (x.double() for x in (query, key, value))
    length = query.shape[2]
    counts = torch.from_numpy(table.visible())
    counts = counts.repeat_interleave(block_size, 1).repeat_interleave(block_size, 2)[:, :length, :length]
    bias = counts.double().log().expand(len(query), *counts.shape)
    if attention_mask is not None:
        bias = bias.masked_fill((attention_mask == 0)[:, None, None, :], -torch.inf)
    weights = torch.softmax(query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + bias, dim=-1)
    output = weights @ value
    if attention_mask is not None:
        output = output.where((attention_mask != 0)[:, None, :, None], 0.0)
    return output, weights


@st.composite
def any_pattern(draw):
    """Queries, keys and values (3 B H T d), and a BlockSparse for them."""
    block_size = draw(st.integers(1, 5))
    batch, heads, width = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 6))
    numbers = draw(st.integers(0, 2**32 - 1))
    chance = torch.Generator().manual_seed(numbers)
    if draw(st.booleans()):  # any random blocks, repeated ones too
        num_blocks = draw(st.integers(3, 12))
        shape = draw(st.sampled_from((1, heads))), num_blocks - 2, draw(st.integers(0, 3))
        table = block_table(num_blocks, torch.randint(0, num_blocks, shape, generator=chance).numpy())
    else:
        plan = draw(st.sampled_from(("reference", "original")))
        sparsity = BlockSparsity(block_size, draw(st.integers(0, 3)), plan)
        length = sparsity.longest_dense + draw(st.integers(1, 4 * block_size))
        table = sparsity.table(length, heads, 512, layer=draw(st.integers(0, 3)))
    length = table.num_blocks * block_size - draw(st.integers(0, block_size - 1))
    masks = {
        "none": None,
        "all ones": torch.ones(batch, length),
        "right": (torch.arange(length) < torch.randint(1, length + 1, (batch, 1), generator=chance)).long(),
        "holes": (torch.rand(batch, length, generator=chance) < 0.6) | (torch.arange(length) == 0),
    }
    mask = masks[draw(st.sampled_from(tuple(masks)))]
    inputs = torch.randn(3, batch, heads, length, width, generator=chance) * draw(st.sampled_from((0.1, 1.0, 5.0)))
    return inputs.double(), BlockSparse(table, block_size, length, torch.float64, torch.device("cpu"), mask)


def rows_that_see(pattern: BlockSparse):
    """B 1 T, or a 1 of it: the tokens that are there; others see whatever there is, and their outputs are zeros."""
    return torch.tensor([True]) if pattern.attention_mask is None else (pattern.attention_mask != 0)[:, None, :]


@given(any_pattern())
def test_sparse_is_full_attention_under_the_pattern(case):
    inputs, pattern = case
    expected, expected_weights = full_attention(*inputs, pattern.table, pattern.block_size, pattern.attention_mask)
    with torch.no_grad():
        found = pattern.attend(*inputs)
        watched, weights = pattern.attend_with_weights(*inputs)
    for output in (found, watched):
        torch.testing.assert_close(output, expected)
    there = rows_that_see(pattern)[..., None].expand(weights.shape)
    torch.testing.assert_close(weights[there], expected_weights[there])
    torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1], dtype=weights.dtype))


@given(any_pattern())
def test_what_fills_the_last_block_changes_nothing(case):
    inputs, pattern = case
    filling = torch.full((*inputs.shape[:3], pattern.filling, inputs.shape[4]), 9.0, dtype=inputs.dtype)
    filled = torch.cat([inputs, filling], dim=3)
    assert pattern.attend(*filled).shape == filled.shape[1:]
    torch.testing.assert_close(pattern.attend(*filled)[:, :, : pattern.length], pattern.attend(*inputs))
    (found, found_weights), expected = pattern.attend_with_weights(*filled), pattern.attend_with_weights(*inputs)
    torch.testing.assert_close((found[:, :, : pattern.length], found_weights), expected)


@given(any_pattern())
def test_pieces_make_up_the_map(case):
    (query, key, _), pattern = case
    _, expected = pattern.attend_with_weights(query, key, key)
    torch.testing.assert_close(whole(pattern.pieces(query, key), expected.shape), expected)


def whole(pieces, shape):
    """B H T S of pieces, that come in order and in which a place that has a weight has it once."""
    rows = []
    for piece in pieces:
        assert piece.rows.start == sum(row.shape[2] for row in rows)
        columns = piece.columns[None, :, None].expand_as(piece.weights)
        row = torch.zeros(*shape[:2], columns.shape[2], shape[3], dtype=piece.weights.dtype)
        assert (row.scatter_add(3, columns, (piece.weights > 0).to(row.dtype)) <= 1).all()
        rows.append(row.scatter_add(3, columns, piece.weights))
    return torch.cat(rows, dim=2)


@settings(max_examples=40)
@given(any_pattern())
def test_gradients_are_those_of_full_attention(case):
    inputs, pattern = case
    inputs = inputs.requires_grad_()
    ahead = randn(*inputs.shape[1:], seed=1)
    expected = full_attention(*inputs, pattern.table, pattern.block_size, pattern.attention_mask)[0]
    (expected_gradient,) = torch.autograd.grad((expected * ahead).sum(), inputs)
    for output in (pattern.attend(*inputs), pattern.attend_with_weights(*inputs)[0]):
        (gradient,) = torch.autograd.grad((output * ahead).sum(), inputs)
        torch.testing.assert_close(gradient, expected_gradient, atol=1e-6, rtol=1e-5)


def pattern_of(sparsity, length, heads=2, layer=0, mask=None, dtype=torch.float32):
    table = sparsity.table(length, heads, 4096, layer)
    return BlockSparse(table, sparsity.block_size, length, dtype, torch.device("cpu"), mask)


@pytest.mark.parametrize("plan", ["reference", "original"])
@pytest.mark.parametrize(("length", "block_size"), [(1024, 16), (1023, 32), (900, 64)])
@torch.no_grad()
def test_long_texts_of_many_rows(length, block_size, plan):
    """More rows and heads than a CPU takes at once."""
    mask = (torch.arange(length) < torch.tensor([[length], [length // 3]])).long()
    pattern = pattern_of(BlockSparsity(block_size, 3, plan), length, heads=3, layer=1, mask=mask)
    inputs = randn(3, 2, 3, length, 8)
    expected, _ = full_attention(*inputs, pattern.table, block_size, mask)
    torch.testing.assert_close(pattern.attend(*inputs), expected.float(), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_text_of_padding_alone_stays_finite():
    pattern = pattern_of(BlockSparsity(4, 1), 40, mask=torch.zeros(1, 40))
    inputs = randn(3, 1, 2, 40, 8)
    assert not pattern.attend(*inputs).any()
    output, weights = pattern.attend_with_weights(*inputs)
    assert not output.any()
    assert weights.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@torch.no_grad()
def test_half_precision_is_near(dtype):
    mask = (torch.arange(100) < torch.tensor([[100], [37]])).long()
    inputs = randn(3, 2, 2, 100, 16)
    expected = pattern_of(BlockSparsity(8, 2), 100, mask=mask).attend(*inputs)
    found = pattern_of(BlockSparsity(8, 2), 100, mask=mask, dtype=dtype).attend(*inputs.to(dtype))
    assert found.dtype == dtype
    assert torch.cosine_similarity(found.float().flatten(), expected.flatten(), dim=0) > 0.9999


@pytest.mark.parametrize("padded", [False, True])
@torch.no_grad()
def test_elsewhere_than_on_a_cpu_the_shapes_are_the_same(padded):
    """On the meta device, which has shapes and no numbers: all rows at once, through the fused kernel."""
    meta = torch.device("meta")
    mask = torch.ones(2, 100, device=meta) if padded else None
    pattern = BlockSparse(BlockSparsity(8, 2).table(100, 3, 512, 0), 8, 100, torch.float32, meta, mask)
    inputs = torch.empty(3, 2, 3, 100, 4, device=meta)
    assert pattern.attend(*inputs).shape == (2, 3, 100, 4)
    assert pattern.attend_with_weights(*inputs)[1].shape == (2, 3, 100, 100)
    assert sum(piece.weights.shape[2] for piece in pattern.pieces(*inputs[:2])) == 100


@torch.no_grad()
def test_dropout_takes_weights_and_keeps_their_mean():
    torch.manual_seed(0)
    pattern = pattern_of(BlockSparsity(4, 1), 64)
    query, key = randn(2, 1, 2, 64, 8)
    sums = pattern.attend(query, key, torch.ones(1, 2, 64, 8), dropout=0.5)[..., 0]
    assert sums.std() > 0.05
    assert sums.mean().item() == pytest.approx(1, abs=0.05)
    _, all_weights = pattern.attend_with_weights(query, key, key)
    _, weights = pattern.attend_with_weights(query, key, key, dropout=0.5)
    kept = weights[all_weights > 0] > 0
    assert kept.float().mean().item() == pytest.approx(0.5, abs=0.05)


def look_at_pieces(pattern, query, key, _):
    for _piece in pattern.pieces(query, key):
        pass


@pytest.mark.parametrize("look", [BlockSparse.attend, look_at_pieces])
@torch.no_grad()
def test_a_long_text_takes_memory_in_its_length(look):
    """No tensor on the way is as large as a map of all pairs, nor as one row of it for each token of a block."""
    length, largest = 2048, 0
    pattern = pattern_of(BlockSparsity(16, 3), length, heads=1)

    class Watched(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            result = function(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                largest = max(largest, result.untyped_storage().nbytes() // result.element_size())
            return result

    with Watched():
        look(pattern, *randn(3, 1, 1, length, 8))
    assert largest < 48 * length < length * length
