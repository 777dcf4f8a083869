"""Training pairs from the public data sets, each under the task that it teaches.

A data set of fusion pairs teaches splitting too, read backwards. Rows whose target says what the source does not, by
the share of its words that the source lacks, are left out: they would teach invention.
"""

from __future__ import annotations

import gzip
import json
import math
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from seq2seq.tasks.quoting import is_plain, plain_sentences
from seq2seq.training.renaming import renamed

WORD = re.compile(r"\w+")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class Pair:
    task: str
    source: str
    target: str


@dataclass(frozen=True)
class Selection(Pair):
    """A pair whose target is sentences of its source: what is to be learnt is to choose them."""

    chosen: tuple[str, ...]  # in their order
    weights: tuple[float, ...]  # of each, how much it is to be looked at

    @classmethod
    def of(cls, task: str, source: str, chosen: Sequence[str], weights: Sequence[float] | None = None) -> Selection:
        """Without weights, all sentences alike."""
        return cls(task, source, " ".join(chosen), tuple(chosen), tuple(weights or [1.0] * len(chosen)))


@dataclass(frozen=True)
class Ingredient:
    """One file of a mix: which task it teaches, how many times it is read, and how much its targets may invent."""

    task: str
    file: str  # "fusion/wikisplit" for fusion/wikisplit.train.jsonl.gz
    times: float = 1.0
    max_new_words: float = 1.0  # share of the target's words that the source lacks
    max_source_words: int = 300
    renamed: float = 0.0  # share of its pairs that are told of somebody else, by `renaming`

    def pairs(self, row: dict) -> Iterator[Pair]:
        source, target = row["source"].strip(), row["target"].strip()
        yield Pair(self.task, target, source) if self.task == "split" else Pair(self.task, source, target)


@dataclass(frozen=True)
class PrincipalSentences(Ingredient):
    """Plain texts as summaries of themselves: each paragraph, and the sentence that shares most with its others.

    Pegasus's gap sentences (Zhang et al. 2020, section 3.1) without the gap: the sentence stays in the source, so
    that what is learnt is to find it and to say it faithfully.
    """

    min_sentences: int = 3
    min_source_words: int = 40

    def pairs(self, row: dict) -> Iterator[Pair]:
        for paragraph in row["text"].split("\n") if "text" in row else [row["source"]]:
            sentences = SENTENCE_END.split(" ".join(paragraph.split()))
            if len(sentences) < self.min_sentences or len(paragraph.split()) < self.min_source_words:
                continue
            principal = principal_sentence(sentences)
            if is_plain(principal):
                yield Pair(self.task, paragraph, principal)


@dataclass(frozen=True)
class PrincipalDigest(Ingredient):
    """A long text as a summary of itself: the sentences that share most with its others, in their order.

    Pegasus's gap sentences scored independently ("Ind-Orig", Zhang et al. 2020, section 3.1.1), without the gap.
    """

    share: float = 1 / 12  # of the text's sentences
    most: int = 8
    min_source_words: int = 500

    def pairs(self, row: dict) -> Iterator[Pair]:
        lines = [" ".join(line.split()) for line in row["text"].split("\n")]
        source = "\n".join(lines_within(lines, self.max_source_words))
        sentences = [sentence.text for sentence in plain_sentences(source)]
        if len(source.split()) >= self.min_source_words and len(sentences) >= 12:
            chosen = by_overlap(sentences)[: min(self.most, round(self.share * len(sentences)))]
            yield Selection.of(self.task, source, [sentences[index] for index in sorted(chosen)])


@dataclass(frozen=True)
class OracleSentences(Ingredient):
    """A text, and of its own sentences those that say most of its summary, in their order (Nallapati et al. 2017, 2.2).

    For models too small to reword a long text: they learn to choose what a person would tell.
    """

    most: int = 8

    def pairs(self, row: dict) -> Iterator[Pair]:
        for pair in super().pairs(row):
            sentences = [sentence.text for sentence in plain_sentences(pair.source)]
            chosen = oracle(sentences, pair.target, self.most)
            if chosen:
                yield Selection.of(self.task, pair.source, [sentences[index] for index in sorted(chosen)])


@dataclass(frozen=True)
class SentencesByWorth(Ingredient):
    """A short text, and all of its sentences, each to be looked at by how much of the summary it says alone.

    Of three sentences the best is often so by chance: how much better it is says more than which it is.
    """

    sharpness: float = 10.0  # a sentence that says all is e^10 times as likely to be looked at as one that says nothing

    def pairs(self, row: dict) -> Iterator[Pair]:
        for pair in super().pairs(row):
            sentences = [sentence.text for sentence in plain_sentences(pair.source)]
            wanted = words_and_pairs(pair.target)
            odds = [math.exp(self.sharpness * worth(words_and_pairs(sentence), wanted)) for sentence in sentences]
            if len(sentences) > 1:
                yield Selection.of(self.task, pair.source, sentences, [each / sum(odds) for each in odds])


def worth(said: Counter, wanted: Counter) -> float:
    """How much the one says of the other: F1 of words and pairs of words."""
    return 2 * (said & wanted).total() / max(1, said.total() + wanted.total())


def oracle(sentences: list[str], summary: str, most: int) -> list[int]:
    """Places of the sentences, one after the other the one that helps most, until none helps."""
    wanted = words_and_pairs(summary)
    bags = [words_and_pairs(sentence) for sentence in sentences]
    chosen: list[int] = []
    said: Counter = Counter()

    while len(chosen) < most:
        left = [index for index in range(len(sentences)) if index not in chosen]
        best = max(left, key=lambda index: worth(said + bags[index], wanted), default=None)
        if best is None or worth(said + bags[best], wanted) <= worth(said, wanted):
            break
        chosen.append(best)
        said += bags[best]
    return chosen


def words_and_pairs(text: str) -> Counter:
    """Its words and its pairs of words, each as often as it occurs."""
    words = WORD.findall(text.lower())
    return Counter(words) + Counter(pairwise(words))


def lines_within(lines: list[str], max_words: int) -> Iterator[str]:
    """As many of the first lines as have `max_words` words in all."""
    words = 0
    for line in lines:
        words += len(line.split())
        if words > max_words:
            return
        yield line


def principal_sentence(sentences: list[str]) -> str:
    return sentences[by_overlap(sentences)[0]]


def by_overlap(sentences: list[str]) -> list[int]:
    """The sentences' places, first those whose words cover most of the others' words, as F1; of equals the first."""
    bags = [Counter(word.lower() for word in WORD.findall(sentence)) for sentence in sentences]
    whole = sum(bags, Counter())

    def overlap(index: int) -> float:
        others = whole - bags[index]
        common = (bags[index] & others).total()
        return 2 * common / max(1, bags[index].total() + others.total())

    return sorted(range(len(sentences)), key=overlap, reverse=True)


def read_rows(path: Path) -> Iterator[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def read_pairs(data: Path, ingredient: Ingredient, part: str = "train") -> list[Pair]:
    """The pairs of one file; `part` is train or dev."""
    rows = read_rows(data / f"{ingredient.file}.{part}.jsonl.gz")
    return [pair for row in rows for pair in ingredient.pairs(row)]


def is_sound(pair: Pair, ingredient: Ingredient) -> bool:
    """Whether a pair is fit to learn from: neither side empty, not too long, numbers kept, little invented."""
    source_words = set(WORD.findall(pair.source.lower()))
    target_words = WORD.findall(pair.target.lower())
    if not source_words or not target_words or len(pair.source.split()) > ingredient.max_source_words:
        return False
    new = [word for word in target_words if word not in source_words]
    return not any(word.isdigit() for word in new) and len(new) <= ingredient.max_new_words * len(target_words)


def told_of_others(pair: Pair, chance: random.Random) -> Pair:
    return Pair(pair.task, *renamed(pair.source, pair.target, chance))


def mix(data: Path, ingredients: tuple[Ingredient, ...], seed: int) -> list[Pair]:
    """Every ingredient as many times as it asks for, shuffled."""
    chance = random.Random(seed)
    pairs: list[Pair] = []
    for ingredient in ingredients:
        sound = [pair for pair in read_pairs(data, ingredient) if is_sound(pair, ingredient)]
        whole, part = divmod(ingredient.times, 1)
        read = sound * int(whole) + chance.sample(sound, int(part * len(sound)))
        pairs += [told_of_others(pair, chance) if chance.random() < ingredient.renamed else pair for pair in read]
    chance.shuffle(pairs)
    return pairs
