"""Fusing, splitting and summarizing: a text in, a stream of snapshots out.

The three differ in what the checkpoint was taught to do behind each prompt, not in the way; so they are data here. A
text beyond the model's window is cut, or summarized in sections: what was written for the parts of a text is a summary
of it, but no fusion. A summary may also be quoted instead of written (`quoting`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from itertools import islice
from math import inf
from typing import Any

import torch

from seq2seq.attention.tape import unwatched
from seq2seq.generation.cache import KeyValueCache
from seq2seq.generation.finite import refuse_nonfinite
from seq2seq.generation.generate import NextToken
from seq2seq.generation.sampling import LogitsProcessor
from seq2seq.generation.settings import GenerationConfig
from seq2seq.models.generating import CachedDecoding, first_token, generation_defaults
from seq2seq.models.outputs import ModelOutput
from seq2seq.models.source import GeneratesFromSource
from seq2seq.models.stack import Stack
from seq2seq.openmp import with_helpers
from seq2seq.tasks.alike import alike
from seq2seq.tasks.copying import Lexicon, NamesFromSource, Pieces
from seq2seq.tasks.output import plain_text
from seq2seq.tasks.parameters import WritingParameters, writing_parameters
from seq2seq.tasks.patience import go_on
from seq2seq.tasks.quoting import Length, fair_length, quote
from seq2seq.tasks.results import Generated, GenerationSettings, InputError, Section, Task, TokenCount
from seq2seq.tasks.sections import joined, sections
from seq2seq.tasks.source import Source, clean, has_words, num_tokens, read_source
from seq2seq.tasks.turns import Turns, between_turns, in_turns
from seq2seq.tasks.words import connectives, english
from seq2seq.tokenizers import Tokenizer

IN_SECTIONS: frozenset[Task] = frozenset({"summarize"})
SOURCES_KEPT = 8  # cut into tokens, and encoded: of 4,096 tokens at width 384, 6 MB each in float32
MOST_KEPT_ACROSS = 2**27  # bytes; 6 layers have 75 MB of keys and values of such a source
ONE_OUTPUT = {"num_return_sequences": 1, "output_scores": False, "return_dict_in_generate": False}
QUOTED: frozenset[Task] = frozenset({"summarize"})  # tasks whose output may be sentences of the source


@dataclass(frozen=True)
class Writer:
    """A checkpoint ready to write, and how it is asked for each task."""

    model: GeneratesFromSource
    tokenizer: Tokenizer
    turns: Turns = field(default_factory=Turns)  # held while the model computes
    joined: Callable[[CachedDecoding], NextToken] | None = None  # how a search asks it, in turns too

    @property
    def limit(self) -> int:
        """Tokens of a source that fit, the prompt included."""
        return self.model.config.encoder.max_position_embeddings

    def parameters(self, task: Task) -> WritingParameters:
        return writing_parameters(self.model.config, task)

    def source(self, task: Task, text: str) -> Source:
        return self._source(task, clean(text))

    @cached_property
    def _source(self) -> Callable[[Task, str], Source]:
        return lru_cache(SOURCES_KEPT)(
            lambda task, text: read_source(text, self.parameters(task), self.tokenizer, self.limit)
        )

    def read(self, source: Source) -> ModelOutput:
        """What the encoder makes of a source, unwatched; remembered, as who writes for a text may well look back."""
        return self._encoded(source.input_ids)

    @cached_property
    def _encoded(self) -> Callable[[tuple[int, ...]], ModelOutput]:
        return lru_cache(SOURCES_KEPT)(partial(encode, self.model))

    @torch.no_grad()
    def read_ahead(self, source: Source) -> None:
        """Has in memory what there is to know of a source before its output."""
        read, cache = self.model.source_of(self.read(source)), self.cache(source)
        if self._is_kept_across(source):
            for block, layer in zip(self._decoder.layers, cache.layers, strict=True):
                block.cross_attention.keys_and_values(read, layer)

    def cache(self, source: Source) -> KeyValueCache:
        """To read an output with. What layers look at across is remembered of the last source, if it is small."""
        if self._is_kept_across(source):
            return self._across(source.input_ids).of_the_same_source()
        return KeyValueCache(len(self._decoder.layers))

    def _is_kept_across(self, source: Source) -> bool:
        width = self._decoder.config.hidden_size * self.model.dtype.itemsize
        return 2 * len(self._decoder.layers) * len(source.input_ids) * width <= MOST_KEPT_ACROSS

    @property
    def _decoder(self) -> Stack:
        return self.model.decoder_and_logits()[0]

    @cached_property
    def _across(self) -> Callable[[tuple[int, ...]], KeyValueCache]:
        return lru_cache(1)(lambda _: KeyValueCache(len(self._decoder.layers)))

    def num_tokens(self, task: Task, text: str) -> int:
        """Of the whole text, the prompt included, whether or not it fits."""
        return num_tokens(text, self.parameters(task), self.tokenizer)

    def parts(self, task: Task, text: str) -> list[str]:
        """The texts to write for, one after the other: the text itself, or the sections of it that have words."""
        text = clean(text)
        if task not in IN_SECTIONS:
            return [text]
        count_tokens = partial(num_tokens, prompt=self.parameters(task), tokenizer=self.tokenizer)
        return [part for part in sections(text, self.limit, count_tokens) if has_words(part)]

    def count(self, task: Task, text: str) -> TokenCount:
        return TokenCount(self.num_tokens(task, clean(text)), self.limit, len(self.parts(task, text)))

    def quotes(self, task: Task, text: str, settings: GenerationSettings) -> bool:
        """Whether the output is to be sentences of the text.

        By the visitor's choice, or else where the text has more tokens than config.json names as `quote_beyond`.
        Raises: InputError if that is wished of a task that writes anew.
        """
        if settings.wording == "quoted" and task not in QUOTED:
            raise InputError("Only a summary can be told in the text's own sentences. Choose the model's own words.")
        if settings.wording is not None:
            return settings.wording == "quoted"
        beyond = self.parameters(task).quote_beyond
        return beyond is not None and self.num_tokens(task, clean(text)) > beyond

    @cached_property
    def pieces(self) -> Pieces:
        return Pieces(self.tokenizer, self.model.config.decoder.vocab_size)

    @cached_property
    def english(self) -> Lexicon:
        return Lexicon(self.pieces, english())

    @cached_property
    def connectives(self) -> Lexicon:
        return Lexicon(self.pieces, connectives())

    def rules(self, task: Task, sources: Sequence[Source]) -> list[LogitsProcessor]:
        """What the search is held to beside its settings, if config.json says so: the sources' words, and some more."""
        parameters = self.parameters(task)
        if not (parameters.names_from_source or parameters.words_from_source):
            return []
        texts = [self.tokenizer.decode(source.text_ids) for source in sources]
        return [NamesFromSource(self.connectives if parameters.words_from_source else self.english, texts)]

    def start_id(self, task: Task) -> int:
        """The token that every output of this task begins with."""
        return first_token(self.generation_config(task, GenerationSettings()))

    def generation_config(self, task: Task, settings: GenerationSettings) -> GenerationConfig:
        """The visitor's choices over the checkpoint's for the task, over its general ones.

        Raises: InputError that names a setting out of range.
        """
        base = self.model.generation_config or generation_defaults(self.model.config)
        merged = base.merged(**self.parameters(task).search).merged(**settings.overrides()).merged(**ONE_OUTPUT)
        room = self.model.config.decoder.max_position_embeddings - 1
        wanted = merged.max_length if merged.max_new_tokens is None else merged.max_new_tokens
        config = merged.merged(max_new_tokens=room if wanted is None else min(wanted, room))
        try:
            config.validate()
        except ValueError as error:
            raise InputError(str(error)) from error
        refuse_crossed(config.min_new_tokens or 0, config.max_new_tokens)
        return config


@torch.no_grad()
def encode(model: GeneratesFromSource, input_ids: Sequence[int]) -> ModelOutput:
    """One text, whatever else is being recorded. Raises: NotFiniteError for broken weights."""
    with unwatched():
        encoded = model.encode(torch.tensor([input_ids], device=model.device), None)
    refuse_nonfinite(encoded.last_hidden_state, model.dtype)
    return encoded


def write(writer: Writer, task: Task, text: str, settings: GenerationSettings | None = None) -> Iterator[Generated]:
    """One snapshot a token; stop iterating to stop writing.

    Raises: InputError for a text that cannot be worked on, ValueError for settings out of range.
    """
    settings = settings or GenerationSettings()
    parts = writer.parts(task, text)
    if writer.quotes(task, text, settings):
        growing = ([(section, True)] for section in in_turns(writer.turns, quoted(writer, task, parts, settings)))
    else:
        config = writer.generation_config(task, settings)
        generator = torch.Generator(writer.model.device).manual_seed(settings.seed)
        growing = (write_section(writer, task, writer.source(task, part), config, generator) for part in parts)
    finished: tuple[Section, ...] = ()
    for snapshots in growing:
        for section, is_finished in snapshots:
            so_far = (*finished, section)
            yield Generated(so_far, len(parts), finished=is_finished and len(so_far) == len(parts))
        finished = so_far


def quoted(writer: Writer, task: Task, parts: Sequence[str], settings: GenerationSettings) -> Iterator[Section]:
    """Of each part of a text the sentences that sum it up; a part's share of all of them is its share of the text.

    Of the settings, the shortest and the longest output are heeded, as far as whole sentences allow.
    """
    least, most = settings.min_new_tokens or 0, inf if settings.max_new_tokens is None else settings.max_new_tokens
    refuse_crossed(least, most)
    config = writer.generation_config(task, GenerationSettings())
    fair = fair_length(sum(writer.num_tokens(task, part) for part in parts))
    whole = sum(map(len, parts))
    for part in parts:
        length = Length(max(least, min(most, fair * len(part) / whole)), most)
        yield quote(writer.model, writer.tokenizer, writer.source(task, part), writer.read, config, length)


def refuse_crossed(least: float, most: float) -> None:
    """Raises: InputError where the shortest output is longer than the longest."""
    if least > most:
        raise InputError(
            f"The shortest output (min_new_tokens) is {least:,} tokens, more than the longest (max_new_tokens), which "
            f"is {most:,}. Lower the one or raise the other."
        )


def write_section(
    writer: Writer, task: Task, source: Source, config: GenerationConfig, generator: torch.Generator, **inputs: Any
) -> Iterator[tuple[Section, bool]]:
    """The section as it grows by a token, and whether it is finished; `inputs` are further ones of `generate`.

    A mask of the encoder's heads has the source read anew.
    """
    started = time.monotonic()
    with writer.turns:
        go_on()
        if "head_mask" not in inputs:
            inputs["encoder_outputs"] = writer.read(source)
        steps = writer.model.generate_steps(
            torch.tensor([source.input_ids], device=writer.model.device),
            generation_config=config,
            generator=generator,
            num_alternatives=None,
            logits_processor=writer.rules(task, [source]),
            joined=writer.joined,
            **inputs,
        )
    with between_turns():
        for step in with_helpers(steps):
            target_ids = step.tokens[0, 1 : step.lengths[0]].tolist()
            yield section_of(writer.tokenizer, source, target_ids, time.monotonic() - started), step.output is not None


def section_of(tokenizer: Tokenizer, source: Source, target_ids: Sequence[int], seconds: float) -> Section:
    return Section(
        source_text=source.text,
        text=plain_text(tokenizer, target_ids),
        target_ids=tuple(target_ids),
        num_source_tokens=len(source.input_ids),
        num_cut_tokens=source.num_cut_tokens,
        seconds=seconds,
    )


def write_batch(
    writer: Writer, task: Task, texts: Sequence[str], settings: GenerationSettings | None = None
) -> list[str | InputError]:
    """The finished output of every text, sections of all of them written side by side; or why there is none."""
    settings = settings or GenerationSettings()
    plans = [plan_or_error(writer, task, text, settings) for text in texts]
    sources = [
        writer.source(task, part) for plan in plans if isinstance(plan, Plan) and not plan.quotes for part in plan.parts
    ]
    outputs: dict[int, str] = {}
    for places in alike([len(source.input_ids) for source in sources], writer.model.config.encoder):
        outputs |= zip(
            places, generate_batch(writer, task, [sources[place] for place in places], settings), strict=True
        )
    written = (outputs[place] for place in range(len(sources)))

    def output(plan: Plan) -> str:
        if plan.quotes:
            return joined(section.text for section in quoted(writer, task, plan.parts, settings))
        return joined(islice(written, len(plan.parts)))

    return [output(plan) if isinstance(plan, Plan) else plan for plan in plans]


@dataclass(frozen=True)
class Plan:
    """What there is to do for one text of many."""

    parts: list[str]
    quotes: bool


def plan_or_error(writer: Writer, task: Task, text: str, settings: GenerationSettings) -> Plan | InputError:
    try:
        return Plan(writer.parts(task, text), writer.quotes(task, text, settings))
    except InputError as error:
        return error


def generate_batch(writer: Writer, task: Task, sources: Sequence[Source], settings: GenerationSettings) -> list[str]:
    """Sources of unequal length -> their outputs."""
    rows = [torch.tensor(source.input_ids) for source in sources]
    lengths = torch.tensor([len(row) for row in rows])
    input_ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=writer.tokenizer.pad_token_id)
    attention_mask = torch.arange(input_ids.shape[1]) < lengths[:, None]
    with writer.turns:
        sequences = writer.model.generate(
            input_ids.to(writer.model.device),
            attention_mask=attention_mask.to(writer.model.device),
            generation_config=writer.generation_config(task, settings),
            generator=torch.Generator(writer.model.device).manual_seed(settings.seed),
            logits_processor=writer.rules(task, sources),
        )
    return [plain_text(writer.tokenizer, row) for row in sequences[:, 1:].tolist()]
