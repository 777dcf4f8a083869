"""app.py in a process of its own, as a host runs it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import httpx
import psutil
import pytest

OURS = ("PYTHON", "GRADIO_", "GLOSS_", "VIRTUAL_ENV")  # what may be set for the tests themselves
SECONDS_TO_START = 300
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORTS = count(20_000 + 2_000 * WORKER)  # below those that the system hands out, and no other worker's


def free_port() -> int:
    """One that is given to nobody else, however long it takes until somebody listens there."""
    for port in PORTS:
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port


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


def title(process: psutil.Process) -> str:
    """Its command line; none if it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
