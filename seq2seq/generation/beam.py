"""Beam search: the K most likely hypotheses of each source, side by side.

Bookkeeping only, on small tensors on the CPU: what comes from the model's device at each step are the few
best continuations. No model inside. What ends, what counts and when to stop is ruled as in the reference
library (its version 5, itself after the beam search of T5X), so that the same tokens come out:

- the best (1 + number of end tokens) * K of all K*V continuations, if there are so many, are looked at: at least K can
  go on;
- one that ends counts as finished only if it is among the best K of those;
- finished ones rank by sum of log-probabilities / number of new tokens ** length_penalty, and K are kept;
- a source is settled when no running hypothesis is likely to beat the worst of its K finished ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import BoolTensor, Generator, LongTensor, Tensor

from seq2seq.generation.finite import refuse_broken
from seq2seq.generation.sampling import LogitsProcessor, ScoreRules
from seq2seq.generation.settings import GenerationConfig
from seq2seq.generation.steps import AlternativesLog, GenerateOutput, Step, Weighed

WORST = -1e9  # the score of a place that no hypothesis has taken yet


@dataclass(frozen=True)
class Hypotheses:
    """M hypotheses a source. Not changed once they are made, so that a step can hand out views."""

    scores: Tensor  # B M
    tokens: LongTensor  # B M T, start tokens first, filled up
    rows: LongTensor  # B M T-t0: the row of logits that each new token was chosen from; -1 for none yet
    log_probabilities: Tensor  # B M T-t0: of each new token; B M 0 when they are not recorded

    def take(self, index: LongTensor, scores: Tensor) -> Hypotheses:
        """Those at `index` (B m) of each source, with new scores (B m)."""
        offsets = torch.arange(len(index))[:, None] * self.tokens.shape[1]
        flat = (index + offsets).flatten()
        _, *parts = self._parts()
        taken = (part.flatten(0, 1).index_select(0, flat).unflatten(0, index.shape) for part in parts)
        return Hypotheses(scores, *taken)

    def joined(self, others: Hypotheses) -> Hypotheses:
        """These, and behind them the others of the same source."""
        pairs = zip(self._parts(), others._parts(), strict=True)
        return Hypotheses(*(torch.cat(pair, dim=1) for pair in pairs))

    def _parts(self) -> tuple[Tensor, ...]:
        return self.scores, self.tokens, self.rows, self.log_probabilities


@dataclass(frozen=True)
class Continuations:
    """Ways to make a running hypothesis one token longer, best first."""

    scores: Tensor  # B M: sum of log-probabilities
    parents: LongTensor  # B M: which of the source's K hypotheses
    tokens: LongTensor  # B M
    log_probabilities: Tensor | None  # B M: of the token itself, when they are recorded

    def take(self, index: LongTensor, scores: Tensor) -> Continuations:
        own = self.log_probabilities
        return Continuations(
            scores,
            self.parents.gather(1, index),
            self.tokens.gather(1, index),
            None if own is None else own.gather(1, index),
        )


class BeamSearch:
    """Beam search over B sources with K = num_beams hypotheses each, or beam sampling with `do_sample`."""

    def __init__(
        self,
        start_ids: LongTensor,
        config: GenerationConfig,
        generator: Generator | None = None,
        num_alternatives: int | None = None,
        logits_processor: Sequence[LogitsProcessor] = (),
        with_weighed: bool = False,
    ) -> None:
        """`start_ids` is B*K t: each source's K times over; the others as in `generate_steps`."""
        self.done = False
        self._config = config
        self._generator = generator
        self._num_beams = config.num_beams
        self._start_length = self._length = start_ids.shape[1]
        self._limit = config.length_limit(self._start_length)
        self._rules = ScoreRules(config, self._start_length, logits_processor)
        self._eos_ids = torch.tensor(config.eos_ids, dtype=torch.long)
        self._scores: list[Tensor] = []

        num_steps = self._limit - self._start_length
        num_recorded = 0 if num_alternatives is None else num_steps
        self._log = AlternativesLog(num_steps, len(start_ids), num_alternatives) if num_alternatives else None
        self._records = num_alternatives is not None
        self._with_weighed = with_weighed
        self._weighed: Weighed | None = None
        start = start_ids.cpu().unflatten(0, (-1, self._num_beams))  # B K t
        self._finished = self._empty(start, num_steps, num_recorded)
        self._running = self._empty(start, num_steps, num_recorded)
        self._running.scores[:, 0] = 0.0  # all K are equal at first: only one of them may have continuations
        self._settled = torch.zeros(len(start), dtype=torch.bool)
        self._row_offsets = torch.arange(len(start))[:, None] * self._num_beams

    @property
    def next_tokens(self) -> LongTensor:
        """B*K 1: what the model should read next."""
        return self._running.tokens[:, :, self._length - 1].reshape(-1, 1)

    @property
    def rows(self) -> LongTensor:
        """B*K: the row of the last logits that each running hypothesis goes on from."""
        return self._running.rows[:, :, self._num_new - 1].flatten()

    def advance(self, logits: Tensor) -> None:
        """Make every hypothesis one token longer, given the logits (B*K V) after the tokens so far."""
        log_probabilities = logits.float().log_softmax(dim=-1)
        refuse_broken(logits, sign=log_probabilities[:, 0])
        if self._log:
            self._log.add(log_probabilities)
        scores = self._rules(self._running.tokens[:, :, : self._length].flatten(0, 1), log_probabilities)
        if self._config.output_scores:
            self._scores.append(scores)
        continuations = self._best_continuations(scores, log_probabilities)
        self._length += 1
        ended = self._ended(continuations)
        if bool(ended[:, : self._num_beams].any()):
            self._finish(continuations, self._counting(ended))
        going_on = (continuations.scores + WORST * ended).topk(self._num_beams)
        self._running = self._extended(continuations.take(going_on.indices, going_on.values))
        if self._with_weighed:
            self._weighed = self._told(continuations, ended, going_on.indices)
        self._settled = self._settled | ended.all(dim=1) | self._is_decided()
        self.done = bool(self._settled.all())

    def step(self) -> Step:
        best = self._best()
        rows = best.rows[:, 0, : self._num_new]
        return Step(
            tokens=best.tokens[:, 0, : self._length],
            lengths=self._start_length + (rows >= 0).sum(dim=1),
            finished=self._settled,
            log_probabilities=best.log_probabilities[:, 0, : self._num_new] if self._records else None,
            alternatives=self._log.along(rows.clamp(min=0)) if self._log else None,
            output=self.output() if self.done else None,
            weighed=self._weighed,
        )

    def output(self) -> GenerateOutput:
        """The num_return_sequences best finished hypotheses of each source."""
        num_returned = self._config.num_return_sequences
        rows = self._finished.rows[:, :num_returned].flatten(0, 1)
        num_new = int((rows >= 0).sum(dim=1).max())
        tokens = self._finished.tokens[:, :num_returned].flatten(0, 1)
        return GenerateOutput(
            sequences=tokens[:, : self._start_length + num_new],
            sequences_scores=self._finished.scores[:, :num_returned].flatten(),
            beam_indices=rows[:, :num_new],
            scores=tuple(self._scores) if self._config.output_scores else None,
        )

    @property
    def _num_new(self) -> int:
        return self._length - self._start_length

    def _empty(self, start: LongTensor, num_steps: int, num_recorded: int) -> Hypotheses:
        batch, num_beams, start_length = start.shape
        # The reference library takes a padding token of 0 for none: equal results need the same.
        fill = self._config.padding_id or next(iter(self._config.eos_ids), 0)
        tokens = torch.full((batch, num_beams, self._limit), fill)
        tokens[:, :, :start_length] = start
        return Hypotheses(
            scores=torch.full((batch, num_beams), WORST),
            tokens=tokens,
            rows=torch.full((batch, num_beams, num_steps), -1),
            log_probabilities=torch.zeros(batch, num_beams, num_recorded),
        )

    def _best_continuations(self, scores: Tensor, log_probabilities: Tensor) -> Continuations:
        """From B*K V scores of next tokens, on the model's device, to the few that are looked at."""
        vocabulary = scores.shape[1]
        totals = scores + self._running.scores.to(scores.device).view(-1, 1)
        totals = totals.view(-1, self._num_beams * vocabulary)  # B K*V
        num_kept = min((1 + max(1, len(self._eos_ids))) * self._num_beams, totals.shape[1])
        if self._config.do_sample:
            index = totals.softmax(dim=-1).multinomial(num_kept, generator=self._generator)
            best = totals.gather(1, index)
        else:
            best, index = totals.topk(num_kept)
        own = log_probabilities.view_as(totals).gather(1, index).cpu() if self._records else None
        index = index.cpu()
        return Continuations(best.cpu(), index // vocabulary, index % vocabulary, own)

    def _ended(self, continuations: Continuations) -> BoolTensor:
        if self._length == self._limit:
            return torch.ones_like(continuations.tokens, dtype=torch.bool)
        return torch.isin(continuations.tokens, self._eos_ids)

    def _counting(self, ended: BoolTensor) -> BoolTensor:
        """B M: the ended among the best K continuations of a source that is not settled yet."""
        counts = ended & ~self._settled[:, None]
        counts[:, self._num_beams :] = False
        return counts

    def _finish(self, continuations: Continuations, counts: BoolTensor) -> None:
        """Put those that count (B M) where they belong among the finished."""
        scores = self._ranked(continuations.scores, self._num_new) + WORST * ~counts
        contenders = self._finished.joined(replace(self._extended(continuations), scores=scores))
        best = contenders.scores.topk(self._num_beams)
        self._finished = contenders.take(best.indices, best.values)

    def _told(self, continuations: Continuations, ended: BoolTensor, going_on: LongTensor) -> Weighed:
        """What was looked at, when those at `going_on` (B K) have become the running hypotheses."""
        next_rows = self._row_offsets + torch.arange(self._num_beams)
        rows = torch.full_like(continuations.tokens, -1).scatter(1, going_on, next_rows)
        return Weighed(
            scores=continuations.scores,
            parents=continuations.parents + self._row_offsets,
            tokens=continuations.tokens,
            rows=rows.masked_fill(ended, -1),
            finished=self._counting(ended),
        )

    def _extended(self, continuations: Continuations) -> Hypotheses:
        """The running hypotheses that these continue, one token longer."""
        longer = self._running.take(continuations.parents, continuations.scores)
        longer.tokens[:, :, self._length - 1] = continuations.tokens
        longer.rows[:, :, self._num_new - 1] = continuations.parents + self._row_offsets
        if self._records:
            longer.log_probabilities[:, :, self._num_new - 1] = continuations.log_probabilities
        return longer

    def _ranked(self, scores: Tensor, num_new: int) -> Tensor:
        return scores / num_new**self._config.length_penalty

    def _is_decided(self) -> BoolTensor:
        """B: whether no running hypothesis is likely to beat the worst finished one."""
        worst = self._finished.scores[:, -1]
        to_the_end = self._config.early_stopping == "never" and self._config.length_penalty > 0
        num_new = self._limit - self._start_length if to_the_end else self._num_new
        decided = self._ranked(self._running.scores[:, 0], num_new) <= worst
        return decided | (worst > WORST) if self._config.early_stopping is True else decided

    def _best(self) -> Hypotheses:
        """The best one of each source, finished or running (B 1 T)."""
        finished = self._finished.scores[:, :1]
        running = self._ranked(self._running.scores[:, :1], self._num_new)
        is_running = (running > finished) & ~self._settled[:, None]
        index = is_running * self._num_beams  # the running ones stand behind the K finished ones
        return self._finished.joined(self._running).take(index, torch.where(is_running, running, finished))
