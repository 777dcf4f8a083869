"""The command line: python -m seq2seq fuse|split|summarize [TEXT ...] [--file F] [--json | --jsonl] [--model M]

A text comes from the arguments, from files, or from standard input; the result goes to standard output. With --jsonl
every line in is an object with `text`, and comes out, in order, as the same object with `output` added; `output` is
null and `error` says why where a text cannot be worked on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import tee
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from seq2seq.engine import Engine
from seq2seq.tasks import TASKS, Generated, GenerationSettings, InputError

NUMBERS = {
    "num_beams": (int, "beams to search with; 1 takes the likeliest token at each step"),
    "max_new_tokens": (int, "the longest output, in tokens"),
    "min_new_tokens": (int, "the shortest output, in tokens"),
    "length_penalty": (float, "above 0 favours long outputs of beam search, below 0 short ones"),
    "no_repeat_ngram_size": (int, "no sequence of so many tokens twice"),
    "repetition_penalty": (float, "above 1 makes words that were used less likely"),
    "temperature": (float, "of sampling: below 1 safer, above 1 more varied"),
    "top_k": (int, "sample among so many likeliest tokens"),
    "top_p": (float, "sample among the likeliest tokens that make up this share"),
}


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        (run_lines if options.jsonl else run_texts)(options)
    except BrokenPipeError:
        return 0
    except (ValueError, OSError) as error:
        print(f"seq2seq: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="python -m seq2seq", description="Fuse, split and summarize texts.")
    commands = root.add_subparsers(dest="task", required=True)
    for task in TASKS:
        command = commands.add_parser(task, help=f"{task} a text")
        command.add_argument("text", nargs="*", help="the text; without it and --file, standard input is read")
        command.add_argument("--file", "-f", type=Path, action="append", default=[], help="a file to read; repeatable")
        command.add_argument("--model", "-m", help="a model's name, folder or Hub id")
        form = command.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="print an object with text, output and counts")
        form.add_argument("--jsonl", action="store_true", help="objects with `text` in, the same with `output` out")
        command.add_argument("--do-sample", action="store_true", default=None, help="draw tokens by their probability")
        command.add_argument("--seed", type=int, default=0, help="of sampling")
        for name, (kind, text) in NUMBERS.items():
            command.add_argument(f"--{name.replace('_', '-')}", type=kind, help=text)
    return root


def settings_of(options: argparse.Namespace) -> GenerationSettings:
    chosen = {name: getattr(options, name) for name in NUMBERS}
    return GenerationSettings(**chosen, do_sample=options.do_sample, seed=options.seed)


def run_texts(options: argparse.Namespace) -> None:
    """One text after the other; on a terminal the words appear as they are written."""
    engine = Engine()
    for text in texts_of(options):
        snapshots = engine.run(options.task, text, options.model, settings_of(options))
        live = sys.stdout.isatty() and not options.json
        result = shown_live(snapshots) if live else last(snapshots)
        if result.num_cut_tokens:
            print(f"seq2seq: the last {result.num_cut_tokens} tokens did not fit and were left out", file=sys.stderr)
        if options.json:
            print(json.dumps(as_object(text, result), ensure_ascii=False))
        elif not live:
            print(result.text)


def texts_of(options: argparse.Namespace) -> list[str]:
    if options.text:
        return [" ".join(options.text)]
    if options.file:
        return [read_text(path) for path in options.file]
    return [sys.stdin.read()]


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file in UTF-8.") from error


def last(snapshots: Iterable[Generated]) -> Generated:
    *_, result = snapshots
    return result


def shown_live(snapshots: Iterable[Generated]) -> Generated:
    """Prints what is new in each snapshot; begins a new line where beam search changes its mind."""
    printed = ""
    for result in snapshots:
        if not result.text.startswith(printed):
            print()
            printed = ""
        print(result.text[len(printed) :], end="", flush=True)
        printed = result.text
    print()
    return result


def as_object(text: str, result: Generated) -> dict:
    return {
        "text": text,
        "output": result.text,
        "num_source_tokens": result.num_source_tokens,
        "num_cut_tokens": result.num_cut_tokens,
        "seconds": round(result.seconds, 3),
    }


def run_lines(options: argparse.Namespace) -> None:
    """JSON lines in, JSON lines out."""
    engine = Engine()
    for path in options.file or [None]:
        with lines_of(path) as lines:
            rows, to_write = tee(read_objects(lines))
            texts = (row["text"] for row in to_write)
            outputs = engine.run_many(options.task, texts, options.model, settings_of(options))
            for row, output in tqdm(zip(rows, outputs, strict=True), unit="text", file=sys.stderr):
                print(json.dumps(row | as_fields(output), ensure_ascii=False), flush=True)


@contextmanager
def lines_of(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdin
    else:
        with open(path, encoding="utf-8") as lines:
            yield lines


def read_objects(lines: TextIO) -> Iterator[dict]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"Line {number} is not JSON: {error}.") from error
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise InputError(f'Line {number} must be an object with a string "text".')
        yield row


def as_fields(output: str | InputError) -> dict:
    return {"output": None, "error": str(output)} if isinstance(output, InputError) else {"output": output}


if __name__ == "__main__":
    sys.exit(main())
