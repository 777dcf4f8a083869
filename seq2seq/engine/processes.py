"""Processes that share a processor take turns as the threads of each do: two pages, or a command beside the page."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # on Windows, where processes do not wait for each other
    fcntl = None

log = logging.getLogger(__name__)
PATIENCE = 30  # seconds; one that was suspended in its turn must not keep the others for ever
POLL = 0.001  # seconds


def turn_of_process(device: str) -> AbstractContextManager:
    """Of this user's processes that use this kind of device. None waits where files cannot be locked."""
    if fcntl is None:
        return nullcontext()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "") if device == "cuda" else ""
    name = f"gloss-{os.getuid()}-{device}{''.join(filter(str.isalnum, visible))}"
    try:
        return TurnOfProcess(Path(tempfile.gettempdir()) / name)
    except OSError as error:
        log.warning("Other processes may run a model at the same time: %s", error)
        return nullcontext()


class TurnOfProcess:
    """A lock that processes get in about the order in which they ask. What one had that ends is free.

    Whoever is next holds the first of two files until it has the second, so that whoever had that cannot overtake it.
    """

    def __init__(self, path: Path, patience: float = PATIENCE):
        """Raises: OSError where there can be no such files, or no locks on them."""
        self.patience = self.patience_left = patience
        self._next, self._now = (open_private(path.with_suffix(suffix)) for suffix in (".next", ".now"))
        for file in (self._next, self._now):
            lock(file, patience=0)
            unlock(file)

    def __enter__(self) -> None:
        has_turn = lock(self._next, self.patience_left) and lock(self._now, self.patience_left)
        unlock(self._next)
        if self.patience_left and not has_turn:
            log.warning("Another process has been at a model for %.0f s: not waiting for it any longer.", self.patience)
        self.patience_left = self.patience if has_turn else 0

    def __exit__(self, *error: object) -> None:
        unlock(self._now)


def open_private(path: Path) -> IO:
    return open(path, "a", opener=partial(os.open, mode=0o600))


def lock(file: IO, patience: float) -> bool:
    """Whether it could be had within so many seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL)


def unlock(file: IO) -> None:
    fcntl.flock(file, fcntl.LOCK_UN)
