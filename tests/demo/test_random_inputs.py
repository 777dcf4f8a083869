"""Thousands of inputs that nobody meant: whatever is sent, the answer is in plain words, and the next request works.

The random ones are the same in every run without another --hypothesis-seed; a failure names the smallest that it was
found for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from gradio.block_function import BlockFunction
from gradio.components import Component
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from demo import limit_words, wording
from demo.answering import Answering
from demo.explorer_words import EXPORTS
from demo.handlers import Handlers
from demo.links import read_link
from demo.looking import Looking, Seen, draw, exported
from demo.setting_fields import FIELDS
from demo.settings import PageSettings
from seq2seq.engine import Engine, EngineSettings
from tests.demo import stand_in
from tests.demo.hostile import NASTY, texts, values
from tests.demo.stand_in import StandInEngine
from tests.demo.visitor import Visitor
from tests.serving import serving
from tests.waiting import PATIENCE

NUM_INPUTS = 10_000
LONGEST = 500  # characters of a text that a model reads here
NUM_TEXTS = 10  # beside the nasty ones, through the embedded models
SECONDS_TO_HEAR = 2 * PATIENCE  # of the end of all that was asked for
INPUTS_AN_EXAMPLE = 4.6  # at least, on average: one for each value of an event, and one more
TEXT = "Ada wrote. She wrote notes."
OUTPUT = "Ada wrote."  # as short as it can be, as it is written so often
OF_THE_INSIDE = ("Traceback (most", 'File "', "site-packages", str(Path(__file__).parents[2]), "root:x:0", "Error in")
AT_RANDOM = settings(
    database=None,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
SHOWN = {
    "running": True, "progress": None, "notes": [], "problem": "", "text": TEXT, "longer": TEXT, "known": "",
    "pieces": [[TEXT, ""]],
}  # fmt: skip


class Stranger(Visitor):
    """A visitor who sends anything, by one connection, and looks closely at what comes back."""

    def __init__(self, server, address: str):
        super().__init__(server, address)
        self.http = HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE)
        self.num_inputs = 0
        self.is_waiting = False  # for what it has asked for

    def send(self, method: str, path: str, body: bytes | None = None) -> HTTPResponse:
        self.http.request(method, f"/gradio_api{path}", body, {"Content-Type": "application/json"})
        return self.http.getresponse()

    def post(self, path: str, asked: Any) -> Any:
        """What it answers; None if it refuses."""
        self.num_inputs += 1
        answer = self.send("POST", path, json.dumps(asked).encode())  # NaN and half characters too
        told = answer.read().decode()
        assert answer.status < 500 or is_busy(answer.status, told), (answer.status, told)
        refuse_insights(told)
        return json.loads(told) if answer.status < 300 else None

    def ask_event(self, event: BlockFunction, data: Any, about: Any = None) -> None:
        asked = {"fn_index": event._id, "session_hash": self.session, "data": data, "event_data": about}
        answer = self.post("/queue/join" if event.queue else "/run/predict", asked)
        self.is_waiting |= event.queue and answer is not None

    def ask_endpoint(self, event: BlockFunction, data: Any) -> None:
        answer = self.post(f"/call/{event.api_name}", {"data": data})
        if answer is not None:
            told = self.told(event.api_name, answer)
            refuse_insights(told)
            assert 'data: {"error": null' not in told, "an error without a word"

    def told(self, endpoint: str, asked: dict) -> str:
        return self.send("GET", f"/call/{endpoint}/{asked['event_id']}").read().decode()

    def listen(self) -> None:
        """To all that was queued, if anything was."""
        if not self.is_waiting:
            return
        self.is_waiting = False
        began = time.monotonic()
        for line in self.send("GET", f"/queue/data?session_hash={self.session}"):
            told = line.decode()
            refuse_insights(told)
            assert '"error":null' not in told, "an error without a word"
            assert time.monotonic() - began < SECONDS_TO_HEAR, "no end is told"

    def asks_as_ever(self) -> None:
        usual = [TEXT, *[None] * 13]
        assert json.dumps([OUTPUT]) in self.told("fuse", self.post("/call/fuse", {"data": usual}))


def is_busy(status: int, told: str) -> bool:
    return status == 503 and json.loads(told) == {"detail": limit_words.BUSY}


def refuse_insights(told: str) -> None:
    """What a visitor is told says nothing of the program that tells it."""
    found = [sign for sign in OF_THE_INSIDE if sign in told]
    assert not found, (found, told)


def ordinary(widget: Component) -> Any:
    """What the page might send for it."""
    match type(widget).__name__:
        case "Radio" | "Dropdown":
            return widget.choices[0][1] if widget.choices else None
        case "HTML":
            return SHOWN
        case "Checkbox":
            return False
        case "Number":
            return widget.value
        case "Api":
            return TEXT
        case "Textbox" if widget.lines > 1 or "question" in widget.elem_classes:
            return TEXT
    return "" if type(widget).__name__ == "Textbox" else None


def variants(event: BlockFunction, value: Any) -> Iterator[Any]:
    """What may be sent to an event: the value in the place of each that it takes, and in the place of all."""
    usual = [ordinary(widget) for widget in event.inputs]
    for place in range(len(usual)):
        yield [*usual[:place], value, *usual[place + 1 :]]
    yield value


@pytest.fixture(scope="module")
def stranger() -> Iterator[Stranger]:
    """One whose session has a result already, so that its pictures can be asked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stand_in, "OUTPUTS", dict.fromkeys(stand_in.OUTPUTS, OUTPUT))
        with serving(StandInEngine(0), PageSettings()) as (server, address):
            stranger = Stranger(server, address)
            stranger.fuse(TEXT)
            assert stranger.last()["text"] == OUTPUT
            stranger.join("first_look", [None, "words"])
            assert [each["success"] for each in stranger.hears() if each["msg"] == "process_completed"] == [True]
            yield stranger


def events(server) -> list[BlockFunction]:
    """All that have a function on the server, and something to tell it."""
    return [event for event in server.demo.fns.values() if event.fn and event.inputs]


def test_ten_thousand_inputs_are_answered_in_plain_words(stranger):
    known = events(stranger.server)

    @settings(AT_RANDOM, max_examples=round(NUM_INPUTS / INPUTS_AN_EXAMPLE))
    @given(st.sampled_from(known), values, st.none() | values)
    def anything_is_sent(event, value, about):
        for data in variants(event, value):
            if event.api_visibility == "public":
                stranger.ask_endpoint(event, data)
            else:
                stranger.ask_event(event, data, about)
        stranger.listen()

    anything_is_sent()
    stranger.asks_as_ever()
    assert stranger.num_inputs >= NUM_INPUTS


@pytest.fixture(scope="module")
def handlers() -> Handlers:
    return Handlers(Engine(EngineSettings(device="cpu")))


def test_any_text_goes_through_the_models_and_their_pictures(handlers):
    """To its end, or to a notice of what is wrong with it: never to an apology."""
    looking, answering = Looking(handlers.engine), Answering(handlers.engine)
    short = [str(2) if field.name == "max_new_tokens" else "" for field in FIELDS]

    def goes_through(text: str) -> None:
        text = text.encode("utf-8", "ignore").decode()  # as it comes through the gate
        handlers.count("summarize", text, None)
        *_, (shown, run) = handlers.generate("fuse", text, None, "own", False, *short)
        assert wording.APOLOGY not in shown["problem"]
        handlers.first_look(run, "words")
        *_, (found, *_) = answering.read(text, TEXT + text, None)
        assert wording.APOLOGY not in found["problem"]
        *_, (shown, explored, *_) = looking.look("fuse", TEXT + text, text, None)
        assert wording.APOLOGY not in shown["problem"]
        if shown["problem"]:
            return
        [seen] = [each for each in looking.open(explored) if isinstance(each, Seen)]
        draw(seen, None, [], False, "shown", False)
        for file in EXPORTS:
            exported(seen, file, [], False, "shown")
        looking.confidence(explored, False)
        query = looking.link(explored, *vars(explored.look).values())["query"]
        assert read_link(dict(parse_qsl(query)), looking.kept_texts)[0] == explored.written

    for text in NASTY:
        if len(text) <= LONGEST:
            goes_through(text)
    settings(AT_RANDOM, max_examples=NUM_TEXTS)(given(texts)(goes_through))()
