"""An engine that keeps to the limits of the call that it works for, and notes what that took."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from inspect import signature
from itertools import accumulate
from typing import Any
from unicodedata import normalize

from demo.calls import Call, current
from demo.limit_words import too_long
from seq2seq.engine import Engine
from seq2seq.tasks import Generated, InputError
from seq2seq.tasks.patience import waiting
from seq2seq.tasks.results import Reading
from seq2seq.trace import Answer, BlockMass

STRETCH = 100  # characters: Python takes the square of a stretch of marks to spell it out


class TimedEngine:
    """The same engine to all that use it: whatever it is asked to do passes `_do`."""

    def __init__(self, engine: Engine, max_characters: int):
        self._engine = engine
        self._max_characters = max_characters

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        return partial(self._do, found) if callable(found) else found

    def _do(self, work: Callable, *args, **kwargs) -> Any:
        if any(isinstance(each, str) and is_longer(each, self._max_characters) for each in (*args, *kwargs.values())):
            raise InputError(too_long(self._max_characters))
        call = current.get()
        if call is None:
            return work(*args, **kwargs)
        call.check()
        call.model = asked_model(work, *args, **kwargs) or call.model
        with waiting(call.check):
            done = work(*args, **kwargs)
        return in_time(done, call) if isinstance(done, Iterator) else done


def is_longer(text: str, most: int) -> bool:
    """As it was sent, or twice so with its characters spelled out, as tokenizers do: one may stand for eighteen."""
    if len(text) > most:
        return True
    stretches = (text[start : start + STRETCH] for start in range(0, len(text), STRETCH))
    return any(length > 2 * most for length in accumulate(len(normalize("NFKC", each)) for each in stretches))


def asked_model(work: Callable, *args, **kwargs) -> str | None:
    """The model that an engine is asked to work with, by name or by what it has written."""
    given = signature(work).bind(*args, **kwargs).arguments
    return given.get("model") or getattr(given.get("written"), "model", None)


def in_time(snapshots: Iterator, call: Call) -> Iterator:
    """The same snapshots, until the call has had its time; it has it while one is being made, too."""
    over = object()
    try:
        while True:
            with waiting(call.check):
                snapshot = next(snapshots, over)
            if snapshot is over:
                return
            note(snapshot, call)
            yield snapshot
            if not is_last(snapshot):
                call.check()
    finally:
        if isinstance(snapshots, Generator):
            snapshots.close()


def is_last(snapshot: object) -> bool:
    """Whether a run is known to be over with this snapshot: however late it came, it is whole."""
    match snapshot:
        case Generated():
            return snapshot.finished
        case Reading():
            return snapshot.answer is not None
    return isinstance(snapshot, BlockMass)


def note(snapshot: object, call: Call) -> None:
    match snapshot:
        case Generated():
            call.tokens_in, call.tokens_out = snapshot.num_source_tokens, snapshot.num_target_tokens
        case Reading(answer=Answer(tokens=tokens)):
            call.tokens_in = len(tokens)
