"""The named endpoints for programs: texts, answers, attention and patterns. Knows no widgets.

Annotations are real objects here, not strings, because Gradio derives each endpoint's schema from them.
"""

from collections.abc import Iterator
from typing import TypedDict

import numpy as np

from demo.explorer_words import no_such_value
from demo.exploring import settings_of_form
from demo.handlers import chosen_card, in_plain_words
from demo.looking import MOST_CELLS
from demo.setting_fields import settings_of
from seq2seq.engine import Engine, View
from seq2seq.explain.grain import GRAINS
from seq2seq.tasks import TASKS, InputError, Task, Written
from seq2seq.tasks.cost import cost_curve
from seq2seq.tasks.pattern import pattern
from seq2seq.tasks.results import Reading
from seq2seq.trace import ATTENTION_KINDS, COMBINATIONS, AttentionRecord, Span, Token


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
        wording: str | None = None,
    ) -> Iterator[str]:
        """Yields the whole output so far each time it grows; the last is the result.

        Settings left out are the model's own for the task. `wording` is for summaries: "own" writes one, "quoted"
        tells the text in its own sentences.
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
            card = chosen_card(self.engine, self.task, model)
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
        """Yields how far the context has been read; the last, which is `finished`, has the answer, copied from it.

        Each is an object with `finished`, `windows_read` and `num_windows`; `answer`, and its `score` from 0 to 1;
        `start` and `end`, its characters in `context`, which is the given one without control characters and white
        space around it; and `alternatives`, objects with `text`, `score`, `start` and `end`, likeliest first. Where
        the context has no answer, `answer`, `start` and `end` are null, and `score` is the probability of that.
        """
        with in_plain_words():
            card = chosen_card(self.engine, "answer", model)
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
    plan: str = "reference",
    layer: int = 1,
    head: int = 1,
    num_heads: int = 12,
    head_dim: int = 64,
    max_length: int = 4096,
) -> PatternReport:
    """The block-sparse pattern of one head of one layer, both counted from 1, for a text of `length` tokens.

    `plan` says which random blocks there are: "reference" for none, as in the reference library, which takes block 0 in
    the place of each; "original" for the authors' draw, which depends on layer, head, num_heads and max_length.
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
        task: str,
        text: str,
        output: str | None = None,
        kind: str = "cross",
        layer: int | None = None,
        combination: str | None = None,
        grain: str = "words",
        model: str | None = None,
    ) -> AttentionReport:
        """What `output` looked at in `text`, as if the model had written it; without one, the model writes it first.

        `task` is "fuse", "split" or "summarize"; `kind` "cross" (the output at the text), "encoder" (the text at
        itself) or "decoder" (the output at itself); `layer` counts from 1, the last one by default, and `combination`
        takes all together: "rollout" or "all layers", with one head. `grain` is "tokens", "words" or "sentences". A map
        of more than 100,000 pairs comes in a coarser one. Of a text in several sections, the first is looked at.
        """
        with in_plain_words():
            for name, given, known in (
                ("task", task, TASKS), ("kind", kind, ATTENTION_KINDS), ("grain", grain, GRAINS),
                ("combination", combination, (None, *COMBINATIONS)),
            ):  # fmt: skip
                if given not in known:
                    raise InputError(no_such_value(name, given, known))
            card = chosen_card(self.engine, task, model)
            written = self.written(task, text, output, card.name)
            last = card.num_encoder_layers if kind == "encoder" else card.num_layers
            if layer is not None and not 1 <= layer <= last:
                raise InputError(f"The layer must be from 1 to {last}; it is {layer}.")
            view = View(kind, combination or (layer or last) - 1, grain, grain)
            return attention_report(self.engine.attention(written, self.engine.fitting(written, view, MOST_CELLS)))

    def written(self, task: Task, text: str, output: str | None, model: str) -> Written:
        if output:
            return self.engine.force(task, text, output, model)
        *_, generated = self.engine.run(task, text, model)
        section = generated.sections[0]
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
