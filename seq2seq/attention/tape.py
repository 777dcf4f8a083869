"""Watching a forward pass: one optional tape, found by the layers themselves instead of handed down to them.

    with recording(lambda kind, layer: kind == "cross" and layer == 3) as tape:
        model(...)
    tape.weights["cross", 3]        # B H T S

A tape belongs to the thread (or task) that made it, so a model that others use at the same time goes on at full
speed. Where no tape runs, asking costs one look-up a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor

from seq2seq.trace import AttentionKind

if TYPE_CHECKING:
    from seq2seq.attention.block_sparse import BlockSparse
    from seq2seq.attention.kernel import Dense

Wanted = Callable[[AttentionKind, int], bool]
Keep = Callable[[Tensor, Tensor, "Dense | BlockSparse"], Tensor]  # query (B H T d), key (B H S d), who sees whom


@dataclass
class Tape:
    """What is wanted, and what came, in the order in which the layers ran."""

    wanted: Wanted
    wants_hidden_states: bool = False
    keep: Keep | None = None  # what to keep in the weights' place
    weights: dict[tuple[AttentionKind, int], Tensor] = field(default_factory=dict)  # B H T S by kind and layer
    hidden_states: list[Tensor] = field(default_factory=list)  # B T D

    def of_kind(self, kind: AttentionKind) -> tuple[Tensor, ...]:
        return tuple(weights for (recorded, _), weights in self.weights.items() if recorded == kind)

    def note_hidden_state(self, hidden_state: Tensor) -> None:
        if self.wants_hidden_states:
            self.hidden_states.append(hidden_state)


_running: ContextVar[Tape | None] = ContextVar("running_tape", default=None)


@contextmanager
def recording(wanted: Wanted, hidden_states: bool = False, keep: Keep | None = None) -> Iterator[Tape]:
    """Records what is wanted inside the block; of several tapes the innermost one records.

    With `keep` it keeps what that makes of a layer's queries and keys, so that a long text's map need not exist.
    """
    tape = Tape(wanted, hidden_states, keep)
    with running(tape):
        yield tape


def unwatched() -> AbstractContextManager[None]:
    """No tape records inside the block."""
    return running(None)


@contextmanager
def running(tape: Tape | None) -> Iterator[None]:
    token = _running.set(tape)
    try:
        yield
    finally:
        _running.reset(token)


def running_tape() -> Tape | None:
    return _running.get()


def tape_for(kind: AttentionKind, layer: int) -> Tape | None:
    """The running tape, if it wants this layer's weights."""
    tape = _running.get()
    return tape if tape is not None and tape.wanted(kind, layer) else None
