"""answer: a question and a text in; the words of the text that answer it out."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from dataclasses import replace
from itertools import tee
from pathlib import Path
from typing import Any

from tqdm import tqdm

from seq2seq.command_line.inputs import add_model, lines_of, read_objects, read_texts
from seq2seq.engine import Engine
from seq2seq.tasks import AnswerSettings, InputError, Reading
from seq2seq.tasks.source import places_in
from seq2seq.trace import Answer, Span

LINES_HELP = """objects with `question` and `context` in; the same out with `output`, its `score`, and its place in the
context, `start` to `end`: all null where there is no answer"""


def add_options(command: ArgumentParser) -> None:
    command.add_argument("question", nargs="*", help="what you want to know")
    source = command.add_mutually_exclusive_group()
    source.add_argument("--context", "-c", help="the text; without it and --file, standard input is read")
    source.add_argument("--file", "-f", type=Path, action="append", default=[], help="a file to read; repeatable")
    add_model(command)
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print an object with the answer, its place and alternatives")
    form.add_argument("--jsonl", action="store_true", help=LINES_HELP)
    command.add_argument(
        "--no-answer-threshold",
        type=float,
        help="the doubt, 0 to 1, up to which there is an answer: 1 always answers; by default as the model prefers",
    )
    command.set_defaults(run=run)


def run(options: Namespace) -> None:
    if options.jsonl and (options.question or options.context is not None):
        raise InputError("With --jsonl, questions and contexts come from --file or standard input, a line each.")
    (run_lines if options.jsonl else run_texts)(options)


def settings_of(engine: Engine, options: Namespace) -> AnswerSettings:
    own = engine.answer_settings(options.model)
    threshold = options.no_answer_threshold
    return own if threshold is None else replace(own, no_answer_threshold=threshold)


def run_texts(options: Namespace) -> None:
    """The question to one text after the other, a line each; an empty line where there is no answer."""
    engine = Engine()
    settings = settings_of(engine, options)
    question = " ".join(options.question)
    for context in [options.context] if options.context is not None else read_texts(options.file):
        said = last(engine.answer(question, context, options.model, settings))
        if options.json:
            print(json.dumps(as_object(question, context, said), ensure_ascii=False))
            continue
        print(said.best.text if said.best else "")
        if said.best is None:
            share = f"{said.no_answer_score:.0%}"
            print(f"seq2seq: there is no answer in this text (probability {share})", file=sys.stderr)


def last(readings: Iterable[Reading]) -> Answer:
    """The answer; on a terminal, with a bar over the windows of a long text."""
    with tqdm(unit="window", file=sys.stderr, leave=False, delay=1, disable=None) as bar:
        for reading in readings:
            bar.total = reading.num_windows
            bar.update(reading.windows_read - bar.n)
    return reading.answer


def run_lines(options: Namespace) -> None:
    """JSON lines in, JSON lines out."""
    engine = Engine()
    settings = settings_of(engine, options)
    for path in options.file or [None]:
        with lines_of(path) as lines:
            rows, to_answer = tee(read_objects(lines, "question", "context"))
            asked = ((row["question"], row["context"]) for row in to_answer)
            answers = engine.answer_many(asked, options.model, settings)
            for row, said in tqdm(zip(rows, answers, strict=True), unit="question", file=sys.stderr):
                print(json.dumps(row | as_fields(row["context"], said), ensure_ascii=False), flush=True)


def as_fields(context: str, said: Answer | InputError) -> dict[str, Any]:
    if isinstance(said, InputError):
        return {**placed(None, []), "error": str(said)}
    return placed(said.best, places_in(context, said.context))


def as_object(question: str, context: str, said: Answer) -> dict[str, Any]:
    places = places_in(context, said.context)
    return {
        "question": question,
        "context": context,
        **placed(said.best, places),
        "no_answer_score": said.no_answer_score,
        "spans": [placed(span, places) for span in said.spans],
        "num_windows": said.num_windows,
        "seconds": round(said.seconds, 3),
    }


def placed(span: Span | None, places: list[int]) -> dict[str, Any]:
    """A span by its place in the context as it was given, of which the model read the characters at `places`."""
    if span is None:
        return {"output": None, "score": None, "start": None, "end": None}
    return {
        "output": span.text,
        "score": span.score,
        "start": places[span.start],
        "end": places[span.end - 1] + 1,
    }
