"""The engine on a Ray Serve cluster: replicas that hold the models, and what a page asks them by.

    ray start --head                                 # on other nodes: ray start --address=...
    serve run seq2seq.engine.ray_serve:app
    GLOSS_ENGINE=ray python app.py

A run whose replica dies is done again by another. Whoever stops iterating stops the replica's run after its step.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import closing
from functools import partial
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from seq2seq.engine.elsewhere import ANSWERS, FACTS, STREAMS, WITH_WEIGHTS, Elsewhere, outcomes
from seq2seq.engine.local import Engine
from seq2seq.engine.settings import EngineSettings
from seq2seq.engine.stopping import stoppable
from seq2seq.tasks import InputError

os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")  # or a page that loses its cluster would start one of its own
try:
    import ray
    from ray import serve
    from ray.exceptions import ObjectLostError, RayActorError, WorkerCrashedError
    from ray.serve.exceptions import DeploymentUnavailableError, RayServeException, ReplicaUnavailableError
    from ray.serve.handle import DeploymentHandle, DeploymentResponseGenerator
    from ray.serve.schema import ReplicaState
except ImportError as missing:
    raise ImportError("GLOSS_ENGINE=ray needs Ray Serve. Install it: pip install -r requirements-ray.txt") from missing

log = logging.getLogger(__name__)

SECONDS_BETWEEN_SIGNS = 5  # of life, from a replica that has nothing new to tell
PATIENCE = 45  # seconds without any since one was being started, if any was; Ray ends a page 60 after its cluster
LOOKS = 8  # meanwhile, at whether one is
SECONDS_TO_SAY = 5
LONGEST_START = 600  # seconds, of a replica that has to load its models, on a node that may have to be added
TRIES = 3
MOST_REQUESTS = 64  # that a replica takes, however few there should be; beyond, they wait in silence
GONE = (
    CancelledError, DeploymentUnavailableError, ObjectLostError, RayActorError, ReplicaUnavailableError,
    WorkerCrashedError,
)  # fmt: skip
NO_CLUSTER = (
    "No Ray cluster answers{where}. Start one with `ray start --head`, have it run the models with "
    "`serve run seq2seq.engine.ray_serve:app`, then start the page again."
)
NO_MODELS = "The Ray cluster runs no models. Start them with `serve run seq2seq.engine.ray_serve:app`."
SILENCE = "No machine that runs the models has answered in time. Please try again in a minute."
LOST = "The machine that worked on this has failed, and so have those that took over. Please try again in a minute."


class ReplicaSettings(BaseSettings):
    """How many replicas there are and what each takes of its node, by environment variables that begin with GLOSS_."""

    model_config = SettingsConfigDict(env_prefix="GLOSS_", frozen=True)

    min_replicas: int = Field(1, ge=1)
    max_replicas: int = Field(4, ge=1)
    cpus_per_replica: float = Field(1, gt=0)
    gpus_per_replica: float = Field(0, ge=0)
    requests_per_replica: int = Field(8, ge=1)  # at the same time; with more, another is started


@serve.deployment
class Replica:
    """An engine, its default models loaded, for pages in other processes."""

    def __init__(self, make: Callable[[], Engine]):
        self._engine = make()
        self._engine.load_defaults()

    async def outcomes(self, name: str, args: tuple, kwargs: dict) -> AsyncIterator[tuple]:
        """What is new: an outcome, or, every few seconds without one, nothing, as a sign of life."""
        told, over = stoppable(outcomes)(self._engine, name, args, kwargs), object()
        try:
            while True:
                step = asyncio.ensure_future(anext(told, over))
                while not (await asyncio.wait({step}, timeout=SECONDS_BETWEEN_SIGNS))[0]:
                    yield ()
                if step.result() is over:
                    return
                yield (step.result(),)
        finally:  # also of a request that Ray has cancelled
            step.cancel()
            await asyncio.wait({step})
            await told.aclose()


class Cluster(Elsewhere):
    """Stands for the engines of all replicas. The one here only reads which models there are, by the same settings."""

    asked_there = STREAMS | ANSWERS | FACTS

    def __init__(self, handle: DeploymentHandle):
        self._handle = handle.options(stream=True)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="asking replicas", daemon=True).start()
        settings = self._answer("settings")
        super().__init__(Engine(settings.model_copy(update={"device": "cpu"})))

    def __getattr__(self, name: str) -> Any:
        if name in WITH_WEIGHTS:
            raise AttributeError(f"{name}: models do not leave their replicas.")
        return super().__getattr__(name)

    def close(self) -> None:
        """Ask no more."""
        self._handle.shutdown()
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _ask(self, name: str, args: tuple, kwargs: dict) -> Iterator:
        """Of one replica; where it dies, of another, which begins anew: what was told already is not told again.

        Raises: InputError where none is left that can.
        """
        num_told = 0
        for _ in range(TRIES):
            count, outcome = 0, None
            try:
                with closing(self._ask_a_replica(name, args, kwargs)) as told:
                    for count, outcome in enumerate(told, 1):
                        if count > num_told:
                            num_told = count
                            yield outcome
                if 0 < count < num_told:
                    yield outcome  # another text was drawn, a shorter one
                return
            except GONE as error:
                log.warning("a replica is gone in the middle of %r: %s", name, type(error).__name__)
        raise InputError(LOST)

    def _ask_a_replica(self, name: str, args: tuple, kwargs: dict) -> Iterator:
        response = self._handle.outcomes.remote(name, args, kwargs)
        try:
            while (new := self._next(response)) is not None:
                yield from new
        finally:
            response.cancel()

    def _next(self, response: DeploymentResponseGenerator) -> tuple | None:
        """None at its end. Raises: InputError after too long a silence."""
        return asyncio.run_coroutine_threadsafe(self._patiently(response), self._loop).result()

    async def _patiently(self, response: DeploymentResponseGenerator) -> tuple | None:
        coming = asyncio.ensure_future(anext_or_none(response))
        asked = hopeful = time.monotonic()
        try:
            while time.monotonic() < min(hopeful + PATIENCE, asked + LONGEST_START):
                await asyncio.wait({coming}, timeout=PATIENCE / LOOKS)
                if coming.done():
                    return coming.result()
                if await self._is_hopeful():
                    hopeful = time.monotonic()
        finally:
            coming.cancel()
        raise InputError(SILENCE)

    async def _is_hopeful(self) -> bool:
        try:
            return await asyncio.wait_for(asyncio.to_thread(self.starts_a_replica), SECONDS_TO_SAY)
        except asyncio.TimeoutError:
            log.warning("the cluster does not say whether it starts a replica")
            return False

    def starts_a_replica(self) -> bool:
        """Whether the cluster says that it does. One that is gone may not answer."""
        application = serve.status().applications.get(self._handle.app_name)
        deployments = application.deployments.values() if application else ()
        return any(each.replica_states.get(ReplicaState.STARTING) for each in deployments)


async def anext_or_none(response: DeploymentResponseGenerator) -> tuple | None:
    return await anext(response, None)


def application(make: Callable[[], Engine], settings: ReplicaSettings) -> serve.Application:
    """Replicas of what `make` makes, as many as there is work for."""
    return Replica.options(
        max_ongoing_requests=MOST_REQUESTS,
        autoscaling_config={
            "min_replicas": settings.min_replicas,
            "max_replicas": max(settings.min_replicas, settings.max_replicas),
            "target_ongoing_requests": settings.requests_per_replica,
        },
        ray_actor_options={"num_cpus": settings.cpus_per_replica, "num_gpus": settings.gpus_per_replica},
    ).bind(make)


def join(name: str = "default") -> Cluster:
    """The application of that name, on the cluster that runs here or at RAY_ADDRESS.

    Raises: ConnectionError, with the commands that start what is missing; InputError if the replicas keep silent.
    """
    address = os.environ.get("RAY_ADDRESS", "auto")
    try:
        if address != "auto":
            socket.create_connection(address.rsplit(":", 1), timeout=PATIENCE).close()  # Ray would try for minutes
        ray.init(address, log_to_driver=False, logging_level=logging.WARNING, ignore_reinit_error=True)
        return Cluster(serve.get_app_handle(name))
    except OSError:
        where = "" if address == "auto" else f" at {address} (RAY_ADDRESS)"
        raise ConnectionError(NO_CLUSTER.format(where=where)) from None
    except RayServeException:
        raise ConnectionError(NO_MODELS) from None


app = application(partial(Engine, EngineSettings(side_by_side=True)), ReplicaSettings())
