"""What goes into a task and what comes out of it: settings, snapshots of a run, and errors in a visitor's words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from seq2seq.trace import Token

Task = Literal["fuse", "split", "summarize"]
TASKS: tuple[Task, ...] = Task.__args__


class InputError(ValueError):
    """The text cannot be worked on; the message tells a visitor why, and what to do."""


@dataclass(frozen=True)
class GenerationSettings:
    """How to write. None leaves a field to the checkpoint's own choice for the task."""

    num_beams: int | None = None
    do_sample: bool | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    max_new_tokens: int | None = None
    min_new_tokens: int | None = None
    length_penalty: float | None = None
    no_repeat_ngram_size: int | None = None
    repetition_penalty: float | None = None
    seed: int = 0

    def overrides(self) -> dict[str, int | float | bool]:
        """What was chosen, as arguments of the search."""
        return {name: value for name, value in asdict(self).items() if value is not None and name != "seed"}


@dataclass(frozen=True)
class Choice:
    """One generated token: where it stands in the output, how sure the model was, and what else it weighed."""

    token: Token
    probability: float  # 0 to 1
    alternatives: tuple[tuple[str, float], ...]  # the likeliest tokens at this place, itself included


@dataclass(frozen=True)
class Generated:
    """A snapshot of a run. Snapshots follow each other as it goes on; the last one has `finished` and `choices`."""

    text: str  # the output so far, as a reader should see it
    source_text: str  # the visitor's text without control characters
    target_ids: tuple[int, ...]  # output tokens so far, without the start token
    num_source_tokens: int  # tokens that the model read
    num_cut_tokens: int  # tokens that did not fit and were left out
    seconds: float  # since the run began
    finished: bool = False
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True)
class TokenCount:
    """How long a text is to a model, and how long it may be."""

    num_tokens: int
    limit: int
