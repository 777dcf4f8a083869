"""Greedy search and multinomial sampling: one hypothesis a row.

Bookkeeping only, on small tensors on the CPU: what comes from the model's device at each step is one token a
row. No model inside.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, LongTensor, Tensor

from seq2seq.generation.finite import refuse_broken
from seq2seq.generation.sampling import LogitsProcessor, ScoreRules
from seq2seq.generation.settings import GenerationConfig
from seq2seq.generation.steps import AlternativesLog, GenerateOutput, Step


class GreedySearch:
    """Greedy search, or sampling with `do_sample`, over N rows that do not know of each other.

    A row that met an end token is padded until all have.
    """

    rows: LongTensor | None = None  # rows stay where they are

    def __init__(
        self,
        start_ids: LongTensor,
        config: GenerationConfig,
        generator: Generator | None = None,
        num_alternatives: int | None = None,
        logits_processor: Sequence[LogitsProcessor] = (),
    ) -> None:
        """`start_ids` is N t; the others as in `generate_steps`."""
        num_rows, start_length = start_ids.shape
        limit = config.length_limit(start_length)
        num_steps = limit - start_length
        self.done = False
        self._config = config
        self._generator = generator
        self._rules = ScoreRules(config, start_length, logits_processor)
        self._start_length = self._length = start_length
        self._eos_ids = torch.tensor(config.eos_ids, dtype=torch.long)
        self._pad_id = config.padding_id
        self._tokens = torch.full((num_rows, limit), self._pad_id)
        self._tokens[:, :start_length] = start_ids
        self._lengths = torch.full((num_rows,), start_length)
        self._finished = torch.zeros(num_rows, dtype=torch.bool)
        self._scores: list[Tensor] = []
        self._log_probabilities = None if num_alternatives is None else torch.zeros(num_rows, num_steps)
        self._log = AlternativesLog(num_steps, num_rows, num_alternatives) if num_alternatives else None

    @property
    def next_tokens(self) -> LongTensor:
        """N 1: what the model should read next."""
        return self._tokens[:, self._length - 1 : self._length]

    def advance(self, logits: Tensor) -> None:
        """Choose one more token a row, given the logits (N V) after the tokens so far."""
        wide = logits.float()
        scores = self._rules(self._tokens[:, : self._length], wide)
        if self._config.output_scores:
            self._scores.append(scores)
        chosen = self._choose(scores, logits)
        if self._log_probabilities is not None:
            self._record(wide.log_softmax(dim=-1), chosen)
        self._append(chosen.cpu())

    def step(self) -> Step:
        num_steps = self._length - self._start_length
        rows = torch.arange(len(self._tokens))[:, None].expand(-1, num_steps)
        recorded = self._log_probabilities
        return Step(
            tokens=self._tokens[:, : self._length],
            lengths=self._lengths,
            finished=self._finished,
            log_probabilities=None if recorded is None else recorded[:, :num_steps],
            alternatives=self._log.along(rows) if self._log else None,
            output=self.output() if self.done else None,
        )

    def output(self) -> GenerateOutput:
        scores = tuple(self._scores) if self._config.output_scores else None
        return GenerateOutput(sequences=self._tokens[:, : self._length], scores=scores)

    def _choose(self, scores: Tensor, logits: Tensor) -> LongTensor:
        if self._config.do_sample:
            probabilities = scores.softmax(dim=-1)
            refuse_broken(logits, sign=probabilities[:, 0])
            return probabilities.multinomial(1, generator=self._generator)[:, 0]
        chosen = scores.argmax(dim=-1)  # of a row with NaN, that
        refuse_broken(logits, sign=logits.gather(1, chosen[:, None]))
        return chosen

    def _record(self, log_probabilities: Tensor, chosen: LongTensor) -> None:
        own = log_probabilities.gather(1, chosen[:, None])[:, 0].cpu()
        self._log_probabilities[:, self._length - self._start_length] = own.masked_fill(self._finished, 0.0)
        if self._log:
            self._log.add(log_probabilities)

    def _append(self, chosen: LongTensor) -> None:
        chosen = chosen.masked_fill(self._finished, self._pad_id)
        self._tokens[:, self._length] = chosen
        self._lengths = self._lengths + ~self._finished
        self._length += 1
        ended = torch.isin(chosen, self._eos_ids)
        self._finished = self._finished | ended
        if self._length == self._tokens.shape[1]:
            self._finished = torch.ones_like(self._finished)
        self.done = bool(self._finished.all())
