"""How to generate: the documented generation arguments, their defaults, and what they may be.

Names, defaults and meanings are those of the reference library's `generate`, so that a checkpoint's
generation_config.json reads as it is. Knows no models; files are read and written elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

DEFAULT_NEW_TOKENS = 20


@dataclass
class GenerationConfig:
    """The arguments of `generate`. max_length and min_length count the start tokens too.

    Of a beam search, `early_stopping` says when a source is settled: True as soon as num_beams hypotheses are
    finished, False when it is unlikely that a better one comes, "never" only when none can. `length_penalty`
    is the power of the length that a hypothesis's score is divided by: above 0 it favours long ones, below 0
    short ones.
    """

    max_length: int | None = None  # None: 20 more than the start tokens
    max_new_tokens: int | None = None  # wins over max_length
    min_length: int = 0
    min_new_tokens: int | None = None  # wins over min_length

    num_beams: int = 1
    early_stopping: bool | Literal["never"] = False
    length_penalty: float = 1.0
    num_return_sequences: int = 1

    do_sample: bool = False
    temperature: float = 1.0
    top_k: int | None = 50  # 0 or None: all
    top_p: float = 1.0

    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0  # 0: any may repeat

    pad_token_id: int | None = None
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    decoder_start_token_id: int | None = None
    forced_bos_token_id: int | None = None
    forced_eos_token_id: int | list[int] | None = None

    use_cache: bool = True
    output_scores: bool = False
    return_dict_in_generate: bool = False

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> GenerationConfig:
        """From the contents of a generation_config.json; nulls and names that are not ours are left out."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in names and value is not None})

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def merged(self, **overrides: Any) -> GenerationConfig:
        """A copy with these fields replaced. None leaves a field that cannot be None as it is."""
        kinds = {field.name: field.type for field in fields(self)}
        unknown = sorted(overrides.keys() - kinds.keys())
        if unknown:
            raise ValueError(f"generate does not know {', '.join(unknown)}. It knows {', '.join(sorted(kinds))}.")
        optional = {name for name, kind in kinds.items() if "None" in kind}
        kept = {name: value for name, value in overrides.items() if value is not None or name in optional}
        return replace(self, **kept)

    @property
    def eos_ids(self) -> tuple[int, ...]:
        return _as_ids(self.eos_token_id)

    @property
    def padding_id(self) -> int:
        """What fills up finished rows: the padding token, or else the first end token."""
        return next(iter(self.eos_ids), 0) if self.pad_token_id is None else self.pad_token_id

    @property
    def forced_eos_ids(self) -> tuple[int, ...]:
        return _as_ids(self.forced_eos_token_id)

    def length_limit(self, start_length: int) -> int:
        """The longest a sequence may become, start tokens included."""
        if self.max_new_tokens is not None:
            return start_length + self.max_new_tokens
        if self.max_length is None:
            return start_length + DEFAULT_NEW_TOKENS
        if self.max_length <= start_length:
            raise ValueError(
                f"max_length is {self.max_length} and the start tokens alone are {start_length}: there is no "
                "room for a new one. Raise max_length, or set max_new_tokens instead."
            )
        return self.max_length

    def length_floor(self, start_length: int) -> int:
        """The length, start tokens included, before which a sequence may not end."""
        return self.min_length if self.min_new_tokens is None else start_length + self.min_new_tokens

    def validate(self) -> None:
        """Raise ValueError for the first field that is out of range, or that contradicts another."""
        for name in ("num_beams", "num_return_sequences"):
            self._require(name, _is_count(getattr(self, name), least=1), "a whole number, at least 1")
        for name in ("max_length", "max_new_tokens"):
            self._require_unless_none(name, least=1)
        for name in ("min_new_tokens", "top_k", "pad_token_id", "forced_bos_token_id"):
            self._require_unless_none(name, least=0)
        for name in ("min_length", "no_repeat_ngram_size"):
            self._require(name, _is_count(getattr(self, name), least=0), "a whole number, at least 0")
        for name in ("temperature", "repetition_penalty"):
            value = getattr(self, name)
            self._require(name, _is_number(value) and 0 < value < float("inf"), "a number above 0")
        self._require("top_p", _is_number(self.top_p) and 0 <= self.top_p <= 1, "a number from 0 to 1")
        self._require("length_penalty", _is_number(self.length_penalty), "a number")
        self._require("early_stopping", self.early_stopping in (True, False, "never"), 'True, False or "never"')
        for name in ("eos_token_id", "forced_eos_token_id"):
            are_ids = all(_is_count(id, least=0) for id in _as_ids(getattr(self, name)))
            self._require(name, are_ids, "a token id, a list of them, or None")
        self._validate_num_return_sequences()

    def _validate_num_return_sequences(self) -> None:
        if self.num_beams > 1:
            allowed = self.num_return_sequences <= self.num_beams
            self._require("num_return_sequences", allowed, f"at most num_beams, which is {self.num_beams}")
        elif not self.do_sample:
            allowed = self.num_return_sequences == 1
            self._require("num_return_sequences", allowed, "1 without beams or sampling: all would be equal")

    def _require_unless_none(self, name: str, least: int) -> None:
        value = getattr(self, name)
        self._require(name, value is None or _is_count(value, least), f"a whole number, at least {least}, or None")

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ValueError(f"{name} must be {expected}; it is {getattr(self, name)!r}.")


def _as_ids(ids: int | list[int] | None) -> tuple[int, ...]:
    if ids is None:
        return ()
    return tuple(ids) if isinstance(ids, (list, tuple)) else (ids,)


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
