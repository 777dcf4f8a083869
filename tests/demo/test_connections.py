"""What a connection is kept for: requests that say how long they are, and that are read to their end."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import h11
import httpx
import pytest

from demo import limit_words
from demo.serving.connections import HeadOfChunks
from demo.settings import PageSettings
from tests.demo.stand_in import StandInEngine
from tests.serving import serving
from tests.waiting import PATIENCE

CHUNKS = b"1\r\na\r\n" * 50_000


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(StandInEngine(0), PageSettings()) as (_, address):
        yield address


def answered(address: str, path: str, about: str, body: bytes) -> tuple[bytes, str]:
    """The head of an answer, to the end of the connection, and what it says."""
    url = httpx.URL(address)
    with socket.create_connection((url.host, url.port), timeout=PATIENCE) as sender:
        head = f"POST {path} HTTP/1.1\r\nHost: {url.host}\r\nContent-Type: application/json\r\n{about}\r\n\r\n"
        sender.sendall(head.encode() + body)
        head, _, told = b"".join(iter(lambda: sender.recv(10_000), b"")).partition(b"\r\n\r\n")
    return head, json.loads(told)["detail"]


@pytest.mark.parametrize("path", ["/nothing", "/", "/gradio_api/queue/join", "/gradio_api/upload", "/gradio_api/mcp/"])
def test_a_body_in_chunks_is_refused_wherever_it_is_sent(address, path):
    head, told = answered(address, path, "Transfer-Encoding: chunked", b"1\r\na\r\n")
    assert head.startswith(b"HTTP/1.1 411")
    assert told == limit_words.NOT_UNDERSTOOD


def test_of_chunks_nothing_is_taken_apart():
    connection = HeadOfChunks(h11.SERVER)
    connection.receive_data(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS)
    assert isinstance(connection.next_event(), h11.Request)
    assert connection.next_event() is h11.PAUSED
    assert connection.trailing_data == (CHUNKS, False)


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/healthz", 404), ("/gradio_api/upload", 413)])
def test_whoever_sends_more_than_is_read_is_cut_off(address, path, status):
    head, _ = answered(address, path, "Content-Length: 1000000000", b" " * 1_000)
    assert head.startswith(f"HTTP/1.1 {status}".encode())


def test_a_connection_on_which_all_is_read_goes_on(address):
    with httpx.Client(base_url=address) as client:
        for answer in (client.get("/healthz"), client.get("/nothing"), client.post("/gradio_api/call/x", json={})):
            assert "connection" not in answer.headers
