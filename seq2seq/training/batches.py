"""Examples to batches: those of like length together, a budget of tokens a batch. Knows no texts."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from seq2seq.models.pretrained import PreTrainedModel

Inputs = dict[str, Any]  # a forward call's arguments, with what its loss needs


class Example(Protocol):
    """One thing to learn from, as ids. The loop knows no more of it than this."""

    task: str  # dev losses are told apart by it

    @property
    def cost(self) -> int:
        """Tokens that the model reads."""

    @property
    def num_targets(self) -> float:
        """Over how many predictions its loss is a mean."""

    @classmethod
    def loss(cls, model: PreTrainedModel, examples: Sequence[Any]) -> Tensor:
        """Of one batch of this class, the mean over its targets."""


AnyExample = TypeVar("AnyExample", bound=Example)


def batches(examples: list[AnyExample], batch_cost: int, seed: int) -> list[list[AnyExample]]:
    """One epoch: shuffled, sorted by length within stretches of about 100 batches, and shuffled again by batch.

    Examples of different classes are never in one batch.
    """
    chance = random.Random(seed)
    order = chance.sample(examples, len(examples))
    stretch = max(1, 100 * batch_cost * len(order) // max(1, sum(example.cost for example in order)))
    groups: list[list[AnyExample]] = []
    for start in range(0, len(order), stretch):
        groups += packed(sorted(order[start : start + stretch], key=by_kind_and_length), batch_cost)
    chance.shuffle(groups)
    return groups


def by_kind_and_length(example: Example) -> tuple[str, int]:
    return type(example).__name__, example.cost


def packed(examples: list[AnyExample], batch_cost: int) -> Iterator[list[AnyExample]]:
    group: list[AnyExample] = []
    for example in examples:
        if group and (type(example) is not type(group[0]) or (len(group) + 1) * example.cost > batch_cost):
            yield group
            group = []
        group.append(example)
    if group:
        yield group


def padded(rows: list[list[int]], fill: int) -> Tensor:
    """Rows of unequal length as B T."""
    tensors = [torch.tensor(row) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=fill)


def attention_mask(rows: list[list[int]]) -> Tensor:
    """B T: 1 for the rows' own tokens, 0 for what `padded` adds."""
    return padded([[1] * len(row) for row in rows], 0)


def loss_of(model: PreTrainedModel, inputs: Inputs) -> Tensor:
    """What the model says of a batch that it can take as it is."""
    return model(**{name: on_device(value, model) for name, value in inputs.items()}).loss


def on_device(value: Any, model: PreTrainedModel) -> Any:
    return value.to(model.device) if torch.is_tensor(value) else value
