"""SQuAD's measures of an answer: exact match and F1 of words, after its own normalisation (Rajpurkar et al. 2016, 6.1).

As in its official script for version 2.0, where a question without gold answers is answered right by the empty text.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

ARTICLE = re.compile(r"\b(a|an|the)\b")
WITH_ANSWER = 0.75  # of a visitor's questions, by our guess: one asks a text that one takes to know
WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)

Scores = dict[str, float]


@dataclass(frozen=True)
class Outcome:
    """What was said to one question. Whether it is an answer is left to a threshold."""

    golds: tuple[str, ...]  # none where the text has no answer
    text: str  # the best span
    doubt: float  # that there is an answer at all, 0 to 1

    def answer(self, threshold: float) -> str:
        """The text, or nothing where the doubt is above the threshold."""
        return self.text if self.doubt <= threshold else ""


def normalized(text: str) -> str:
    """Lower case, without punctuation, articles and extra white space."""
    return " ".join(ARTICLE.sub(" ", text.lower().translate(WITHOUT_PUNCTUATION)).split())


def exact_match(golds: Sequence[str], answer: str) -> float:
    return float(any(normalized(gold) == normalized(answer) for gold in real(golds)))


def f1(golds: Sequence[str], answer: str) -> float:
    """The best over the gold answers."""
    return max(word_f1(normalized(gold).split(), normalized(answer).split()) for gold in real(golds))


def word_f1(gold: list[str], answer: list[str]) -> float:
    """Harmonic mean of precision and recall of words; where either side has none, whether both have none."""
    if not gold or not answer:
        return float(gold == answer)
    common = (Counter(gold) & Counter(answer)).total()
    return 2 * common / (len(gold) + len(answer))


def real(golds: Sequence[str]) -> Sequence[str]:
    """Those that are something after normalisation; the empty text where there are none."""
    return [gold for gold in golds if normalized(gold)] or [""]


def answer_scores(outcomes: Sequence[Outcome], threshold: float) -> Scores:
    """In percent; where the set has questions without an answer, also apart."""
    scores = [(exact_match(one.golds, one.answer(threshold)), f1(one.golds, one.answer(threshold))) for one in outcomes]
    report = {"exact": 100 * mean(exact for exact, _ in scores), "F1": 100 * mean(value for _, value in scores)}
    answerable = [score for one, score in zip(outcomes, scores, strict=True) if one.golds]
    unanswerable = [exact for one, (exact, _) in zip(outcomes, scores, strict=True) if not one.golds]
    if answerable and unanswerable:
        report["has answer: exact"] = 100 * mean(exact for exact, _ in answerable)
        report["has answer: F1"] = 100 * mean(value for _, value in answerable)
        report["no answer: exact"] = 100 * mean(unanswerable)
    return report


def best_threshold(outcomes: Sequence[Outcome]) -> float:
    """The doubt, in hundredths, up to which to answer for the highest worth; of equals the highest."""
    thresholds = [step / 100 for step in range(101)]
    return max(thresholds, key=lambda threshold: (worth(answer_scores(outcomes, threshold)), threshold))


def worth(scores: Scores) -> float:
    """F1, with questions that have an answer counted by WITH_ANSWER."""
    if "no answer: exact" not in scores:
        return scores["F1"]
    return WITH_ANSWER * scores["has answer: F1"] + (1 - WITH_ANSWER) * scores["no answer: exact"]
