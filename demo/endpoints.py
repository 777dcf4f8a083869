"""What programs and assistants may ask for: texts, answers, attention, patterns and models. Knows no widgets.

Annotations are real objects here, not strings, because Gradio derives each endpoint's schema from them; its docstring
describes the endpoint, and each line below "Args" a parameter.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TypedDict

import numpy as np

from demo.explorer_words import no_such_value
from demo.exploring import settings_of_form
from demo.handlers import chosen_card, in_plain_words
from demo.looking import MOST_CELLS
from demo.model_cards import Model
from demo.setting_fields import settings_of
from seq2seq.attention.block_table import RandomBlocks
from seq2seq.engine import Engine, ModelCard, View
from seq2seq.explain.grain import GRAINS, Grain
from seq2seq.tasks import TASKS, InputError, Skill, Task, Wording, Written
from seq2seq.tasks.cost import cost_curve
from seq2seq.tasks.pattern import pattern
from seq2seq.tasks.results import Reading
from seq2seq.trace import ATTENTION_KINDS, COMBINATIONS, AttentionKind, AttentionRecord, Combination, Span, Token

MOST_WEIGHTS = 400_000  # of an attention's map: some three megabytes of JSON
WRITES: dict[Task, str] = {
    "fuse": "Fuses sentences that belong together into one.",
    "split": "Splits a long sentence into several.",
    "summarize": "Summarizes a text of any length.",
}


def loaded_card(engine: Engine, task: Skill, model: str | None) -> ModelCard:
    """As `chosen_card`, with the model in memory; whoever asked may run out of time until it is."""
    card = chosen_card(engine, task, model)
    for _ in engine.loading(task, card.name):
        pass
    return card


class Endpoint:
    """One task, for programs."""

    def __init__(self, engine: Engine, task: Task):
        self.engine = engine
        self.task = task

    def stream(
        self,
        text: str,
        model: str | None = None,
        num_beams: int | None = None,
        do_sample: bool | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        max_new_tokens: int | None = None,
        min_new_tokens: int | None = None,
        length_penalty: float | None = None,
        no_repeat_ngram_size: int | None = None,
        repetition_penalty: float | None = None,
        seed: int | None = None,
        wording: Wording | None = None,
    ) -> Iterator[str]:
        """Streams the whole output so far each time it grows; the last is the result.

        Settings left out are the model's own for the task.

        Args:
            text: what to read
            model: a name that /models tells; the task's default, if left out
            num_beams: candidate texts kept side by side, 1 to 16; 1 writes as it goes
            do_sample: whether to draw words at random by their probability
            temperature: above 1 is bolder, below 1 is safer, 0.05 to 5; for sampling
            top_k: draw from the k likeliest tokens, 0 to 1000; 0 for all
            top_p: draw from the likeliest tokens that make up this share, 0.01 to 1
            max_new_tokens: the longest output, 1 to 512 tokens
            min_new_tokens: the shortest output, 0 to 512 tokens
            length_penalty: above 0 favours long candidates, -5 to 5; for beams
            no_repeat_ngram_size: never write the same n tokens twice, 0 to 10; 0 allows it
            repetition_penalty: above 1 discourages words already written, 0.5 to 5
            seed: the same seed draws the same words
            wording: for summaries: "own" writes one, "quoted" tells the text in its own sentences
        """
        numbers = {
            "num_beams": num_beams,
            "temperature": temperature,
            "top_k": top_k,
            "top_p": top_p,
            "max_new_tokens": max_new_tokens,
            "min_new_tokens": min_new_tokens,
            "length_penalty": length_penalty,
            "no_repeat_ngram_size": no_repeat_ngram_size,
            "repetition_penalty": repetition_penalty,
            "seed": seed,
        }
        with in_plain_words():
            settings = settings_of(wording, do_sample, numbers)
            card = loaded_card(self.engine, self.task, model)
            for generated in self.engine.run(self.task, text, card.name, settings):
                yield generated.text


class AnswerSpan(TypedDict):
    """Characters `start` to `end` of the context, and how likely they are the answer, 0 to 1."""

    text: str
    score: float
    start: int
    end: int


class AnswerReport(TypedDict):
    """How far a context has been read and, when it is finished, what it says to the question."""

    finished: bool
    windows_read: int
    num_windows: int
    answer: str | None  # also None where the context has no answer
    score: float | None  # of the answer; of there being none, where that is what is said
    start: int | None
    end: int | None
    alternatives: list[AnswerSpan]  # what else it could be, likeliest first
    context: str | None  # what `start` and `end` count in: the caller's, cleaned


class AnswerEndpoint:
    """Question answering, for programs."""

    def __init__(self, engine: Engine):
        self.engine = engine

    def stream(self, question: str, context: str, model: str | None = None) -> Iterator[AnswerReport]:
        """Answers a question in the words of a text, or says that the text has no answer.

        Streams how far the context has been read; the last value, which is `finished`, has the answer. Each is an
        object with `finished`, `windows_read` and `num_windows`; `answer`, and its `score` from 0 to 1; `start` and
        `end`, its characters in `context`, which is the given one without control characters and white space around
        it; and `alternatives`, objects with `text`, `score`, `start` and `end`, likeliest first. Where the context has
        no answer, `answer`, `start` and `end` are null, and `score` is the probability of that.

        Args:
            question: what is asked
            context: the text that may have the answer, of any length
            model: a name that /models tells; the default, if left out
        """
        with in_plain_words():
            card = loaded_card(self.engine, "answer", model)
            for reading in self.engine.answer(question, context, card.name):
                yield report(reading)


def report(reading: Reading) -> AnswerReport:
    answer = reading.answer
    best = answer and answer.best
    return AnswerReport(
        finished=answer is not None,
        windows_read=reading.windows_read,
        num_windows=reading.num_windows,
        answer=best and best.text,
        score=answer and (best.score if best else answer.no_answer_score),
        start=best and best.start,
        end=best and best.end,
        alternatives=[_span(span) for span in answer.spans if span != best] if answer else [],
        context=answer and answer.context,
    )


def _span(span: Span) -> AnswerSpan:
    return AnswerSpan(text=span.text, score=span.score, start=span.start, end=span.end)


class PatternReport(TypedDict):
    """One head's view in one layer of block-sparse attention, and what a layer costs, for a batch of one."""

    num_blocks: int
    is_dense: bool  # the text is so short that every block sees every block
    kept_pairs: float  # share of the pairs of tokens that see each other
    num_repeated: int  # pairs of blocks where a row has a block more than once
    layers_until_all_heard: int | None  # None: some token has not heard of some other after `heard`
    heard: list[float]  # the share of pairs that have heard of each other, after each layer
    operations: int  # multiplications with their additions
    full_operations: int
    memory: int  # bytes of the scores in float32
    full_memory: int
    key_blocks: list[list[int]]  # of each block of queries, the blocks that it sees, counted from 0
    counts: list[list[int]]  # how often it sees each of them


def pattern_report(
    length: int = 4096,
    block_size: int = 64,
    num_random_blocks: int = 3,
    plan: RandomBlocks = "reference",
    layer: int = 1,
    head: int = 1,
    num_heads: int = 12,
    head_dim: int = 64,
    max_length: int = 4096,
) -> PatternReport:
    """The block-sparse attention pattern of one head of one layer, and what it costs beside full attention.

    Tells which blocks of tokens look at which, how many layers until every token has heard every other, and operations
    and memory.

    Args:
        length: tokens of the text
        block_size: tokens in a block
        num_random_blocks: random blocks that each block looks at; 0 for none
        plan: "reference" takes block 0 for each random one, as the reference library does; "original" the authors' draw
        layer: counted from 1; for the authors' draw
        head: counted from 1; for the authors' draw
        num_heads: heads in a layer
        head_dim: numbers a token in a head; decides the cost
        max_length: tokens that the model can read; for the authors' draw
    """
    with in_plain_words():
        numbers = (length, block_size, num_random_blocks, layer, head, num_heads, head_dim, max_length)
        settings = settings_of_form(plan, *numbers)
        record, cost = pattern(settings), cost_curve(settings, [length])
    heard = record.heard["pattern"]
    key_blocks = [np.nonzero(row)[0] for row in record.counts]
    return PatternReport(
        num_blocks=record.num_blocks,
        is_dense=record.is_dense,
        kept_pairs=record.kept_pairs,
        num_repeated=int(record.is_kind("repeated").sum()),
        layers_until_all_heard=len(heard) if heard[-1] == 1 else None,
        heard=list(heard),
        operations=cost.sparse_operations[0],
        full_operations=cost.full_operations[0],
        memory=cost.sparse_memory[0],
        full_memory=cost.full_memory[0],
        key_blocks=[blocks.tolist() for blocks in key_blocks],
        counts=[row[blocks].tolist() for row, blocks in zip(record.counts, key_blocks, strict=True)],
    )


class TokenReport(TypedDict):
    """A piece of a text and its characters in it; a special token has none."""

    text: str
    start: int
    end: int
    special: bool


class AttentionReport(TypedDict):
    """What an output looked at: `weights[head][target][source]`, each row summing to 1."""

    target_text: str
    source_text: str
    targets: list[TokenReport]
    sources: list[TokenReport]
    weights: list[list[list[float]]]


class AttentionEndpoint:
    """Looking back at a text and what is, or was, written for it, for programs."""

    def __init__(self, engine: Engine):
        self.engine = engine

    def report(
        self,
        task: Task,
        text: str,
        output: str | None = None,
        kind: AttentionKind = "cross",
        layer: int | None = None,
        combination: Combination | None = None,
        grain: Grain = "words",
        model: str | None = None,
    ) -> AttentionReport:
        """What an output looked at in a text, as if the model had written it; without one, the model writes it first.

        A map of more than 100,000 pairs, or of more than 400,000 weights with those of all heads, comes in a coarser
        grain. Of a text in several sections, the first is looked at.

        Args:
            task: what is, or was, done with the text
            text: what is read
            output: what was written for it; the model's own, if left out
            kind: "cross" (the output at the text), "encoder" (the text at itself) or "decoder" (the output at itself)
            layer: counted from 1; the last, if left out
            combination: all layers together, as one head: "rollout", or "all layers" for their mean
            grain: what weights are between
            model: a name that /models tells; the task's default, if left out
        """
        with in_plain_words():
            for name, given, known in (
                ("task", task, TASKS), ("kind", kind, ATTENTION_KINDS), ("grain", grain, GRAINS),
                ("combination", combination, (None, *COMBINATIONS)),
            ):  # fmt: skip
                if given not in known:
                    raise InputError(no_such_value(name, given, known))
            card = loaded_card(self.engine, task, model)
            last = card.num_encoder_layers if kind == "encoder" else card.num_layers
            if layer is not None and (type(layer) is not int or not 1 <= layer <= last):
                raise InputError(f"The layer must be a whole number from 1 to {last}; it is {layer}.")
            written = self.written(task, text, output, card.name)
            view = View(kind, combination or (layer or last) - 1, grain, grain)
            num_heads = 1 if combination else self.engine.num_heads(written, kind)
            most_cells = min(MOST_CELLS, MOST_WEIGHTS // num_heads)
            return attention_report(self.engine.attention(written, self.engine.fitting(written, view, most_cells)))

    def written(self, task: Task, text: str, output: str | None, model: str) -> Written:
        if output:
            return self.engine.force(task, text, output, model)
        with closing(self.engine.run(task, text, model)) as snapshots:
            section = next(each.sections[0] for each in snapshots if each.num_finished_sections)
        return Written(task, section.source_text, section.target_ids, model)


def attention_report(record: AttentionRecord) -> AttentionReport:
    return AttentionReport(
        target_text=record.target_text,
        source_text=record.source_text,
        targets=[_token(token) for token in record.targets],
        sources=[_token(token) for token in record.sources],
        weights=record.weights.astype(float).round(6).tolist(),
    )


def _token(token: Token) -> TokenReport:
    return TokenReport(text=token.text, start=token.start, end=token.end, special=token.special)


class ModelReport(TypedDict):
    """A model that can be asked for by `name`."""

    name: str
    title: str
    tasks: list[Skill]
    default_for: list[Skill]
    max_source_tokens: int  # that it reads at once
    num_bytes: int | None  # of its weights; null where nobody has told
    num_parameters: int | None  # null where the files do not say, or are not here
    licence: str | None  # null where its card does not say
    is_here: bool  # otherwise it is fetched from the Hub when it is first asked for


class ModelsEndpoint:
    """The models, for programs."""

    def __init__(self, engine: Engine, models: Sequence[Model]):
        self.engine = engine
        self.models = models

    def report(self) -> list[ModelReport]:
        """The models that there are, and of each what it is for, how much it reads, its size and its licence.

        A list of objects with `name`, which every other endpoint takes as `model`; `title`; `tasks`, and `default_for`,
        those that it does where no model is named; `max_source_tokens` that it reads at once; `num_bytes`,
        `num_parameters` and `licence`, null where they are not known; and `is_here`, false where it is fetched from
        the Hugging Face Hub when it is first asked for.
        """
        return [
            ModelReport(
                name=model.about.name,
                title=model.about.title,
                tasks=list(model.about.tasks),
                default_for=list(model.default_for),
                max_source_tokens=model.about.max_source_tokens,
                num_bytes=model.about.num_bytes,
                num_parameters=model.about.num_parameters,
                licence=(model.card and model.card.licence) or None,
                is_here=not self.engine.must_be_fetched(model.about.tasks[0], model.about.name),
            )
            for model in self.models
        ]
