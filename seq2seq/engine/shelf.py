"""The models that are in memory: as many as fit, and whichever was used least recently makes room for the next."""

from __future__ import annotations

import gc
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import torch

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.engine.memory import give_freed_memory_back
from seq2seq.tasks.turns import is_out_of_memory

SHARE = 0.7  # of the memory there is: runs need some too
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")

Worker = TypeVar("Worker")


class Shelf(Generic[Worker]):
    """Knows no checkpoints: `forget` is called whenever one is given up, for whoever else may hold on to it."""

    def __init__(self, room: float, forget: Callable[[], None]) -> None:
        """`room` is in bytes."""
        self.room = room
        self.forget = forget
        self._lock = threading.Lock()
        self._workers: OrderedDict[str, Worker] = OrderedDict()
        self._sizes: dict[str, int] = {}  # of those too that are being loaded

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each that is in memory."""
        with self._lock:
            return {name: self._sizes[name] for name in self._workers}

    def find(self, name: str) -> Worker | None:
        with self._lock:
            if name in self._workers:
                self._workers.move_to_end(name)
            return self._workers.get(name)

    def add(self, name: str, num_bytes: int, load: Callable[[], Worker]) -> Worker:
        """Loads it where there is room, or where others made some. Others may be added meanwhile.

        Raises: CheckpointError where it is too large even alone, or memory runs out all the same; what `load` raises.
        """
        if num_bytes > self.room:
            raise CheckpointError(too_large(name, num_bytes, self.room))
        with self._lock:
            self._give_up(until=self.room - num_bytes)
            self._sizes[name] = num_bytes
        try:
            worker = self._loaded(load)
        except BaseException as error:
            with self._lock:
                del self._sizes[name]
            give_back()
            if is_out_of_memory(error):
                raise CheckpointError(too_large(name, num_bytes, self.room)) from error
            raise
        with self._lock:
            self._give_up(until=self.room)  # two that were loaded at once may not fit together
            self._workers[name] = worker
        give_back()  # what reading it took besides
        return worker

    def drop(self, name: str) -> None:
        """So that it is loaded anew when it is asked for next."""
        with self._lock:
            if self._workers.pop(name, None) is not None:
                del self._sizes[name]
                self.forget()
        give_back()

    def _loaded(self, load: Callable[[], Worker]) -> Worker:
        """Once more with all the others given up, where it was too much."""
        try:
            return load()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            with self._lock:
                if not self._give_up(until=-1):
                    raise
        return load()

    def _give_up(self, until: float) -> int:
        """Down to so many bytes, as far as there is anything to give up; how many models went."""
        given_up = 0
        while self._workers and sum(self._sizes.values()) > until:
            name, _ = self._workers.popitem(last=False)
            del self._sizes[name]
            given_up += 1
        if given_up:
            self.forget()
            give_back()
        return given_up


def give_back() -> None:
    """All memory that nothing lives in any more."""
    gc.collect()
    give_freed_memory_back()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def too_large(name: str, num_bytes: float, room: float) -> str:
    return (
        f"{name} needs {num_bytes / 1e9:.1f} GB of memory for its weights, and there are {room / 1e9:.1f} GB for "
        "models. Choose a smaller model, or have the host allow more (GLOSS_MEMORY)."
    )


def room_there_is(device: torch.device) -> float:
    """Bytes for models on a device, as far as the system tells."""
    if device.type == "cuda":
        return SHARE * torch.cuda.get_device_properties(device).total_memory
    return SHARE * min(physical_memory(), container_memory())


def physical_memory() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not every system says
        return float("inf")


def container_memory() -> float:
    try:
        limit = CGROUP_LIMIT.read_text().strip()
    except OSError:
        return float("inf")
    return float(limit) if limit.isdigit() else float("inf")
