"""ZeroGPU, where a Space borrows a GPU for each call: what needs one is done in a process that has it.

The package `spaces`, which every Space has, forks a process for each function that it decorates. The process keeps its
weights and what it remembers while it lives, so one function does all of the work. What goes in and out is pickled.
Without the package, everything is done where it is asked for.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial, update_wrapper
from typing import Any, TypeVar

import gradio as gr

from seq2seq.engine import Engine
from seq2seq.tasks import InputError

try:
    import spaces
except ImportError:
    spaces = None

Function = TypeVar("Function", bound=Callable)

# What an engine needs a GPU for, and for how many seconds at most, the start of the process among them: estimates, not
# measured on ZeroGPU. A visitor must have as many left, and short calls wait less.
STREAMS = {"run": 60, "answer": 30, "go_on": 30, "read_blocks": 20, "measure": 30, "why": 60}
ANSWERS = {
    "attention": 15, "beam_tree": 30, "choices": 15, "fitting": 15, "force": 15, "heads": 30, "num_heads": 15,
    "provenance": 30, "sentences": 15, "stretches": 15, "without_heads": 30, "written_text": 15,
}  # fmt: skip


def gpu(duration: int | Callable[..., int]) -> Callable[[Function], Function]:
    """Decorates what needs a GPU for that many seconds; a function of its arguments may say how many."""
    return spaces.GPU(duration=duration) if spaces else lambda function: function


def borrowing(engine: Engine) -> Engine:
    """The engine as a page should ask it: one that borrows a GPU for each call, where there are any to borrow.

    There all models that are here are loaded first, as the processes inherit what is in memory.
    """
    if not spaces:
        return engine
    for card in engine.encoders():
        if not engine.must_be_fetched(card.tasks[0], card.name):
            engine.load(card.tasks[0], card.name)
    return Borrowing(engine)


class Borrowing:
    """Stands for an engine. What needs no GPU is asked of it directly."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._work = gpu(seconds_for)(self._outcomes)

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._engine, name)
        if name in STREAMS:
            return update_wrapper(partial(self._stream, name), asked)
        if name in ANSWERS:
            return update_wrapper(partial(self._answer, name), asked)
        return asked

    def _stream(self, name: str, *args, **kwargs) -> Iterator:
        """Raises: what the engine raises, and InputError where no GPU is to be had, with what to do."""
        try:
            with closing(self._work(name, args, kwargs)) as outcomes:
                for outcome in outcomes:
                    if isinstance(outcome, Exception):
                        raise outcome
                    yield outcome
        except gr.Error as refused:
            raise InputError(str(refused.message)) from refused

    def _answer(self, name: str, *args, **kwargs) -> Any:
        [outcome] = self._stream(name, *args, **kwargs)
        return outcome

    def _outcomes(self, name: str, args: tuple, kwargs: dict) -> Iterator:
        """What the engine yields or returns; last, what it raised, as an error of another process would lose its words.

        One that nobody foresaw may not be one that can be pickled: its traceback can.
        """
        try:
            asked = getattr(self._engine, name)(*args, **kwargs)
            if name in STREAMS:
                yield from asked
            else:
                yield asked
        except InputError as error:
            yield error
        except Exception:
            yield RuntimeError(traceback.format_exc())


def seconds_for(name: str, args: tuple, kwargs: dict) -> int:
    return (STREAMS | ANSWERS)[name]
