"""What the tests of looking back share: small models of random weights, and something that they wrote."""

from __future__ import annotations

import pytest

from seq2seq.explain.pair import Pair, pair_of
from seq2seq.tasks import Generated, GenerationSettings, Task, Writer, write

TEXT = "Anna Lind moved to Oslo. She opened a small bakery."


@pytest.fixture(scope="session")
def writer(engine) -> Writer:
    """Fuses, splits and summarizes: 3 layers of BertGeneration."""
    return engine.load("fuse", "taught")


@pytest.fixture(scope="session")
def summarizing(engine) -> Writer:
    """A BigBird-Pegasus."""
    return engine.load("summarize", "summarizing")


def finished(writer: Writer, text: str, task: Task = "fuse", **settings) -> Generated:
    *_, result = write(writer, task, text, GenerationSettings(**settings))
    return result


def pair(writer: Writer, text: str = TEXT, task: Task = "fuse", **settings) -> Pair:
    return pair_of(writer, finished(writer, text, task, **settings).written(task))
