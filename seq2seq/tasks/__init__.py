"""What a person asks of a model: a text in, a stream of results out, and a look at why."""

from seq2seq.tasks.answer import Reader
from seq2seq.tasks.results import (
    RANGES,
    SKILLS,
    TASKS,
    WORDINGS,
    AnswerSettings,
    Generated,
    GenerationSettings,
    InputError,
    Reading,
    Section,
    Skill,
    Task,
    TokenCount,
    Wording,
    Written,
)
from seq2seq.tasks.writing import QUOTED, Writer, write, write_batch

__all__ = [
    "QUOTED",
    "RANGES",
    "SKILLS",
    "TASKS",
    "WORDINGS",
    "AnswerSettings",
    "Generated",
    "GenerationSettings",
    "InputError",
    "Reader",
    "Reading",
    "Section",
    "Skill",
    "Task",
    "TokenCount",
    "Wording",
    "Writer",
    "Written",
    "write",
    "write_batch",
]
