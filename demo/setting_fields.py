"""The generation settings as a form: what may be asked for in each field, and the settings that come of it.

Fields are text because Gradio's number field cannot be empty, and empty is what says "the model's own". Knows
no widgets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from demo import wording
from seq2seq.tasks import RANGES, WORDINGS, GenerationSettings, InputError


@dataclass(frozen=True)
class SettingField:
    """A field that takes a number between `low` and `high`, a whole one where `kind` is int."""

    name: str
    kind: type[int] | type[float]
    low: float
    high: float

    def parse(self, typed: str | None) -> float | int | None:
        """The number that was typed; None for an empty field. Raises InputError for anything else."""
        if not (typed or "").strip():
            return None
        try:
            return self.check(self.kind(typed))
        except ValueError:
            raise self.refusal(typed) from None

    def check(self, number: float | int) -> float | int:
        """The number itself. Raises InputError if it is out of range, or no number."""
        if type(number) not in (int, self.kind) or not self.low <= number <= self.high:
            raise self.refusal(number)
        return number

    def refusal(self, got: object) -> InputError:
        return InputError(wording.not_a_setting(self.name, self.kind is int, self.low, self.high, got))


REAL = ("length_penalty", "repetition_penalty", "temperature", "top_p")
FIELDS = tuple(SettingField(name, float if name in REAL else int, *bounds) for name, bounds in RANGES.items())


AUTOMATIC = "automatic"  # the wording that the checkpoint prefers for the length of the text


def settings_of(
    told: str | None, do_sample: bool | None, numbers: Mapping[str, float | int | None]
) -> GenerationSettings:
    """The settings for named numbers, None for the model's own. Raises InputError that names what is off."""
    if told not in (None, *WORDINGS):
        raise InputError(wording.no_such_wording(told, WORDINGS))
    chosen = {field.name: field.check(numbers[field.name]) for field in FIELDS if numbers[field.name] is not None}
    return GenerationSettings(wording=told, do_sample=do_sample, **chosen)


def read_settings(told: str, do_sample: bool, typed: Sequence[str | None]) -> GenerationSettings:
    """The settings for a form's values, in the order of FIELDS. Raises InputError that names the field."""
    numbers = {field.name: field.parse(value) for field, value in zip(FIELDS, typed, strict=True)}
    return settings_of(None if told == AUTOMATIC else told, do_sample or None, numbers)
