"""What generating leaves at every step and at its end: records of tensors, and the log they are read from.

Everything here lies on the CPU, where the bookkeeping of a run happens. Knows no models and no search.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import BoolTensor, LongTensor, Tensor


@dataclass(frozen=True)
class Alternatives:
    """The likeliest tokens at each place, best first, by the model's own distribution, before any rules."""

    ids: LongTensor  # B t num_alternatives
    log_probabilities: Tensor  # B t num_alternatives


@dataclass(frozen=True)
class GenerateOutput:
    """The result of a run. R is num_return_sequences; those of one source follow each other, best first."""

    sequences: LongTensor  # B*R T, with the start tokens, padded at the end
    sequences_scores: Tensor | None = None  # B*R, beams: sum of log-probabilities / length**length_penalty
    beam_indices: LongTensor | None = None  # B*R T-t0, beams: the row each token came from; -1 after the end
    scores: tuple[Tensor, ...] | None = None  # each step's N V after all rules, with output_scores


@dataclass(frozen=True)
class Weighed:
    """The M continuations of each source that a step of a beam search looked at, and what became of them.

    Where there were fewer than M, the others score -inf, or far below what any text does (`beam.WORST`).
    """

    scores: Tensor  # B M: of the whole sequence, in nats: its log-probability under every rule
    parents: LongTensor  # B M: the row of the last logits that it goes on from
    tokens: LongTensor  # B M
    rows: LongTensor  # B M: the row that goes on with it; -1 where none does
    finished: BoolTensor  # B M: it ended, among the best K of its source


@dataclass(frozen=True)
class Step:
    """Where a run stands after one more token.

    A row is a sequence of its own when greedy or sampling (B*R rows). Under beam search it is the best
    hypothesis of a source (B rows), which can be another one at each step. Positions from `lengths` on are
    padding and mean nothing.
    """

    tokens: LongTensor  # B t, with the start tokens
    lengths: LongTensor  # B: how many of `tokens` are the row's own, start and end tokens included
    finished: BoolTensor  # B: the row will not change any more
    log_probabilities: Tensor | None  # B t-t0: of each new token, by the model's own distribution
    alternatives: Alternatives | None  # to each new token
    output: GenerateOutput | None  # on the last step
    weighed: Weighed | None = None  # of a beam search, if asked for


class AlternativesLog:
    """The likeliest tokens after every row of every step, for as long as a run lasts."""

    def __init__(self, num_steps: int, num_rows: int, num_alternatives: int) -> None:
        shape = (num_steps, num_rows, num_alternatives)
        self._ids = torch.zeros(shape, dtype=torch.long)
        self._log_probabilities = torch.zeros(shape)
        self._num_steps = 0

    def add(self, log_probabilities: Tensor) -> None:
        """Keep the best of N V."""
        best = log_probabilities.topk(self._ids.shape[2])
        self._ids[self._num_steps] = best.indices
        self._log_probabilities[self._num_steps] = best.values
        self._num_steps += 1

    def along(self, rows: LongTensor) -> Alternatives:
        """The alternatives at each step of sequences whose token at step s came from row rows[:, s] (B t)."""
        steps = torch.arange(rows.shape[1])
        return Alternatives(self._ids[steps, rows], self._log_probabilities[steps, rows])
