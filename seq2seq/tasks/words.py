"""Words by how they begin: a set of them, in UTF-8, that says of a word half written how it may go on.

One set comes with the project: English, so that a model may write a word that its source lacks, but none that there is
not. `python -m seq2seq.training.lexicon` makes it. Knows no models and no vocabularies.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from seq2seq.tasks.novelty import CONNECTIVES

ENGLISH_FILE = Path(__file__).with_name("english_words.txt")
TAILS = (b"s", b"d", b"ll", b"m", b"re", b"ve")  # what any word may have behind an apostrophe; n't is part of a word
MARKS = b".,:'"  # what a word that still may go on can end with


class Words:
    """A set of words, any of which may have a tail."""

    def __init__(self, words: Iterable[bytes]) -> None:
        self._known = frozenset(words)
        self._sorted = sorted(self._known)

    def __contains__(self, run: bytes) -> bool:
        """Whether all of it is a word, with or without a mark behind it."""
        return run in self._known or run.rstrip(MARKS) in self._known or without_tail(run) in self._known

    def beginning_with(self, run: bytes) -> Iterator[bytes]:
        """The words that are `run`, or that it may become."""
        start, stop = bisect_left(self._sorted, run), bisect_left(self._sorted, run + b"\xff")  # UTF-8 has no 0xff
        yield from self._sorted[start:stop]
        stem, mark, begun = run.rpartition(b"'")
        if mark and stem in self._known:
            yield from (stem + mark + tail for tail in TAILS if tail.startswith(begun))

    def begins(self, run: bytes) -> bool:
        """Whether it is the beginning of a word, or all of one."""
        return next(self.beginning_with(run), None) is not None

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._sorted)


def without_tail(run: bytes) -> bytes | None:
    """The word before an apostrophe and one of the tails; None where there is none."""
    stem, mark, tail = run.rpartition(b"'")
    return stem if mark and tail in TAILS else None


@lru_cache(maxsize=1)
def connectives() -> Words:
    """Those that `novelty` never counts as novel, but for what only stands behind an apostrophe."""
    return Words(word.encode() for word in CONNECTIVES if word.encode() in english())


@lru_cache(maxsize=1)
def english() -> Words:
    """In lower case; read once."""
    return Words(ENGLISH_FILE.read_bytes().split())
