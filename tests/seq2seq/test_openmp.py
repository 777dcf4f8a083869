"""Whoever has computed keeps no threads to help it. In a process of its own, as tests compute on one thread."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from seq2seq.openmp import gnu_openmp

KEPT = """
import os, threading
import torch
from seq2seq.openmp import letting_helpers_go
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
    for _ in letting_helpers_go(numbers @ numbers for _ in range(3)):
        pass

def stopped_early():
    steps = letting_helpers_go(numbers @ numbers for _ in range(3))
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


@pytest.mark.skipif(gnu_openmp() is None, reason="torch computes with another OpenMP than GNU's")
def test_a_thread_keeps_no_helpers():
    environment = os.environ | {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", KEPT], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["1", "0", "0", "0"], done.stderr
