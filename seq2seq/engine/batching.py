"""Runs that write at the same time take their steps together.

Continuous batching (Yu et al. 2022, "Orca", section 4.1): a run joins between two steps of the others and leaves when
it is finished. Each has its own search in its own thread, and asks for the logits behind its next tokens. Whoever's
turn it is takes the step for all who wait by then, and gives those of the last step a moment to come: one who searches
while another computes slows both down. Whoever comes too late is not waited for again. Knows no texts and no searches.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakSet

from torch import LongTensor, Tensor

from seq2seq.models.generating import CachedDecoding
from seq2seq.models.together import can_share, next_logits
from seq2seq.tasks.turns import Turns

MOST_ROWS = 64  # in one step
GRACE = 0.01  # seconds that a step waits for runs that are between two of theirs, about as long as one takes


@dataclass(eq=False)
class Asked:
    """A run's next tokens, and then what the model says to them."""

    run: JoinedRun
    tokens: LongTensor  # N 1
    answer: Tensor | Exception | None = None  # N V

    def logits(self) -> Tensor:
        """Once; kept, an error would hold the run, and the run the error."""
        try:
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer
        finally:
            self.answer = None


class Batcher:
    """Joins the steps of one model's runs."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self._expected: WeakSet[JoinedRun] = WeakSet()  # who asked in time for the last step, or since
        self._waiting: deque[Asked] = deque()
        self._changed = threading.Condition()

    def join(self, decoding: CachedDecoding) -> JoinedRun:
        """The same decoder as a search sees it, for as long as the search keeps it."""
        return JoinedRun(decoding, self)

    def step(self, asked: Asked) -> Tensor:
        with self._changed:
            self._expected.add(asked.run)
            self._waiting.append(asked)
            self._changed.notify_all()
        try:
            with self.turns:
                while asked.answer is None:
                    self._take()
                return asked.logits()
        except BaseException:
            self._withdraw(asked)
            raise

    def _withdraw(self, asked: Asked) -> None:
        """Of a run that leaves before it was its turn."""
        with self._changed:
            self._expected.discard(asked.run)
            if asked in self._waiting:
                self._waiting.remove(asked)

    def _take(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) >= len(self._expected), timeout=GRACE)
            self._expected = WeakSet(asked.run for asked in self._waiting)
            taken, rows = [], 0
            while self._waiting and (not taken or rows + len(self._waiting[0].tokens) <= MOST_ROWS):
                taken.append(self._waiting.popleft())
                rows += len(taken[-1].tokens)
        answer(taken)


def answer(taken: Sequence[Asked]) -> None:
    """All at once; if that fails, each by itself, so that one's trouble is not the others'."""
    if not is_answered(taken):  # what that had computed is gone by now, as there may have been no room for it
        for asked in taken:
            answer([asked])


def is_answered(taken: Sequence[Asked]) -> bool:
    """By the step that they take together, or by what is wrong with the only one."""
    lengths = [asked.run.decoding.cache.length for asked in taken]
    try:
        found = next_logits([asked.run.decoding for asked in taken], [asked.tokens for asked in taken])
    except Exception as error:
        for asked, length in zip(taken, lengths, strict=True):
            asked.run.decoding.cache.rewind(length)
        if len(taken) > 1:
            return False
        taken[0].answer = error
    else:
        for asked, logits in zip(taken, found, strict=True):
            asked.answer = logits
    return True


@dataclass(eq=False)
class JoinedRun:
    """A `NextToken` that takes the steps it can with others."""

    decoding: CachedDecoding
    batcher: Batcher

    def __call__(self, tokens: LongTensor) -> Tensor:
        if can_share(self.decoding, tokens):
            return self.batcher.step(Asked(self, tokens))
        with self.batcher.turns:
            return self.decoding(tokens)

    def reorder(self, rows: LongTensor) -> None:
        self.decoding.reorder(rows)
