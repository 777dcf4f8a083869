"""Pairs to padded batches of token ids: pairs of like length together, a budget of tokens a batch."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq.training.data import Pair

IGNORED = -100


@dataclass(frozen=True)
class Example:
    task: str
    source_ids: list[int]
    target_ids: list[int]

    @property
    def cost(self) -> int:
        """Tokens that the two stacks read; a decoder's token costs about twice an encoder's."""
        return len(self.source_ids) + 2 * len(self.target_ids)


@dataclass(frozen=True)
class Batch:
    input_ids: Tensor  # B S
    attention_mask: Tensor  # B S
    labels: Tensor  # B T

    def to(self, device: torch.device) -> Batch:
        return Batch(*(part.to(device) for part in (self.input_ids, self.attention_mask, self.labels)))


def encode(pair: Pair, to_ids: Callable[[str], list[int]], prompt: str, eos: int, limit: int) -> Example:
    """The prompt and the source, cut to the limit; the target and its end."""
    source = to_ids(f"{prompt} {pair.source}")[:limit]
    return Example(pair.task, source, [*to_ids(pair.target)[: limit - 1], eos])


def batches(examples: list[Example], batch_cost: int, seed: int) -> list[list[Example]]:
    """One epoch: shuffled, sorted by length within stretches of about 100 batches, and shuffled again by batch."""
    chance = random.Random(seed)
    order = chance.sample(examples, len(examples))
    stretch = max(1, 100 * batch_cost * len(order) // max(1, sum(example.cost for example in order)))
    groups: list[list[Example]] = []
    for start in range(0, len(order), stretch):
        groups += packed(sorted(order[start : start + stretch], key=lambda e: e.cost), batch_cost)
    chance.shuffle(groups)
    return groups


def packed(examples: list[Example], batch_cost: int) -> Iterator[list[Example]]:
    group: list[Example] = []
    for example in examples:
        if group and (len(group) + 1) * example.cost > batch_cost:
            yield group
            group = []
        group.append(example)
    if group:
        yield group


def collate(examples: list[Example], pad: int) -> Batch:
    input_ids = padded([example.source_ids for example in examples], pad)
    lengths = torch.tensor([len(example.source_ids) for example in examples])
    attention_mask = (torch.arange(input_ids.shape[1]) < lengths[:, None]).long()
    return Batch(input_ids, attention_mask, padded([example.target_ids for example in examples], IGNORED))


def padded(rows: list[list[int]], fill: int) -> Tensor:
    tensors = [torch.tensor(row) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=fill)
