"""What a host may set, by environment variables that begin with GLOSS_ (GLOSS_DEVICE=cuda ...)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic_settings import BaseSettings, SettingsConfigDict

EMBEDDED_MODELS = Path(__file__).resolve().parents[2] / "assets" / "models"


class EngineSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="GLOSS_", frozen=True)

    models: Path = EMBEDDED_MODELS  # a folder of checkpoint folders
    extra_models: tuple[str, ...] = ()  # further folders or Hub ids, as a JSON list
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"  # auto: bfloat16 where it is fast
