"""Where a command's text comes from: a text file or document, standard input, or a line of JSON each."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from seq2seq.tasks import InputError
from seq2seq.tasks.documents import read_document


def add_model(command: ArgumentParser) -> None:
    command.add_argument("--model", "-m", help="a model's name, folder or Hub id")


def read_text(path: Path) -> str:
    try:
        document = read_document(path.read_bytes())
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if document.is_cut:
        print(f"seq2seq: {path}: only the first {len(document.text):,} characters are read", file=sys.stderr)
    return document.text


def read_texts(paths: list[Path]) -> list[str]:
    """The text of every file, or that on standard input if there is none."""
    return [read_text(path) for path in paths] or [sys.stdin.read()]


@contextmanager
def lines_of(path: Path | None) -> Iterator[TextIO]:
    """Of a file, or of standard input for None."""
    if path is None:
        yield sys.stdin
    else:
        with open(path, encoding="utf-8") as lines:
            yield lines


def read_objects(lines: TextIO, *names: str) -> Iterator[dict]:
    """An object a line, each with a string under all these names. InputError names the line that is none."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"Line {number} is not JSON: {error}.") from error
        if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in names):
            wanted = " and ".join(f'"{name}"' for name in names)
            raise InputError(f"Line {number} must be an object with a string under {wanted}.")
        yield row
