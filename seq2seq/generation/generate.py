"""Generating a sequence token by token, given a function that says what may come next.

One loop for greedy search, sampling and beam search: they differ in their bookkeeping (`greedy`, `beam`),
which holds no model; the model is only a `NextToken`, which holds no search. The caller may stop at any step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Generator, LongTensor, Tensor

from seq2seq.generation.beam import BeamSearch
from seq2seq.generation.greedy import GreedySearch
from seq2seq.generation.sampling import LogitsProcessor
from seq2seq.generation.settings import GenerationConfig
from seq2seq.generation.steps import GenerateOutput, Step


class NextToken(Protocol):
    """A model that remembers what it has read, row by row."""

    def __call__(self, tokens: LongTensor) -> Tensor:
        """N V: the logits of the token after `tokens` (N t), which follow what was read before."""

    def reorder(self, rows: LongTensor) -> None:
        """Make row i what row rows[i] was, for any number of rows (on the CPU); none changes its source."""


@torch.no_grad()
def generate(
    next_token: NextToken,
    start_ids: LongTensor,
    config: GenerationConfig,
    *,
    generator: Generator | None = None,
    logits_processor: Sequence[LogitsProcessor] = (),
) -> GenerateOutput:
    """Generate to the end. Arguments and errors are those of `generate_steps`."""
    *_, search = _advancing(next_token, start_ids, config, generator, None, logits_processor, False)
    return search.output()


@torch.no_grad()
def generate_steps(
    next_token: NextToken,
    start_ids: LongTensor,
    config: GenerationConfig,
    *,
    generator: Generator | None = None,
    num_alternatives: int | None = 0,
    logits_processor: Sequence[LogitsProcessor] = (),
    with_weighed: bool = False,
) -> Iterator[Step]:
    """Generate, and yield where the run stands after every token; the last step carries the output.

    Args:
        next_token: the model, called first with `start_ids` (B rows), then with one token for each of N rows:
            B * num_beams, or B * num_return_sequences when sampling. Those of one source follow each other.
        start_ids: B t, at least one token each.
        generator: where draws come from, on the model's device; torch's global one for None.
        num_alternatives: how many of the likeliest tokens to record at each place; 0 records only the
            log-probability of the chosen one, None not even that.
        logits_processor: rules of the caller's, which change the scores after the config's own.
        with_weighed: whether each step of a beam search tells all continuations that it looked at.

    Raises:
        ValueError: for a config or start tokens that cannot be generated from.
    """
    for search in _advancing(
        next_token, start_ids, config, generator, num_alternatives, logits_processor, with_weighed
    ):
        yield search.step()


def _advancing(
    next_token: NextToken,
    start_ids: LongTensor,
    config: GenerationConfig,
    generator: Generator | None,
    num_alternatives: int | None,
    logits_processor: Sequence[LogitsProcessor],
    with_weighed: bool,
) -> Iterator[GreedySearch | BeamSearch]:
    config.validate()
    if start_ids.dim() != 2 or start_ids.shape[1] == 0:
        raise ValueError(
            "start_ids must be (batch, length) with at least one token a row, such as the decoder's start "
            f"token; they are {tuple(start_ids.shape)}."
        )
    search_type = partial(BeamSearch, with_weighed=with_weighed) if config.num_beams > 1 else GreedySearch
    width = max(config.num_beams, config.num_return_sequences)
    rows = torch.arange(len(start_ids)).repeat_interleave(width)
    search = search_type(start_ids.cpu()[rows], config, generator, num_alternatives, logits_processor)
    logits = next_token(start_ids)
    if width > 1:
        next_token.reorder(rows)
        logits = logits[rows.to(logits.device)]
    while True:
        search.advance(logits)
        yield search
        if search.done:
            return
        if search.rows is not None:
            next_token.reorder(search.rows)
        logits = next_token(search.next_tokens.to(start_ids.device))
