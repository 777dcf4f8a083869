"""Which rows are read side by side."""

import pytest

from seq2seq.config import BertGenerationConfig, BigBirdConfig
from seq2seq.tasks.alike import BATCH_TOKENS, MOST_ROWS, alike, num_sparse_blocks

DENSE = BertGenerationConfig()
SPARSE = BigBirdConfig(block_size=4, num_random_blocks=1)


@pytest.mark.parametrize("encoder", [DENSE, SPARSE])
def test_every_row_is_read_once_within_the_budget(encoder):
    lengths = [5, 3000, 17, 4000, 4100, 9000, 5, 29, 30, 31] + [8] * 40
    batches = list(alike(lengths, encoder))
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= MOST_ROWS
        assert len(batch) == 1 or len(batch) * max(lengths[place] for place in batch) <= BATCH_TOKENS


def test_rows_of_different_patterns_are_never_read_together():
    lengths = list(range(20, 60))
    longest = SPARSE.block_sparsity.longest_dense
    for batch in alike(lengths, SPARSE):
        assert len({num_sparse_blocks(lengths[place], SPARSE) for place in batch}) == 1
    assert num_sparse_blocks(longest, SPARSE) == 0 < num_sparse_blocks(longest + 1, SPARSE)
    assert {len(batch) for batch in alike(lengths, DENSE)} == {MOST_ROWS, len(lengths) % MOST_ROWS}
