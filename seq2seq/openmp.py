"""The threads that help the one that computes: each such thread has others, whom OpenMP keeps for its next work.

Where more of them are kept than there are cores, GNU's OpenMP has those who wait for their next piece of work sleep,
and not spin. In a server, all of whose threads compute at some time, that was always: on 2 cores, reading 4,096 tokens
took 0.43 s and not 0.25, and writing 64 tokens 1.5 s and not 0.6. So who has computed lets its helpers go.

Where another program has the core that a helper needs, all wait for that helper, and spin, which takes the cores from
whoever else could go on. So a thread takes no more helpers than other programs, and the limits of a container, leave.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch

Item = TypeVar("Item")

PAUSE = 1  # omp_pause_soft
STAT = Path("/proc/stat")
QUOTA = Path("/sys/fs/cgroup/cpu.max")
SECONDS_TO_LOOK = 0.25  # at least, as the system counts in hundredths
MARGIN = 0.6  # of a core that is left or not, before another number of threads is used


class Cores:
    """How many of the machine's there are for this process: those that other programs were not busy on lately."""

    def __init__(self) -> None:
        self.free = self._limit = quota()
        self._seen = time.monotonic(), cpu_seconds_of_others()  # in one, as threads look at the same time

    def look(self) -> int:
        """At least 1. Others are looked at again if the last look is long enough ago."""
        (since, before), now = self._seen, time.monotonic()
        if now - since >= SECONDS_TO_LOOK:
            others = cpu_seconds_of_others()
            left = (os.cpu_count() or 1) - (others - before) / (now - since)
            self._seen = now, others
            if abs(min(left, self._limit) - self.free) > MARGIN:
                self.free = max(1, min(round(left), self._limit))
        return self.free


def quota() -> int:
    """How many cores a container may use, of those that it sees."""
    cores = os.cpu_count() or 1
    with suppress(OSError, ValueError):  # there is no such limit
        share, period = map(int, QUOTA.read_text().split())
        return max(1, min(share // period, cores))
    return cores


def cpu_seconds_of_others() -> float:
    """0 where the system does not tell."""
    try:
        with STAT.open() as file:
            user, nice, system, _, _, irq, softirq, steal, *_ = map(int, file.readline().split()[1:])
    except (OSError, ValueError):
        return 0
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK") - time.process_time()


class Helpers(AbstractContextManager):
    """Those of a thread while it computes: as many as there is room for, and none when it has done."""

    def __init__(self) -> None:
        self._usual = 1

    def __enter__(self) -> None:
        self._usual = torch.get_num_threads()
        self._use(min(self._usual, CORES.look()))

    def __exit__(self, *error: object) -> None:
        let_helpers_go()
        self._use(self._usual)

    def _use(self, num_threads: int) -> None:
        """By this thread alone."""
        openmp = gnu_openmp()
        if openmp is not None and num_threads != torch.get_num_threads():
            openmp.omp_set_num_threads(num_threads)


CORES = Cores()


def with_helpers(items: Iterator[Item]) -> Iterator[Item]:
    """The same items; nobody has helpers between them."""
    over = object()
    while True:
        with Helpers():
            item = next(items, over)
        if item is over:
            return
        yield item


def let_helpers_go() -> None:
    """Those of this thread, which gets others when it computes again; of another OpenMP than GNU's they stay."""
    openmp = gnu_openmp()
    if openmp is not None:
        openmp.omp_pause_resource_all(PAUSE)


@cache
def gnu_openmp() -> ctypes.CDLL | None:
    """The one that torch computes with."""
    if not hasattr(os, "RTLD_NOLOAD"):
        return None
    for path in (Path(torch.__file__).parent / "lib").glob("libgomp*"):
        try:
            openmp = ctypes.CDLL(str(path), mode=os.RTLD_NOLOAD)
        except OSError:  # it lies there, and torch has taken another
            continue
        if hasattr(openmp, "omp_pause_resource_all"):
            return openmp
    return None
