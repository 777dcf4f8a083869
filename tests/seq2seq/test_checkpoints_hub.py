"""A checkpoint's files: in a folder, or on a Hub that a small server plays as huggingface.co behaves."""

import shutil

import httpx
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError

from seq2seq import checkpoints
from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.checkpoints.hub import find_file, read_json
from tests.hub import Handler, Hub, connected


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


@pytest.fixture
def hub(tmp_path):
    """The folder of a cache that is filled from a Hub with one repository, owner/model."""
    hub = Hub(refused={"owner/gated": (403, "GatedRepo"), "owner/private": (401, "RepoNotFound")}, lost={"broken.json"})
    hub.repositories["owner/model"] = {
        "main": {"config.json": b"{}", "part/config.json": b"{ }", "broken.json": b"{}"},
    }
    with connected(hub, tmp_path / "cache"):
        yield tmp_path / "cache"


def test_a_file_is_downloaded_and_then_found_without_the_network(hub):
    path = find_file("owner/model", "config.json", cache_dir=hub)
    assert path.read_text() == "{}"
    assert find_file("owner/model", "config.json", cache_dir=hub, local_files_only=True) == path
    assert find_file("owner/model", "config.json", cache_dir=hub, revision=Hub().commit("owner/model", "main")) == path
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


def test_a_cache_that_has_lost_what_every_checkpoint_has_is_not_taken_for_the_hub(hub):
    find_file("owner/model", "config.json", cache_dir=hub).unlink()
    assert next(hub.glob("*/snapshots/*")).is_dir()
    for filename in ("config.json", "vocab.txt"):
        with pytest.raises(CheckpointError, match=r"not in the local cache.*offline mode.*Connect once"):
            find_file("owner/model", filename, cache_dir=hub, local_files_only=True)


def test_a_file_where_the_cache_should_have_a_folder_is_told(hub):
    find_file("owner/model", "config.json", cache_dir=hub)
    snapshots = next(hub.glob("*/snapshots"))
    shutil.rmtree(snapshots)
    snapshots.write_bytes(b"")
    for local in (True, False):
        with pytest.raises(CheckpointError, match=r"config\.json of 'owner/model'"):
            find_file("owner/model", "config.json", cache_dir=hub, local_files_only=local)


def test_a_hub_that_answers_and_does_not_say_of_which_commit_is_not_taken_for_none(hub, monkeypatch):
    send_header = Handler.send_header

    def send_another(self: Handler, name: str, value: str) -> None:
        if name != "X-Repo-Commit":
            send_header(self, name, value)

    monkeypatch.setattr(Handler, "send_header", send_another)
    with pytest.raises(CheckpointError, match="could not be fetched from the Hub .*[Cc]ommit") as told:
        find_file("owner/model", "config.json", cache_dir=hub)
    assert "offline" not in str(told.value)


def test_a_host_that_does_not_answer_is_named(tmp_path, monkeypatch):
    cause = httpx.ConnectError("refused", request=httpx.Request("HEAD", "http://elsewhere.example/file"))

    def asked(*_, **__):
        raise LocalEntryNotFoundError("not found") from cause

    monkeypatch.setattr(checkpoints.hub, "fetched", asked)
    with pytest.raises(CheckpointError, match=r"no connection to elsewhere\.example: refused"):
        find_file("owner/model", "config.json", cache_dir=tmp_path)
