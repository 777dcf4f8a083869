"""ZeroGPU, where a Space borrows a GPU for each call: what needs one is done in a process that has it.

The package `spaces`, which every Space has, forks a process for each function that it decorates. The process keeps its
weights and what it remembers while it lives, so one function does all of the work. What goes in and out is pickled.
Without the package, everything is done where it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TypeVar

import gradio as gr

from seq2seq.engine import Engine
from seq2seq.engine.elsewhere import Elsewhere, outcomes
from seq2seq.tasks import InputError

try:
    import spaces
except ImportError:
    spaces = None

Function = TypeVar("Function", bound=Callable)

# What an engine needs a GPU for, and for how many seconds at most, the start of the process among them: estimates, not
# measured on ZeroGPU. A visitor must have as many left, and short calls wait less.
SECONDS = {
    "answer": 30, "attention": 15, "beam_tree": 30, "choices": 15, "fitting": 15, "force": 15, "go_on": 30, "heads": 30,
    "measure": 30, "num_heads": 15, "provenance": 30, "read_blocks": 20, "run": 60, "sentences": 15, "stretches": 15,
    "why": 60, "without_heads": 30, "written_text": 15,
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


class Borrowing(Elsewhere):
    """Stands for an engine. What needs no GPU is asked of it directly."""

    asked_there = SECONDS.keys()

    def __init__(self, engine: Engine):
        super().__init__(engine)
        self._work = gpu(seconds_for)(self._outcomes)

    def _ask(self, name: str, args: tuple, kwargs: dict) -> Iterator:
        """Raises: InputError where no GPU is to be had, with what to do."""
        try:
            with closing(self._work(name, args, kwargs)) as told:
                yield from told
        except gr.Error as refused:
            raise InputError(str(refused.message)) from refused

    def _outcomes(self, name: str, args: tuple, kwargs: dict) -> Iterator:
        """In the process that has a GPU."""
        yield from outcomes(self._here, name, args, kwargs)


def seconds_for(name: str, args: tuple, kwargs: dict) -> int:
    return SECONDS[name]
