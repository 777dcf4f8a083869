"""An engine that is asked in one process and works in another: what it can be asked, and how its answers travel.

What goes there and comes back is pickled: texts, settings and records, never a model.
"""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial, update_wrapper
from typing import Any

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.engine.local import Engine
from seq2seq.tasks import InputError

STREAMS = frozenset(
    {"answer", "answer_many", "go_on", "loading", "measure", "read_blocks", "run", "run_many", "why"}
)  # fmt: skip
ANSWERS = frozenset({
    "answer_settings", "attention", "beam_tree", "choices", "count_tokens", "fitting", "force", "heads",
    "load_defaults", "must_be_fetched", "num_heads", "provenance", "sentences", "stretches", "without_heads",
    "written_text",
})  # fmt: skip
FACTS = frozenset({"loaded", "machine"})  # asked without a call
CARDS = frozenset({"card", "encoders", "models"})  # for which no model need be in memory
UNASKED = frozenset({"read_ahead"})  # which would spend, on a guess, what others there need
WITH_WEIGHTS = frozenset({"doubting", "forget", "load", "pair"})  # which make no sense in another process


@dataclass(frozen=True)
class Failed:
    """In place of an outcome: the error that ended the work."""

    error: Exception


def outcomes(engine: Engine, name: str, args: tuple, kwargs: dict) -> Iterator:
    """What the engine yields or returns; last, what it raised, as an error of another process would lose its words.

    One that nobody foresaw may not be one that can be pickled: its traceback can.
    """
    try:
        asked = getattr(engine, name)
        if name in STREAMS:
            yield from asked(*args, **kwargs)
        else:
            yield asked(*args, **kwargs) if callable(asked) else asked
    except (InputError, CheckpointError) as error:
        yield Failed(error)
    except Exception:
        yield Failed(RuntimeError(traceback.format_exc()))


class Elsewhere(ABC):
    """Stands for an engine. A subclass says what one in another process is asked, and how; the rest is asked here."""

    asked_there: Collection[str]

    def __init__(self, here: Engine):
        self._here = here

    @abstractmethod
    def _ask(self, name: str, args: tuple, kwargs: dict) -> Iterator:
        """The `outcomes` there."""

    def __getattr__(self, name: str) -> Any:
        if name not in self.asked_there:
            return getattr(self._here, name)
        if name in FACTS:
            return self._answer(name)
        ask = self._stream if name in STREAMS else self._answer
        return update_wrapper(partial(ask, name), getattr(self._here, name))

    def read_ahead(self, *asked: Any) -> bool:
        """Nothing is."""
        return False

    def _stream(self, name: str, *args, **kwargs) -> Iterator:
        """Raises: what the engine raises."""
        with closing(self._ask(name, args, kwargs)) as told:
            for outcome in told:
                if isinstance(outcome, Failed):
                    raise outcome.error
                yield outcome

    def _answer(self, name: str, *args, **kwargs) -> Any:
        [outcome] = self._stream(name, *args, **kwargs)
        return outcome
