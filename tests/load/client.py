"""The API as a program without Gradio's client would use it: a request is queued, its events are read as they come."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx


class Refused(Exception):
    """The server's own words."""


async def ask(http: httpx.AsyncClient, endpoint: str, data: list) -> AsyncIterator[Any]:
    """The endpoint's value so far each time it grows; `data` are all of the endpoint's arguments."""
    queued = await http.post(f"/gradio_api/call/{endpoint}", json={"data": data})
    if queued.status_code != 200:
        raise Refused(queued.text)
    event_id = queued.json()["event_id"]
    async with http.stream("GET", f"/gradio_api/call/{endpoint}/{event_id}") as stream:
        kind = ""
        async for line in stream.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data" and kind == "error":
                raise Refused(value)
            elif name == "data" and kind in ("generating", "complete"):
                yield json.loads(value)[0]
                if kind == "complete":
                    return
    raise Refused("The stream ended before the answer did.")
