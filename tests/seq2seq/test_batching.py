"""Runs that share their steps against each alone; turns; one's trouble is not another's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor

from seq2seq.engine import Engine, EngineSettings, batching
from seq2seq.models import together
from seq2seq.models.generating import CachedDecoding
from seq2seq.models.stack import Stack
from seq2seq.tasks import GenerationSettings, InputError
from seq2seq.tasks import turns as taking
from seq2seq.tasks.turns import Turns, in_turns
from tests.waiting import PATIENCE, until

TEXTS = (
    "The bridge was built in 1932. It was closed in the spring.",
    "Anna Lind moved to Oslo, where she opened a small bakery.",
    "Rain fell.",
    "Researchers in Geneva measured the distance again and found it shorter.",
)
STEPS = 8


@pytest.fixture(params=["float32", "bfloat16"])
def engine(models, request) -> Engine:
    return Engine(EngineSettings(models=models, device="cpu", dtype=request.param))


def begun(engine: Engine, model: str, text: str, num_beams: int = 1) -> tuple[CachedDecoding, Tensor]:
    """A decoder that has read the start token, and the next token of each row."""
    writer = engine.load("summarize", model)
    config = writer.generation_config("summarize", GenerationSettings(num_beams=num_beams))
    input_ids = torch.tensor([writer.source("summarize", text).input_ids])
    start_ids, decoding = writer.model.start(input_ids, None, config, {})
    logits = decoding(start_ids)
    decoding.reorder(torch.zeros(num_beams, dtype=torch.long))
    return decoding, logits.topk(num_beams).indices.T


def stepped(runs: Sequence[tuple[CachedDecoding, Tensor]]) -> list[Tensor]:
    """The logits (STEPS N V) of greedy steps that the runs take together."""
    decodings, tokens = map(list, zip(*runs, strict=True))
    seen = []
    for _ in range(STEPS):
        logits = together.next_logits(decodings, tokens)
        seen.append(logits)
        tokens = [each.argmax(dim=-1, keepdim=True) for each in logits]
    return [torch.stack(each) for each in zip(*seen, strict=True)]


@pytest.mark.parametrize("model", ["taught", "summarizing"])
def test_a_step_together_is_each_ones_own(engine, model):
    beams = (1, 3, 1, 2)
    runs = [begun(engine, model, text, count) for text, count in zip(TEXTS, beams, strict=True)]
    shared = stepped(runs)
    for text, count, logits in zip(TEXTS, beams, shared, strict=True):
        [alone] = stepped([begun(engine, model, text, count)])
        assert torch.allclose(alone, logits, atol=1e-5, rtol=1e-5)
        decoding, tokens = begun(engine, model, text, count)
        plain = []
        for _ in range(STEPS):
            plain.append(decoding(tokens))
            tokens = plain[-1].argmax(dim=-1, keepdim=True)
        close = {"atol": 1e-5} if logits.dtype == torch.float32 else {"atol": 0.1, "rtol": 0.05}
        assert torch.allclose(torch.stack(plain), logits, **close)


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
def test_company_changes_no_bit_in_bfloat16(models):
    engine = Engine(EngineSettings(models=models, device="cpu", dtype="bfloat16"))
    runs = [begun(engine, "taught", text) for text in TEXTS]
    for text, logits in zip(TEXTS, stepped(runs), strict=True):
        assert torch.equal(stepped([begun(engine, "taught", text)])[0], logits)


def test_what_cannot_be_shared_is_told(engine):
    decoding, tokens = begun(engine, "taught", TEXTS[0])
    assert together.can_share(decoding, tokens)
    assert not together.can_share(decoding, tokens.expand(1, 2))
    decoding.head_mask = torch.ones(4)
    assert not together.can_share(decoding, tokens)


def written(engine: Engine, text: str, **settings) -> tuple[int, ...]:
    *_, last = engine.run("fuse", text, "taught", GenerationSettings(**settings))
    return last.sections[0].target_ids


def at_once(acts: Sequence[Callable]) -> list:
    """What each gives, or raises, when all begin at the same time."""
    gate = threading.Barrier(len(acts))

    def begin(act: Callable):
        gate.wait()
        try:
            return act()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(begin, acts))


@pytest.fixture
def sizes(monkeypatch) -> list[int]:
    """Of how many runs each step was."""
    seen, next_logits = [], batching.next_logits
    monkeypatch.setattr(
        batching, "next_logits", lambda runs, tokens: seen.append(len(runs)) or next_logits(runs, tokens)
    )
    return seen


SETTINGS = ({}, {"num_beams": 3}, {"do_sample": True, "seed": 7}, {"num_beams": 2, "min_new_tokens": 9})


def test_runs_at_the_same_time_write_what_each_writes_alone(engine, sizes):
    wanted = [(text, settings) for text in TEXTS for settings in SETTINGS]
    alone = [written(engine, text, **settings) for text, settings in wanted]
    assert set(sizes) == {1}
    sizes.clear()
    together = at_once([lambda text=text, more=more: written(engine, text, **more) for text, more in wanted])
    assert together == alone
    assert max(sizes) > 1


def test_one_joins_and_one_leaves_between_the_steps_of_another(engine, sizes, monkeypatch):
    monkeypatch.setattr(batching, "GRACE", 5.0)  # as long as a busy machine needs to wake a thread
    alone = written(engine, TEXTS[0], min_new_tokens=12), written(engine, TEXTS[1], min_new_tokens=12)
    sizes.clear()
    first, second = (engine.run("fuse", text, "taught", GenerationSettings(min_new_tokens=12)) for text in TEXTS[:2])
    got = [next(first) for _ in range(3)]
    pairs = [at_once([lambda: next(first), lambda: next(second)]) for _ in range(4)]
    second.close()
    got += [one for one, _ in pairs] + list(first)
    assert got[-1].sections[0].target_ids == alone[0]
    assert pairs[-1][1].sections[0].target_ids == alone[1][:4]
    assert sizes[0] == sizes[-1] == 1
    assert 2 in sizes


def test_the_trouble_of_one_is_not_the_others(engine, monkeypatch):
    wanted = [written(engine, text, min_new_tokens=9) for text in TEXTS[:3]]
    next_logits, alone = batching.next_logits, []

    def failing(runs, tokens):
        logits = next_logits(runs, tokens)  # the caches have grown by then
        if len(runs) > 1:
            raise torch.OutOfMemoryError("no room for so many")
        alone.append(runs)
        return logits

    monkeypatch.setattr(batching, "next_logits", failing)
    runs = [lambda text=text: written(engine, text, min_new_tokens=9) for text in TEXTS[:3]]
    assert at_once(runs) == wanted
    assert alone


def test_an_error_reaches_the_run_that_it_is_of_and_the_next_works(engine, monkeypatch):
    def broken(*_):
        raise RuntimeError("broken")

    with monkeypatch.context() as patched:
        patched.setattr(batching, "next_logits", broken)
        with pytest.raises(RuntimeError, match="broken"):
            written(engine, TEXTS[0])
    assert written(engine, TEXTS[0])
    with pytest.raises(InputError):
        written(engine, "...")
    assert written(engine, TEXTS[0])


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"),
    ],
)
@pytest.mark.parametrize("when", [1, 4])  # the encoder, and a step of the decoder
def test_running_out_of_memory_is_told_plainly_and_the_next_works(engine, monkeypatch, error, when):
    calls, hidden_states = [], Stack.hidden_states

    def failing(*arguments, **more):
        calls.append(1)
        if len(calls) >= when:
            raise error
        return hidden_states(*arguments, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Stack, "hidden_states", failing)
        with pytest.raises(InputError, match="more memory than there is"):
            written(engine, TEXTS[0])
    assert written(engine, TEXTS[0])


def test_whatever_is_asked_only_one_computes(engine, monkeypatch):
    busy, most, forward = [], [], Stack.hidden_states

    def watched(*arguments, **more):
        busy.append(1)
        most.append(len(busy))
        time.sleep(0.001)
        try:
            return forward(*arguments, **more)
        finally:
            busy.pop()

    monkeypatch.setattr(Stack, "hidden_states", watched)
    pair = engine.force("fuse", TEXTS[0], "The bridge was built.", "taught")
    acts = [
        *(lambda text=text: written(engine, text) for text in TEXTS),
        lambda: engine.choices(pair),
        lambda: engine.heads(pair, "cross"),
        lambda: engine.provenance(pair, False),
        lambda: list(engine.why(pair, engine.stretches(pair)[0])),
        lambda: engine.beam_tree(pair),
    ]
    assert not [each for each in at_once(acts) if isinstance(each, Exception)]
    assert set(most) == {1}


def test_turns_come_in_the_order_of_asking():
    turns, order, threads = Turns(), [], []
    with turns, turns:
        for number in range(5):
            threads.append(threading.Thread(target=lambda number=number: enter(turns, order, number)))
            threads[-1].start()
            until(lambda: len(turns._steps) == len(threads))
        assert order == []
    for thread in threads:
        thread.join(PATIENCE)
    assert order == [0, 1, 2, 3, 4]


def enter(turns: Turns, order: list[int], number: int) -> None:
    with turns:
        order.append(number)


def look(turns: Turns, order: list[str]) -> None:
    with turns.looks:
        time.sleep(0.2)
        order.append("look")


def write_steps(turns: Turns, order: list[str], count: int) -> None:
    for _ in range(count):
        with turns:
            order.append("step")


def all_in_line(count: int, work: Callable[..., None], turns: Turns, *arguments) -> list[threading.Thread]:
    """Begun, and waiting in `turns.looks`, which this thread keeps from them."""
    threads = [threading.Thread(target=work, args=(turns, *arguments)) for _ in range(count)]
    for thread in threads:
        thread.start()
    until(lambda: len(turns._looks) == count)
    return threads


def test_who_writes_does_not_wait_for_all_looks_at_every_token(monkeypatch):
    monkeypatch.setattr(taking, "MOMENT", 10)  # however late a busy machine lets a thread go on
    turns, order = Turns(), []
    with turns:
        looks = all_in_line(4, look, turns, order)
    write_steps(turns, order, 20)
    monkeypatch.setattr(taking, "MOMENT", 0)
    for thread in looks:
        thread.join(PATIENCE)
    assert order.count("look") == 4
    assert order[: order.index("step")] == ["look"]
    assert order[: len(order) - order[::-1].index("step")].count("look") <= 2


def test_looks_have_their_turn_while_others_write_without_an_end():
    turns, order, over = Turns(), [], threading.Event()

    def write() -> None:
        while not over.is_set():
            write_steps(turns, order, 1)

    with turns:
        writers = [threading.Thread(target=write) for _ in range(2)]
        for thread in writers:
            thread.start()
        looks = all_in_line(3, look, turns, order)
    for thread in looks:
        thread.join(PATIENCE)
    over.set()
    for thread in writers:
        thread.join(PATIENCE)
    first, last = order.index("look"), len(order) - order[::-1].index("look")
    assert order.count("look") == 3
    assert order[first:last].count("step") > 3


def test_one_who_looks_may_write_meanwhile_and_the_other_way_round():
    turns = Turns()
    with turns.looks, turns, turns.looks:
        assert not turns.are_free
    with turns, turns.looks:
        assert not turns.are_free
    assert turns.are_free


@pytest.mark.parametrize("line", ["steps", "looks"])
def test_a_turn_that_cannot_begin_is_given_back(line):
    class Locked(nullcontext):
        def __enter__(self) -> None:
            raise OSError("no locks available")

    turns = Turns(Locked())
    mine = turns.looks if line == "looks" else turns
    for _ in range(2):
        with pytest.raises(OSError, match="no locks"), mine:
            pass
    assert turns.are_free


def test_items_in_turns_leave_room_between_them():
    turns = Turns()
    items = in_turns(turns, iter("ab"))
    assert next(items) == "a"
    entered: list[int] = []
    thread = threading.Thread(target=enter, args=(turns, entered, 1))
    thread.start()
    thread.join(PATIENCE)
    assert entered == [1]
    assert list(items) == ["b"]
