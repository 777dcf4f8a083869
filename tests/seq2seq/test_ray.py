"""The engine on a Ray Serve cluster, started as the README says: asked by a page and directly, its replicas killed."""

from __future__ import annotations

import asyncio
import gc
import os
import runpy
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

pytest.importorskip("seq2seq.engine.ray_serve", reason="needs Ray Serve", exc_type=ImportError)

import ray
from ray import serve
from ray.exceptions import RayActorError

from seq2seq.engine import Engine, EngineSettings, View, ray_serve
from seq2seq.engine.elsewhere import Failed
from seq2seq.engine.ray_serve import Cluster, Replica, join
from seq2seq.engine.settings import EMBEDDED_MODELS
from seq2seq.models.pretrained import PreTrainedModel
from seq2seq.tasks import GenerationSettings, InputError
from tests.aside import awaited
from tests.demo.stand_in import StandInEngine
from tests.process import free_port, started, title
from tests.waiting import until

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
TEXT = "Rain fell all night. The river rose."
LONG = {"num_beams": 4, "min_new_tokens": 120, "max_new_tokens": 120}  # a second of work
FOUR_TIMES_AS_LONG = LONG | {"min_new_tokens": 480, "max_new_tokens": 480}
REPLICA = "ray::ServeReplica:default:"  # what its process is called
SECONDS_TO_START = 300


@dataclass
class Replicas:
    """A handle to replicas that play what they are given, one after another: outcomes, errors and silent seconds."""

    plays: list[list]
    cancelled: int = 0

    def options(self, stream: bool) -> Replicas:
        return self

    @property
    def outcomes(self) -> Replicas:
        return self

    def remote(self, *asked) -> Play:
        return Play(self, iter(self.plays.pop(0)))


@dataclass
class Play:
    replicas: Replicas
    outcomes: Iterator

    async def __anext__(self) -> tuple:
        for outcome in self.outcomes:
            if isinstance(outcome, float):
                await asyncio.sleep(outcome)
                continue
            if isinstance(outcome, RayActorError):
                raise outcome
            return (outcome,)
        raise StopAsyncIteration

    def __aiter__(self) -> Play:
        return self

    def cancel(self) -> None:
        self.replicas.cancelled += 1


def asked_of(*plays: list) -> Cluster:
    return Cluster(Replicas([[EngineSettings(device="cuda")], *plays]))


def test_what_was_told_is_not_told_again_by_the_next_replica():
    cluster = asked_of(["a", "ab", RayActorError()], [RayActorError()], ["a", "ab", "abc"])
    assert list(cluster.run("fuse", TEXT)) == ["a", "ab", "abc"]


def test_of_a_shorter_text_that_is_drawn_the_next_time_the_end_is_told():
    cluster = asked_of(["a", "ab", "abc", RayActorError()], ["x", "xy"])
    assert list(cluster.run("fuse", TEXT)) == ["a", "ab", "abc", "xy"]
    cluster = asked_of(["a", "ab", "abc", RayActorError()], [Failed(InputError("too long"))])
    with pytest.raises(InputError, match="too long"):
        list(cluster.run("fuse", TEXT))


def test_when_no_replica_survives_it_says_so():
    cluster = asked_of(*[["a", RayActorError()]] * ray_serve.TRIES)
    with pytest.raises(InputError, match="try again"):
        list(cluster.run("fuse", TEXT))


def test_a_replica_that_is_being_started_is_waited_for(monkeypatch):
    monkeypatch.setattr(ray_serve, "PATIENCE", 0.1)
    cluster = asked_of([0.5, "a"], [60.0, "a"])
    monkeypatch.setattr(cluster, "starts_a_replica", lambda: True)
    assert list(cluster.run("fuse", TEXT)) == ["a"]
    monkeypatch.setattr(cluster, "starts_a_replica", lambda: False)
    with pytest.raises(InputError, match="answered in time"):
        list(cluster.run("fuse", TEXT))


def test_a_replica_that_was_started_has_time_to_answer(monkeypatch):
    monkeypatch.setattr(ray_serve, "PATIENCE", 1.0)
    cluster = asked_of([1.5, "a"])
    started = time.monotonic() + 0.9
    monkeypatch.setattr(cluster, "starts_a_replica", lambda: time.monotonic() < started)
    assert list(cluster.run("fuse", TEXT)) == ["a"]


def test_models_stay_where_they_are():
    cluster = asked_of()
    for name in ("load", "pair", "forget"):
        with pytest.raises(AttributeError, match="do not leave"):
            getattr(cluster, name)


def test_a_replica_that_has_nothing_new_gives_signs_of_life(monkeypatch):
    monkeypatch.setattr(ray_serve, "SECONDS_BETWEEN_SIGNS", 0.1)
    replica = Replica.func_or_class(partial(StandInEngine, 0.5))

    async def heard() -> list[tuple]:
        return [new async for new in replica.outcomes("run", ("fuse", "echo me"), {})]

    new = awaited(heard())
    assert new[0] == ()
    *_, (last,) = new
    assert last.finished


def test_a_run_that_is_given_up_ends_with_its_step():
    replica = Replica.func_or_class(partial(StandInEngine, 0.1))

    async def give_up_after_one() -> None:
        heard = replica.outcomes("run", ("fuse", TEXT), {})
        await anext(heard)
        await heard.aclose()

    awaited(give_up_after_one())
    time.sleep(0.5)
    assert replica._engine.steps <= 2


def test_without_ray_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match="pip install -r requirements-ray.txt"):
        runpy.run_path(ray_serve.__file__)


def test_without_a_cluster_it_says_how_to_start_one(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port()}")
    with pytest.raises(ConnectionError, match=r"ray start --head.*serve run seq2seq.engine.ray_serve:app"):
        join()


@dataclass
class Started:
    """A cluster with our models, as the README starts one."""

    address: str
    head: psutil.Process

    def replica(self, application: str = "default") -> psutil.Process:
        [process] = (
            each for each in self.head.children(recursive=True) if title(each).startswith(REPLICA.format(application))
        )
        return process


def num_models_here() -> int:
    gc.collect()  # what other tests have left
    return sum(issubclass(type(each), PreTrainedModel) for each in gc.get_objects())


@contextmanager
def running(*command: str, log: Path, environment: dict[str, str], until: str = "") -> Iterator[psutil.Process]:
    """One of Ray's programs, ended with all that it has started; it is there once it has told `until`."""
    with log.open("w") as told:
        process = psutil.Popen([TOOLS / command[0], *command[1:]], cwd=ROOT, env=environment, stdout=told, stderr=told)
    try:
        deadline = time.monotonic() + SECONDS_TO_START
        while until not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield process
    finally:
        family = [process]
        with suppress(psutil.NoSuchProcess):
            family += process.children(recursive=True)
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(family)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A folder with two of ours."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("gloss-fusion", "gloss-answers"):
        (folder / name).symlink_to(EMBEDDED_MODELS / name)
    return folder


@pytest.fixture(scope="module")
def cluster(models, tmp_path_factory) -> Iterator[Started]:
    """On one processor and free ports; the command stays in front, so that it can be ended alone."""
    logs, address = tmp_path_factory.mktemp("ray"), f"127.0.0.1:{free_port()}"
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    ours = {"RAY_ADDRESS": address, "GLOSS_MODELS": str(models), "GLOSS_DTYPE": "float32"}
    with (
        tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder,  # sockets want short names
        pytest.MonkeyPatch.context() as patch,
        running(
            "ray", "start", "--head", f"--port={address.split(':')[1]}", "--num-cpus=1", "--include-dashboard=false",
            f"--temp-dir={folder}", "--block",
            log=logs / "ray", environment=environment, until="Ray runtime started",
        ) as head,
    ):  # fmt: skip
        patch.setenv("RAY_ADDRESS", address)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(address, log_to_driver=False)
        serve.start(proxy_location="Disabled")  # or it would take port 8000
        with running(
            "serve", "run", "seq2seq.engine.ray_serve:app",
            log=logs / "serve", environment=environment | ours, until="is ready",
        ):  # fmt: skip
            yield Started(address, head)
        ray.shutdown()


@pytest.fixture(scope="module")
def engine(cluster) -> Iterator[Cluster]:
    with closing(join()) as engine:
        yield engine


@pytest.fixture(scope="module")
def client(cluster, tmp_path_factory) -> Iterator[Client]:
    """Of a page that has joined the cluster."""
    settings = {"GLOSS_ENGINE": "ray", "RAY_ADDRESS": cluster.address}
    with started(Path(sys.executable), ROOT, settings, tmp_path_factory.mktemp("page") / "log") as (_, address):
        yield Client(address, verbose=False)


@pytest.fixture(scope="module")
def alone(models) -> Engine:
    return Engine(EngineSettings(models=models, dtype="float32"))


def test_it_tells_what_an_engine_alone_tells_and_keeps_no_model_here(engine, alone):
    before = num_models_here()
    there = list(engine.run("fuse", TEXT))
    looked = engine.attention(there[-1].written("fuse"), View("cross", layer=2))
    *_, reading = engine.answer("What rose?", TEXT)
    count = engine.count_tokens("fuse", TEXT)
    assert set(engine.loaded) == {"gloss-fusion", "gloss-answers"}
    assert engine.machine.device == "CPU"
    assert num_models_here() == before

    usual = list(alone.run("fuse", TEXT))
    assert num_models_here() > before
    assert [each.text for each in there] == [each.text for each in usual]
    assert there[-1].finished
    weights = alone.attention(usual[-1].written("fuse"), View("cross", layer=2)).weights
    assert looked.weights == pytest.approx(weights, abs=1e-5)
    assert reading.answer.best.text == "The river rose"
    assert count == alone.count_tokens("fuse", TEXT)
    assert engine.models("fuse") == alone.models("fuse")


def test_a_page_joins_it(client, alone):
    *_, last = alone.run("fuse", TEXT)
    assert client.predict(TEXT, api_name="/fuse") == last.text


def test_errors_come_in_words(client):
    with pytest.raises(AppError, match="There is no text yet"):
        client.predict(" ", api_name="/fuse")
    with pytest.raises(ConnectionError, match="serve run seq2seq.engine.ray_serve:app"):
        join("another")


def test_a_replica_that_is_killed_in_mid_stream_loses_nothing(cluster, client, engine, alone):
    *_, last = alone.run("fuse", TEXT, settings=GenerationSettings(**LONG))
    replica = cluster.replica()
    job = client.submit(TEXT, **LONG, api_name="/fuse")
    while not job.outputs():
        time.sleep(0.01)
    os.kill(replica.pid, signal.SIGKILL)
    assert not job.done()
    until(engine.starts_a_replica, SECONDS_TO_START)
    assert job.result(timeout=SECONDS_TO_START) == last.text
    assert not engine.starts_a_replica()
    assert cluster.replica() != replica


def test_whoever_stops_listening_stops_the_replica(cluster, engine, alone):
    began = time.process_time()
    list(alone.run("fuse", TEXT, settings=GenerationSettings(**LONG)))
    much = time.process_time() - began
    run = engine.run("fuse", TEXT, settings=GenerationSettings(**FOUR_TIMES_AS_LONG))
    next(run)
    run.close()
    used = cluster.replica().cpu_times().user
    until(lambda: takes_little(cluster.replica()))
    assert cluster.replica().cpu_times().user - used < 2 * much


def takes_little(process: psutil.Process) -> bool:
    """Of a second."""
    used = process.cpu_times().user
    time.sleep(1)
    return process.cpu_times().user - used < 0.5


def test_a_silent_cluster_is_no_hang(cluster, engine, monkeypatch):
    run = engine.run("fuse", TEXT, settings=GenerationSettings(**LONG))
    next(run)
    monkeypatch.setattr(ray_serve, "PATIENCE", 1)
    replica = cluster.replica()
    replica.suspend()
    with pytest.raises(InputError, match="answered in time"):
        list(run)
    replica.resume()
