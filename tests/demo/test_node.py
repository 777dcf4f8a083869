"""Pages that Node draws on the server: how long it has for that."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from gradio import node_server

from demo.serving.node import draws, give_node_time
from tests.process import free_port

SECONDS = 2.5  # to draw a page, of which Gradio would wait for 2


class SlowToDraw(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        time.sleep(SECONDS)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def slow() -> Iterator[int]:
    """The port of a server that is slow to draw."""
    with ThreadingHTTPServer(("127.0.0.1", 0), SlowToDraw) as server:
        Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def gradios() -> Iterator[None]:
    """Gradio as it comes, whatever pages this process had before."""
    importlib.reload(node_server)
    yield
    give_node_time()


def test_a_page_may_take_longer_than_gradio_would_wait(slow, gradios):
    assert not node_server.verify_server_startup("127.0.0.1", slow, timeout=SECONDS)
    give_node_time()
    assert node_server.verify_server_startup("127.0.0.1", slow, timeout=10 * SECONDS)


def test_who_never_answers_is_given_up():
    assert not draws("127.0.0.1", free_port(), timeout=0.5)
