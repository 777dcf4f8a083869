"""Processes that would run a model at the same time, and take turns."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import groupby
from pathlib import Path

import pytest

from seq2seq.engine import Engine, EngineSettings, processes
from seq2seq.engine.processes import TurnOfProcess, turn_of_process
from seq2seq.tasks.turns import Turns
from tests.seq2seq.test_batching import enter
from tests.waiting import PATIENCE, within

pytestmark = pytest.mark.skipif(processes.fcntl is None, reason="no file locks here")

TURNS = 100
TAKE_TURNS = f"""
import sys, time
from pathlib import Path
from seq2seq.engine.processes import TurnOfProcess
turn = TurnOfProcess(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range({TURNS}):
    with turn:
        began = time.monotonic()
        time.sleep(0.002)
        ended = time.monotonic()
    print(began, ended)
"""
KEEP_THE_TURN = """
import sys, time
from pathlib import Path
from seq2seq.engine.processes import TurnOfProcess
with TurnOfProcess(Path(sys.argv[1])):
    print("ready", flush=True)
    time.sleep(60)
"""


@contextmanager
def python(program: str, path: Path) -> Iterator[subprocess.Popen]:
    """Another process, which is ready."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_they_run_one_after_the_other_and_nobody_is_left_out(tmp_path):
    path = tmp_path / "turn"
    with python(TAKE_TURNS, path) as first, python(TAKE_TURNS, path) as second:
        both = (first, second)
        for process in both:
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.communicate(timeout=PATIENCE)[0].split("\n")[:TURNS] for process in both]
    turns = sorted((*map(float, line.split()), who) for who, lines in enumerate(said) for line in lines)
    assert len(turns) == 2 * TURNS
    assert all(ended <= began for (_, ended, _), (began, _, _) in zip(turns, turns[1:], strict=False))
    in_a_row = [len(list(turns_of_one)) for _, turns_of_one in groupby(turns, key=lambda turn: turn[2])]
    assert sorted(in_a_row)[len(in_a_row) // 2] == 1


def test_what_a_killed_process_had_is_free(tmp_path):
    turn = TurnOfProcess(tmp_path / "turn")
    with python(KEEP_THE_TURN, tmp_path / "turn") as other:
        killed = threading.Event()
        threading.Timer(0.3, lambda: (killed.set(), other.kill())).start()
        with within(50), turn:
            assert killed.is_set()


def test_a_suspended_process_does_not_keep_the_others_for_ever(tmp_path, caplog):
    turn = TurnOfProcess(tmp_path / "turn", patience=1)
    with python(KEEP_THE_TURN, tmp_path / "turn") as other:
        os.kill(other.pid, signal.SIGSTOP)
        began = time.monotonic()
        with within(3 * turn.patience):
            for _ in range(3):
                with turn:
                    pass
        assert time.monotonic() - began >= turn.patience
        assert caplog.text.count("not waiting") == 1
    with turn:
        assert turn.patience_left == 1


def test_a_thread_that_enters_again_does_not_wait_for_itself(tmp_path):
    turns, other = Turns(TurnOfProcess(tmp_path / "turn")), Turns(TurnOfProcess(tmp_path / "turn"))
    entered: list[int] = []
    thread = threading.Thread(target=enter, args=(other, entered, 1))
    with turns:
        with turns:
            pass
        thread.start()
        time.sleep(0.2)
        assert not entered
    thread.join(PATIENCE)
    assert entered


def test_two_engines_do_not_run_at_once_unless_they_may(monkeypatch):
    monkeypatch.setenv("GLOSS_SIDE_BY_SIDE", "false")
    one, other = Engine(), Engine()
    entered: list[int] = []
    thread = threading.Thread(target=enter, args=(other.turns, entered, 1))
    with one.turns:
        thread.start()
        time.sleep(0.3)
        assert not entered
        enter(Engine(EngineSettings(side_by_side=True)).turns, entered, 2)
    thread.join(PATIENCE)
    assert entered == [2, 1]


def test_without_files_nobody_waits(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(processes.tempfile, "gettempdir", lambda: str(tmp_path / "missing"))
    assert isinstance(turn_of_process("cpu"), nullcontext)
    assert "at the same time" in caplog.text
