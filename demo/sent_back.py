"""A result as the page sends it back, made anew: what else a program sends in its place is not kept or shown."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from demo.limit_words import NOT_UNDERSTOOD
from seq2seq.tasks import InputError


class Exact(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class Progress(Exact):
    done: int
    of: int
    says: str
    stopped: str


class Shown(Exact):
    """What `demo.handlers.result` makes, by name and kind."""

    text: str
    pieces: list[Annotated[list[str], Field(min_length=2, max_length=2)]]
    hint: str
    score: str
    notes: list[str]
    problem: str
    running: bool
    progress: Progress | None
    longer: str
    known: str
    opened: bool
    filename: str


def read_result(sent: Any) -> dict:
    """Raises: InputError for what is none."""
    try:
        return Shown.model_validate(sent).model_dump()
    except ValidationError:
        raise InputError(NOT_UNDERSTOOD) from None
