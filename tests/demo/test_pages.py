"""How many have the page made for them at a time."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest

from demo.serving.pages import AT_ONCE, Pages
from demo.settings import PageSettings
from tests.aside import awaited
from tests.demo.stand_in import StandInEngine
from tests.serving import serving
from tests.waiting import PATIENCE

START, BODY = {"type": "http.response.start", "status": 200, "headers": []}, {"type": "http.response.body"}


class Making:
    """An app that takes a moment to make a page, and tells how many it made at a time."""

    def __init__(self):
        self.now = self.most = 0

    async def __call__(self, scope, receive, send):
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1
        if scope.get("fails"):
            raise ValueError
        await send(START)
        await send(BODY)


async def nothing(message=None) -> None:
    pass


@pytest.mark.parametrize(
    ("path", "at_once"),
    [("/", AT_ONCE), ("/config", AT_ONCE), ("/below/config", AT_ONCE), ("/gradio_api/queue/data", 10)],
)
def test_few_pages_are_made_at_once_and_all_in_the_end(path, at_once):
    making, scope = Making(), {"type": "http", "path": path, "root_path": "/below"}
    pages = Pages(making)

    async def ask():
        failing = [pages(scope | {"fails": True}, nothing, nothing) for _ in range(5)]
        told = await asyncio.gather(*failing, return_exceptions=True)
        assert all(isinstance(each, ValueError) for each in told)
        making.most = 0
        await asyncio.gather(*(pages(scope, nothing, nothing) for _ in range(10)))

    awaited(ask())
    assert making.most == at_once


def test_whoever_does_not_read_holds_nobody_up():
    pages, read = Pages(Making()), []

    async def stuck(message) -> None:
        await asyncio.sleep(60)

    async def reads(message) -> None:
        read.append(message)

    async def ask():
        scope = {"type": "http", "path": "/"}
        held = [asyncio.create_task(pages(scope, nothing, stuck)) for _ in range(AT_ONCE)]
        await asyncio.wait_for(pages(scope, nothing, reads), PATIENCE)
        for task in held:
            task.cancel()

    awaited(ask())
    assert read == [START, BODY]


def is_cut_off(sender: socket.socket, head: bytes) -> bool:
    try:
        sender.sendall(b"GET / HTTP/1.1\r\nHost: gloss\r\n" + head)
        return sender.recv(1_000).startswith(b"HTTP/1.1 400")
    except (ConnectionResetError, BrokenPipeError):
        return True


@pytest.mark.parametrize("head", [b"X: " + b"x" * 2_000_000, b"x" * 2_000_000, b"X: x\r\n" * 300_000])
def test_a_head_without_an_end_is_cut_off(head):
    with serving(StandInEngine(0), PageSettings()) as (_, address):
        url = httpx.URL(address)
        with socket.create_connection((url.host, url.port), timeout=PATIENCE) as sender:
            assert is_cut_off(sender, head)
        assert httpx.get(f"{address}/healthz").is_success
