"""Small answers for the tests of their views."""

from __future__ import annotations

import re

from seq2seq.trace import Answer, Span, Token


def answer(
    context: str, *candidates: tuple[str, float], found: bool = True, pieces: str = r"\w{1,4}|[^\w\s]"
) -> Answer:
    """An answer whose candidates are the first occurrences of words of `context`, with their scores.

    A word is cut into tokens of at most four characters; starts and ends have the scores of their candidates.
    """
    tokens = tuple(Token(match.group(), *match.span()) for match in re.finditer(pieces, context))
    spans = tuple(Span(text, context.index(text), context.index(text) + len(text), score) for text, score in candidates)
    return Answer(
        question="Who?",
        context=context,
        best=spans[0] if found else None,
        spans=spans,
        no_answer_score=1 - sum(span.score for span in spans),
        tokens=tokens,
        start_scores=tuple(sum(span.score for span in spans if span.start == token.start) for token in tokens),
        end_scores=tuple(sum(span.score for span in spans if span.end == token.end) for token in tokens),
        num_windows=1,
        seconds=0.1,
    )


def long_answer(num_words: int, candidates: dict[int, float]) -> Answer:
    """Words w0, w1, …, of which those with the given numbers are candidates."""
    context = " ".join(f"w{number}" for number in range(num_words))
    spans = ((f"w{number}", score) for number, score in candidates.items())
    return answer(context, *spans, found=bool(candidates), pieces=r"\S+")
