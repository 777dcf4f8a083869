"""The table of blocks: what must hold for any sizes, by hypothesis, and the authors' draws as stored values."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.attention.block_table import BlockSparsity, block_table

STORED = json.loads((Path(__file__).parent / "stored" / "random_blocks.json").read_text(encoding="utf-8"))
LENGTHS_OF_THE_PAPER = (1024, 3072, 4096)


@st.composite
def any_random_blocks(draw):
    """N, and any random blocks at all: H N-2 r."""
    num_blocks = draw(st.integers(3, 14))
    heads, num_random = draw(st.integers(1, 3)), draw(st.integers(0, 4))
    numbers = draw(st.integers(0, 2**32 - 1))
    shape = heads, num_blocks - 2, num_random
    return num_blocks, np.random.default_rng(numbers).integers(0, num_blocks, shape)


@st.composite
def sparse_texts(draw):
    """A sparsity, and the arguments of its table for a text that is just long enough to be attended to sparsely."""
    sparsity = BlockSparsity(
        draw(st.integers(1, 9)), draw(st.integers(0, 4)), draw(st.sampled_from(("reference", "original")))
    )
    length = sparsity.longest_dense + draw(st.integers(1, 60))
    more = draw(st.sampled_from((0, 1, 500)))
    shape = length, draw(st.integers(1, 4)), length + more, draw(st.integers(0, 11))
    return sparsity, shape, draw(st.booleans())


def seen_by_hand(num_blocks, random):
    """H N N: how often each row sees each block, counted one by one."""
    counts = np.zeros((len(random), num_blocks, num_blocks), dtype=int)
    for head, rows in enumerate(random):
        for row, drawn in enumerate(rows, start=1):
            fixed = {0, row - 1, row, row + 1, num_blocks - 1}
            for block, count in (Counter(fixed) + Counter(drawn.tolist())).items():
                counts[head, row, block] = count
    counts[:, [0, -1]] = 1
    return counts


def check_rows(table, num_random):
    """Every row valid: each block once, the window and the global blocks there, and the counts those of the slots."""
    heads, rows, _ = table.blocks.shape
    assert rows == table.num_blocks - 2
    assert table.blocks.shape == table.counts.shape
    assert ((table.blocks >= 0) & (table.blocks < table.num_blocks)).all()
    assert (table.counts >= 0).all()
    assert not table.blocks[table.counts == 0].any()
    for head in range(heads):
        for row in range(rows):
            seen = table.blocks[head, row][table.counts[head, row] > 0].tolist()
            place, last = row + 1, table.num_blocks - 1
            assert len(seen) == len(set(seen))
            assert {0, place - 1, place, place + 1, last} <= set(seen)
            dead = (place == 1) + (place == last - 1)
            assert table.counts[head, row].sum() == 5 - dead + num_random


@given(any_random_blocks())
def test_any_random_blocks_make_a_table(case):
    num_blocks, random = case
    table = block_table(num_blocks, random)
    check_rows(table, random.shape[2])
    assert (table.counts > 0).any(axis=(0, 1)).all(), "a slot that no row uses"
    assert np.array_equal(table.visible(), seen_by_hand(num_blocks, random))


@given(sparse_texts())
def test_any_sparse_text_has_a_table(case):
    sparsity, shape, training = case
    table = sparsity.table(*shape, training)
    assert table.num_blocks == sparsity.num_blocks(shape[0])
    assert len(table.blocks) in (1, shape[1])
    check_rows(table, sparsity.num_random_blocks)
    visible = table.visible() > 0
    for ends in (visible[:, [0, -1], :], visible[:, :, [0, -1]]):  # they see everything, and everything sees them
        assert ends.all()
    window = np.abs(np.subtract.outer(*[np.arange(table.num_blocks)] * 2)) <= 1
    assert visible[:, window].all()


@given(sparse_texts())
def test_a_table_is_a_pure_function(case):
    sparsity, (length, heads, max_length, layer), training = case
    table = sparsity.table(length, heads, max_length, layer, training)
    before = table.visible()
    np.random.seed(5)  # nothing of it may matter
    BlockSparsity(3, 2, "original").table(100, 2, 512, 1)
    again = BlockSparsity(sparsity.block_size, sparsity.num_random_blocks, sparsity.random_blocks)
    assert np.array_equal(again.table(length, heads, max_length, layer, training).visible(), before)
    filled = sparsity.num_blocks(length) * sparsity.block_size  # a last block that is not full is a block
    assert np.array_equal(sparsity.table(filled, heads, max_length + 9, layer, training).visible(), before)


@given(sparse_texts())
def test_the_reference_sees_the_first_block_again_in_evaluation(case):
    sparsity, shape, _ = case
    sparsity = BlockSparsity(sparsity.block_size, sparsity.num_random_blocks, "reference")
    visible = sparsity.table(*shape).visible()
    assert (visible[:, 1:-1, 0] == 1 + sparsity.num_random_blocks).all()
    assert visible[:, :, 1:].max() == 1
    drawn = BlockSparsity(sparsity.block_size, sparsity.num_random_blocks, "original").table(*shape).visible()
    assert np.array_equal(sparsity.table(*shape, training=True).visible(), drawn)


@given(
    sparse_texts().filter(lambda case: case[0].num_blocks(case[1][0]) * case[0].block_size not in (1024, 3072, 4096))
)
def test_blocks_drawn_by_plan_are_new_ones_near_the_beginning(case):
    sparsity, shape, _ = case
    sparsity = BlockSparsity(sparsity.block_size, sparsity.num_random_blocks, "original")
    table = sparsity.table(*shape)
    assert table.visible().max() == 1
    assert len(table.blocks) == (shape[1] if sparsity.num_random_blocks else 1)
    rows = np.arange(1, table.num_blocks - 1)[:, None]
    random = (np.abs(table.blocks - rows) > 1) & (table.blocks != 0) & (table.blocks != table.num_blocks - 1)
    assert table.blocks[random & (table.counts > 0)].max(initial=0) < 2 * sparsity.num_random_blocks + 5


@pytest.mark.parametrize("length", LENGTHS_OF_THE_PAPER)
def test_blocks_of_the_papers_lengths_are_of_the_first_1024_tokens(length):
    table = BlockSparsity(32, 3, "original").table(length, 4, 4096, layer=2)
    rows = np.arange(1, table.num_blocks - 1)[:, None]
    far = (np.abs(table.blocks - rows) > 1) & (table.blocks != table.num_blocks - 1)
    assert table.blocks[far & (table.counts > 0)].max() <= 1024 // 32 - 1


def test_layers_and_heads_draw_apart():
    sparsity = BlockSparsity(4, 3, "original")
    for length in (100, 1024):
        first, other = (sparsity.table(length, 3, 2048, layer).visible() for layer in (0, 1))
        assert not np.array_equal(first, other)
        assert not np.array_equal(first[0], first[1])


@pytest.mark.parametrize("length", [970, 1000, 1024])
def test_a_model_that_reads_no_full_last_block(length):
    """Its longest texts are filled up to one of the paper's lengths, which is more than it reads."""
    short = BlockSparsity(64, 3, "original").table(length, 2, 1000, layer=0)
    assert np.array_equal(short.visible(), BlockSparsity(64, 3, "original").table(1024, 2, 1024, layer=0).visible())


def test_too_few_blocks_to_draw_from():
    """1,024 tokens have 8 blocks of 128, of which a row may be left with 4."""
    with pytest.raises(ValueError, match="4"):
        BlockSparsity(128, 5, "original").table(3072, 1, 4096, layer=0)


@pytest.mark.parametrize("num_blocks", [1, 2])
def test_a_pattern_has_a_block_between(num_blocks):
    with pytest.raises(ValueError, match=f"at least 3 blocks.*got {num_blocks}"):
        block_table(num_blocks, np.zeros((1, 0, 0), dtype=int))


def test_how_long_is_dense():
    assert BlockSparsity().longest_dense == 704  # the reference library's with its defaults
    assert BlockSparsity(16, 0).longest_dense == 80
    assert [BlockSparsity(16).num_blocks(length) for length in (1, 16, 17)] == [1, 1, 2]


@pytest.mark.parametrize("stored", STORED, ids=lambda s: "{length} by {block_size}, layer {layer}".format(**s))
def test_the_authors_draws(stored):
    """Made by tests/parity/make_stored_tables.py, from the reference library's copy of the authors' code."""
    blocks = np.array(stored["blocks"])
    sparsity = BlockSparsity(stored["block_size"], stored["num_random_blocks"], "original")
    table = sparsity.table(stored["length"], len(blocks), stored["max_length"], stored["layer"])
    assert np.array_equal(table.visible(), seen_by_hand(sparsity.num_blocks(stored["length"]), blocks))
