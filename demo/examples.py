"""The example texts of each task, and questions with their texts, from assets/examples. Knows no widgets."""

from __future__ import annotations

import json

from demo.files import ASSETS
from seq2seq.tasks import Task


def examples(task: Task) -> dict[str, str]:
    """Title to text, in the order of the file."""
    return _stored(task)


def questions() -> dict[str, tuple[str, str]]:
    """Title to question and text, in the order of the file."""
    stored = _stored("answer")
    return {
        title: (question, passage["text"])
        for passage in stored["passages"]
        for title, question in passage["questions"].items()
    }


def _stored(name: str) -> dict:
    return json.loads((ASSETS / "examples" / f"{name}.json").read_text(encoding="utf-8"))
