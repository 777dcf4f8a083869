"""What a visitor may ask for, through the page and past it, and what is said to whom a limit stops."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from gradio_client.utils import QueueError

from demo import limit_words, wording
from demo.serving import door
from demo.serving.limits import MOST_VISITORS, Allowance, visitor_of
from demo.serving.places import MOST_FILES
from demo.settings import PageSettings
from seq2seq.engine import Loading
from seq2seq.tasks import Generated
from seq2seq.tasks.patience import go_on
from tests.demo.stand_in import OUTPUTS, StandInEngine
from tests.demo.test_endpoints import stands_still
from tests.demo.visitor import Visitor
from tests.serving import serving
from tests.waiting import PATIENCE, until, within

TEXT = "Ada wrote. She wrote notes."
LONG = "echo " + "one two three four " * 100


def test_an_allowance_is_used_up_and_comes_back():
    allowance = Allowance(6)
    assert [allowance.take("Ada", 100) for _ in range(6)] == [0] * 6
    assert allowance.take("Ada", 100) == pytest.approx(10)
    assert allowance.take("Bob", 100) == 0
    assert allowance.take("Ada", 105) == pytest.approx(5)
    assert allowance.take("Ada", 110.1) == 0
    assert [allowance.take("Ada", 1000) for _ in range(7)].count(0) == 6


def test_visitors_are_forgotten_who_have_their_allowance_back():
    allowance = Allowance(1)
    for number in range(MOST_VISITORS + 1):
        allowance.take(str(number), 0)
    allowance.take("Ada", 61)
    assert list(allowance.left) == ["Ada"]


@pytest.mark.parametrize(
    ("host", "visitor"),
    [
        ("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"), ("testclient", "testclient"), ("", ""),
        ("::ffff:192.0.2.7", "192.0.2.7"), ("::ffff:c000:207", "192.0.2.7"), ("64:ff9b::192.0.2.7", "192.0.2.7"),
        ("64:ff9b:1::1", "64:ff9b:1::/64"), ("fe80::1%eth0", "fe80::/64"),
    ],
)  # fmt: skip
def test_a_visitor_is_an_address_or_a_network_of_ipv6(host, visitor):
    assert visitor_of(host) == visitor


def call(address: str, text: str = TEXT, **headers: str) -> httpx.Response:
    return httpx.post(f"{address}/gradio_api/call/fuse", json={"data": [text]}, headers=headers)


def test_the_rate_holds_for_the_page_and_for_programs():
    with serving(StandInEngine(0), PageSettings(rate_limit=2)) as (server, address):
        visitor = Visitor(server, address)
        assert visitor.fuse(TEXT).status_code == 200
        assert visitor.last()["text"] == OUTPUTS["fuse"]
        assert call(address).status_code == 200
        for refused in (call(address), visitor.fuse(TEXT), Visitor(server, address).fuse(TEXT)):
            assert refused.status_code == 429
            assert 0 < int(refused.headers["retry-after"]) <= 30
            assert refused.json()["detail"].startswith("This was more than one visitor may ask for in a minute.")
        shown = visitor.end()
        assert "Your text is still there" in shown["problem"]
        assert (shown["running"], shown["notes"]) == (False, [])
        assert visitor.end()["notes"] == [wording.STOPPED], "it is told once"


def test_of_what_is_refused_little_is_kept():
    with serving(StandInEngine(0), PageSettings(rate_limit=1)) as (server, address):
        visitor, other = Visitor(server, address), Visitor(server, address, "s" * 1_000_000)
        assert [each.fuse(TEXT).status_code for each in (visitor, other, visitor, other)] == [200, 400, 429, 400]
        assert list(server.demo.app.state.refusals) == [visitor.session]


def test_pictures_of_a_run_are_counted_apart():
    with serving(StandInEngine(0), PageSettings(rate_limit=1)) as (server, address):
        visitor = Visitor(server, address)
        assert visitor.fuse(TEXT).status_code == 200
        looks = [visitor.join("first_look", [None, "words"]).status_code for _ in range(12)]
        assert looks == [200] * 10 + [429] * 2


def test_files_and_forms_are_counted_apart_too():
    with serving(StandInEngine(0), PageSettings(rate_limit=1)) as (server, address):
        visitor = Visitor(server, address)
        assert visitor.fuse(TEXT).status_code == 200
        nothing = {"path": "/nothing", "meta": {"_type": "gradio.FileData"}}
        for name, data, most in (("open_document", [nothing], 10), ("arrive", [], 30)):
            came = [visitor.join(name, data).status_code for _ in range(2 * most)]  # some come back meanwhile
            assert {*came[:most]} == {200}
            assert {*came[most:]} >= {429}


def test_what_the_page_does_at_once_is_counted_too(monkeypatch):
    monkeypatch.setitem(door.ALLOWED, "touch", 3)
    with serving(StandInEngine(0), PageSettings(rate_limit=1)) as (server, address):
        visitor = Visitor(server, address)
        touched = [visitor.at_once("count", ["fuse", TEXT, None]).status_code for _ in range(4)]
        assert touched == [200] * 3 + [429]
        assert visitor.fuse(TEXT).status_code == 200


def test_files_that_wait_take_no_place_of_a_run():
    go_on = Event()
    with serving(StandInEngine(0), PageSettings()) as (server, address), ThreadPoolExecutor(50) as at_once:
        opened = next(event for event in server.demo.fns.values() if event.name == "open_document")
        opened.fn = lambda *_: go_on.wait(PATIENCE)
        files = [Visitor(server, address) for _ in range(MOST_FILES + 20)]
        file = files[0].upload("a.txt", b"Ada wrote.")
        try:
            came = [*at_once.map(lambda each: each.join("open_document", [file]), files)]
            refused = [answer for answer in came if not answer.is_success]
            assert server.num_waiting() <= MOST_FILES
            assert refused
            assert {(each.status_code, each.json()["detail"]) for each in refused} == {(503, limit_words.FILES_BUSY)}
            visitor = Visitor(server, address)
            visitor.fuse(TEXT)
            assert visitor.last()["text"] == OUTPUTS["fuse"]
            assert Client(address, verbose=False).predict(api_name="/models")
        finally:
            go_on.set()


@pytest.mark.parametrize(("trusted", "status"), [("127.0.0.1", 200), ("", 429)])
def test_who_asks_is_read_from_a_header_only_behind_a_proxy_that_is_trusted(trusted, status):
    with serving(StandInEngine(0), PageSettings(rate_limit=1, trusted_proxies=trusted)) as (_, address):
        assert call(address, **{"X-Forwarded-For": "192.0.2.1"}).status_code == 200
        assert call(address, **{"X-Forwarded-For": "192.0.2.2"}).status_code == status


def test_a_run_of_the_page_that_takes_too_long_ends_with_what_is_there():
    engine = StandInEngine(0.05)
    with serving(engine, PageSettings(time_limit=2)) as (server, address):
        visitor = Visitor(server, address)
        visitor.fuse(LONG)
        shown = visitor.last()
        assert LONG.startswith(shown["text"])
        assert shown["text"]
        assert shown["problem"] == limit_words.out_of_time(2)
        assert shown["notes"] == [wording.BROKEN_OFF]
        assert not shown["running"]
        assert stands_still(engine)


def test_an_endpoint_that_takes_too_long_has_told_what_is_there_and_frees_the_model():
    engine = StandInEngine(0.05)
    with serving(engine, PageSettings(time_limit=4)) as (_, address):
        client = Client(address, verbose=False)
        job = client.submit(LONG, api_name="/fuse")
        with pytest.raises(AppError, match="This took longer than the 4 s"):
            job.result(PATIENCE)
        assert len(job.outputs()) > 5
        with pytest.raises(AppError, match="This took longer"):
            client.predict("fuse", LONG, api_name="/attention")
        assert client.predict(TEXT, api_name="/fuse") == OUTPUTS["fuse"]


class LoadingEngine(StandInEngine):
    """Its models never come: the Hub does not answer."""

    def loading(self, task, model=None):
        while True:
            time.sleep(0.1)
            yield Loading(0, 0)


def test_the_time_of_a_call_runs_out_also_while_a_model_is_loaded():
    with serving(LoadingEngine(0.001), PageSettings(time_limit=0.5)) as (server, address):
        client = Client(address, verbose=False)
        for asked in (("/fuse", TEXT), ("/answer", "Who wrote?", TEXT), ("/attention", "fuse", TEXT)):
            with pytest.raises(AppError, match=r"This took longer than the 0\.5 s"):
                client.predict(*asked[1:], api_name=asked[0])
        visitor = Visitor(server, address)
        visitor.fuse(TEXT)
        assert visitor.last()["problem"] == limit_words.out_of_time(0.5)
        until(lambda: not server.is_busy())


class Preparing(StandInEngine):
    """Has much to do before the first snapshot."""

    def run(self, *_: object, **__: object) -> Iterator[Generated]:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            go_on()
        yield from ()


def test_the_time_holds_before_there_is_anything():
    with serving(Preparing(0), PageSettings(time_limit=0.5)) as (server, address):
        visitor = Visitor(server, address)
        with within(PATIENCE / 2):
            visitor.fuse(TEXT)
            assert visitor.last()["problem"] == limit_words.out_of_time(0.5)
            with pytest.raises(AppError, match="This took longer than the 0.5 s"):
                Client(address, verbose=False).predict(TEXT, api_name="/fuse")


def test_a_result_that_is_whole_is_not_late():
    with serving(StandInEngine(0.001), PageSettings(time_limit=0.0001)) as (server, address):
        visitor = Visitor(server, address)
        visitor.join("read", ["Who wrote?", "[Ada] wrote.", None])
        assert visitor.last()["problem"] == limit_words.out_of_time(0.0001)
        server.calls.time_limit = 10
        visitor.join("read", ["Who wrote?", "[Ada] wrote.", None])
        assert visitor.last()["text"] == "Ada"


def test_who_comes_when_the_queue_is_full_is_told_at_once():
    with serving(StandInEngine(0.05), PageSettings(concurrency=1, max_waiting=1)) as (server, address):
        client = Client(address, verbose=False)
        running = client.submit(LONG, api_name="/fuse")
        while not running.outputs():
            time.sleep(0.02)
        waiting = client.submit(TEXT, api_name="/fuse")
        while not server.num_waiting():
            time.sleep(0.02)
        visitor = Visitor(server, address)
        refused = visitor.fuse(TEXT)
        assert (refused.status_code, refused.json()["detail"]) == (503, limit_words.BUSY)
        with pytest.raises(QueueError, match="Please try again"):
            client.predict(TEXT, api_name="/fuse")
        assert not running.done(), "not when it would be its turn"
        assert visitor.end()["problem"] == limit_words.BUSY
        running.cancel()
        assert waiting.result(PATIENCE) == OUTPUTS["fuse"]


def test_a_text_that_is_too_long_is_refused_in_plain_words():
    with serving(StandInEngine(0), PageSettings(max_characters=100)) as (server, address):
        client = Client(address, verbose=False)
        with pytest.raises(AppError, match="texts of up to 100 characters"):
            client.predict("word " * 21, api_name="/fuse")
        with pytest.raises(AppError, match="texts of up to 100 characters"):
            client.predict("Who?", "word " * 21, api_name="/answer")
        visitor = Visitor(server, address)
        visitor.fuse("word " * 21)
        assert visitor.last()["problem"] == limit_words.too_long(100)
        client.predict("\ufdfa" * 11, api_name="/fuse")
        with pytest.raises(AppError, match="texts of up to 100 characters"):
            client.predict("\ufdfa" * 12, api_name="/fuse")  # which is twelve times eighteen
        for path in ("call/fuse", "run/predict", "queue/join"):
            huge = httpx.post(f"{address}/gradio_api/{path}", content=b" " * 17_000_000)
            assert (huge.status_code, huge.json()["detail"]) == (413, limit_words.TOO_MUCH)


def test_a_file_that_is_too_large_is_refused():
    with serving(StandInEngine(0), PageSettings(max_file_bytes=1000)) as (_, address):
        upload = f"{address}/gradio_api/upload"
        assert httpx.post(upload, files={"files": ("a.txt", b"word " * 100)}).status_code == 200
        assert httpx.post(upload, files={"files": ("a.txt", b"word " * 1000)}).status_code == 413


def test_no_model_runs_past_the_queue():
    with serving(StandInEngine(0), PageSettings()) as (_, address):
        for path in ("run", "api"):
            asked = httpx.post(f"{address}/gradio_api/{path}/fuse", json={"data": [TEXT]})
            assert asked.status_code == 404


def test_what_is_not_a_request_is_not_counted():
    with serving(StandInEngine(0), PageSettings(rate_limit=1)) as (_, address):
        join = f"{address}/gradio_api/queue/join"
        assert httpx.post(join, json=[1]).status_code == 422
        assert httpx.post(join, json={"fn_index": "a", "data": []}).status_code == 404
        assert httpx.post(f"{address}/gradio_api/call/nothing", json={"data": []}).status_code == 404
