"""The page as a server: its limits, what proxies and monitors ask of it, and an end that breaks nothing off.

`/healthz` answers as long as the process does, `/readyz` with 503 until the default models are in memory and again when
the server is about to stop, and `/metrics`, where the host wants it, in Prometheus' format.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event, Thread
from typing import Any, NoReturn

from gradio.utils import get_upload_folder
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.config import HTTP_PROTOCOLS

from demo.calls import Call, Calls
from demo.layout import build
from demo.refusals import Refusal
from demo.serving.connections import PROTOCOL, Connections
from demo.serving.door import Door
from demo.serving.early_cancel import EarlyCancel
from demo.serving.failures import Failures
from demo.serving.following import follow
from demo.serving.gate import Gate
from demo.serving.logs import log_as_json, log_call, log_in_words
from demo.serving.metrics import Metrics
from demo.serving.node import give_node_time
from demo.serving.pages import Pages
from demo.serving.places import Places
from demo.serving.sessions import Sessions, Streams
from demo.serving.timed_engine import TimedEngine
from demo.serving.tools import NOT_INSTALLED, answer_calls
from demo.serving.uploads import Uploads
from demo.settings import PageSettings
from demo.theme import launch_options
from seq2seq.engine import Engine

NO_STATISTICS = {  # of Gradio's own, which are for its monitoring page: on all events, made anew at the end of each
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(10**9),
    "GRADIO_ANALYTICS_MAX_EVENTS": "1",
}
PORT, NAME = "GRADIO_SERVER_PORT", "GRADIO_SERVER_NAME"
LAST_STEP_SECONDS = 5  # that a run which has to end may need for the step under way, and its page to be told
LEAVING_SECONDS = 1  # for both, at the keyboard
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
        refuse_without_models(engine)
        refuse_to_write_nowhere(Path(get_upload_folder()))
        self.demo = build(TimedEngine(engine, settings.max_characters))
        follow(self.demo, self.calls)
        self.demo.queue(
            max_size=None,  # see Places
            default_concurrency_limit=settings.concurrency,
            api_open=False,  # or programs could run a model past the queue
        )
        self.places = Places(self.demo._queue, settings.max_waiting)
        self.early_cancel = EarlyCancel(self.demo._queue)

    def serve(self) -> None:
        """Until the process is told to stop; then requests that are under way have some seconds to finish."""
        log_as_json() if self.settings.json_logs else log_in_words()
        Thread(target=self.load, daemon=True).start()  # the page need not wait for it
        try:
            self.launch()
        except SystemExit as told:
            print(told, file=sys.stderr, flush=True)
            self.exit(1)
        signal.signal(signal.SIGTERM, lambda *_: self.is_stopped.set())  # with Node, Gradio has put in one of its own
        try:
            if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
                signal.signal(signal.SIGINT, signal.default_int_handler)  # until now, it ended the start
            self.is_stopped.wait()
            self.finish()
        except KeyboardInterrupt:
            self.leave()
        self.demo.close()
        self.exit()

    def leave(self) -> None:
        """At the keyboard, in a moment, or pressed again, at once: open streams are not waited for."""
        signal.signal(signal.SIGINT, lambda *_: os._exit(0))
        self.is_stopped.set()
        self.calls.end_all()
        wait_while(lambda: self.is_busy() or self.has_news(), LEAVING_SECONDS)
        self.exit()

    def exit(self, code: int = 0) -> NoReturn:
        """Python would wait for threads in the middle of a step, or be aborted by them."""
        self.close_node()
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)

    def close_node(self) -> None:
        if self.demo.node_process:
            self.demo.node_process.terminate()

    def launch(self, **options) -> str:
        """Serve from a thread of its own; the page's address.

        Raises: SystemExit where the port that the host has named is taken; where tools are to be offered, and what
        that needs is not installed.
        """
        os.environ["GRADIO_DEBUG"] = "0"  # or Gradio would not come back from launching, and half of this be left out
        os.environ["FORWARDED_ALLOW_IPS"] = self.settings.trusted_proxies  # for uvicorn, which Gradio starts
        give_node_time()
        HTTP_PROTOCOLS["auto"] = PROTOCOL  # it would else take headers without end, and bodies in chunks
        routes = [Route("/healthz", self.health), Route("/readyz", self.readiness)]
        if self.metrics:
            routes.append(Route("/metrics", self.measurements))
        door = Middleware(
            Door, self.demo, self.settings, self.places, lambda: not self.is_stopped.is_set(), self.tell_refusal
        )
        gate = Middleware(Gate, self.demo, self.early_cancel)
        uploads = Middleware(Uploads, self.settings.max_file_bytes, self.demo.upload_file_set)
        streams = Middleware(Streams, self.demo)
        layers = [Middleware(Connections), Middleware(Failures), door, gate, Middleware(Pages), uploads, streams]
        port = os.environ.get(PORT)  # left to Gradio, the next free one would do as well
        with without_a_port(port):
            _, address, _ = self.demo.launch(
                prevent_thread_lock=True,
                max_file_size=self.settings.max_file_bytes,
                num_workers=0,  # Gradio's own, which would take files and fetch addresses past all this
                app_kwargs={"routes": routes, "middleware": layers},
                mcp_server=self.settings.mcp or None,  # or as Gradio's own variable says
                _frontend=False,  # only leaves out a check that the page comes within 3 s, which slow machines fail
                **launch_options(),
                **{"server_port": port and int(port), **options},
            )
        sys.stdout.flush()  # with the address, which Gradio has printed and a pipe would keep back
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


@contextmanager
def without_a_port(named: str | None) -> Iterator[None]:
    """Raises: SystemExit where Gradio finds none, which it says in an error without a number."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            raise
        if named is None:
            raise SystemExit(f"No port is free for the page. {error}") from error
        name = os.environ.get(NAME)
        where = f" at {name} ({NAME}), or that is no address of this machine" if name else ""
        raise SystemExit(
            f"Port {named} ({PORT}) is taken{where}. Stop what listens there, or name another port, or none."
        ) from error


def refuse_without_models(engine: Engine) -> None:
    """Raises: SystemExit where there is nothing to show."""
    if not engine.encoders():
        raise SystemExit(
            f"There is no model that can be used in {engine.settings.models} (GLOSS_MODELS), nor is another named. "
            "Name a folder that holds folders of models, or leave GLOSS_MODELS out for those that come with Gloss."
        )


def refuse_to_write_nowhere(folder: Path) -> None:
    """Raises: SystemExit where uploads cannot be kept."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SystemExit(
            f"Nothing can be written in {folder}, where uploads are kept ({error.strerror}). Set GRADIO_TEMP_DIR to a "
            "folder that whoever runs the page may write in."
        ) from error


def wait_while(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while condition() and time.monotonic() < deadline:
        time.sleep(0.05)
