"""What goes into a task and what comes out of it: settings, snapshots of a run, and errors in a visitor's words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from seq2seq.tasks.sections import joined
from seq2seq.trace import Answer

Task = Literal["fuse", "split", "summarize"]
TASKS: tuple[Task, ...] = Task.__args__
Skill = Literal["fuse", "split", "summarize", "answer"]  # what a checkpoint can do: write for a task, or answer
SKILLS: tuple[Skill, ...] = Skill.__args__
Wording = Literal["own", "quoted"]  # of a summary: the model's own, or sentences of the text
WORDINGS: tuple[Wording, ...] = Wording.__args__


RANGES: dict[str, tuple[float, float]] = {  # what may be chosen of GenerationSettings, by visitors and by checkpoints
    "num_beams": (1, 16),
    "max_new_tokens": (1, 512),
    "min_new_tokens": (0, 512),
    "length_penalty": (-5, 5),
    "no_repeat_ngram_size": (0, 10),
    "repetition_penalty": (0.5, 5),
    "temperature": (0.05, 5),
    "top_k": (0, 1000),
    "top_p": (0.01, 1),
    "seed": (0, 2**31 - 1),
}


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
    wording: Wording | None = None

    def overrides(self) -> dict[str, int | float | bool]:
        """What was chosen, as arguments of the search."""
        own = {"seed", "wording"}
        return {name: value for name, value in asdict(self).items() if value is not None and name not in own}


@dataclass(frozen=True)
class AnswerSettings:
    """How to answer. A checkpoint may carry its own, in config.json as task_specific_params["answer"].

    `no_answer_threshold` is the doubt up to which an answer is given: the share of "no answer" in its probability and
    that of the best span together. At 0.5 there is no answer where "no answer" is likelier than the best span, at 1.0
    there always is one. The three fields after it say how scores become probabilities (`spans.calibrated`).
    """

    num_spans: int = 5  # how many to tell, the best one included
    max_answer_tokens: int = 30
    no_answer_threshold: float = 0.5
    length_penalty: float = 0.0
    temperature: float = 1.0
    no_answer_bias: float = 0.0
    max_window_tokens: int | None = None  # question and text read at once; None: as many as the model can

    def __post_init__(self) -> None:
        """Raises: ValueError that names a setting out of range."""
        for name in ("num_spans", "max_answer_tokens", "max_window_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be 1 or more; got {value}.")
        if not 0 <= self.no_answer_threshold <= 1:
            raise ValueError(f"no_answer_threshold must be from 0 to 1; got {self.no_answer_threshold}.")
        if not self.temperature > 0:
            raise ValueError(f"temperature must be more than 0; got {self.temperature}.")


@dataclass(frozen=True)
class Written:
    """What was written for a text, or what is to be looked at as if it were: enough to look back at it."""

    task: Task
    text: str
    target_ids: tuple[int, ...]  # without the start token
    model: str | None = None  # None: the task's first


@dataclass(frozen=True)
class Section:
    """A text that was read at once, whole or a part of a longer one, and what was written for it."""

    source_text: str  # without control characters
    text: str  # as a reader should see it
    target_ids: tuple[int, ...]  # of `text`, without the start token
    num_source_tokens: int  # tokens that the model read
    num_cut_tokens: int  # tokens that did not fit and were left out
    seconds: float  # since it was begun
    quoted: bool = False  # whether `text` is sentences of `source_text`


@dataclass(frozen=True)
class Generated:
    """A snapshot of a run. Snapshots follow each other as it goes on; the last one has `finished` and all sections.

    What the model reads at once is one section, so most runs have only one; of that, or of the one being written, are
    `source_text` and `target_ids`.
    """

    sections: tuple[Section, ...]  # the finished ones in order, and last the one being written
    num_sections: int  # of the whole text
    finished: bool = False

    @property
    def text(self) -> str:
        """The output so far: a paragraph for each section."""
        return joined(section.text for section in self.sections)

    @property
    def source_text(self) -> str:
        return self.sections[-1].source_text

    @property
    def target_ids(self) -> tuple[int, ...]:
        return self.sections[-1].target_ids

    def written(self, task: Task, model: str | None = None) -> Written:
        """The last section, as an engine is asked about it; `model` is the one that wrote it."""
        return Written(task, self.source_text, self.target_ids, model)

    @property
    def quoted(self) -> bool:
        return self.sections[-1].quoted

    @property
    def num_target_tokens(self) -> int:
        return sum(len(section.target_ids) for section in self.sections)

    @property
    def num_source_tokens(self) -> int:
        return sum(section.num_source_tokens for section in self.sections)

    @property
    def num_cut_tokens(self) -> int:
        return sum(section.num_cut_tokens for section in self.sections)

    @property
    def seconds(self) -> float:
        return sum(section.seconds for section in self.sections)

    @property
    def num_finished_sections(self) -> int:
        """What is quoted is there at once: its last section is never a growing one."""
        return len(self.sections) - (not self.finished and not self.quoted)

    @property
    def seconds_left(self) -> float | None:
        """Until the run ends, if its sections go on taking as long as those before; None while there is none before."""
        before, growing = self.sections[: self.num_finished_sections], self.sections[self.num_finished_sections :]
        if not before:
            return None
        each = sum(section.seconds for section in before) / len(before)
        return max(0.0, each * (self.num_sections - len(before)) - sum(section.seconds for section in growing))


@dataclass(frozen=True)
class TokenCount:
    """How long a text is to a model, how much the model reads at once, and in how many sections it reads the text."""

    num_tokens: int
    limit: int
    num_sections: int = 1


@dataclass(frozen=True)
class Reading:
    """A snapshot of a text being read, in windows where it is long. The last one has the answer."""

    windows_read: int
    num_windows: int
    answer: Answer | None = None
