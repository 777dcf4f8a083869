"""Training a model that writes to choose: which of a text's own sentences its summary is made of.

What a summary quotes is what the decoder looks at first (`tasks.quoting`). So that glance is what the loss teaches, as
a probability over the sentences; it costs one pass over the source and one token of the decoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq.models.source import GeneratesFromSource
from seq2seq.tasks.prompts import Prompt
from seq2seq.tasks.quoting import first_glance, places_of_tokens, plain_sentences, shares_of
from seq2seq.tasks.source import read_source
from seq2seq.tokenizers import Tokenizer
from seq2seq.training.data import Selection

LEAST_SHARE = 1e-6  # of a sentence; what is not looked at at all would cost infinitely


@dataclass(frozen=True)
class ChoiceExample:
    task: str
    source_ids: list[int]
    places: list[int]  # of each token, which sentence it is in
    num_sentences: int
    chosen: list[int]  # places of the sentences to look at
    weights: list[float]  # of each of those

    @property
    def cost(self) -> int:
        return len(self.source_ids)

    @property
    def num_targets(self) -> float:
        return sum(self.weights)

    @classmethod
    def loss(cls, model: GeneratesFromSource, examples: Sequence[ChoiceExample]) -> Tensor:
        """Minus the mean logarithm of the chosen sentences' shares of the first glance, by their weights."""
        glances = first_glance(model, [each.source_ids for each in examples], model.config.decoder_start_token_id)
        total = sum(loss_of_glance(glance, each) for glance, each in zip(glances, examples, strict=True))
        return total / sum(example.num_targets for example in examples)


def loss_of_glance(glance: Tensor, example: ChoiceExample) -> Tensor:
    """Of S weights, those behind the example's own tokens all 0, summed over the chosen sentences."""
    shares = shares_of(glance[: len(example.places)], torch.tensor(example.places), example.num_sentences)
    weights = torch.tensor(example.weights, device=shares.device)
    return -(weights * shares[example.chosen].clamp(min=LEAST_SHARE).log()).sum()


def to_choose(selection: Selection, prompt: str, tokenizer: Tokenizer, limit: int) -> ChoiceExample:
    """Of the sentences of which the model reads something; what was cut off is not chosen."""
    source = read_source(selection.source, Prompt(prompt), tokenizer, limit)
    sentences = plain_sentences(source.text)
    places = places_of_tokens(source, sentences)
    num_read = int(places.max()) + 1
    texts = [sentence.text for sentence in sentences[:num_read]]
    weighed = zip(selection.chosen, selection.weights, strict=True)
    chosen = {texts.index(text): weight for text, weight in weighed if text in texts}
    return ChoiceExample(
        selection.task, list(source.input_ids), places.tolist(), num_read, list(chosen), list(chosen.values())
    )
