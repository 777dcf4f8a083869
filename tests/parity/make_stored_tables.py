"""Writes tests/seq2seq/stored/random_blocks.json: what the reference library draws in training.

Its code for drawing is that of google-research/bigbird: numpy's seed is the layer's number, each head draws, and at
1,024, 3,072 and 4,096 tokens the blocks are drawn from the first 1,024. It is called here as its attention calls it.

    python -m tests.parity.make_stored_tables

A row of the file is a draw: its settings, and `blocks`, the random blocks (H N-2 r) of the rows between the global
ones.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import transformers
from transformers.models.big_bird.modeling_big_bird import BigBirdBlockSparseAttention

STORED = Path(__file__).parents[1] / "seq2seq" / "stored" / "random_blocks.json"
LENGTHS_OF_THE_PAPER = (1024, 3072, 4096)
# length, block_size, num_random_blocks, max_length
SETTINGS = (
    (1024, 64, 3, 4096),
    (3072, 64, 3, 4096),
    (4096, 64, 3, 4096),
    (832, 64, 3, 4096),
    (2048, 64, 3, 4096),
    (1024, 64, 3, 1024),
    (1024, 32, 5, 2048),
    (300, 20, 2, 512),
    (48, 4, 1, 64),
)
NUM_HEADS, LAYERS = 2, (0, 1)


def drawn(length: int, block_size: int, num_random_blocks: int, max_length: int, layer: int) -> np.ndarray:
    config = transformers.BigBirdConfig(
        hidden_size=NUM_HEADS, num_attention_heads=NUM_HEADS, max_position_embeddings=max_length,
        block_size=block_size, num_random_blocks=num_random_blocks,
    )  # fmt: skip
    attention = BigBirdBlockSparseAttention(config, seed=layer).train()
    sizes = block_size, block_size, num_random_blocks
    np.random.seed(layer)
    if length in LENGTHS_OF_THE_PAPER:
        longest = max_length, max_length, *sizes
        draws = [attention._bigbird_block_rand_mask(*longest, last_idx=1024) for _ in range(NUM_HEADS)]
    else:
        plan = attention._get_rand_attn_plan(length, block_size, num_random_blocks)
        draws = attention._bigbird_block_rand_mask_with_head(length, length, block_size, block_size, NUM_HEADS, *plan)
    return np.stack(draws)[:, : length // block_size - 2]


def main() -> None:
    rows = [
        {
            "length": length,
            "block_size": block_size,
            "num_random_blocks": num_random_blocks,
            "max_length": max_length,
            "layer": layer,
            "blocks": drawn(length, block_size, num_random_blocks, max_length, layer).tolist(),
        }
        for length, block_size, num_random_blocks, max_length in SETTINGS
        for layer in LAYERS
    ]
    STORED.parent.mkdir(exist_ok=True)
    STORED.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
