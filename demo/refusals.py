"""What a visitor asked for and was refused, kept until the page asks why: Gradio's says no more than that it failed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import gradio as gr
from starlette.applications import Starlette

SECONDS_TO_ASK = 10
BUSY_SECONDS = 60  # after which there may be room again


@dataclass(frozen=True)
class Refusal:
    reason: Literal["size", "slow", "stopping", "busy", "rate"]
    status: int
    says: str
    wait: float = 0  # seconds until it may be asked again; 0 where waiting does not help


def remember(app: Starlette, session: str, refusal: Refusal) -> None:
    """For `told`, for as long as the page needs to ask."""
    now = time.monotonic()
    kept = getattr(app.state, "refusals", {})
    recent = {each: (then, says) for each, (then, says) in kept.items() if now - then < SECONDS_TO_ASK}
    app.state.refusals = recent | {session: (now, refusal.says)}


def told(request: gr.Request | None) -> str:
    """Why what this visitor's page has just asked for was refused; nothing, if it was not."""
    if request is None:
        return ""
    then, says = getattr(request.request.app.state, "refusals", {}).pop(request.session_hash, (0.0, ""))
    return says if time.monotonic() - then < SECONDS_TO_ASK else ""
