"""A text and what was written for it, as tensors for a teacher-forced pass: the way of every look back.

Nothing is recorded while a model writes. Reading source and target once more, side by side, shows the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from seq2seq.explain.grain import sentences
from seq2seq.models.outputs import ModelOutput
from seq2seq.models.source import GeneratesFromSource
from seq2seq.tasks import GenerationSettings, InputError, Task, Writer, Written
from seq2seq.tasks.output import plain_text, special_token, target_tokens
from seq2seq.tasks.quoting import NOWHERE, places_of_tokens
from seq2seq.tasks.source import Source
from seq2seq.trace import Token


@dataclass(frozen=True)
class Pair:
    """T target tokens, each read off the place of the one before it, and S source tokens."""

    writer: Writer
    task: Task
    source: Source
    target_ids: tuple[int, ...]  # T, without the start token
    start_id: int

    @property
    def model(self) -> GeneratesFromSource:
        return self.writer.model

    @property
    def input_ids(self) -> Tensor:
        """1 S"""
        return torch.tensor([self.source.input_ids], device=self.model.device)

    @property
    def decoder_input_ids(self) -> Tensor:
        """1 T: the start token and all targets but the last."""
        return torch.tensor([[self.start_id, *self.target_ids[:-1]]], device=self.model.device)

    @property
    def encoded(self) -> ModelOutput:
        """What the encoder made of the source, unwatched, for all looks at what the decoder did with it."""
        return self.writer.read(self.source)

    @cached_property
    def target_text(self) -> str:
        return plain_text(self.writer.tokenizer, self.target_ids)

    @cached_property
    def targets(self) -> tuple[Token, ...]:
        """T: the tokens written."""
        return target_tokens(self.writer.tokenizer, self.target_ids, self.target_text)

    @cached_property
    def sentences(self) -> tuple[Token, ...]:
        """Of the source, those that were read: there may be a million lines of which no token is."""
        known = sentences(self.source.text)
        places = places_of_tokens(self.source, known)
        return tuple(known[place] for place in places[places != NOWHERE].unique().tolist())

    def stretch(self, first: int, last: int) -> Token:
        """The text that target tokens `first` to `last`, without the latter, stand for."""
        tokens = [token for token in self.targets[first:last] if not token.special]
        if not tokens:
            return self.targets[first]
        start, end = tokens[0].start, tokens[-1].end
        return Token(self.target_text[start:end], start, end)

    @property
    def read_back(self) -> tuple[Token, ...]:
        """T: the tokens that the decoder read, the start token first."""
        return (special_token(self.writer.tokenizer, self.start_id), *self.targets[:-1])


def pair_of(writer: Writer, written: Written) -> Pair:
    """Raises: InputError for a text that cannot be worked on, or where nothing was written."""
    if not written.target_ids:
        raise InputError("There is no output to look back from yet. Run the model first.")
    room = writer.model.config.decoder.max_position_embeddings
    if len(written.target_ids) > room:
        raise InputError(
            f"This model writes at most {room:,} tokens, and the output has {len(written.target_ids):,}. Shorten it."
        )
    if not all(0 <= token_id < writer.model.config.decoder.vocab_size for token_id in written.target_ids):
        raise InputError("This output is not from this model’s vocabulary. Let the model write it anew.")
    source = writer.source(written.task, written.text)
    return Pair(writer, written.task, source, tuple(written.target_ids), writer.start_id(written.task))


def forced(writer: Writer, task: Task, text: str, target_text: str, model: str | None = None) -> Written:
    """As if the model had written `target_text` for `text`: what `pair_of` makes a pair of.

    Raises: InputError where there is no target.
    """
    ids = writer.tokenizer(target_text.strip(), add_special_tokens=False).input_ids
    if not ids:
        raise InputError("There is no output to look back from yet. Type one, or let the model write it.")
    ends = writer.generation_config(task, GenerationSettings()).eos_ids[:1]
    return Written(task, text, (*ids, *ends), model)
