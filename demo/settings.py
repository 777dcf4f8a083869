"""What a host may set about the page, by environment variables that begin with GLOSS_."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class PageSettings(BaseSettings):
    """How many visitors are served at once, and how many may wait."""

    model_config = SettingsConfigDict(env_prefix="GLOSS_")

    concurrency: int = Field(1, ge=1, description="requests that run at the same time")
    max_waiting: int = Field(64, ge=1, description="requests that may wait before newcomers are turned away")
