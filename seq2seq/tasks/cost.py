"""What one layer's attention costs, block-sparse and full: counted for any length, and measured on this machine.

Counted are the rows as `attention.block_sparse` works on them: slots that a row does not use cost as much as others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial

import torch

from seq2seq.attention.block_sparse import BlockSparse
from seq2seq.attention.kernel import attend
from seq2seq.tasks.pattern import PatternSettings, table_of
from seq2seq.tasks.results import InputError
from seq2seq.trace import CostCurve, Timing

LENGTHS = tuple(round(512 * 2 ** (half / 2)) for half in range(11))  # 512 to 16,384 tokens
MEASURED_LENGTHS = (512, 1024, 2048, 4096, 8192)
BYTES_A_SCORE = 4
SECONDS_A_MEASUREMENT = 0.25
REPEATS = range(2, 21)  # the first may find the machine unprepared
LONG_SECONDS = 1  # of one run, which is not repeated then, as others wait
MOST_OPERATIONS = 110_000_000_000  # of full attention: 12 heads of 64 at 8,192 tokens, two to four seconds on two cores
MOST_NUMBERS = 17_000_000  # of queries, and so of keys and of values
MOST_ROWS = 100_000  # of blocks, in all heads: what is done for each takes a second or two


def cost_curve(settings: PatternSettings, lengths: Sequence[int] = LENGTHS) -> CostCurve:
    """The cost of one layer with this pattern, at these lengths."""
    full = [length**2 for length in lengths]
    sparse = [seen_pairs(settings, length) for length in lengths]
    operations = 2 * settings.head_dim * settings.num_heads  # a pair: its score, and its part of the weighted sum
    memory = BYTES_A_SCORE * settings.num_heads
    return CostCurve(
        lengths=tuple(lengths),
        full_operations=tuple(operations * pairs for pairs in full),
        sparse_operations=tuple(operations * pairs for pairs in sparse),
        full_memory=tuple(memory * pairs for pairs in full),
        sparse_memory=tuple(memory * pairs for pairs in sparse),
    )


def seen_pairs(settings: PatternSettings, length: int) -> int:
    """Pairs of tokens that one head multiplies for a text of so many tokens."""
    sparsity = settings.sparsity
    if length <= sparsity.longest_dense:
        return length**2
    num_blocks = sparsity.num_blocks(length)
    whole_rows = 2 * num_blocks
    return settings.block_size**2 * (whole_rows + (num_blocks - 2) * num_slots(settings))


def num_slots(settings: PatternSettings) -> int:
    """Key blocks of each row between: first, last, three of the window, and the random ones that are no repetition."""
    return 5 + (settings.num_random_blocks if settings.random_blocks == "original" else 0)


@dataclass(frozen=True)
class Machine:
    """Where the measurements were taken."""

    device: str
    dtype: str
    num_threads: int | None  # of a CPU


def machine(device: torch.device, dtype: torch.dtype) -> Machine:
    if device.type == "cuda":
        return Machine(torch.cuda.get_device_name(device), str(dtype).removeprefix("torch."), None)
    threads = torch.get_num_threads() if device.type == "cpu" else None
    return Machine(device.type.upper(), str(dtype).removeprefix("torch."), threads)


def measured_lengths(settings: PatternSettings) -> tuple[int, ...]:
    """Those of MEASURED_LENGTHS that can be measured while others wait. Raises: InputError where there are none."""
    lengths = tuple(length for length in MEASURED_LENGTHS if can_be_measured(replace(settings, length=length)))
    if not lengths:
        raise InputError(
            f"{settings.num_heads} heads of {settings.head_dim} in blocks of {settings.block_size} take too long to "
            "measure here. Choose fewer or smaller heads, or larger blocks."
        )
    return lengths


def can_be_measured(settings: PatternSettings) -> bool:
    width = settings.num_heads * settings.head_dim
    return (
        2 * width * settings.length**2 <= MOST_OPERATIONS
        and width * settings.length <= MOST_NUMBERS
        and settings.num_heads * settings.sparsity.num_blocks(settings.length) <= MOST_ROWS
    )


@torch.no_grad()
def measure(
    settings: PatternSettings, device: torch.device, dtype: torch.dtype, turns: AbstractContextManager
) -> Iterator[Timing]:
    """Times one layer's attention, without its projections, at `measured_lengths`; stop iterating to stop it.

    Full attention is torch's fused kernel. Where a text is too short for the pattern, attention is full. Either is
    measured in a turn of its own.
    Raises: InputError for settings that do not go together.
    """
    for length in measured_lengths(settings):
        there = replace(settings, length=length)
        with turns:
            full_seconds = seconds_of(attend, there, device, dtype)
        with turns:
            sparse_attend = attend if there.is_dense else block_sparse(there, device, dtype).attend
            sparse_seconds = seconds_of(sparse_attend, there, device, dtype)
            del sparse_attend  # nothing is held between two turns, as many may measure at once
        yield Timing(length, full_seconds, sparse_seconds)


def block_sparse(settings: PatternSettings, device: torch.device, dtype: torch.dtype) -> BlockSparse:
    return BlockSparse(table_of(settings), settings.block_size, settings.length, dtype, device)


def seconds_of(attend: Callable, settings: PatternSettings, device: torch.device, dtype: torch.dtype) -> float:
    """With the same query, key and value each time."""
    shape = (3, 1, settings.num_heads, settings.length, settings.head_dim)
    inputs = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(device, dtype)
    return seconds(partial(attend, *inputs), device)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """The shortest of several runs, or the first where it is long."""
    shortest, spent, repeats = float("inf"), 0.0, 0
    while spent < (LONG_SECONDS if repeats < REPEATS.start else SECONDS_A_MEASUREMENT) and repeats < REPEATS.stop:
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        took = time.perf_counter() - started
        shortest, spent, repeats = min(shortest, took), spent + took, repeats + 1
    return shortest
