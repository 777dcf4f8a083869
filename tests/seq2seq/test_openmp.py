"""How many threads help one that computes, and that it keeps none. They run by themselves, as tests use one thread."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from itertools import count

import pytest

from seq2seq import openmp
from seq2seq.openmp import Cores, cpu_seconds_of_others, gnu_openmp, quota

KEPT = """
import os, threading
import torch
from seq2seq.openmp import with_helpers
from seq2seq.tasks.turns import Turns

torch.set_num_threads(2)
numbers = torch.ones(500, 500)
turns, over = Turns(), threading.Event()

def freely():
    numbers @ numbers

def in_a_turn():
    with turns, turns:
        numbers @ numbers

def step_by_step():
    for _ in with_helpers(numbers @ numbers for _ in range(3)):
        pass

def stopped_early():
    steps = with_helpers(numbers @ numbers for _ in range(3))
    next(steps)
    steps.close()

def kept(computing):
    "How many threads are there for another one, which has computed and not ended, besides itself."
    before, done = len(os.listdir("/proc/self/task")), threading.Event()
    threading.Thread(target=lambda: (computing(), done.set(), over.wait()), daemon=True).start()
    done.wait()
    return len(os.listdir("/proc/self/task")) - before - 1

freely()
print(*map(kept, (freely, in_a_turn, step_by_step, stopped_early)))
"""


HELD_BACK = """
import torch
from seq2seq.openmp import Cores
from seq2seq.tasks.turns import Turns

Cores.look = lambda cores: free
torch.set_num_threads(2)
turns, numbers = Turns(), []
for free in (1, 2, 64):
    with turns, turns:
        numbers.append(torch.get_num_threads())
    numbers.append(torch.get_num_threads())
print(*numbers)
"""

needs_gnu = pytest.mark.skipif(gnu_openmp() is None, reason="torch computes with another OpenMP than GNU's")


def told(script: str) -> list[int]:
    environment = os.environ | {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [int(number) for number in done.stdout.split()]


@needs_gnu
def test_a_thread_keeps_no_helpers():
    assert told(KEPT) == [1, 0, 0, 0]


@needs_gnu
def test_in_a_turn_there_are_no_more_threads_than_free_cores_nor_than_the_host_has_set():
    assert told(HELD_BACK) == [1, 2, 2, 2, 2, 2]


def test_what_others_are_busy_on_is_not_free(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(time, "monotonic", map(float, count()).__next__)
    busy = iter([100, 103, 103.9, 104.4, 110, 110])
    monkeypatch.setattr(openmp, "cpu_seconds_of_others", lambda: next(busy))
    cores = Cores()
    assert [cores.look() for _ in range(5)] == [1, 3, 3, 1, 4]


def test_others_are_not_looked_at_all_the_time(monkeypatch):
    cores = Cores()
    monkeypatch.setattr(openmp, "cpu_seconds_of_others", lambda: 1 / 0)
    cores._seen = time.monotonic() + 60, 0
    assert cores.look() == cores.free


def test_what_others_used_is_all_but_ones_own_and_the_idle_time(monkeypatch, tmp_path):
    monkeypatch.setattr(openmp, "STAT", tmp_path / "stat")
    assert cpu_seconds_of_others() == 0
    (tmp_path / "stat").write_text("cpu  100 200 300 9999 9999 10 20 30 0 0\ncpu0 ...\n")
    monkeypatch.setattr(time, "process_time", lambda: 2)
    assert cpu_seconds_of_others() == 660 / os.sysconf("SC_CLK_TCK") - 2


@pytest.mark.parametrize(("limit", "cores"), [("200000 100000", 2), ("50000 100000", 1), ("max 100000", 8), (None, 8)])
def test_a_container_may_use_fewer_cores_than_it_sees(monkeypatch, tmp_path, limit, cores):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(openmp, "QUOTA", tmp_path / "cpu.max")
    if limit:
        (tmp_path / "cpu.max").write_text(limit + "\n")
    assert quota() == cores
    assert Cores().look() <= cores
