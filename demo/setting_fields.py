"""The generation settings as a form: what may be typed into each field, and the settings that come of it.

Fields are text because Gradio's number field cannot be empty, and empty is what says "the model's own". Knows
no widgets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from demo import wording
from seq2seq.tasks import GenerationSettings, InputError


@dataclass(frozen=True)
class SettingField:
    """A field that takes a number between `low` and `high`, a whole one where `kind` is int."""

    name: str
    kind: type[int] | type[float]
    low: float
    high: float

    def read(self, typed: str | None) -> float | int | None:
        """The number that was typed; None for an empty field. Raises InputError for anything else."""
        if not (typed or "").strip():
            return None
        try:
            number = self.kind(typed)
        except ValueError:
            number = None
        if number is None or not self.low <= number <= self.high:
            raise InputError(wording.not_a_setting(self.name, self.kind is int, self.low, self.high, typed))
        return number


FIELDS = (
    SettingField("num_beams", int, 1, 16),
    SettingField("max_new_tokens", int, 1, 512),
    SettingField("min_new_tokens", int, 0, 512),
    SettingField("length_penalty", float, -5, 5),
    SettingField("no_repeat_ngram_size", int, 0, 10),
    SettingField("repetition_penalty", float, 0.5, 5),
    SettingField("temperature", float, 0.05, 5),
    SettingField("top_k", int, 0, 1000),
    SettingField("top_p", float, 0.01, 1),
    SettingField("seed", int, 0, 2**31 - 1),
)


def read_settings(do_sample: bool, typed: Sequence[str | None]) -> GenerationSettings:
    """The settings for a form's values, in the order of FIELDS. Raises InputError that names the field."""
    chosen = {field.name: field.read(value) for field, value in zip(FIELDS, typed, strict=True)}
    chosen["do_sample"] = do_sample or None
    return GenerationSettings(**{name: value for name, value in chosen.items() if value is not None})
