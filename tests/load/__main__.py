"""python -m tests.load [--clients 100] [--minutes 5]: many visitors at once, on a real server with the embedded models.

Every client asks for one fusion, split or answer after the other, by the API and its queue; the texts with the answers
are of all lengths. What it must get is known: what the engine says to the same text alone. Reported are lost and
crossed answers, how long an answer and its first word take, how evenly the clients were served, and the server's
memory.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from statistics import quantiles

import httpx
import psutil

from demo.examples import examples
from seq2seq.engine import Engine, EngineSettings
from seq2seq.tasks import Skill, Task
from tests.load.client import ask
from tests.process import free_port

ROOT = Path(__file__).parents[2]
TASKS: tuple[Task, ...] = ("fuse", "split")
NAMES = ("Ada", "Bruno", "Chiara", "Dimitri", "Edna", "Farid", "Greta", "Hugo", "Ines", "Jonas")
PLACES = ("Oslo", "Turin", "Lima", "Accra", "Kyoto", "Quebec", "Perth", "Cork", "Graz", "Porto")
AUTOMATIC = [None] * 13  # the model, and settings of the search
NUM_PASSAGES, LONGEST_PASSAGE = 150, 900  # words
SECONDS_BETWEEN_READINGS = 5


@dataclass(frozen=True)
class Question:
    task: Skill
    arguments: list
    answer: str | None  # what the engine says to it alone


@dataclass
class Report:
    """What the clients saw."""

    seconds: list[float] = field(default_factory=list)  # of each answer
    first_words: list[float] = field(default_factory=list)  # seconds until each
    wrong: list[tuple[str | None, str | None]] = field(default_factory=list)  # an answer, and what it should have been
    errors: Counter[str] = field(default_factory=Counter)
    answers_of: Counter[int] = field(default_factory=Counter)  # by client
    memory: list[int] = field(default_factory=list)  # bytes of the server, every few seconds


def questions(engine: Engine) -> Iterator[Question]:
    """Each example, and sentences about many people in many places, with their answers."""
    texts: list[tuple[Task, str]] = [
        (task, text) for task in TASKS for title, text in examples(task).items() if "fails" not in title
    ]
    texts += [("fuse", f"{name} moved to {place}. There the bakery opened in 1987.") for name, place in everybody()]
    texts += [("split", f"{name} moved to {place}, where a bakery opened in 1987.") for name, place in everybody()]
    for task, text in texts:
        *_, generated = engine.run(task, text)
        yield Question(task, [text, *AUTOMATIC], generated.text)
    for asked, passage in passages():
        *_, reading = engine.answer(asked, passage)
        yield Question("answer", [asked, passage, None], reading.answer.best and reading.answer.best.text)


def passages() -> Iterator[tuple[str, str]]:
    """Questions, and as many words about everybody as it happens."""
    chance = random.Random(0)
    for _ in range(NUM_PASSAGES):
        people = chance.sample(list(everybody()), len(NAMES))
        words = " ".join(f"{name} moved to {place} and opened a bakery there." for name, place in people).split()
        kept = " ".join(islice(cycle(words), chance.randint(1, LONGEST_PASSAGE)))
        yield f"Where did {people[0][0]} open a bakery?", kept


def everybody() -> Iterator[tuple[str, str]]:
    return zip(NAMES, PLACES, strict=True)


@contextmanager
def server(num_clients: int) -> Iterator[tuple[str, psutil.Process]]:
    """app.py with room for all clients: its address, and its process."""
    port = free_port()
    settings = {"GRADIO_SERVER_PORT": str(port), "GLOSS_MAX_WAITING": str(2 * num_clients)}
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=os.environ | settings)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_ready(address)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(address: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            if httpx.get(f"{address}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, "the server does not answer"
        time.sleep(0.5)


async def visit(number: int, address: str, known: list[Question], report: Report, until: float) -> None:
    """One client, until the time is up."""
    chance, by_task = random.Random(number), defaultdict(list)
    for question in known:
        by_task[question.task].append(question)
    async with httpx.AsyncClient(base_url=address, timeout=None) as http:
        while time.monotonic() < until:
            question = chance.choice(by_task[chance.choice(list(by_task))])
            started = time.monotonic()
            try:
                got, first_word = "", None
                async for told in ask(http, question.task, question.arguments):
                    got = told["answer"] if question.task == "answer" else told
                    first_word = first_word or (got and time.monotonic() - started)
            except Exception as error:
                report.errors[f"{type(error).__name__}: {error}"] += 1
                continue
            report.seconds.append(time.monotonic() - started)
            if first_word:
                report.first_words.append(first_word)
            report.answers_of[number] += 1
            if got != question.answer:
                report.wrong.append((got, question.answer))


async def watch(process: psutil.Process, report: Report, until: float) -> None:
    while time.monotonic() < until:
        report.memory.append(process.memory_info().rss)
        await asyncio.sleep(SECONDS_BETWEEN_READINGS)


async def load(address: str, process: psutil.Process, known: list[Question], clients: int, seconds: float) -> Report:
    report, until = Report(), time.monotonic() + seconds
    visits = [visit(number, address, known, report, until) for number in range(clients)]
    await asyncio.gather(watch(process, report, until), *visits)
    return report


def tell(report: Report, clients: int, minutes: float) -> None:
    answers = len(report.seconds)
    print(f"{clients} clients, {minutes:g} minutes: {answers} answers, {answers / minutes / 60:.1f} a second")
    print(f"wrong or crossed: {len(report.wrong)}; lost: {sum(report.errors.values())} {dict(report.errors)}")
    print(f"seconds to an answer: {spread(report.seconds)}; to its first word: {spread(report.first_words)}")
    counts = [report.answers_of[number] for number in range(clients)]
    print(f"answers a client: {min(counts)} to {max(counts)}")
    print(
        f"memory, MB: {report.memory[0] / 1e6:,.0f} at first; least to most of each minute:", *by_minute(report.memory)
    )
    for got, wanted in report.wrong[:3]:
        print(f"  got {got!r}\n  not {wanted!r}")


def by_minute(memory: list[int]) -> Iterator[str]:
    """What stays is the least: a text that is being read takes some tens of megabytes for a moment."""
    readings = 60 // SECONDS_BETWEEN_READINGS
    for minute in (memory[start : start + readings] for start in range(0, len(memory), readings)):
        yield f"{min(minute) / 1e6:,.0f} to {max(minute) / 1e6:,.0f}"


def spread(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return "none"
    percentiles = quantiles(seconds, n=100)
    return f"p50 {percentiles[49]:.2f}, p95 {percentiles[94]:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=5)
    arguments = parser.parse_args()
    known = list(questions(Engine(EngineSettings())))
    with server(arguments.clients) as (address, process):
        report = asyncio.run(load(address, process, known, arguments.clients, 60 * arguments.minutes))
    tell(report, arguments.clients, arguments.minutes)
    sys.exit(bool(report.wrong or report.errors))


if __name__ == "__main__":
    main()
