"""Questions about paragraphs (SQuAD; Rajpurkar et al. 2016), and what is made of them for training.

A data set's row is a question on one paragraph of an article, with its answer's place. A model that only ever saw those
would answer every question with something, and would not look far. So some questions are put to a text that does not
answer them, and some to several paragraphs of their article.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from seq2seq.training.data import SENTENCE_END, WORD
from seq2seq.training.misleading import misled

# On its own paragraph; on another of the article; on its own without the sentence that answers it; on its own, with a
# word of the question made wrong; on several paragraphs; on several without the ones that answer it.
Kind = Literal["plain", "elsewhere", "removed", "misled", "long", "long_elsewhere"]

NEAR = 5  # paragraphs to either side among which "elsewhere" is looked for
LONG_WORDS = (600, 2500)  # of a long text: 800 to 3,500 tokens


# What a maker makes of a row: a question, a context, and the answer's place in it.
Made = tuple[str, str, tuple[int, int] | None]


@dataclass(frozen=True)
class Question:
    kind: Kind
    text: str
    context: str
    answer: tuple[int, int] | None  # characters of the context, [start, end); None: there is no answer


def answer_place(row: Mapping) -> tuple[int, int] | None:
    """Where the row's first answer stands, if that is beyond doubt: the data set's own offset may be a guess.

    As a whole word it must occur once; or once at all, where it is part of a word.
    """
    text, context = row["answers"]["text"][0], row["context"]
    whole_words = [match.start() for match in re.finditer(rf"(?<!\w){re.escape(text)}(?!\w)", context)]
    starts = whole_words or [match.start() for match in re.finditer(re.escape(text), context)]
    return (starts[0], starts[0] + len(text)) if len(starts) == 1 else None


def is_sound(row: Mapping) -> bool:
    """Whether the row has a question, and one place where its answer stands."""
    return bool(row["question"].strip() and row["answers"]["text"]) and answer_place(row) is not None


def split_by_title(rows: Sequence[dict], share: float, chance: random.Random) -> tuple[list[dict], list[dict]]:
    """All but a share of the articles (one at least), and those: no paragraph is in both parts."""
    titles = list(dict.fromkeys(row["title"] for row in rows))
    held_out = set(chance.sample(titles, max(1, round(share * len(titles)))))
    return [row for row in rows if row["title"] not in held_out], [row for row in rows if row["title"] in held_out]


def articles(rows: Sequence[Mapping]) -> dict[str, list[str]]:
    """By title, the paragraphs in the order of the rows, each once."""
    paragraphs: dict[str, dict[str, None]] = {}
    for row in rows:
        paragraphs.setdefault(row["title"], {})[row["context"]] = None
    return {title: list(contexts) for title, contexts in paragraphs.items()}


def make_question(row: Mapping, paragraphs: list[str], shares: Mapping[Kind, float], chance: random.Random) -> Question:
    """A question of a kind drawn by its share; a plain one where the article's paragraphs allow no other."""
    kind = chance.choices(list(shares), list(shares.values()))[0]
    made = MAKERS[kind](row, paragraphs, chance)
    if made is None:
        kind, made = "plain", plain(row, paragraphs, chance)
    return Question(kind, *made)


def asked(row: Mapping) -> str:
    return row["question"].strip()


def plain(row: Mapping, paragraphs: list[str], chance: random.Random) -> Made | None:
    return asked(row), row["context"], answer_place(row)


def elsewhere(row: Mapping, paragraphs: list[str], chance: random.Random) -> Made | None:
    """Of the paragraphs nearby that lack the answer, the one with most of the question's words."""
    here = paragraphs.index(row["context"])
    others = without_answer(row, paragraphs[max(0, here - NEAR) : here + NEAR + 1])
    words = set(WORD.findall(row["question"].lower()))
    if not others:
        return None
    nearest = max(others, key=lambda paragraph: len(words.intersection(WORD.findall(paragraph.lower()))))
    return asked(row), nearest, None


def removed(row: Mapping, paragraphs: list[str], chance: random.Random) -> Made | None:
    sentences = SENTENCE_END.split(row["context"])
    left = without_answer(row, sentences)
    return (asked(row), " ".join(left), None) if 0 < len(left) < len(sentences) else None


def misleading(row: Mapping, paragraphs: list[str], chance: random.Random) -> Made | None:
    here = paragraphs.index(row["context"])
    question = misled(asked(row), row["context"], paragraphs[max(0, here - NEAR) : here + NEAR + 1], chance)
    return (question, row["context"], None) if question else None


def long(row: Mapping, paragraphs: list[str], chance: random.Random) -> Made | None:
    before, after = around(paragraphs, paragraphs.index(row["context"]), chance)
    start, end = answer_place(row)
    shift = len(joined([*before, ""]))
    return asked(row), joined([*before, row["context"], *after]), (start + shift, end + shift)


def long_elsewhere(row: Mapping, paragraphs: list[str], chance: random.Random) -> Made | None:
    before, after = around(paragraphs, paragraphs.index(row["context"]), chance)
    left = without_answer(row, [*before, *after])
    return (asked(row), joined(left), None) if left else None


MAKERS: dict[Kind, Callable[[Mapping, list[str], random.Random], Made | None]] = {
    "plain": plain,
    "elsewhere": elsewhere,
    "removed": removed,
    "misled": misleading,
    "long": long,
    "long_elsewhere": long_elsewhere,
}


def without_answer(row: Mapping, texts: Sequence[str]) -> list[str]:
    """The texts in which the row's answer does not occur."""
    answer = row["answers"]["text"][0].lower()
    return [text for text in texts if answer not in text.lower()]


def around(paragraphs: list[str], here: int, chance: random.Random) -> tuple[list[str], list[str]]:
    """Paragraphs before and after one, at random, until all have a number of words drawn log-uniformly."""
    wanted = math.exp(chance.uniform(*map(math.log, LONG_WORDS)))
    first, last = here, here + 1
    num_words = len(paragraphs[here].split())
    while num_words < wanted and (first > 0 or last < len(paragraphs)):
        if last == len(paragraphs) or (first > 0 and chance.random() < 0.5):
            first -= 1
            num_words += len(paragraphs[first].split())
        else:
            num_words += len(paragraphs[last].split())
            last += 1
    return paragraphs[first:here], paragraphs[here + 1 : last]


def joined(paragraphs: Sequence[str]) -> str:
    return "\n".join(paragraphs)
