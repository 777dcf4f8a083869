"""Which tokens of a source made a stretch of the output likely, or unlikely: gradients of its log-probability.

Gradient x input (Denil, Demiraj and de Freitas 2014, 1412.6815; Shrikumar et al. 2016, 1605.01713) and integrated
gradients (Sundararajan, Taly and Yan 2017, 1703.01365, section 3), of the encoder's word embeddings before positions
are added. In float32 whatever the model computes in: in bfloat16 the small differences between tokens are lost.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from seq2seq.explain.choices import of_targets
from seq2seq.explain.pair import Pair
from seq2seq.models.source import GeneratesFromSource
from seq2seq.trace import Attribution, Method


def saliency(pair: Pair, first: int, last: int) -> Attribution:
    """Gradient x input of each source token, for target tokens `first` to `last`, without the latter.

    To first order, by how many nats a token's embedding raises the log-probability above that of an embedding of 0.
    Raises: ValueError for a stretch that is not there.
    """
    check_stretch(pair, first, last)
    model = exact(pair.model)
    words = embedded(model, pair.input_ids)
    log_probability, gradient = slope(pair, model, words, first, last)
    return attribution(pair, first, last, "gradient", words * gradient, log_probability)


def integrated_gradients(pair: Pair, first: int, last: int, num_steps: int = 16) -> Attribution:
    """The same, with the gradient averaged on the straight way from `baseline` to the source.

    Midpoint rule, one step at a time, so that a long source needs no more memory than `saliency` of it. The residue is
    what separates the scores' sum from the difference between the log-probabilities at both ends; more steps shrink it.
    Raises: ValueError for a stretch that is not there, or no steps.
    """
    check_stretch(pair, first, last)
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1; got {num_steps}.")
    model = exact(pair.model)
    words, start = embedded(model, pair.input_ids), baseline(pair, model)
    gradients = torch.zeros_like(words)
    for step in range(num_steps):
        between = torch.lerp(start, words, (step + 0.5) / num_steps)
        gradients += slope(pair, model, between, first, last)[1]
    scores = (words - start) * gradients / num_steps
    log_probability, at_start = (log_probability_at(pair, model, each, first, last) for each in (words, start))
    residue = log_probability - at_start - scores.sum().item()
    return attribution(pair, first, last, "integrated_gradients", scores, log_probability, residue)


def exact(model: GeneratesFromSource) -> GeneratesFromSource:
    """A copy in float32 that asks for no gradients of its weights; a float32 model's weights it shares.

    Others may run the model meanwhile, so nothing is switched in the model itself.
    """
    weights = {id(weight): nn.Parameter(weight.detach(), requires_grad=False) for weight in model.parameters()}
    return copy.deepcopy(model, weights).float()


def embedded(model: GeneratesFromSource, input_ids: Tensor) -> Tensor:
    """B S -> B S D, as the encoder takes them for inputs_embeds."""
    return model.get_encoder().embeddings.words(input_ids)


def baseline(pair: Pair, model: GeneratesFromSource) -> Tensor:
    """1 S D: a source that says nothing. Padding stands where there was text; special tokens and prompt stay."""
    is_text = torch.tensor([[not token.special for token in pair.source.tokens]], device=pair.input_ids.device)
    pad = model.get_encoder().config.pad_token_id
    return embedded(model, pair.input_ids.masked_fill(is_text, pad))


@torch.enable_grad()
def slope(pair: Pair, model: GeneratesFromSource, words: Tensor, first: int, last: int) -> tuple[float, Tensor]:
    """The stretch's log-probability for a source of `words` (1 S D), and its gradient there (1 S D)."""
    words = words.detach().requires_grad_()
    log_probability = of_stretch(read_words(pair, model, words, last), pair, first, last)
    (gradient,) = torch.autograd.grad(log_probability, words)
    return log_probability.item(), gradient


@torch.no_grad()
def log_probability_at(pair: Pair, model: GeneratesFromSource, words: Tensor, first: int, last: int) -> float:
    return of_stretch(read_words(pair, model, words, last), pair, first, last).item()


def read_words(pair: Pair, model: GeneratesFromSource, words: Tensor, last: int) -> Tensor:
    """1 T V: what follows `last` is not read, as no token looks ahead."""
    ids = pair.decoder_input_ids[:, :last]
    return model(inputs_embeds=words, decoder_input_ids=ids, use_cache=False).logits


def of_stretch(logits: Tensor, pair: Pair, first: int, last: int) -> Tensor:
    """1 T V -> the log-probability of target tokens `first` to `last`, in nats."""
    return of_targets(logits[0, first:last].float().log_softmax(dim=-1), pair.target_ids[first:last]).sum()


def attribution(
    pair: Pair, first: int, last: int, method: Method, parts: Tensor, log_probability: float,
    residue: float | None = None,
) -> Attribution:  # fmt: skip
    """`parts` (1 S D) are summed over the width."""
    scores = parts[0].sum(dim=-1).cpu().numpy()
    source, target = pair.source, pair.stretch(first, last)
    return Attribution(method, scores, source.tokens, source.text, target, pair.target_text, log_probability, residue)


def check_stretch(pair: Pair, first: int, last: int) -> None:
    count = len(pair.target_ids)
    if not 0 <= first < last <= count:
        raise ValueError(
            f"A stretch of this output is a range within its {count} tokens, first < last; got {first} to {last}."
        )
