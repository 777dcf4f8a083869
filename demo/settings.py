"""What a host may set about the page, by environment variables that begin with GLOSS_."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

Settings = TypeVar("Settings", bound=BaseSettings)

A_LIST = 'a list in JSON, such as ["own/one"]'
ALLOWED = {  # by the kinds of error that pydantic tells
    "bool_parsing": "true or false",
    "float_parsing": "a number",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number from {ge:g} on",
    "int_parsing": "a whole number",
    "literal_error": "{expected}",
    "string_type": A_LIST,
    "tuple_type": A_LIST,
}


class PageSettings(BaseSettings):
    """How many visitors are served at once, what each may ask for, and what the host is told of it."""

    model_config = SettingsConfigDict(env_prefix="GLOSS_", env_file=".env", extra="ignore", frozen=True)

    concurrency: int = Field(16, ge=1, description="requests that run at the same time, step by step together")
    max_waiting: int = Field(64, ge=1, description="requests that may wait before newcomers are turned away")
    rate_limit: int | None = Field(None, ge=1, description="runs a minute of one visitor; None for any number")
    trusted_proxies: str = Field(
        "127.0.0.1", description="whose X-Forwarded-For is believed: addresses or networks with commas between, or *"
    )
    time_limit: float | None = Field(None, gt=0, description="seconds that a request may run; None for any time")
    max_characters: int = Field(1_000_000, ge=1, description="of a text or question")
    max_file_bytes: int = Field(10 * 2**20, ge=1, description="of a file")
    grace_seconds: float = Field(8, ge=0, description="that running requests have to finish when the server is stopped")
    mcp: bool = Field(False, description="whether assistants are offered the endpoints as tools (MCP)")
    metrics: bool = Field(False, description="whether /metrics tells Prometheus what is going on")
    json_logs: bool = Field(False, description="whether every request and every error is logged as a line of JSON")


def settings_of_host(kind: type[Settings]) -> Settings:
    """Raises: SystemExit with a line for each that is none."""
    try:
        return kind()
    except ValidationError as error:
        wrong = {str(each["loc"][0]): told(each) for each in error.errors()}
        raise SystemExit(refusal(wrong)) from error
    except SettingsError as error:  # names the field alone
        wrong = {name: f"must be {A_LIST}" for name in kind.model_fields if f'"{name}"' in str(error)}
        raise SystemExit(refusal(wrong)) from error


def told(error: ErrorDetails) -> str:
    """What a setting must be, and what was given."""
    allowed = ALLOWED.get(error["type"])
    if allowed is None:
        return error["msg"].removeprefix("Value error, ").rstrip(".")
    return f"must be {allowed.format(**error.get('ctx', {}))}, not {error['input']!r}"


def refusal(wrong: Mapping[str, str]) -> str:
    return "\n".join(f"GLOSS_{name.upper()}: {says}. Correct it, or leave it out." for name, says in wrong.items())
