"""Runs that share their steps and end before they are finished: as somebody closes them, or memory runs out."""

from __future__ import annotations

import gc
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from weakref import ref

import pytest
import torch

from seq2seq.engine import Engine, EngineSettings, batching
from seq2seq.engine.batching import Asked, Batcher
from seq2seq.models.generating import CachedDecoding
from seq2seq.tasks import Generated, GenerationSettings, InputError
from seq2seq.tasks.patience import waiting
from seq2seq.tasks.turns import TOO_MUCH, Turns
from tests.seq2seq.test_batching import TEXTS, at_once, written
from tests.waiting import PATIENCE, until

LONG = GenerationSettings(min_new_tokens=12)
NO_MEMORY = {
    "Python": MemoryError,
    "CUDA": lambda: torch.OutOfMemoryError("CUDA out of memory"),
    "CPU": lambda: RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
}


@pytest.fixture
def engine(models) -> Engine:
    return Engine(EngineSettings(models=models, device="cpu", dtype="float32"))


@pytest.fixture
def steps(monkeypatch) -> list[list[Callable]]:
    """Of every step, weak references to the caches of the runs that took it."""
    seen, next_logits = [], batching.next_logits

    def watched(runs, tokens):
        seen.append([ref(run.cache) for run in runs])
        return next_logits(runs, tokens)

    monkeypatch.setattr(batching, "next_logits", watched)
    return seen


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """What is freed in here is freed at once."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def begun(engine: Engine, text: str) -> Iterator[Generated]:
    return engine.run("fuse", text, "taught", LONG)


def ids(generated: Generated) -> tuple[int, ...]:
    return generated.sections[0].target_ids


def alive(steps: list[list[Callable]]) -> int:
    return len({id(cache()) for step in steps for cache in step if cache() is not None})


def batcher_of(engine: Engine) -> Batcher:
    return engine.load("fuse", "taught").joined.__self__


def test_one_that_is_closed_leaves_before_the_next_step_and_leaves_nothing(engine, steps, monkeypatch):
    monkeypatch.setattr(batching, "GRACE", 2)
    alone = [written(engine, text, min_new_tokens=12) for text in TEXTS[:3]]
    threads = threading.active_count()
    steps.clear()
    with without_garbage_collection():
        first, second, third = runs = [begun(engine, text) for text in TEXTS[:3]]
        for _ in range(4):
            shown = at_once([lambda run=run: next(run) for run in runs])
        assert alive(steps) == 3
        second.close()
        del runs, second
        assert alive(steps) == 2
        steps.clear()
        last = at_once([lambda run=run: [*run][-1] for run in (first, third)])
        assert [ids(each) for each in last] == [alone[0], alone[2]]
        assert ids(shown[1]) == alone[1][:4]
        assert max(len(step) for step in steps) == 2
        del first, third
        assert alive(steps) == 0
        assert not batcher_of(engine)._expected
        assert not batcher_of(engine)._waiting
    assert threading.active_count() == threads


def test_one_that_nobody_asks_for_more_is_waited_for_once(monkeypatch):
    monkeypatch.setattr(batching, "next_logits", lambda runs, tokens: tokens)
    batcher = Batcher(Turns())
    going, resting = (batcher.join(SimpleNamespace(cache=SimpleNamespace(length=1))) for _ in range(2))
    all_came, wait_for = [], batcher._changed.wait_for

    def watched(*condition, **most) -> bool:
        all_came.append(wait_for(*condition, **most))
        return all_came[-1]

    monkeypatch.setattr(batcher._changed, "wait_for", watched)
    for run in (resting, going, going, going, resting, going):
        tokens = torch.tensor([[len(all_came)]])
        assert batcher.step(Asked(run, tokens)) is tokens
    assert all_came == [True, False, True, True, False, False]


@pytest.mark.parametrize("line", ["steps", "looks"])
def test_one_that_leaves_while_it_waits_for_its_turn_takes_none(monkeypatch, line):
    monkeypatch.setattr(batching, "next_logits", lambda runs, tokens: tokens)
    turns, has_left, ended = Turns(), threading.Event(), []
    batcher = Batcher(turns)
    run = batcher.join(SimpleNamespace(cache=SimpleNamespace(length=1)))

    def refuse_who_has_left() -> None:
        if has_left.is_set():
            raise InputError("Nobody waits.")

    def work() -> None:
        with waiting(refuse_who_has_left):
            try:
                if line == "steps":
                    batcher.step(Asked(run, torch.tensor([[1]])))
                with turns.looks:
                    pass
            except InputError as error:
                ended.append(str(error))

    thread = threading.Thread(target=work)
    with turns:
        thread.start()
        until(lambda: turns._steps if line == "steps" else turns._looks)
        has_left.set()
        thread.join(PATIENCE)
        assert ended == ["Nobody waits."]
        assert not turns._steps
        assert not turns._looks
        assert not batcher._waiting
        assert not batcher._expected
    with turns.looks, turns:
        assert not turns.are_free
    assert turns.are_free


def test_one_that_is_closed_before_its_first_token_was_never_there(engine, steps):
    begun(engine, TEXTS[0]).close()
    assert steps == []
    assert not batcher_of(engine)._expected
    assert written(engine, TEXTS[1])


@pytest.mark.parametrize("error", NO_MEMORY.values(), ids=NO_MEMORY)
def test_the_one_that_is_too_large_fails_and_the_others_go_on(engine, steps, monkeypatch, error):
    """Every step of it, alone or in company, takes more than there is."""
    alone = [written(engine, text, min_new_tokens=12) for text in TEXTS[:3]]
    runs = [begun(engine, text) for text in TEXTS[:3]]
    for run in runs:
        next(run), next(run)
    next_logits, large, computed = batching.next_logits, steps[-1][0], []

    def short_of_memory(decodings, tokens):
        logits = next_logits(decodings, tokens)  # the caches have grown by then
        if any(each.cache is large() for each in decodings):
            computed.append(ref(logits[0]))
            raise error()
        return logits

    def outcome(run: Iterator[Generated]) -> tuple:
        try:
            return ids([*run][-1])
        except InputError as told:
            return str(told), type(told.__cause__), {each() for each in computed}

    steps.clear()
    with monkeypatch.context() as patched, without_garbage_collection():
        patched.setattr(batching, "next_logits", short_of_memory)
        told = at_once([lambda run=run: outcome(run) for run in runs])
        assert told == [*alone[:2], (TOO_MUCH, type(error()), {None})]
        assert {1, 2} <= {len(step) for step in steps}  # each alone where they failed together, then the two that go on
        assert large() is None
    assert written(engine, TEXTS[2], min_new_tokens=12) == alone[2]


def test_memory_that_runs_out_between_two_steps_is_told_as_in_one(engine, monkeypatch):
    alone = written(engine, TEXTS[0], num_beams=4)

    def short_of_memory(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patched:
        patched.setattr(CachedDecoding, "reorder", short_of_memory)
        with pytest.raises(InputError, match=re.escape(TOO_MUCH)):
            written(engine, TEXTS[0], num_beams=4)
    assert engine.turns.are_free
    assert written(engine, TEXTS[0], num_beams=4) == alone


def test_what_a_step_had_computed_is_let_go_before_each_takes_it_alone(engine, monkeypatch):
    """It may be just what there is no room for."""
    alone = [written(engine, text) for text in TEXTS[:2]]
    next_logits, computed, seen = batching.next_logits, [], []

    def short_of_memory(decodings, tokens):
        if len(decodings) > 1:
            half_done = torch.zeros(10)
            computed.append(ref(half_done))
            raise torch.OutOfMemoryError("CUDA out of memory")
        seen.extend(each() for each in computed)
        return next_logits(decodings, tokens)

    with without_garbage_collection():
        monkeypatch.setattr(batching, "next_logits", short_of_memory)
        assert at_once([lambda text=text: written(engine, text) for text in TEXTS[:2]]) == alone
    assert computed
    assert set(seen) == {None}


def test_an_error_holds_no_run(engine, steps, monkeypatch):
    """Nor does one that nobody foresaw, once it was told."""
    next_logits = batching.next_logits

    def broken(decodings, tokens):
        next_logits(decodings, tokens)
        raise RuntimeError("broken")

    monkeypatch.setattr(batching, "next_logits", broken)
    with without_garbage_collection():
        before = {id(each) for each in gc.get_objects()}
        for _ in range(2):
            with suppress(RuntimeError):
                written(engine, TEXTS[0])
        assert steps
        assert alive(steps) == 0
        assert not [each for each in gc.get_objects() if isinstance(each, Asked) and id(each) not in before]
