"""fuse, split and summarize: texts in; what is written for them, as it is written, out."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from itertools import tee
from pathlib import Path

from tqdm import tqdm

from seq2seq.command_line.inputs import add_model, lines_of, read_objects, read_texts
from seq2seq.engine import Engine
from seq2seq.tasks import WORDINGS, Generated, GenerationSettings, InputError

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


def add_options(command: ArgumentParser) -> None:
    command.add_argument("text", nargs="*", help="the text; without it and --file, standard input is read")
    command.add_argument("--file", "-f", type=Path, action="append", default=[], help="a file to read; repeatable")
    add_model(command)
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print an object with text, output and counts")
    form.add_argument("--jsonl", action="store_true", help="objects with `text` in, the same with `output` out")
    command.add_argument(
        "--wording", choices=WORDINGS, help="of a summary: written anew, or quoted; by default as the model prefers"
    )
    command.add_argument("--do-sample", action="store_true", default=None, help="draw tokens by their probability")
    command.add_argument("--seed", type=int, default=0, help="of sampling")
    for name, (kind, text) in NUMBERS.items():
        command.add_argument(f"--{name.replace('_', '-')}", type=kind, help=text)
    command.set_defaults(run=run)


def run(options: Namespace) -> None:
    if options.text and (options.file or options.jsonl):
        raise InputError("Give the text as an argument, or --file, or lines with --jsonl: only one of them is read.")
    (run_lines if options.jsonl else run_texts)(options)


def settings_of(options: Namespace) -> GenerationSettings:
    chosen = {name: getattr(options, name) for name in NUMBERS}
    return GenerationSettings(**chosen, wording=options.wording, do_sample=options.do_sample, seed=options.seed)


def run_texts(options: Namespace) -> None:
    """One text after the other; on a terminal the words appear as they are written."""
    engine = Engine()
    texts = [" ".join(options.text)] if options.text else read_texts(options.file)
    for text in texts:
        snapshots = engine.run(options.task, text, options.model, settings_of(options))
        live = sys.stdout.isatty() and not options.json
        result = shown_live(snapshots) if live else last(with_bar(snapshots))
        if result.num_sections > 1:
            print(f"seq2seq: too long to be read at once, so read in {result.num_sections} sections", file=sys.stderr)
        if result.num_cut_tokens:
            print(f"seq2seq: the last {result.num_cut_tokens} tokens did not fit and were left out", file=sys.stderr)
        if options.json:
            print(json.dumps(as_object(text, result), ensure_ascii=False))
        elif not live:
            print(result.text)


def with_bar(snapshots: Iterable[Generated]) -> Iterator[Generated]:
    """The same snapshots; on a terminal a bar over the sections of a long text."""
    with tqdm(unit="section", file=sys.stderr, leave=False, delay=1, disable=None) as bar:
        for result in snapshots:
            bar.total = result.num_sections
            bar.update(result.num_finished_sections - bar.n)
            yield result


def last(snapshots: Iterable[Generated]) -> Generated:
    *_, result = snapshots
    return result


def shown_live(snapshots: Iterable[Generated]) -> Generated:
    """Prints what is new in each snapshot; begins a new line where beam search changes its mind."""
    printed = ""
    number = 1  # of the section being written
    for result in snapshots:
        if len(result.sections) > number:
            print("\n")
            printed, number = "", len(result.sections)
        text = result.sections[-1].text
        if not text.startswith(printed):
            print()
            printed = ""
        print(text[len(printed) :], end="", flush=True)
        printed = text
    print()
    return result


def as_object(text: str, result: Generated) -> dict:
    return {
        "text": text,
        "output": result.text,
        "num_source_tokens": result.num_source_tokens,
        "num_cut_tokens": result.num_cut_tokens,
        "num_sections": result.num_sections,
        "quoted": result.quoted,
        "seconds": round(result.seconds, 3),
    }


def run_lines(options: Namespace) -> None:
    """JSON lines in, JSON lines out."""
    engine = Engine()
    for path in options.file or [None]:
        with lines_of(path) as lines:
            rows, to_write = tee(read_objects(lines, "text"))
            texts = (row["text"] for row in to_write)
            outputs = engine.run_many(options.task, texts, options.model, settings_of(options))
            for row, output in tqdm(zip(rows, outputs, strict=True), unit="text", file=sys.stderr):
                print(json.dumps(row | as_fields(output), ensure_ascii=False), flush=True)


def as_fields(output: str | InputError) -> dict:
    return {"output": None, "error": str(output)} if isinstance(output, InputError) else {"output": output}
