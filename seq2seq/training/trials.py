"""A checkpoint tried out on texts of our own (assets/trials.json), for its card: what came out, as it came out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from seq2seq.engine import Engine
from seq2seq.engine.local import read_card

SHOWN_WORDS = 320  # of a text; of a longer one the card shows the beginning


def tried(engine: Engine, model: str, trials: Path) -> str:
    """As Markdown: each text that is meant for what the model does, and what the model made of it."""
    tasks = read_card(model, model).tasks
    rows = [row for row in json.loads(trials.read_text(encoding="utf-8")) if row["task"] in tasks]
    return "\n\n".join("\n\n".join(parts(engine, model, row)) for row in rows)


def parts(engine: Engine, model: str, row: dict[str, str]) -> Iterator[str]:
    yield f"### {row['title']} ({row['task']})"
    yield quoted(beginning(row["text"]))
    if row["task"] == "answer":
        yield f"*{row['question']}*"
    yield f"**Output:** {output(engine, model, row)}"


def output(engine: Engine, model: str, row: dict[str, str]) -> str:
    if row["task"] != "answer":
        (written,) = engine.run_many(row["task"], [row["text"]], model)
        return str(written)
    (answer,) = engine.answer_many([(row["question"], row["text"])], model)
    return answer.best.text if answer.best else "(no answer in this text)"


def beginning(text: str) -> str:
    words = text.split(" ")
    if len(words) <= SHOWN_WORDS:
        return text
    return f"{' '.join(words[:SHOWN_WORDS])} … (in all {len(text.split()):,} words)"


def quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))
