"""What nobody foresaw: the visitor is told so in plain words, and the host where it was."""

from __future__ import annotations

import json

import httpx
import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from demo import wording
from demo.serving.failures import Failures
from demo.settings import PageSettings
from tests.aside import awaited
from tests.demo.stand_in import StandInEngine
from tests.demo.test_serving import json_logs
from tests.serving import serving

MARK = "Xylophonist"


def test_the_visitor_reads_an_apology_and_the_host_where_it_was(monkeypatch, capsys):
    def get_blocks() -> None:
        raise KeyError(MARK)

    with json_logs(), serving(StandInEngine(0), PageSettings()) as (server, address), monkeypatch.context() as patched:
        patched.setattr(server.demo.app, "get_blocks", get_blocks)
        answer = httpx.get(f"{address}/theme.css?{MARK}")
    assert (answer.status_code, answer.json()["detail"]) == (500, wording.APOLOGY)
    told, errors = capsys.readouterr()
    assert MARK not in told + errors + answer.text
    assert "Traceback" not in told + errors
    [line] = (json.loads(line) for line in told.splitlines() if line.startswith("{"))
    assert line["error"] == "KeyError"
    assert line["where"][-1].endswith("get_blocks")


def ends(error: Exception, begun: bool) -> list[dict]:
    """What is sent of an answer that ends with this error."""
    sent = []

    async def send(message: dict) -> None:
        sent.append(message)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    awaited(Failures(app)({"type": "http"}, None, send))
    return sent


def test_an_answer_that_has_begun_is_not_begun_again(caplog):
    assert [each["type"] for each in ends(KeyError(MARK), begun=True)] == ["http.response.start"]
    assert len(ends(KeyError(MARK), begun=False)) == 2
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 2


@pytest.mark.parametrize("begun", [False, True])
def test_whoever_has_left_is_told_nothing_and_is_no_error(begun, caplog):
    assert len(ends(ClientDisconnect(), begun)) == begun
    assert not caplog.records
