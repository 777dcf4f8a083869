"""The command line: python -m seq2seq fuse|split|summarize [TEXT ...] [--file F] [--jsonl] [--json] [--model M]

A text comes from the arguments, from files, or from standard input; the result goes to standard output. With --jsonl
every line in is an object with `text`, and comes out, in order, as the same object with `output` added.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from seq2seq.engine import Engine
from seq2seq.tasks import TASKS, GenerationSettings

BATCH_SIZE = 16

SETTINGS = {
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
        if options.jsonl:
            return run_lines(options)
        return run_texts(options)
    except (ValueError, OSError) as error:
        print(f"seq2seq: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="python -m seq2seq", description="Fuse, split and summarize texts.")
    commands = root.add_subparsers(dest="task", required=True)
    for task in TASKS:
        command = commands.add_parser(task, help=f"{task} a text")
        command.add_argument("text", nargs="*", help="the text; without it and --file, standard input is read")
        command.add_argument("--file", "-f", type=Path, action="append", default=[], help="a file to read; repeatable")
        command.add_argument("--model", "-m", help="a model's name, folder or Hub id")
        command.add_argument("--json", action="store_true", help="print objects with text, output and counts")
        command.add_argument("--jsonl", action="store_true", help="objects with `text` in, the same with `output` out")
        command.add_argument("--do-sample", action="store_true", default=None, help="draw tokens by their probability")
        command.add_argument("--seed", type=int, default=0, help="of sampling")
        for name, (kind, text) in SETTINGS.items():
            command.add_argument(f"--{name.replace('_', '-')}", type=kind, help=text)
    return root


def settings_of(options: argparse.Namespace) -> GenerationSettings:
    chosen = {name: getattr(options, name) for name in SETTINGS}
    return GenerationSettings(**chosen, do_sample=options.do_sample, seed=options.seed)


def run_texts(options: argparse.Namespace) -> int:
    """One text after the other, each streamed to a terminal as it comes."""
    engine = Engine()
    for text in texts_of(options):
        result = None
        printed = ""
        for result in engine.run(options.task, text, options.model, settings_of(options)):
            if not options.json and sys.stdout.isatty() and result.text.startswith(printed):
                print(result.text[len(printed) :], end="", flush=True)
                printed = result.text
        if result.num_cut_tokens:
            print(f"seq2seq: the last {result.num_cut_tokens} tokens did not fit and were left out", file=sys.stderr)
        if options.json:
            print(json.dumps(as_object(text, result), ensure_ascii=False))
        elif printed == result.text:
            print()
        else:
            print(("\n" if printed else "") + result.text)
    return 0


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
        raise ValueError(f"{path} is not a text file in UTF-8.") from error


def as_object(text: str, result) -> dict:
    return {
        "text": text,
        "output": result.text,
        "num_source_tokens": result.num_source_tokens,
        "num_cut_tokens": result.num_cut_tokens,
        "seconds": round(result.seconds, 3),
    }


def run_lines(options: argparse.Namespace) -> int:
    """JSON lines in, JSON lines out, in batches."""
    engine = Engine()
    with tqdm(unit="text", file=sys.stderr) as bar:
        for path in options.file or [None]:
            with open(path, encoding="utf-8") if path else sys.stdin as lines:
                for rows in chunks(read_objects(lines), BATCH_SIZE):
                    outputs = engine.run_batch(
                        options.task, [row["text"] for row in rows], options.model, settings_of(options)
                    )
                    for row, output in zip(rows, outputs, strict=True):
                        print(json.dumps({**row, "output": output}, ensure_ascii=False), flush=True)
                    bar.update(len(rows))
    return 0


def read_objects(lines: TextIO) -> Iterator[dict]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"Line {number} is not JSON: {error}.") from error
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise ValueError(f'Line {number} must be an object with a string "text".')
        yield row


def chunks(rows: Iterable[dict], size: int) -> Iterator[list[dict]]:
    chunk: list[dict] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


if __name__ == "__main__":
    sys.exit(main())
