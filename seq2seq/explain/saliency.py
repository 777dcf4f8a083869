"""Which source tokens the log-probability of a stretch of the output hangs on, by gradients.

Sources: gradient x input, Denil et al. 2014, section 4, and Shrikumar et al. 2016; integrated gradients, Sundararajan
et al. 2017, section 3. Both with respect to the encoder's word embeddings, before positions are added.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from seq2seq.explain.choices import of_targets
from seq2seq.explain.pair import Pair
from seq2seq.models.source import GeneratesFromSource
from seq2seq.trace import Attribution, Method

NUM_STEPS = 16


def saliency(pair: Pair, first: int, last: int) -> Attribution:
    """Gradient x input for target tokens `first` to `last`, without the latter."""
    with exact(pair.model) as model:
        embedded = embedded_source(model, pair)
        value, gradient = value_and_gradient(model, pair, embedded, first, last)
        return attribution("gradient", pair, first, last, (gradient * embedded).sum(-1), value)


def integrated_gradients(pair: Pair, first: int, last: int, num_steps: int = NUM_STEPS) -> Attribution:
    """Gradients along the straight line from a text of padding to the source, by the midpoint rule, one at a time.

    Special tokens are there from the start, so the whole change is the text's.
    """
    with exact(pair.model) as model:
        embedded = embedded_source(model, pair)
        empty = embedded_padding(model, pair, embedded)
        way = embedded - empty
        sums = torch.zeros_like(way)
        for step in range(num_steps):
            sums += value_and_gradient(model, pair, empty + way * ((step + 0.5) / num_steps), first, last)[1]
        scores = (way * sums / num_steps).sum(-1)
        with torch.no_grad():
            value, without = (log_probability_of(model, pair, at, first, last).item() for at in (embedded, empty))
        return attribution(
            "integrated_gradients", pair, first, last, scores, value, residue=value - without - scores.sum().item()
        )


@contextmanager
def exact(model: GeneratesFromSource) -> Iterator[GeneratesFromSource]:
    """The model in float32, or a copy that is: gradients in half precision are too coarse to be read token by token."""
    yield model if model.dtype == torch.float32 else copy.deepcopy(model).float()


@torch.no_grad()
def embedded_source(model: GeneratesFromSource, pair: Pair) -> Tensor:
    """1 S D"""
    return model.get_encoder().embeddings.words(pair.input_ids)


@torch.no_grad()
def embedded_padding(model: GeneratesFromSource, pair: Pair, embedded: Tensor) -> Tensor:
    """1 S D: the source with padding in the place of every token that stands for text."""
    padding = model.get_encoder().embeddings.words(torch.full_like(pair.input_ids, model.config.pad_token_id))
    is_special = torch.tensor([token.special for token in pair.source.tokens], device=embedded.device)
    return torch.where(is_special[None, :, None], embedded, padding)


def log_probability_of(model: GeneratesFromSource, pair: Pair, embedded: Tensor, first: int, last: int) -> Tensor:
    logits = model(inputs_embeds=embedded, decoder_input_ids=pair.decoder_input_ids, use_cache=False).logits
    return of_targets(logits[0, first:last].log_softmax(dim=-1), pair.target_ids[first:last]).sum()


def value_and_gradient(
    model: GeneratesFromSource, pair: Pair, embedded: Tensor, first: int, last: int
) -> tuple[float, Tensor]:
    """The log-probability, and its gradient (1 S D). The parameters get none."""
    at = embedded.detach().requires_grad_()
    with torch.enable_grad():
        value = log_probability_of(model, pair, at, first, last)
        (gradient,) = torch.autograd.grad(value, at)
    return value.item(), gradient


def attribution(
    method: Method, pair: Pair, first: int, last: int, scores: Tensor, value: float, residue: float | None = None
) -> Attribution:
    """Scores (1 S) of all source tokens."""
    return Attribution(
        method=method,
        scores=scores[0].detach().cpu().numpy(),
        sources=pair.source.tokens,
        source_text=pair.source.text,
        target=pair.stretch(first, last),
        target_text=pair.target_text,
        log_probability=value,
        residue=residue,
    )
