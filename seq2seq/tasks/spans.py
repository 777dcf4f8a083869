"""From the scores of single tokens to answers: how likely every span of a text is, and that there is no answer.

A span's score is that of its first token as a start plus that of its last token as an end; "no answer" is scored the
same way on one special token (Devlin et al. 2019, 1810.04805, sections 4.2 and 4.3). A text that is read in windows
has one distribution all the same: what a window says of a span is its odds against "no answer in this window", and if
the windows are taken to judge independently, and one of them at most holds the answer, the odds multiply to
p(span) : p(no answer) = exp(score) : 1, whichever window the span is in.

Knows no models, no tokenizers and no text: tokens are positions here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Window:
    """The tokens start .. end - 1 of a text, read at once; spans that begin in first .. last - 1 are scored here."""

    start: int
    end: int
    first: int
    last: int


class Candidate(NamedTuple):
    first: int
    last: int  # inclusive
    probability: float


@dataclass(frozen=True)
class SpanDistribution:
    """Adds up to 1 over all spans and `no_answer`."""

    spans: np.ndarray  # T K: [t, k] the probability that the answer is the tokens t .. t + k
    no_answer: float

    @property
    def starts(self) -> np.ndarray:
        """T: the probability that the answer starts at each token."""
        return self.spans.sum(axis=1)

    @property
    def ends(self) -> np.ndarray:
        """T: the probability that it ends there."""
        length, width = self.spans.shape
        ends = np.add.outer(np.arange(length), np.arange(width))
        return np.bincount(ends.ravel(), self.spans.ravel())[:length]


def windows_over(length: int, room: int, overlap: int) -> tuple[Window, ...]:
    """As few windows of at most `room` tokens as cover a text and overlap by `overlap` or more.

    They are spread evenly, so that each is full. Of two that overlap, each answers for the spans that begin in its
    half of the overlap, where it sees more of the text on both sides than the other does.
    """
    if length <= room:
        return (Window(0, length, 0, length),)
    steps = -(-(length - room) // (room - overlap))
    starts = [(length - room) * step // steps for step in range(steps + 1)]
    middles = [(start + room + following) // 2 for start, following in zip(starts, starts[1:], strict=False)]
    bounds = zip(starts, [0, *middles], [*middles, length], strict=True)
    return tuple(Window(start, start + room, first, last) for start, first, last in bounds)


def span_scores(starts: np.ndarray, ends: np.ndarray, no_answer: float, max_tokens: int) -> np.ndarray:
    """Scores of one window's tokens (T) and of no answer there -> of its spans, against no answer (T K).

    A token that no answer may start (end) at has a start (end) score of -inf, and so has a span beyond the window.
    """
    padded = np.concatenate([ends, np.full(max_tokens - 1, -np.inf)])
    return starts[:, None] + np.lib.stride_tricks.sliding_window_view(padded, max_tokens) - no_answer


def calibrated(scores: np.ndarray, length_penalty: float, temperature: float, no_answer_bias: float) -> np.ndarray:
    """T K scores against no answer -> the same, as sure as the model is right.

    Each token of a span beyond its first costs `length_penalty`; starts and ends alone, judged apart, make spans too
    long. Then scores are divided by the temperature (Guo et al. 2017, section 4.2), and no answer gets a head start.
    """
    return (scores - length_penalty * np.arange(scores.shape[1])) / temperature - no_answer_bias


def distribution(scores: np.ndarray) -> SpanDistribution:
    """T K scores against no answer, whose own score is 0 -> probabilities."""
    highest = max(0.0, scores.max())
    weights = np.exp(scores - highest)
    nothing = np.exp(-highest)
    total = weights.sum() + nothing
    return SpanDistribution(weights / total, float(nothing / total))


def by_words(spans: np.ndarray, word_of: np.ndarray) -> np.ndarray:
    """T K over tokens -> N K over words: a span that begins or ends inside a word counts for the whole word.

    `word_of` (T) is each token's word, 0 .. N-1 in order.
    """
    length, width = spans.shape
    ends = np.minimum(np.add.outer(np.arange(length), np.arange(width)), length - 1)
    first = np.broadcast_to(word_of[:, None], spans.shape)
    place = first * width + word_of[ends] - first
    num_words = int(word_of[-1]) + 1
    return np.bincount(place.ravel(), spans.ravel(), minlength=num_words * width).reshape(num_words, width)


def likeliest(spans: np.ndarray, count: int) -> Sequence[Candidate]:
    """The likeliest spans (N K), best first, of which none overlaps a likelier one."""
    remaining = spans.copy()
    first = np.arange(spans.shape[0])[:, None]
    last = first + np.arange(spans.shape[1])
    found: list[Candidate] = []
    while len(found) < count and remaining.any():
        begin, more = np.unravel_index(remaining.argmax(), spans.shape)
        end = begin + more
        found.append(Candidate(int(begin), int(end), float(spans[begin, more])))
        remaining[(first <= end) & (last >= begin)] = 0
    return found
