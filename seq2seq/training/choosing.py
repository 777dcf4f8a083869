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

    @property
    def cost(self) -> int:
        return len(self.source_ids)

    @property
    def num_targets(self) -> int:
        return len(self.chosen)

    @classmethod
    def loss(cls, model: GeneratesFromSource, examples: Sequence[ChoiceExample]) -> Tensor:
        """Minus the mean logarithm of the chosen sentences' shares of the first glance."""
        total = sum(-shares(model, each)[each.chosen].clamp(min=LEAST_SHARE).log().sum() for each in examples)
        return total / sum(example.num_targets for example in examples)


def shares(model: GeneratesFromSource, example: ChoiceExample) -> Tensor:
    """N: each sentence's share of the first glance."""
    glance = first_glance(model, example.source_ids, model.config.decoder_start_token_id)
    return shares_of(glance, torch.tensor(example.places), example.num_sentences)


def to_choose(selection: Selection, prompt: str, tokenizer: Tokenizer, limit: int) -> ChoiceExample:
    """Of the sentences of which the model reads something; what was cut off is not chosen."""
    source = read_source(selection.source, prompt, tokenizer, limit)
    sentences = plain_sentences(source.text)
    places = places_of_tokens(source, sentences)
    num_read = int(places.max()) + 1
    texts = [sentence.text for sentence in sentences[:num_read]]
    chosen = [texts.index(text) for text in selection.chosen if text in texts]
    return ChoiceExample(selection.task, list(source.input_ids), places.tolist(), num_read, chosen)
