"""Measures how well each method of `explain.provenance` finds the sentences that an output is made of.

    python -m seq2seq.training.provenance FOLDER --data DATA [--limit 30] [--num-tokens 2900]

The outputs are two sentences of the text itself, forced as if written: their source is known. They are read as they
stand, and with every third word left out. Beside each method stands how often a sentence drawn at random is right.
With `--num-tokens`, texts are joined until they are nearly as long.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from tqdm import tqdm

from seq2seq.engine import Engine
from seq2seq.explain.pair import forced, pair_of
from seq2seq.explain.provenance import WEIGHINGS, provenance
from seq2seq.tasks import Writer
from seq2seq.tasks.quoting import plain_sentences
from seq2seq.tasks.sections import Sentence, sentences_of
from seq2seq.trace import Leaning, Method, Token
from seq2seq.training.data import read_rows
from seq2seq.training.squad import Scores

DEV_SET = "summarization/guardian_rss_standfirst"
FEWEST_SENTENCES = 6  # of a text
NUM_DRAWN = 2


@dataclass(frozen=True)
class Extract:
    """A text, and sentences of it in their order."""

    text: str
    drawn: tuple[Sentence, ...]

    @property
    def chance(self) -> float:
        """That a sentence drawn at random is the right one."""
        return 1 / len(sentences_of(self.text))


def measure(
    writer: Writer, data: Path, limit: int, num_tokens: int | None = None, methods: Collection[Method] = ()
) -> dict[str, int | str | None | dict[str, Scores]]:
    chance = random.Random(0)
    texts = single(data) if num_tokens is None else joined(writer, single(data), limit, num_tokens, chance)
    extracts = list(drawn(texts, limit, chance))
    return {
        "set": f"{DEV_SET} dev",
        "texts": len(extracts),
        "first is right by chance %": 100 * mean(extract.chance for extract in extracts),
        "tokens a text at most": num_tokens,
        "as they stand": compared(writer, extracts, str, methods or WEIGHINGS),
        "every third word left out": compared(writer, extracts, thinned, methods or WEIGHINGS),
    }


def single(data: Path) -> list[str]:
    """Every text of enough sentences."""
    sources = [row["source"] for row in read_rows(data / f"{DEV_SET}.dev.jsonl.gz")]
    texts = [text for text in sources if len(sentences_of(text)) >= FEWEST_SENTENCES]
    return [text for text in texts if len(plain_sentences(text)) >= NUM_DRAWN]


def joined(writer: Writer, texts: Sequence[str], count: int, num_tokens: int, chance: random.Random) -> list[str]:
    """`count` texts of at most `num_tokens`, each of several that are drawn."""
    long = []
    for _ in range(count):
        text = ""
        while writer.num_tokens("summarize", longer := f"{text}\n\n{chance.choice(texts)}".strip()) <= num_tokens:
            text = longer
        long.append(text)
    return long


def drawn(texts: Sequence[str], limit: int, chance: random.Random) -> Iterator[Extract]:
    for text in chance.sample(texts, min(limit, len(texts))):
        sentences = chance.sample(plain_sentences(text), NUM_DRAWN)
        yield Extract(text, tuple(sorted(sentences, key=lambda sentence: sentence.start)))


def thinned(sentence: str) -> str:
    """Without every third word, but for the last, which ends it."""
    words = sentence.split()
    return " ".join(word for number, word in enumerate(words, start=1) if number % 3 or number == len(words))


def compared(
    writer: Writer, extracts: Sequence[Extract], changed: Callable[[str], str], methods: Collection[Method]
) -> dict[str, Scores]:
    """By method, over all drawn sentences, each `changed` first."""
    return {method: scores(writer, extracts, changed, method) for method in methods}


def scores(writer: Writer, extracts: Sequence[Extract], changed: Callable[[str], str], method: Method) -> Scores:
    found: list[tuple[Leaning, Sentence]] = []
    started = time.monotonic()
    for extract in tqdm(extracts, desc=method):
        output = " ".join(changed(sentence.text) for sentence in extract.drawn)
        written = forced(writer, "summarize", extract.text, output)
        leanings = provenance(pair_of(writer, written), method)
        if len(leanings) == len(extract.drawn):  # otherwise two were read as one
            found += zip(leanings, extract.drawn, strict=True)
    return {
        "sentences": len(found),
        "first is right %": 100 * mean(is_right(leaning.sources[:1], sentence) for leaning, sentence in found),
        "one of three is right %": 100 * mean(is_right(leaning.sources, sentence) for leaning, sentence in found),
        "seconds a text": (time.monotonic() - started) / len(extracts),
    }


def is_right(sources: Sequence[tuple[Token, float]], sentence: Sentence) -> bool:
    return any(source.start == sentence.start for source, _ in sources)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="folder of the checkpoint")
    parser.add_argument("--data", type=Path, required=True, help="folder of gzipped JSON lines")
    parser.add_argument("--limit", type=int, default=30, help="texts, drawn with a fixed seed")
    parser.add_argument("--num-tokens", type=int, help="of a text, joined of several; by default one of the set")
    parser.add_argument("--methods", nargs="+", choices=WEIGHINGS, default=())
    arguments = parser.parse_args()
    writer = Engine().load("summarize", arguments.model)
    found = measure(writer, arguments.data, arguments.limit, arguments.num_tokens, arguments.methods)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
