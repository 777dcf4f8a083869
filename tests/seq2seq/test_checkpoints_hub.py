"""A checkpoint's files: in a folder, or on a Hub that a small server plays as huggingface.co behaves."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from huggingface_hub import constants

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.checkpoints.hub import find_file, read_json


def test_a_folder_is_searched_before_the_hub(tmp_path):
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "config.json").write_text("{}")
    assert find_file(tmp_path, "config.json") is None
    assert find_file(str(tmp_path), "config.json", subfolder="part") == tmp_path / "part" / "config.json"


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "~/nowhere", "a/b/c", "nowhere/", "a b"])
def test_a_path_that_leads_nowhere(name):
    with pytest.raises(CheckpointError, match="There is no folder"):
        find_file(name, "config.json")


def test_a_file_where_a_folder_is_wanted(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="is a file. Expected the folder"):
        find_file(tmp_path / "model.safetensors", "config.json")


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000, b"3", b'"text"'])
def test_json_that_is_not_an_object(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        read_json(tmp_path / "config.json")


COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub(BaseHTTPRequestHandler):
    """Has one repository, owner/model, and a few ways to fail, each told as huggingface.co tells it."""

    failures = {
        "owner/gated": (403, "GatedRepo"),
        "owner/private": (401, "RepoNotFound"),
    }

    def do_HEAD(self):
        owner, model, _, revision, filename = self.path.strip("/").split("/", 4)
        repository = f"{owner}/{model}"
        if repository in self.failures:
            return self.fail(*self.failures[repository])
        if revision not in ("main", COMMIT):
            return self.fail(404, "RevisionNotFound")
        if filename not in ("config.json", "part/config.json", "broken.json"):
            return self.fail(404, "EntryNotFound")
        if self.command == "GET" and filename == "broken.json":
            return self.fail(410, "Gone")
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{filename.replace("/", "-")}"')
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(b"{}")

    do_GET = do_HEAD

    def fail(self, status, code):
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@contextmanager
def serving(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The folder of a cache that is filled from the fake Hub."""
    with serving(FakeHub) as url:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
        yield tmp_path / "cache"


def test_a_file_is_downloaded_and_then_found_without_the_network(hub):
    path = find_file("owner/model", "config.json", cache_dir=hub)
    assert path.read_text() == "{}"
    assert find_file("owner/model", "config.json", cache_dir=hub, local_files_only=True) == path
    assert find_file("owner/model", "config.json", cache_dir=hub, revision=COMMIT) == path
    assert find_file("owner/model", "config.json", cache_dir=hub, subfolder="part").parent.name == "part"


def test_a_file_that_the_repository_lacks_is_none_with_and_without_the_network(hub):
    assert find_file("owner/model", "vocab.txt", cache_dir=hub) is None
    find_file("owner/model", "config.json", cache_dir=hub)
    assert find_file("owner/model", "vocab.txt", cache_dir=hub, local_files_only=True) is None


@pytest.mark.parametrize(
    ("name", "filename", "options", "message"),
    [
        ("owner/gated", "config.json", {}, "grant access.*hf auth login"),
        ("owner/private", "config.json", {}, "neither a folder here nor a repository.*Check the spelling"),
        ("owner/model", "config.json", {"revision": "v9"}, "no revision 'v9'"),
        ("owner/model", "config.json", {"local_files_only": True}, "not in the local cache.*Connect once"),
        ("owner/model", "broken.json", {}, "could not be fetched from the Hub"),
    ],
)
def test_what_the_hub_refuses(hub, name, filename, options, message):
    with pytest.raises(CheckpointError, match=message):
        find_file(name, filename, cache_dir=hub, **options)


def test_offline_mode_is_respected(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="offline mode"):
        find_file("owner/model", "config.json", cache_dir=hub)
