"""Makes the list of English words that the search may write though a source lacks them (see `seq2seq.tasks.words`).

    python -m seq2seq.training.lexicon --data DATA

Nothing of the texts but single words is kept: those that so many texts have, of more than one data set, that they are
no misspelling, and often enough in lower case that they are no name. Rarer ones are kept where they are a form of such
a word, or it is one of theirs: "enlarges" and "enlarge" beside "enlarged". What `'s` and its like add is not listed:
any word may have them.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from seq2seq.tasks.words import ENGLISH_FILE, without_tail
from seq2seq.training.data import read_rows

FILES = (  # edited prose: transcripts of speech and scanned pages would bring their slips
    "plaintext/abc_news_nltk",
    "plaintext/openstax_textbooks",
    "plaintext/state_of_the_union",
    "plaintext/wikipedia_squad_articles",
    "summarization/allsides_news_headline",
    "summarization/bbc2004_first_sentence",
    "summarization/guardian_rss_standfirst",
    "summarization/scitldr_abstract",
    "qa/fairytaleqa_explicit",
    "qa/squadshifts_new_wiki",
    "fusion/minwiki_matchvp",
    "fusion/desse_essays",
)
WORD = re.compile(r"(?<![\w'@#/.\\])[A-Za-z]+(?:'[A-Za-z]+)*(?![\w@/]|\.\w)")  # of prose, not of a link or a formula
NAME = re.compile(r"(?<=[a-z,;] )[A-Z][A-Za-z']*")  # a capital that opens no sentence
FEWEST_FILES = 2
FEWEST_TEXTS = 7
FEWEST_TEXTS_OF_SHORT = {1: 10_000, 2: 100, 3: 12}  # by length: most of the short ones are abbreviations and symbols
FEWEST_TEXTS_OF_KIN = 4
LEAST_LOWER_CASE = 0.05  # share of times: "house" has it though the White House is written of more, "trump" has not
ENDINGS = ("s", "es", "ed", "ing", "ly", "er", "est", "ness")


@dataclass
class Counts:
    """By word in lower case."""

    texts: Counter = field(default_factory=Counter)  # that have it in lower case
    files: Counter = field(default_factory=Counter)
    lower: Counter = field(default_factory=Counter)  # how often it occurs so
    names: Counter = field(default_factory=Counter)  # how often with a capital that opens no sentence

    def add_file(self, texts: Iterable[str]) -> None:
        seen: set[str] = set()
        for text in texts:
            text = text.replace("’", "'")
            words = Counter(word for word in WORD.findall(text) if word.islower())
            self.lower.update(words)
            self.texts.update(words.keys())
            self.names.update(word.lower() for word in NAME.findall(text))
            seen |= words.keys()
        self.files.update(seen)

    def is_common(self, word: str, fewest_texts: int) -> bool:
        return (
            self.texts[word] >= FEWEST_TEXTS_OF_SHORT.get(len(word), fewest_texts)
            and self.files[word] >= FEWEST_FILES
            and self.lower[word] >= LEAST_LOWER_CASE * (self.lower[word] + self.names[word])
            and without_tail(word.encode()) is None
        )


def texts_of(path: Path) -> Iterator[str]:
    """What a person wrote in each row, once: several questions may be asked of one text."""
    seen: set[str] = set()
    for row in read_rows(path):
        text = next(row[name] for name in ("text", "context", "source") if name in row)
        if text not in seen:
            seen.add(text)
            yield text


def lexicon(counts: Counts) -> set[str]:
    words = {word for word in counts.texts if counts.is_common(word, FEWEST_TEXTS)}
    rarer = {word for word in counts.texts if counts.is_common(word, FEWEST_TEXTS_OF_KIN)}
    forms = {form for word in words for form in forms_of(word, counts)}
    return words | (rarer & forms) | {word for word in rarer if not words.isdisjoint(forms_of(word, counts))}


def forms_of(word: str, counts: Counts) -> Iterator[str]:
    """For each ending, the commonest way to write it: "occurred", not "occured"."""
    other_stem = {"e": word[:-1], "y": word[:-1] + "i"}.get(word[-1], word + word[-1])
    for ending in ENDINGS:
        yield max((word + ending, other_stem + ending), key=lambda form: counts.texts[form])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m seq2seq.training.lexicon", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of gzipped JSON lines")
    parser.add_argument("--output", type=Path, default=ENGLISH_FILE)
    arguments = parser.parse_args()
    counts = Counts()
    for file in FILES:
        counts.add_file(texts_of(arguments.data / f"{file}.train.jsonl.gz"))
    words = sorted(lexicon(counts))
    arguments.output.write_text("\n".join(words) + "\n", encoding="ascii")
    print(f"{len(words):,} words in {arguments.output}")


if __name__ == "__main__":
    main()
