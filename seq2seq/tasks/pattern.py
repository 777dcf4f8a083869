"""What there is to know of a block-sparse pattern without a model: who sees whom, and how far a token hears.

Source: Zaheer et al. 2020, section 2. The pattern itself is made by `attention.block_table`. Knows no tensors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seq2seq.attention.block_table import BlockSparsity, BlockTable, RandomBlocks
from seq2seq.tasks.results import InputError
from seq2seq.trace import BLOCK_KINDS, BlockMass, PatternRecord

MAX_BLOCKS = 1024  # of a text: a map of a million cells
MOST_SHUFFLED = 25_000_000  # blocks, in the authors' draw: two or three seconds
NUM_LAYERS = 12  # through which a token's hearing is followed


@dataclass(frozen=True)
class PatternSettings:
    """One head of one layer of a model with block-sparse attention, and a text of `length` tokens.

    `num_heads` and `max_length`, the longest text that the model reads, take part in the draw of the original plan. A
    longer text makes it a model that reads just so much.
    """

    length: int = 4096
    block_size: int = 64
    num_random_blocks: int = 3
    random_blocks: RandomBlocks = "reference"
    layer: int = 0
    head: int = 0
    num_heads: int = 12
    head_dim: int = 64
    max_length: int = 4096

    @property
    def sparsity(self) -> BlockSparsity:
        return BlockSparsity(self.block_size, self.num_random_blocks, self.random_blocks)

    @property
    def is_dense(self) -> bool:
        return self.length <= self.sparsity.longest_dense

    def carries(self, read: BlockMass) -> bool:
        """Whether what was read of a text belongs to these settings."""
        theirs = (len(read.tokens), read.block_size, read.layer, read.num_heads)
        return theirs == (self.length, self.block_size, self.layer, self.num_heads)


def pattern(settings: PatternSettings, read: BlockMass | None = None) -> PatternRecord:
    """The pattern, with the attention of a text on it if one was read with these settings.

    Raises: InputError for settings that do not go together.
    """
    counts = block_counts(settings)  # H N N, or 1 N N where all heads are equal
    own = counts[settings.head % len(counts)]
    sizes = block_lengths(settings)
    return PatternRecord(
        length=settings.length,
        block_size=settings.block_size,
        head=settings.head,
        kinds=full_kinds(own) if settings.is_dense else kinds_of(own),
        counts=own,
        kept_pairs=share_of_pairs(own > 0, sizes),
        heard={name: hearing(visible, sizes) for name, visible in parts_of((counts > 0).any(axis=0)).items()},
        read=read,
        kept_mass=() if read is None else kept_mass(read.mass, counts > 0, sizes),
    )


def block_counts(settings: PatternSettings) -> np.ndarray:
    """H N N (1 N N where all heads are equal), int16: how often each block of queries sees each block of keys."""
    if settings.head >= settings.num_heads:
        raise InputError(
            f"There is no head {settings.head + 1}: the model has {settings.num_heads} heads. "
            "Choose one of these, or more heads."
        )
    num_blocks = settings.sparsity.num_blocks(settings.length)
    if num_blocks > MAX_BLOCKS:
        raise InputError(
            f"{settings.length:,} tokens are {num_blocks:,} blocks of {settings.block_size}, and a map shows "
            f"{MAX_BLOCKS:,} at most. Choose a block size of {-(-settings.length // MAX_BLOCKS)} or more."
        )
    if settings.is_dense:
        return np.ones((1, num_blocks, num_blocks), dtype=np.int16)
    return visible_counts(table_of(settings))


def table_of(settings: PatternSettings) -> BlockTable:
    """The table of a text that is too long for dense attention."""
    longest = max(settings.length, settings.max_length)
    refuse_long_draw(settings, longest)
    try:
        return settings.sparsity.table(settings.length, settings.num_heads, longest, settings.layer)
    except ValueError as error:
        raise InputError(
            f"The authors' plan cannot draw {settings.num_random_blocks} random blocks of {settings.block_size} tokens "
            f"for each row at {settings.length:,} tokens. Choose smaller blocks, fewer random ones, or another length."
        ) from error


def refuse_long_draw(settings: PatternSettings, longest: int) -> None:
    """Raises: InputError where whoever asks would wait too long, as the draw cannot be stopped."""
    if settings.random_blocks == "reference" or not settings.num_random_blocks:
        return
    if settings.sparsity.shuffled(settings.length, settings.num_heads, longest) > MOST_SHUFFLED:
        raise InputError(
            f"At {settings.length:,} tokens, the authors’ plan draws for all {longest:,} tokens that the model reads, "
            f"and for each of its heads. With blocks of {settings.block_size} and {settings.num_heads} heads, this "
            "takes too long. Choose larger blocks, fewer heads, or a model that reads less."
        )


def visible_counts(table: BlockTable) -> np.ndarray:
    """H N N, int16: the table's rows as a map."""
    return table.visible().astype(np.int16)


def block_lengths(settings: PatternSettings) -> np.ndarray:
    """N: the tokens in each block; the last may have fewer."""
    starts = np.arange(0, settings.length, settings.block_size)
    return np.minimum(settings.block_size, settings.length - starts)


def kinds_of(counts: np.ndarray) -> np.ndarray:
    """N N, int8: the kind of each block by its place and its count."""
    last = len(counts) - 1
    row, column = np.ogrid[: last + 1, : last + 1]
    is_global = (row == 0) | (row == last) | (column == 0) | (column == last)
    rules = {"unseen": counts == 0, "repeated": counts > 1, "global": is_global, "window": abs(row - column) <= 1}
    places = [BLOCK_KINDS.index(kind) for kind in rules]
    return np.select(list(rules.values()), places, BLOCK_KINDS.index("random")).astype(np.int8)


def full_kinds(counts: np.ndarray) -> np.ndarray:
    return np.full(counts.shape, BLOCK_KINDS.index("full"), dtype=np.int8)


def parts_of(visible: np.ndarray) -> dict[str, np.ndarray]:
    """The pattern, and what is left of it without its parts, to see what each is good for: N N, bool.

    Without its global blocks, the first and the last block are as any other: they see and are seen by their
    neighbours, and by those that drew them.
    """
    row, column = np.ogrid[: len(visible), : len(visible)]
    window = abs(row - column) <= 1
    last = len(visible) - 1
    is_global = (row == 0) | (row == last) | (column == 0) | (column == last)
    return {"pattern": visible, "without global blocks": window | (visible & ~is_global), "window only": window}


def hearing(visible: np.ndarray, sizes: np.ndarray) -> tuple[float, ...]:
    """The share of pairs of tokens of which one has heard the other, after 1, 2, ... layers that all see `visible`.

    It ends with the first layer after which every token has heard every other, or after NUM_LAYERS.
    """
    step = visible.astype(np.float32)  # sums of up to N ones are exact
    heard = visible
    shares = [share_of_pairs(heard, sizes)]
    while len(shares) < NUM_LAYERS and not heard.all():
        heard = step @ heard.astype(np.float32) > 0
        shares.append(share_of_pairs(heard, sizes))
    return tuple(shares)


def share_of_pairs(visible: np.ndarray, sizes: np.ndarray) -> float:
    """Of all pairs of tokens, those in blocks that see each other, 0 to 1."""
    return float(sizes @ visible @ sizes / sizes.sum() ** 2)


def kept_mass(mass: np.ndarray, visible: np.ndarray, sizes: np.ndarray) -> tuple[float, ...]:
    """Of each head: the share of its full attention (H N N) that goes to blocks that are visible (H or 1, N, N)."""
    kept_by_row = (mass * visible).sum(axis=2)  # H N
    return tuple((kept_by_row @ (sizes / sizes.sum())).tolist())
