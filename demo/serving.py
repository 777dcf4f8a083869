"""The page as a server: its limits, what proxies and monitors ask of it, and an end that breaks nothing off.

`/healthz` answers as long as the process does, `/readyz` with 503 until the default models are in memory and again when
the server is about to stop, and `/metrics`, where the host wants it, in Prometheus' format.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from demo.calls import Call, Calls
from demo.door import Door, Refusal
from demo.early_cancel import EarlyCancel
from demo.following import follow
from demo.gate import Gate
from demo.layout import build
from demo.logs import log_as_json, log_call, log_in_words
from demo.metrics import Metrics
from demo.sessions import Sessions, Streams
from demo.settings import PageSettings
from demo.theme import launch_options
from demo.timed_engine import TimedEngine
from demo.tools import NOT_INSTALLED, answer_calls
from seq2seq.engine import Engine

NO_STATISTICS = {  # of Gradio's own, which are for its monitoring page: on all events, made anew at the end of each
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(10**9),
    "GRADIO_ANALYTICS_MAX_EVENTS": "1",
}
LAST_STEP_SECONDS = 5  # that a run which has to end may need for the step under way, and its page to be told
TELLING_SECONDS = 2  # in which whoever listens is told; a page that was closed never is


class Server:
    """One page around one engine. `demo` is what Gradio launches."""

    def __init__(self, engine: Engine, settings: PageSettings):
        self.engine = engine
        self.settings = settings
        self.calls = Calls(settings.time_limit, self.tell)
        self.metrics = Metrics(*self.counts) if settings.metrics else None
        self.is_loaded = Event()
        self.is_stopped = Event()
        os.environ.update(NO_STATISTICS | os.environ)
        self.demo = build(TimedEngine(engine, settings.max_characters))
        follow(self.demo, self.calls)
        self.demo.queue(
            max_size=settings.max_waiting,
            default_concurrency_limit=settings.concurrency,
            api_open=False,  # or programs could run a model past the queue
        )
        self.early_cancel = EarlyCancel(self.demo._queue)

    def serve(self) -> None:
        """Until the process is told to stop; then requests that are under way have some seconds to finish."""
        log_as_json() if self.settings.json_logs else log_in_words()
        Thread(target=self.load, daemon=True).start()  # the page need not wait for it
        self.launch()
        signal.signal(signal.SIGTERM, lambda *_: self.is_stopped.set())  # with Node, Gradio has put in one of its own
        try:
            self.is_stopped.wait()
            self.finish()
        except KeyboardInterrupt:  # at the keyboard, at once
            pass
        self.demo.close()
        if self.demo.node_process:
            self.demo.node_process.terminate()

    def launch(self, **options) -> str:
        """Serve from a thread of its own; the page's address.

        Raises: SystemExit where tools are to be offered, and what that needs is not installed.
        """
        os.environ["FORWARDED_ALLOW_IPS"] = self.settings.trusted_proxies  # for uvicorn, which Gradio starts
        routes = [Route("/healthz", self.health), Route("/readyz", self.readiness)]
        if self.metrics:
            routes.append(Route("/metrics", self.measurements))
        door = Middleware(Door, self.demo, self.settings, lambda: not self.is_stopped.is_set(), self.tell_refusal)
        gate = Middleware(Gate, self.demo, self.early_cancel, self.settings.max_file_bytes)
        streams = Middleware(Streams, self.demo)
        _, address, _ = self.demo.launch(
            prevent_thread_lock=True,
            max_file_size=self.settings.max_file_bytes,
            app_kwargs={"routes": routes, "middleware": [door, gate, streams]},
            mcp_server=self.settings.mcp or None,  # or as Gradio's own variable says
            _frontend=False,  # only leaves out a check that the page comes within 3 s, which slow machines fail
            **launch_options(),
            **options,
        )
        self.demo.app.state_holder = Sessions(self.demo)
        if self.demo.mcp_server_obj:
            answer_calls(self.demo)
        elif self.settings.mcp:
            self.demo.close()
            raise SystemExit(NOT_INSTALLED)
        return address.rstrip("/")

    def load(self) -> None:
        self.engine.load_defaults()
        self.is_loaded.set()

    def finish(self) -> None:
        """Wait for what is under way; what has not ended in time ends with what is there."""
        wait_while(self.is_busy, self.settings.grace_seconds)
        self.calls.end_all()
        wait_while(self.is_busy, LAST_STEP_SECONDS)
        wait_while(self.has_news, TELLING_SECONDS)

    def is_busy(self) -> bool:
        return bool(self.calls.running or self.num_waiting())

    def has_news(self) -> bool:
        """Whether somebody has yet to be told how a run ended, which nobody is once the queue is closed."""
        return any(self.demo._queue.pending_event_ids_session.values())

    @property
    def counts(self) -> tuple[Callable[[], Any], ...]:
        """What metrics look up when they are asked for."""
        return self.num_waiting, lambda: len(self.calls.running), lambda: self.engine.loaded

    def num_waiting(self) -> int:
        return len(self.demo._queue)

    def tell(self, call: Call) -> None:
        """Log and count one that is over."""
        log_call(call)
        if self.metrics:
            self.metrics.count(call)

    def tell_refusal(self, endpoint: str, refusal: Refusal) -> None:
        self.tell(Call(endpoint, outcome="refused", reason=refusal.reason))

    async def health(self, request: Request) -> Response:
        return PlainTextResponse("The page is up.\n")

    async def readiness(self, request: Request) -> Response:
        if self.is_stopped.is_set():
            return PlainTextResponse("The page is about to stop.\n", 503)
        if not self.is_loaded.is_set():
            return PlainTextResponse("The models are being loaded.\n", 503)
        return PlainTextResponse("The page is ready.\n")

    async def measurements(self, request: Request) -> Response:
        return Response(self.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def wait_while(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while condition() and time.monotonic() < deadline:
        time.sleep(0.05)
