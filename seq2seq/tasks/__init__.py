"""What a person asks of a model: a text in, a stream of results out, and a look at why."""

from seq2seq.tasks.results import (
    TASKS,
    Choice,
    Generated,
    GenerationSettings,
    InputError,
    Task,
    TokenCount,
)
from seq2seq.tasks.writing import Writer, attention, write, write_batch

__all__ = [
    "TASKS",
    "Choice",
    "Generated",
    "GenerationSettings",
    "InputError",
    "Task",
    "TokenCount",
    "Writer",
    "attention",
    "write",
    "write_batch",
]
