"""What the tests of looking back share: small models of random weights, and something that they wrote."""

from __future__ import annotations

import copy

import pytest

from seq2seq.explain.pair import Pair, forced, pair_of
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


def unsure(writer: Writer, text: str) -> Pair:
    """An output that no small model is sure of, as if it had been written by one that heeds its source.

    What random weights read of it is next to nothing in a BigBird-Pegasus, so a copy's cross-attention is made larger.
    """
    model = copy.deepcopy(writer.model)
    for block in model.decoder_and_logits()[0].layers:
        block.cross_attention.output.weight.data *= 20
    heeding = Writer(model, writer.tokenizer)
    return pair_of(heeding, forced(heeding, "summarize", text, "Anna opened a bakery."))
