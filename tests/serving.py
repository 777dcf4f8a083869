"""The page on a local server around any engine, for tests and for the picture in the README."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from demo.layout import build
from demo.theme import launch_options
from seq2seq.engine import Engine


@contextmanager
def serve(engine: Engine) -> Iterator[str]:
    """The address of the page, as app.py would launch it with one request at a time."""
    demo = build(engine)
    demo.queue(max_size=16, default_concurrency_limit=1)
    _, address, _ = demo.launch(prevent_thread_lock=True, quiet=True, inbrowser=False, **launch_options())
    try:
        yield address.rstrip("/")
    finally:
        demo.close()
