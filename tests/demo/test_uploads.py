"""Files on their way in: of those that are broken off nothing stays, and nobody keeps others from sending theirs."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gradio.routes
import httpx
import pytest
from gradio.route_utils import GradioUploadFile, delete_files_created_by_app

from demo import limit_words
from demo.serving import uploads
from demo.serving.server import Server
from demo.settings import PageSettings
from tests.demo.stand_in import StandInEngine
from tests.demo.visitor import Visitor
from tests.serving import serving
from tests.waiting import PATIENCE, until

FILE = ("a.txt", b"Ada wrote.")
PART = b'--B\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
OTHER = {"X-Forwarded-For": "192.0.2.7"}


@pytest.fixture(scope="module")
def page() -> Iterator[tuple[Server, str]]:
    with serving(StandInEngine(0), PageSettings()) as served:
        yield served


@pytest.fixture
def folder(page, tmp_path, monkeypatch) -> Path:
    """Where uploads are kept."""
    monkeypatch.setattr(page[0].demo.app, "uploaded_file_dir", str(tmp_path))
    return tmp_path


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def begin(address: str, sent: bytes, length: int = 10_000_000) -> socket.socket:
    """An upload that is still under way."""
    url = httpx.URL(address)
    sender = socket.create_connection((url.host, url.port))
    head = f"POST /gradio_api/upload HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: {length}\r\n"
    sender.sendall(head.encode() + b"Content-Type: multipart/form-data; boundary=B\r\n\r\n" + sent)
    return sender


def post(address: str, body: bytes) -> httpx.Response:
    kind = {"Content-Type": "multipart/form-data; boundary=B"}
    return httpx.post(f"{address}/gradio_api/upload", content=body, headers=kind)


def send(address: str, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.post(f"{address}/gradio_api/upload", files={"files": FILE}, headers=headers)


def test_of_an_upload_that_is_broken_off_nothing_stays(page, folder, capfd):
    for _ in range(3):
        for sent in (PART + b"x" * 2_000_000, PART, b"", (PART + b"x\r\n") * 900):
            begin(page[1], sent).close()
    assert send(page[1]).is_success, "after all of those"
    [kept] = files(folder)
    assert kept.read_bytes() == FILE[1]
    assert "Traceback" not in "".join(capfd.readouterr())


def test_what_has_not_arrived_yet_is_nowhere_in_the_folder(page, folder):
    with begin(page[1], PART + b"x" * 2_000_000):
        time.sleep(0.3)
        assert files(folder) == []


@pytest.mark.parametrize(
    "body",
    [
        PART + b"a\r\n" + PART + b"b\r\n--B--\r\n",
        PART + b"a\r\n" + PART + b"b",
        PART + b'a\r\n--B\r\nContent-Disposition: form-data; name="x"\r\n\r\nb\r\n--B--\r\n',
        PART.replace(b'"files"', b'"file"') + b"a\r\n--B--\r\n",
        PART.replace(b'"a.txt"', b'""') + b"a\r\n--B--\r\n",
        PART.replace(b'; filename="a.txt"', b"") + b"a\r\n--B--\r\n",
        PART + b"a",
        PART[:40],
        b"--B--\r\n",
        b"nonsense",
        b"",
    ],
    ids=range(11),
)
def test_what_is_not_one_file_is_refused_in_words_and_does_not_stay(page, folder, body):
    answer = post(page[1], body)
    assert (answer.status_code, answer.json()["detail"]) == (400, limit_words.NOT_UNDERSTOOD)
    assert files(folder) == []


@pytest.mark.parametrize("kind", [None, "", "text/plain", "multipart/form-data", "multipart/form-data; boundary="])
def test_a_kind_that_has_no_parts_is_refused_in_words(page, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    answer = httpx.post(f"{page[1]}/gradio_api/upload", content=PART + b"a\r\n--B--\r\n", headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (400, limit_words.NOT_UNDERSTOOD)


@pytest.mark.parametrize("charset", ["nosuch", "unicode_escape", "idna", "undefined", "hex", "utf-16"])
def test_a_name_in_any_writing_does_no_harm(page, folder, charset):
    kind = {"Content-Type": f"multipart/form-data; boundary=B; charset={charset}"}
    body = PART.replace(b"a.txt", rb"\ud800\xff.txt") + b"a\r\n--B--\r\n"
    answer = httpx.post(f"{page[1]}/gradio_api/upload", content=body, headers=kind)
    assert answer.status_code in (200, 400)
    assert len(files(folder)) == answer.is_success


def test_a_file_arrives_as_it_was_sent_and_has_a_name_of_its_own(page, folder):
    data = bytes(range(256)) * 20_000 + b"\r\n--B--\r\n"
    paths = [Path(Visitor(*page).upload("notes.PDF", data)["path"]) for _ in range(2)]
    assert len({*paths}) == 2
    for path in paths:
        assert path.suffix == ".PDF"
        assert path.read_bytes() == data


def test_of_its_progress_nothing_is_kept(page, folder):
    for form in ({"files": FILE}, {"files": (None, b"a field")}):
        httpx.post(f"{page[1]}/gradio_api/upload", files=form, params={"upload_id": "x" * 1_000})
    assert httpx.get(f"{page[1]}/gradio_api/upload_progress", params={"upload_id": "y"}).status_code == 404
    assert not gradio.routes.file_upload_statuses._statuses
    assert not gradio.routes.file_upload_statuses._signals


def test_whoever_is_slow_is_told_and_makes_room(page, folder, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_SECONDS", 0.3)
    with begin(page[1], PART) as slow:
        slow.settimeout(PATIENCE)
        answer = b"".join(iter(lambda: slow.recv(10_000), b"")).decode()
        assert answer.startswith("HTTP/1.1 408")
        assert limit_words.TOO_SLOW in answer
    assert files(folder) == []


def test_uploads_of_one_visitor_wait_for_each_other_and_for_nobody_else(page, folder):
    held = [begin(page[1], PART) for _ in range(uploads.AT_ONCE_OF_ONE)]
    with ThreadPoolExecutor() as aside:
        try:
            time.sleep(0.3)
            waiting = aside.submit(send, page[1])
            assert send(page[1], OTHER).is_success
            time.sleep(0.3)
            assert not waiting.done()
        finally:
            for each in held:
                each.close()
        assert waiting.result(PATIENCE).is_success


def test_of_a_file_that_there_is_no_room_for_nothing_stays(page, folder, monkeypatch, capfd):
    write = GradioUploadFile.write

    async def until_the_disk_is_full(self, data: bytes) -> None:
        await write(self, data[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    other = folder / "tmpother"
    other.write_bytes(b"of somebody else")
    with monkeypatch.context() as full:
        full.setattr(GradioUploadFile, "write", until_the_disk_is_full)
        answer = send(page[1])
    assert (answer.status_code, answer.json()["detail"]) == (507, limit_words.NO_ROOM)
    assert files(folder) == [other]
    assert "Traceback" not in "".join(capfd.readouterr())
    assert send(page[1]).is_success


def test_no_process_of_gradios_takes_files_past_all_this(monkeypatch):
    monkeypatch.setenv("GRADIO_NUM_WORKERS", "1")
    with serving(StandInEngine(0), PageSettings()) as (server, _):
        assert not hasattr(server.demo, "_static_worker_pool")


def test_files_that_nobody_reads_make_room_for_others(page, folder, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_KEPT", 3)
    known = page[0].demo.upload_file_set
    paths = [send(page[1]).json()[0] for _ in range(6)]
    until(lambda: len(files(folder)) == 3)
    assert {*map(str, files(folder))} == {*paths[3:]}
    assert known & {*paths} == {*paths[3:]}
    monkeypatch.setattr(uploads, "MOST_BYTES_KEPT", 2 * len(FILE[1]))
    send(page[1])
    until(lambda: len(files(folder)) == 2)
    monkeypatch.setattr(uploads, "MOST_BYTES_KEPT", 0)
    last = send(page[1]).json()[0]
    until(lambda: len(files(folder)) == 1)
    assert Path(last).exists()
    delete_files_created_by_app(page[0].demo, age=None)
    assert files(folder) == []
