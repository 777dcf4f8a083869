"""What the page in a browser does, without one: joins the queue with an event of the page, and hears how it goes."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from demo.handlers import result
from demo.serving.server import Server
from demo.setting_fields import FIELDS
from tests.waiting import PATIENCE

SETTINGS = ["automatic", False, *[""] * len(FIELDS)]


@dataclass
class Visitor:
    server: Server
    address: str
    session: str = field(default_factory=lambda: secrets.token_hex(6))

    def event(self, name: str) -> int:
        """The number of the page's first event that calls a function of this name."""
        return next(number for number, event in self.server.demo.fns.items() if event.name == name)

    def join(self, name: str, data: list, **headers: str) -> httpx.Response:
        asked = {"fn_index": self.event(name), "session_hash": self.session, "data": data}
        return httpx.post(f"{self.address}/gradio_api/queue/join", json=asked, headers=headers)

    def fuse(self, text: str, **headers: str) -> httpx.Response:
        return self.join("generate", ["fuse", text, None, *SETTINGS], **headers)

    def upload(self, name: str, content: bytes) -> dict:
        """A file as an event is given it."""
        answer = httpx.post(f"{self.address}/gradio_api/upload", files={"files": (name, content)})
        return {"path": answer.json()[0], "orig_name": name, "meta": {"_type": "gradio.FileData"}}

    def end(self) -> dict:
        """What the result shows at the end of a run that has shown nothing yet."""
        return self.at_once("end", [result("fuse", running=True)]).json()["data"][-1]

    def at_once(self, name: str, data: list, **more: Any) -> httpx.Response:
        """An event that does not wait."""
        asked = {"fn_index": self.event(name), "session_hash": self.session, "data": data, **more}
        return httpx.post(f"{self.address}/gradio_api/run/predict", json=asked)

    def hears(self) -> Iterator[dict]:
        """The messages about what was joined, to the last."""
        stream = httpx.stream(
            "GET", f"{self.address}/gradio_api/queue/data", params={"session_hash": self.session}, timeout=PATIENCE
        )
        with stream as answer:
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    message = json.loads(line[5:])
                    yield message
                    if message["msg"] == "close_stream":
                        return

    def last(self) -> dict:
        """The result that the page shows when the run is over."""
        [*_, completed] = (message for message in self.hears() if message["msg"] == "process_completed")
        return completed["output"]["data"][0]
