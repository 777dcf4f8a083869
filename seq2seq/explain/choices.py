"""How sure a model was of each token of an output, what else it weighed, and what follows another choice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from seq2seq.explain.attention import decode
from seq2seq.explain.pair import Pair
from seq2seq.generation.settings import GenerationConfig
from seq2seq.tasks import Generated, GenerationSettings, InputError
from seq2seq.tasks.output import alternatives_of
from seq2seq.tasks.writing import section_of, write_section
from seq2seq.trace import Choice


@torch.no_grad()
def choices(pair: Pair, num_alternatives: int = 8) -> tuple[Choice, ...]:
    """T of them, by the model's own distribution."""
    log_probabilities = decode(pair)[0].float().log_softmax(dim=-1)  # T V
    own = of_targets(log_probabilities, pair.target_ids).exp().tolist()
    best = log_probabilities.topk(min(num_alternatives, log_probabilities.shape[1]))
    places = zip(pair.targets, pair.target_ids, own, best.indices.tolist(), best.values.exp().tolist(), strict=True)
    return tuple(
        Choice(token, token_id, probability, alternatives_of(pair.writer.tokenizer, ids, probabilities))
        for token, token_id, probability, ids, probabilities in places
    )


@torch.no_grad()
def log_probability(pair: Pair) -> float:
    """Of the whole output, in nats."""
    return total(decode(pair), pair.target_ids)


def total(logits: Tensor, target_ids: Sequence[int]) -> float:
    """The log-probability of T targets under logits (1 T V), in nats."""
    return of_targets(logits[0].float().log_softmax(dim=-1), target_ids).sum().item()


def of_targets(log_probabilities: Tensor, target_ids: Sequence[int]) -> Tensor:
    """T V -> T: each target's own."""
    ids = torch.tensor(target_ids, device=log_probabilities.device)
    return log_probabilities.gather(1, ids[:, None])[:, 0]


def go_on(pair: Pair, place: int, token_id: int, settings: GenerationSettings | None = None) -> Iterator[Generated]:
    """With another token at a place of the output, counted from 0, and from there what the model writes after it.

    One snapshot a token, the last one finished; stop iterating to stop writing. The whole may become as long as the
    settings allow, and at least as long as the output was. Beams weigh only what they write themselves, so they may
    find another end than they did for the same token.
    Raises: InputError for a place or a token that is not there, ValueError for settings out of range.
    """
    check(pair, place, token_id)
    settings = settings or GenerationSettings()
    begun = (*pair.target_ids[:place], token_id)
    config = rest_of(pair, pair.writer.generation_config(pair.task, settings), len(begun))
    if token_id in config.eos_ids or config.max_new_tokens == 0:
        section = section_of(pair.writer.tokenizer, pair.source, begun, seconds=0.0)
        yield Generated((section,), 1, finished=True)
        return
    generator = torch.Generator(pair.model.device).manual_seed(settings.seed)
    begun_ids = torch.tensor([[pair.start_id, *begun]], device=pair.model.device)
    for section, is_finished in write_section(
        pair.writer, pair.task, pair.source, config, generator, decoder_input_ids=begun_ids
    ):
        yield Generated((section,), 1, finished=is_finished)


def check(pair: Pair, place: int, token_id: int) -> None:
    count, vocabulary = len(pair.target_ids), pair.model.config.decoder.vocab_size
    if not 0 <= place < count:
        raise InputError(f"The output has tokens 0 to {count - 1}; there is none at place {place}. Choose one of them.")
    if not 0 <= token_id < vocabulary:
        raise InputError(f"The vocabulary has tokens 0 to {vocabulary - 1}; {token_id} is none. Choose one of them.")


def rest_of(pair: Pair, config: GenerationConfig, num_begun: int) -> GenerationConfig:
    """The settings of an output for what is left of it to write, where `num_begun` of its tokens are there."""
    room = pair.model.config.decoder.max_position_embeddings - 1
    longest = min(room, max(config.max_new_tokens, len(pair.target_ids)))
    shortest = config.min_new_tokens
    return config.merged(
        max_new_tokens=max(0, longest - num_begun),
        min_new_tokens=None if shortest is None else max(0, shortest - num_begun),
    )
