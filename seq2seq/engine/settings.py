"""What a host may set, by environment variables that begin with GLOSS_ (GLOSS_DEVICE=cuda ...)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from seq2seq.engine.published import OFFERED, PUBLISHED

EMBEDDED_MODELS = Path(__file__).resolve().parents[2] / "assets" / "models"


class SettingError(ValueError):
    """A setting that cannot be had here. The message names it, and what to do."""


class EngineSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="GLOSS_", env_file=".env", extra="ignore", frozen=True)

    engine: Literal["local", "ray"] = "local"  # ray: on the cluster that runs engine/ray_serve.py
    models: Path = EMBEDDED_MODELS  # a folder of checkpoint folders
    extra_models: tuple[str, ...] = ()  # further folders or Hub ids, as a JSON list
    published: Literal["all"] | tuple[str, ...] = ()  # of engine/published.py, as a JSON list; fetched when first used
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"  # auto: bfloat16 where it is fast
    memory: float | None = Field(None, gt=0)  # GB for the weights of models; None: 70 % of what there is
    side_by_side: bool = False  # whether other processes here may run a model at the same time

    @property
    def memory_bytes(self) -> float | None:
        return None if self.memory is None else 1e9 * self.memory

    @field_validator("published")
    @classmethod
    def _as_ids(cls, wanted: Literal["all"] | tuple[str, ...]) -> tuple[str, ...]:
        if wanted == "all":
            return OFFERED
        unknown = [name for name in wanted if name not in PUBLISHED]
        if unknown:
            raise ValueError(
                f"{', '.join(unknown)}: not known here. Any other folder or Hub id goes into extra_models; the known "
                f"ones are {', '.join(PUBLISHED)}."
            )
        return wanted
