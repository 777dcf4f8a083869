"""The command line: python -m seq2seq fuse|split|summarize [TEXT ...] [--file F] [--json | --jsonl] [--model M]
or python -m seq2seq answer QUESTION [--context TEXT | --file F] [--json | --jsonl] [--model M]

A text comes from the arguments, from files (.txt, .md, .pdf, .docx), or from standard input; the result goes to
standard output. A text that is longer than the model reads at once is summarized in sections, and questioned in windows
that overlap. With --jsonl every line in is an object with `text`, or with `question` and `context`, and comes out, in
order, as the same object with `output` added; `output` is null and `error` says why where one cannot be worked on.
"""

from __future__ import annotations

import argparse
import sys

from seq2seq.command_line import answer, write
from seq2seq.tasks import TASKS

ANSWER = "Prints the words of a text that answer a question; an empty line where there is no answer in it."


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except BrokenPipeError:
        return 0
    except (ValueError, OSError) as error:
        print(f"seq2seq: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="python -m seq2seq", description="Fuse, split and summarize texts, and ask questions of them."
    )
    commands = root.add_subparsers(dest="task", required=True)
    for task in TASKS:
        write.add_options(commands.add_parser(task, help=f"{task} a text"))
    answer.add_options(commands.add_parser("answer", help="answer a question from a text", description=ANSWER))
    return root


if __name__ == "__main__":
    sys.exit(main())
