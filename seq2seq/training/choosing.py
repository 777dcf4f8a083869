"""Training a model that writes to choose: which of a text's own sentences its summary is made of.

What a summary quotes is what the decoder finds likeliest to open it (`tasks.quoting`). So the loss compares just that:
the likelihood of a sentence's first tokens, among those of all sentences of the text. One pass over the source and one
over all openings teach more than writing out the chosen ones would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq.models.source import GeneratesFromSource, shifted_right
from seq2seq.tasks.quoting import OPENING_TOKENS, plain_sentences
from seq2seq.training.batches import padded
from seq2seq.training.data import Selection

IGNORED = -100


@dataclass(frozen=True)
class ChoiceExample:
    task: str
    source_ids: list[int]
    openings: list[list[int]]  # of each sentence, its first tokens
    chosen: list[int]  # places among them

    @property
    def cost(self) -> int:
        """As a pair's whose target is all openings."""
        return len(self.source_ids) + 2 * sum(map(len, self.openings))

    @property
    def num_targets(self) -> int:
        return len(self.chosen)

    @classmethod
    def loss(cls, model: GeneratesFromSource, examples: Sequence[ChoiceExample]) -> Tensor:
        """Minus the mean log-probability of the chosen among all sentences, by the likelihood of their openings."""
        total = sum(-likelihoods(model, each).log_softmax(dim=0)[each.chosen].sum() for each in examples)
        return total / sum(example.num_targets for example in examples)


def likelihoods(model: GeneratesFromSource, example: ChoiceExample) -> Tensor:
    """N: the log-probability of each opening as that of the source's summary. All of them share the source."""
    labels = padded(example.openings, IGNORED).to(model.device)
    logits = model(
        input_ids=torch.tensor([example.source_ids], device=model.device),
        decoder_input_ids=shifted_right(labels, model.config),
        use_cache=False,
    ).logits
    log_probabilities = logits.float().log_softmax(dim=-1).gather(2, labels.clamp(min=0)[..., None])[..., 0]
    return (log_probabilities * (labels != IGNORED)).sum(dim=1)


def to_choose(selection: Selection, source_ids: list[int], to_ids: Callable[[str], list[int]]) -> ChoiceExample:
    sentences = plain_sentences(selection.source)
    openings = [to_ids(sentence)[:OPENING_TOKENS] for sentence in sentences]
    return ChoiceExample(
        selection.task, source_ids, openings, [sentences.index(sentence) for sentence in selection.chosen]
    )
