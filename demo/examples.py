"""The example texts of each task, from assets/examples. Knows no widgets."""

from __future__ import annotations

import json

from demo.files import ASSETS
from seq2seq.tasks import Task


def examples(task: Task) -> dict[str, str]:
    """Title to text, in the order of the file."""
    return json.loads((ASSETS / "examples" / f"{task}.json").read_text(encoding="utf-8"))
