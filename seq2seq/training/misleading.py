"""Questions that a text looks as if it answered: one word of a question that it does answer is made wrong.

So most of SQuAD 2.0's unanswerable questions were written by hand: a name or a number exchanged for another, an
opposite, a negation (Rajpurkar et al. 2018, table 1). Knows no paragraphs but the two kinds it is given.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from seq2seq.training.data import WORD

NAME = re.compile(r"(?<=[\w,;] )[A-Z][\w’']*(?: [A-Z][\w’']*)*")  # opens no question
NUMBER = re.compile(r"\b\d[\d,.]*\d\b|\b\d\b")
OPPOSITES = re.findall(
    r"(\w+)/(\w+)",
    "first/last most/least largest/smallest highest/lowest biggest/smallest before/after north/south east/west "
    "northern/southern eastern/western more/less increase/decrease increased/decreased oldest/youngest "
    "longest/shortest start/end started/ended began/finished won/lost male/female men/women father/mother "
    "son/daughter early/late upper/lower above/below inside/outside maximum/minimum majority/minority "
    "public/private good/bad positive/negative strong/weak old/new win/lose best/worst earliest/latest "
    "higher/lower larger/smaller support/oppose supported/opposed accepted/rejected similar/different "
    "same/opposite always/never",
)
OPPOSITE = {one: other for pair in OPPOSITES for one, other in (pair, pair[::-1])}
AUXILIARY = re.compile(r"\b(?:is|are|was|were|did|does|do|has|have|had|could|would|should)\b(?! not|n['’]t)")
SHARE_NEGATED = 0.3  # of the questions in which nothing else can be changed


def misled(question: str, context: str, others: Sequence[str], chance: random.Random) -> str | None:
    """The question, changed so that `context` no longer answers it; None where nothing in it can be changed.

    Names and numbers to exchange come from `others`, texts on the same subject.
    """
    changes: list[Callable[[], str | None]] = [
        lambda: exchanged(NAME, question, context, others, chance),
        lambda: exchanged(NUMBER, question, context, others, chance),
        lambda: opposed(question, chance),
    ]
    chance.shuffle(changes)
    made = (change() for change in (*changes, lambda: negated(question, chance)))
    return next((change for change in made if change is not None), None)


def exchanged(
    kind: re.Pattern[str], question: str, context: str, others: Sequence[str], chance: random.Random
) -> str | None:
    """A name (or a number) that question and context share becomes one that neither has."""
    shared = [match for match in kind.finditer(question) if match.group() in context]
    known = set(WORD.findall(f"{question} {context}".lower()))
    new = sorted(
        {name for text in others for name in kind.findall(text) if known.isdisjoint(WORD.findall(name.lower()))}
    )
    if not shared or not new:
        return None
    match = chance.choice(shared)
    return question[: match.start()] + chance.choice(new) + question[match.end() :]


def opposed(question: str, chance: random.Random) -> str | None:
    found = [match for match in WORD.finditer(question) if match.group() in OPPOSITE]
    if not found:
        return None
    match = chance.choice(found)
    return question[: match.start()] + OPPOSITE[match.group()] + question[match.end() :]


def negated(question: str, chance: random.Random) -> str | None:
    match = AUXILIARY.search(question)
    if match is None or chance.random() > SHARE_NEGATED:
        return None
    return f"{question[: match.end()]}n't{question[match.end() :]}"
