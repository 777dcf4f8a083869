"""Answering a question from a text, in the text's own words (Devlin et al. 2019, 1810.04805; Zaheer et al. 2020).

A text that is longer than the model's window is read in windows, each behind the question. How their scores become
one answer is in `spans`.

What stands for "no answer" is a special token. An encoder has it at the start, [CLS], as in BERT. An encoder-decoder
has none there; it is the end token, before which its decoder, reading from the left, has seen all of the text.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.generation.finite import refuse_nonfinite
from seq2seq.models import BigBirdForQuestionAnswering, BigBirdPegasusForQuestionAnswering
from seq2seq.tasks.alike import alike
from seq2seq.tasks.parameters import encoder_of, task_parameters
from seq2seq.tasks.passage import Passage, Row, read_passage, words_of
from seq2seq.tasks.patience import go_on
from seq2seq.tasks.results import AnswerSettings, InputError, Reading, Skill, TokenCount
from seq2seq.tasks.source import clean
from seq2seq.tasks.spans import Candidate, by_words, calibrated, distribution, likeliest, span_scores
from seq2seq.tasks.turns import Turns
from seq2seq.tokenizers import Tokenizer
from seq2seq.trace import Answer, Span


@dataclass(frozen=True)
class Scores:
    """What the model says of a row: of each token of the text in it, and of there being no answer."""

    starts: np.ndarray  # T
    ends: np.ndarray  # T
    no_answer: float


@dataclass(frozen=True)
class Reader:
    """A checkpoint ready to answer."""

    model: BigBirdForQuestionAnswering | BigBirdPegasusForQuestionAnswering
    tokenizer: Tokenizer
    turns: Turns = field(default_factory=Turns)  # held while the model computes

    @property
    def settings(self) -> AnswerSettings:
        """The checkpoint's own."""
        return settings_from(task_parameters(self.model.config).get("answer", {}))

    def limit(self, settings: AnswerSettings) -> int:
        """Tokens that are read at once, the question included."""
        longest = encoder_of(self.model.config).max_position_embeddings
        return min(longest, settings.max_window_tokens or longest)

    def count(self, task: Skill, text: str) -> TokenCount:
        """Of the text alone; a question takes room too."""
        tokens = self.tokenizer(clean(text), add_special_tokens=False)
        return TokenCount(len(tokens.input_ids), self.limit(self.settings))

    def passage(self, question: str, context: str, settings: AnswerSettings) -> Passage:
        """Raises: InputError for a question or a text that cannot be worked on."""
        return read_passage(question, context, self.tokenizer, self.limit(settings), settings)

    @torch.no_grad()
    def read(self, rows: Sequence[Row]) -> list[Scores]:
        """Rows of like length (`alike`) in one pass. Raises: NotFiniteError for broken weights."""
        device = self.model.device
        input_ids = pad_sequence([torch.tensor(row.input_ids) for row in rows], True, self.tokenizer.pad_token_id)
        places = torch.arange(input_ids.shape[1])
        lengths = torch.tensor([[len(row.input_ids)] for row in rows])
        if self.model.config.is_encoder_decoder:
            no_answer = lengths - 1
            more = {"use_cache": False}
        else:
            no_answer = torch.zeros_like(lengths)
            context_starts = torch.tensor([[row.context.start] for row in rows])
            token_type_ids = (places >= context_starts).long()
            more = {"token_type_ids": token_type_ids.to(device), "question_lengths": context_starts.to(device)}
        attention_mask = (places < lengths).long()
        with self.turns:
            go_on()
            output = self.model(input_ids=input_ids.to(device), attention_mask=attention_mask.to(device), **more)
        for logits in (output.start_logits, output.end_logits):
            refuse_nonfinite(logits, self.model.dtype)
        starts, ends = (logits.cpu().double() for logits in (output.start_logits, output.end_logits))
        nothing = (starts + ends).gather(1, no_answer).flatten().tolist()
        return [
            Scores(start[row.context], end[row.context], score)
            for row, start, end, score in zip(rows, starts.numpy(), ends.numpy(), nothing, strict=True)
        ]


def settings_from(parameters: Mapping[str, Any]) -> AnswerSettings:
    """What a checkpoint's config.json says of answering."""
    names = [field.name for field in fields(AnswerSettings)]
    unknown = sorted(parameters.keys() - set(names))
    if unknown:
        raise CheckpointError(
            f'config.json has {", ".join(unknown)} in task_specific_params["answer"], which means nothing here. '
            f"It may have {', '.join(names)}."
        )
    return AnswerSettings(**parameters)


def answer(reader: Reader, question: str, context: str, settings: AnswerSettings | None = None) -> Iterator[Reading]:
    """One snapshot before the first window and one after each; stop iterating to stop reading.

    Raises: InputError for a question or a text that cannot be worked on.
    """
    settings = settings or reader.settings
    started = time.monotonic()
    passage = reader.passage(question, context, settings)
    num_windows = len(passage.windows)
    scores: list[Scores] = []
    for window in passage.windows:
        yield Reading(len(scores), num_windows)
        scores += reader.read([passage.row(window)])
    yield Reading(num_windows, num_windows, conclude(passage, scores, settings, time.monotonic() - started))


def answer_many(
    reader: Reader, rows: Iterable[tuple[str, str]], settings: AnswerSettings | None = None
) -> list[Answer | InputError]:
    """The answer to every (question, context), read side by side; for one that cannot be worked on, why."""
    settings = settings or reader.settings
    started = time.monotonic()
    passages = [passage_or_error(reader, question, context, settings) for question, context in rows]
    readable = [passage for passage in passages if isinstance(passage, Passage)]
    scores = iter(read_all(reader, [passage.row(window) for passage in readable for window in passage.windows]))
    return [
        conclude(passage, [next(scores) for _ in passage.windows], settings, time.monotonic() - started)
        if isinstance(passage, Passage)
        else passage
        for passage in passages
    ]


def passage_or_error(reader: Reader, question: str, context: str, settings: AnswerSettings) -> Passage | InputError:
    try:
        return reader.passage(question, context, settings)
    except InputError as error:
        return error


def read_all(reader: Reader, rows: Sequence[Row]) -> list[Scores]:
    """The scores of every row, in order, read in batches of like length."""
    scores: dict[int, Scores] = {}
    for places in alike([len(row.input_ids) for row in rows], encoder_of(reader.model.config)):
        scores |= zip(places, reader.read([rows[place] for place in places]), strict=True)
    return [scores[place] for place in range(len(rows))]


def conclude(passage: Passage, scores: Sequence[Scores], settings: AnswerSettings, seconds: float) -> Answer:
    """What the model said of every window -> the answer."""
    joined = join_scores(passage, scores, settings.max_answer_tokens)
    likelihood = distribution(
        calibrated(joined, settings.length_penalty, settings.temperature, settings.no_answer_bias)
    )
    words = words_of(passage.tokens, passage.context)
    candidates = likeliest(by_words(likelihood.spans, words), settings.num_spans)
    spans = tuple(span_of(candidate, passage, words) for candidate in candidates)
    is_answered = bool(spans) and doubt(spans[0], likelihood.no_answer) <= settings.no_answer_threshold
    return Answer(
        question=passage.question,
        context=passage.context,
        best=spans[0] if is_answered else None,
        spans=spans,
        no_answer_score=likelihood.no_answer,
        tokens=passage.tokens,
        start_scores=tuple(likelihood.starts.tolist()),
        end_scores=tuple(likelihood.ends.tolist()),
        num_windows=len(passage.windows),
        seconds=seconds,
    )


def join_scores(passage: Passage, scores: Sequence[Scores], max_tokens: int) -> np.ndarray:
    """T K: the score of every span of the text against no answer, from the window that answers for it."""
    is_blank = np.array([not token.text for token in passage.tokens])
    parts = []
    for window, said in zip(passage.windows, scores, strict=True):
        blank = is_blank[window.start : window.end]
        starts, ends = (np.where(blank, -np.inf, values) for values in (said.starts, said.ends))
        spans = span_scores(starts, ends, said.no_answer, max_tokens)
        parts.append(spans[window.first - window.start : window.last - window.start])
    return np.concatenate(parts)


def span_of(candidate: Candidate, passage: Passage, words: np.ndarray) -> Span:
    """From words to characters of the text."""
    first, last = np.searchsorted(words, candidate.first), np.searchsorted(words, candidate.last, side="right") - 1
    start, end = passage.tokens[first].start, passage.tokens[last].end
    return Span(passage.context[start:end], start, end, candidate.probability)


def doubt(span: Span, no_answer: float) -> float:
    """The share of "no answer" in its probability and the span's together."""
    return no_answer / (no_answer + span.score)
