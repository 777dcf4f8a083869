"""A borrowed GPU: what reaches the process that has it, what comes back, and that nothing needs one elsewhere."""

from __future__ import annotations

import inspect
import pickle
import runpy
import sys
from collections.abc import Callable, Iterator
from functools import partial, wraps
from types import SimpleNamespace

import gradio as gr
import pytest

from demo import zero_gpu
from demo.answering import Answering
from demo.handlers import Handlers
from demo.looking import Looking, Seen
from demo.setting_fields import FIELDS
from demo.zero_gpu import SECONDS, Borrowing, borrowing, gpu
from seq2seq.engine import Engine, EngineSettings
from seq2seq.tasks import InputError
from tests.demo.stand_in import StandInEngine

TEXT = "Rain fell all night. The river rose."
EMPTY = ("",) * len(FIELDS)
NEEDS_NO_GPU = {
    "answer_settings", "card", "count_tokens", "encoders", "load", "load_defaults", "loading", "machine", "models",
    "loaded", "must_be_fetched", "read_ahead",
}  # fmt: skip
NOT_OF_A_PAGE = {"answer_many", "doubting", "forget", "pair", "run_many"}


class Spaces:
    """As the package `spaces` on ZeroGPU: what a decorated function is given and yields is pickled on its way."""

    def __init__(self):
        self.asked = []  # seconds
        self.closed = 0
        self.refusal = None

    def GPU(self, task: Callable | None = None, *, duration: int | Callable[..., int]) -> Callable:
        if task is None:
            return partial(self.GPU, duration=duration)
        assert inspect.isgeneratorfunction(task)

        @wraps(task)
        def elsewhere(*args, **kwargs) -> Iterator:
            self.asked.append(duration(*args, **kwargs) if callable(duration) else duration)
            if self.refusal:
                raise self.refusal
            args, kwargs = pickle.loads(pickle.dumps((args, kwargs)))
            steps = task(*args, **kwargs)
            try:
                for step in steps:
                    yield pickle.loads(pickle.dumps(step))
            finally:
                steps.close()
                self.closed += 1

        return elsewhere


@pytest.fixture
def spaces(monkeypatch) -> Spaces:
    spaces = Spaces()
    monkeypatch.setattr(zero_gpu, "spaces", spaces)
    return spaces


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(EngineSettings())


def counted(upto: int) -> Iterator[int]:
    yield from range(upto)


def test_without_the_package_nothing_changes(engine):
    assert zero_gpu.spaces is None
    assert gpu(10)(counted) is counted
    assert borrowing(engine) is engine


def test_the_package_is_taken_where_it_is(monkeypatch):
    package = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "spaces", package)
    assert runpy.run_path(zero_gpu.__file__)["spaces"] is package


def test_a_generator_stays_one(spaces):
    decorated = gpu(10)(counted)
    assert inspect.isgeneratorfunction(decorated)
    assert list(decorated(3)) == [0, 1, 2]
    assert spaces.asked == [10]


def test_of_all_that_an_engine_does_it_is_known_whether_it_needs_a_gpu():
    known = set(SECONDS) | NEEDS_NO_GPU | NOT_OF_A_PAGE
    assert {name for name in dir(Engine) if not name.startswith("_")} <= known


def test_the_whole_way_of_a_fusion_and_of_looking_back_at_it(spaces, engine):
    engine.load("fuse")
    usual = list(Handlers(engine).generate("fuse", TEXT, None, "automatic", False, *EMPTY))
    *_, (shown, run) = borrowed = list(
        Handlers(borrowing(engine)).generate("fuse", TEXT, None, "automatic", False, *EMPTY)
    )
    assert [snapshot["text"] for snapshot, _ in borrowed] == [snapshot["text"] for snapshot, _ in usual]
    assert shown["text"]
    assert spaces.asked == [SECONDS["run"]]

    looking = Looking(borrowing(engine))
    explored = looking.take(run, 0)[5]
    [seen] = [each for each in looking.open(explored) if isinstance(each, Seen)]
    assert seen.record.num_heads == 12
    assert looking.confidence(explored, False)[0]
    assert looking.glance(explored, "cross", None)[0]
    assert looking.beams(explored)
    assert looking.without_heads(explored, "cross", [5], [0])[0]
    *_, (found, _) = looking.why(explored, 0)
    assert not found["problem"]
    *_, (_, sources) = Handlers(borrowing(engine)).provenance(run)
    assert '"problem":""' in sources.replace(" ", "")


def test_an_answer(spaces, engine):
    *_, last = Answering(borrowing(engine)).read("What rose?", TEXT, None)
    assert last[0]["text"] == "The river rose"
    assert spaces.asked == [SECONDS["answer"]]


def test_what_needs_no_gpu_borrows_none(spaces, engine):
    borrowed = borrowing(engine)
    assert borrowed.count_tokens("fuse", TEXT) == engine.count_tokens("fuse", TEXT)
    assert borrowed.models("fuse") == engine.models("fuse")
    assert spaces.asked == []


def test_to_a_caller_it_has_the_engines_signatures(spaces, engine):
    for name in SECONDS:
        assert inspect.signature(getattr(borrowing(engine), name)) == inspect.signature(getattr(engine, name))


def test_whoever_stops_listening_stops_the_work(spaces):
    engine = StandInEngine(seconds_per_token=0)
    steps = Borrowing(engine).run("fuse", TEXT)
    next(steps)
    steps.close()
    assert spaces.closed == 1
    assert engine.steps == 1


def test_errors_keep_their_words_and_those_that_nobody_foresaw_their_traceback(spaces):
    borrowed = Borrowing(StandInEngine(seconds_per_token=0))
    with pytest.raises(InputError, match="write or paste some text"):
        list(borrowed.run("fuse", " "))
    with pytest.raises(RuntimeError, match="write_section|the secret inside"):
        list(borrowed.run("fuse", "explode"))


def test_a_visitor_without_any_seconds_left_is_told_so(spaces):
    spaces.refusal = gr.Error("You have exceeded your free ZeroGPU quota. Try again in 1:00:00.")
    [(shown, run)] = Handlers(Borrowing(StandInEngine())).generate("fuse", TEXT, None, "automatic", False, *EMPTY)
    assert "Try again in 1:00:00" in shown["problem"]
    assert run is None


def test_every_model_is_there_before_anyone_asks(spaces):
    engine = Engine(EngineSettings())
    borrowing(engine)
    assert len(spaces.asked) == 0
    assert engine.loaded.keys() == {card.name for card in engine.encoders() if card.folder}
