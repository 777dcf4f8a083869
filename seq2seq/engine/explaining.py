"""What an engine tells of a finished output: each question names what was written (`Written`), the answers are records.

A model's weights never leave the engine, so an engine elsewhere can be asked the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2seq.explain.attention import View, attention
from seq2seq.explain.pair import Pair, forced, pair_of
from seq2seq.tasks import Task, Written
from seq2seq.trace import AttentionRecord

if TYPE_CHECKING:
    from seq2seq.tasks import Writer


class Explains:
    """For an engine, which has `load`."""

    def pair(self, written: Written) -> Pair:
        return pair_of(self.load(written.task, written.model), written)

    def force(self, task: Task, text: str, target_text: str, model: str | None = None) -> Written:
        """As if `target_text` had been written for `text`."""
        writer: Writer = self.load(task, model)
        return forced(writer, task, text, target_text, model)

    def attention(self, written: Written, view: View) -> AttentionRecord:
        """What one layer, or all together, looked at."""
        return attention(self.pair(written), view)
