"""What an engine in another process can be asked, and what comes of it."""

from __future__ import annotations

import inspect

import pytest

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.engine import Engine
from seq2seq.engine.elsewhere import ANSWERS, CARDS, FACTS, STREAMS, UNASKED, WITH_WEIGHTS, Failed, outcomes

KNOWN = (ANSWERS, CARDS, FACTS, STREAMS, UNASKED, WITH_WEIGHTS)


def test_of_all_that_an_engine_does_it_is_known_how_it_is_asked_from_elsewhere():
    public = {name for name in dir(Engine) if not name.startswith("_")}
    assert set().union(*KNOWN) == public
    assert sum(map(len, KNOWN)) == len(public)


@pytest.mark.parametrize("name", sorted(ANSWERS | FACTS | STREAMS))
def test_whether_it_streams_answers_or_is_a_fact_is_what_the_engine_says(name):
    asked = inspect.getattr_static(Engine, name)
    assert isinstance(asked, property) == (name in FACTS)
    if name not in FACTS:
        returned = str(inspect.signature(asked).return_annotation)
        assert returned.startswith("Iterator[") == (name in STREAMS)


def test_the_last_outcome_says_what_went_wrong(engine):
    [failed] = outcomes(engine, "count_tokens", ("fuse", "Rain fell.", "asked"), {})
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, CheckpointError)
    assert "asked does not fuse" in str(failed.error)
    [failed] = outcomes(engine, "count_tokens", (), {})
    assert "missing 2 required positional arguments" in str(failed.error)
