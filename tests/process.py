"""app.py in a process of its own, as a host runs it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

OURS = ("PYTHON", "GRADIO_", "GLOSS_", "VIRTUAL_ENV")  # what may be set for the tests themselves
SECONDS_TO_START = 120


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def started(
    python: Path, folder: Path, settings: Mapping[str, str], log: Path
) -> Iterator[tuple[subprocess.Popen, str]]:
    """The process and its address once it answers there, with these environment variables and none of ours."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    ports = {"GRADIO_SERVER_PORT": str(port), "GRADIO_NODE_SERVER_PORT": str(port)}
    outer = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    command, environment = [python, "-E", "-s", "app.py"], outer | ports | settings
    with log.open("w") as told:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=told, stderr=told, start_new_session=True
        )
    try:
        wait_for(address, process, log)
        yield process, address
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with what it has started itself
        process.wait()


def wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with suppress(httpx.TransportError):
            if httpx.get(f"{address}/config").is_success:
                return
        time.sleep(0.1)
    pytest.fail(f"no answer in {SECONDS_TO_START} s: {log.read_text()}")
