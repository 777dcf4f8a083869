"""The page on a local server around any engine, for tests and for the picture in the README."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from demo.serving.server import Server
from demo.settings import PageSettings
from seq2seq.engine import Engine
from tests.process import free_port


@contextmanager
def serve(engine: Engine) -> Iterator[str]:
    """The address of the page, as app.py would launch it with one request at a time."""
    with serving(engine, PageSettings(concurrency=1, max_waiting=16)) as (_, address):
        yield address


@contextmanager
def serving(engine: Engine, settings: PageSettings) -> Iterator[tuple[Server, str]]:
    """The same with other settings, and the server."""
    server = Server(engine, settings)
    try:
        yield server, server.launch(quiet=True, inbrowser=False, server_port=free_port())
    finally:
        server.demo.close()
