"""Downloads for which the disk has no room, that are killed, or of which a part is lost since: told, and mended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from huggingface_hub import constants, file_download

from seq2seq.checkpoints import downloads
from seq2seq.checkpoints.errors import CheckpointError, DamagedError, DiskFullError, NotFiniteError
from seq2seq.checkpoints.hub import find_file, read_json
from seq2seq.engine import Engine, EngineSettings, local
from seq2seq.engine.published import PUBLISHED
from seq2seq.models.pretrained import PreTrainedModel
from tests.fixtures.tokenizers.samples import train_sentencepiece
from tests.hub import Hub, connected, etag, serving
from tests.seq2seq.test_published import DISCOFUSE, GIGAWORD, WIKISPLIT, safetensors_of, same, shared_pair
from tests.waiting import PATIENCE

BBC = "google/roberta2roberta_L-24_bbc"
[COMMIT] = PUBLISHED[BBC].revisions
TEXT = "Rain fell all night. The river rose."
FULL_DISK = Path("/dev/full")
ROOT = Path(__file__).parents[2]
DOWNLOAD = """
import os, time
from huggingface_hub import constants
from seq2seq.checkpoints import downloads, hub
from seq2seq.checkpoints.progress import CountingBar

class Bar(CountingBar):
    def update(self, n=1):
        if self.fetched.done:
            {act}
        return super().update(n)

constants.DOWNLOAD_CHUNK_SIZE = 10_000
downloads.CountingBar = Bar
print(hub.find_file({name!r}, "model.safetensors", revision="refs/pr/1"))
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """One checkpoint as a pickle of 2020, as one of today, and as safetensors; and the model itself."""
    torch.manual_seed(0)
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in ("old", "zip", "safetensors")}
    special = {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3}
    shared_pair(folders["old"], train_sentencepiece(tmp_path_factory.mktemp("spiece"), **special))
    safetensors_of(folders["old"], folders["safetensors"])
    shutil.copytree(folders["old"], folders["zip"], dirs_exist_ok=True)
    torch.save(torch.load(folders["old"] / "pytorch_model.bin"), folders["zip"] / "pytorch_model.bin")
    return folders


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def hub(folders, cache) -> Iterator[Hub]:
    hub = Hub()
    for name, revision in ((DISCOFUSE, "refs/pr/1"), (BBC, COMMIT)):
        hub.add(name, folders["old"])
        hub.add(name, folders["safetensors"], revision)
    hub.add(GIGAWORD, folders["old"])
    hub.add(WIKISPLIT, folders["zip"])
    with connected(hub, cache):
        yield hub


@pytest.fixture
def start(hub, models):
    """An engine as after a start: nothing in memory, what was fetched in the cache, models of the host's own beside."""
    return lambda: Engine(EngineSettings(models=models, published="all", device="cpu", dtype="float32"))


def load(engine: Engine, name: str) -> PreTrainedModel:
    [task] = PUBLISHED[name].parameters
    return engine.load(task, name).model


def is_sound(engine: Engine, name: str, folders: dict[str, Path]) -> bool:
    [task] = PUBLISHED[name].parameters
    *_, last = engine.run(task, TEXT, name)
    return last.finished and same(load(engine, name), type(load(engine, name)).from_pretrained(folders["old"]))


def cached(cache: Path, name: str, filename: str) -> Path:
    """The file itself, where a commit has only a link to it."""
    [path] = cache.glob(f"models--{name.replace('/', '--')}/snapshots/*/{filename}")
    return path.resolve()


def remains(cache: Path) -> list[Path]:
    return list(cache.rglob("*.incomplete"))


def only_embedded(engine: Engine) -> bool:
    *_, last = engine.run("fuse", TEXT, "taught")
    return last.finished


# No room


def test_what_does_not_fit_is_not_begun_and_fits_once_there_is_room(start, hub, cache, folders, monkeypatch):
    engine = start()
    with monkeypatch.context() as patched:
        patched.setattr(downloads.shutil, "disk_usage", lambda _: SimpleNamespace(free=50_000))
        with pytest.raises(
            DiskFullError, match=rf"model\.safetensors of '{DISCOFUSE}'.* needs 0\.\d MB, and 0\.1 MB are free in "
        ) as told:
            engine.load("fuse", DISCOFUSE)
        assert str(cache) in str(told.value)
        assert "model.safetensors" not in {file for *_, file in hub.sent}
        assert only_embedded(engine)
    assert engine.must_be_fetched("fuse", DISCOFUSE)
    assert is_sound(engine, DISCOFUSE, folders)


@pytest.mark.skipif(not FULL_DISK.exists(), reason="this system has no device that is always full")
def test_a_disk_that_fills_up_meanwhile_leaves_no_half_file(start, hub, cache, folders, monkeypatch):
    engine = start()
    blob = etag((folders["safetensors"] / "model.safetensors").read_bytes())
    half = cache / f"models--{DISCOFUSE.replace('/', '--')}" / "blobs" / f"{blob}.00000000.incomplete"
    open_file = Path.open

    def without_room(path: Path, *args, **kwargs):
        if path == half:
            path.symlink_to(FULL_DISK)
        return open_file(path, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(file_download.uuid, "uuid4", lambda: SimpleNamespace(hex="0" * 32))
        patched.setattr(Path, "open", without_room)
        with pytest.raises(DiskFullError, match="does not fit on the disk"):
            engine.load("fuse", DISCOFUSE)
        assert only_embedded(engine)
    assert not remains(cache)
    assert not list(cache.rglob("model.safetensors"))
    assert is_sound(engine, DISCOFUSE, folders)


def test_the_words_of_another_client_are_understood(start, monkeypatch):
    """hf_xet tells whatever goes wrong in a RuntimeError."""

    def failing(says: str):
        def http_get(*args, **kwargs):
            raise RuntimeError(says)

        return http_get

    monkeypatch.setattr(file_download, "http_get", failing("I/O error: No space left on device (os error 28)"))
    with pytest.raises(DiskFullError):
        load(start(), GIGAWORD)
    monkeypatch.setattr(file_download, "http_get", failing("CAS client error"))
    with pytest.raises(CheckpointError, match="could not be fetched from the Hub .CAS client error"):
        load(start(), GIGAWORD)


# Broken off


def downloading(url: str, cache: Path, act: str) -> subprocess.Popen:
    """A process of its own that downloads a file, and does something once the first piece is there."""
    script = DOWNLOAD.format(name=DISCOFUSE, act=act)
    environment = os.environ | {"HF_ENDPOINT": url, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "0"}
    told = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=environment, **told)


def test_what_a_killed_process_left_is_cleared_away_and_downloaded_whole(start, hub, cache, folders):
    with serving(hub) as url:
        killed = downloading(url, cache, f"os.kill(os.getpid(), {int(signal.SIGKILL)})")
        _, said = killed.communicate(timeout=PATIENCE)
    assert killed.returncode == -signal.SIGKILL, said
    [half] = remains(cache)
    assert 0 < half.stat().st_size < (folders["safetensors"] / "model.safetensors").stat().st_size
    assert is_sound(start(), DISCOFUSE, folders)
    assert not remains(cache)


def test_two_processes_download_a_file_once(hub, cache, folders):
    with serving(hub) as url:
        both = [downloading(url, cache, "time.sleep(0.02)") for _ in range(2)]
        told = [each.communicate(timeout=PATIENCE) for each in both]
    assert [each.returncode for each in both] == [0, 0], told
    [path] = {said.strip() for said, _ in told}
    assert Path(path).read_bytes() == (folders["safetensors"] / "model.safetensors").read_bytes()
    assert len(hub.sent) == 1
    assert not remains(cache)


def test_what_another_is_downloading_is_left_alone(hub, cache, folders):
    with serving(hub) as url:
        other = downloading(url, cache, "time.sleep(0.2)")
        while not remains(cache):
            assert other.poll() is None, other.communicate()
        find_file(DISCOFUSE, "config.json", revision="refs/pr/1")
        assert remains(cache)
        said, _ = other.communicate(timeout=PATIENCE)
    assert Path(said.strip()).read_bytes() == (folders["safetensors"] / "model.safetensors").read_bytes()


# Lost since


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def scratch(path: Path) -> None:
    """Of its size, and other bytes where it begins."""
    with path.open("r+b") as file:
        file.write(bytes(64))


@pytest.mark.parametrize(
    ("name", "filename"),
    [
        (DISCOFUSE, "model.safetensors"),
        (DISCOFUSE, "spiece.model"),
        (GIGAWORD, "pytorch_model.bin"),
        (WIKISPLIT, "pytorch_model.bin"),
        (BBC, "model.safetensors"),  # of a commit, for which huggingface_hub asks nobody
        (BBC, "config.json"),
        (BBC, "spiece.model"),
    ],
)
@pytest.mark.parametrize("lose", [cut, scratch])
def test_a_damaged_file_is_downloaded_again_and_no_other(start, hub, cache, folders, name, filename, lose):
    load(start(), name)
    hub.sent.clear()
    lose(cached(cache, name, filename))
    assert is_sound(start(), name, folders)
    assert [file for *_, file in hub.sent] == [filename]
    hub.sent.clear()
    assert is_sound(start(), name, folders)
    assert hub.sent == []


def without_numbers(safetensors: bytes) -> bytes:
    """A file of float32 whose head is whole, and all of whose numbers are NaN."""
    start = 8 + int.from_bytes(safetensors[:8], "little")
    return safetensors[:start] + b"\xff\xff\xff\x7f" * ((len(safetensors) - start) // 4)


@pytest.mark.parametrize("name", [DISCOFUSE, BBC])
def test_damage_that_shows_in_a_run_alone_is_told_and_downloaded_again_for_the_next(start, hub, cache, folders, name):
    load(start(), name)
    path = cached(cache, name, "model.safetensors")
    path.write_bytes(without_numbers(path.read_bytes()))
    hub.sent.clear()
    engine = start()
    with pytest.raises(NotFiniteError, match=name):
        is_sound(engine, name, folders)
    assert hub.sent == []
    assert is_sound(engine, name, folders)
    assert [file for *_, file in hub.sent] == ["model.safetensors"]


def test_what_gives_no_numbers_on_the_hub_itself_is_checked_once(start, hub, monkeypatch):
    files = hub.repositories[BBC][COMMIT]
    files["model.safetensors"] = without_numbers(files["model.safetensors"])
    checked, mended = [], local.is_mended
    monkeypatch.setattr(local, "is_mended", lambda path: checked.append(path.name) or mended(path))
    engine = start()
    for _ in range(3):
        with pytest.raises(NotFiniteError):
            list(engine.run("summarize", TEXT, BBC))
    assert checked == ["model.safetensors"]
    assert [file for *_, file in hub.sent].count("model.safetensors") == 1


def test_a_file_that_says_nothing_of_its_end_is_known_by_its_size(hub, cache):
    hub.repositories["owner/model"] = {"main": {"vocab.txt": b"a\nb\nc\n"}}
    path = find_file("owner/model", "vocab.txt")
    path.write_bytes(b"a\n")
    assert find_file("owner/model", "vocab.txt").read_bytes() == b"a\nb\nc\n"
    assert len(hub.sent) == 2


def test_a_file_of_a_commit_that_says_nothing_of_its_end_is_known_by_its_size_too(hub, cache, monkeypatch):
    hub.repositories["owner/model"] = {COMMIT: {"vocab.txt": b"a\nb\nc\n"}}
    path = find_file("owner/model", "vocab.txt", revision=COMMIT)
    path.write_bytes(b"a\n")
    assert find_file("owner/model", "vocab.txt", revision=COMMIT).read_bytes() == b"a\nb\nc\n"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert find_file("owner/model", "vocab.txt", revision=COMMIT) == path


def test_the_same_file_of_two_revisions_is_checked_for_both(hub, cache):
    hub.repositories["owner/model"] = {each: {"vocab.txt": b"a\nb\nc\n"} for each in ("main", "v2")}
    find_file("owner/model", "vocab.txt").write_bytes(b"a\n")
    assert find_file("owner/model", "vocab.txt", revision="v2").read_bytes() == b"a\nb\nc\n"


def test_a_damaged_file_that_the_hub_calls_otherwise_since_is_mended(hub, cache):
    hub.repositories["owner/model"] = {COMMIT: {"config.json": b"{"}}
    hub.tags["config.json"] = "first"
    with pytest.raises(DamagedError):
        read_json(find_file("owner/model", "config.json", revision=COMMIT))
    hub.repositories["owner/model"] = {COMMIT: {"config.json": b"{}"}}
    hub.tags["config.json"] = "second"
    assert read_json(find_file("owner/model", "config.json", revision=COMMIT)) == {}


@pytest.mark.parametrize("tag", ["../../../escaped", "/escaped", "a/../../../../escaped"])
def test_no_name_that_a_server_tells_leads_out_of_the_cache(hub, cache, tag):
    hub.repositories["owner/model"] = {"main": {"vocab.txt": b"a"}}
    hub.tags["vocab.txt"] = tag
    with pytest.raises(CheckpointError, match="calls a file by a path"):
        find_file("owner/model", "vocab.txt")
    assert not list(cache.parent.rglob("*escaped*"))


@pytest.mark.parametrize(("name", "filename"), [(GIGAWORD, "pytorch_model.bin"), (BBC, "model.safetensors")])
def test_without_the_network_a_damaged_file_is_named_and_mended_later(
    start, hub, cache, folders, monkeypatch, name, filename
):
    load(start(), name)
    cut(cached(cache, name, filename))
    engine = start()
    with monkeypatch.context() as patched:
        patched.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(DamagedError, match=rf"{filename} is cut short.*Download it again"):
            load(engine, name)
        assert only_embedded(engine)
    assert is_sound(engine, name, folders)


def test_what_is_damaged_on_the_hub_itself_is_downloaded_once(start, hub):
    files = hub.repositories[GIGAWORD]["main"]
    files["pytorch_model.bin"] = files["pytorch_model.bin"][:5000]
    for _ in range(2):
        with pytest.raises(DamagedError, match="cut short"):
            load(start(), GIGAWORD)
    assert [file for *_, file in hub.sent].count("pytorch_model.bin") == 1


def test_a_damaged_file_that_finds_no_room_is_told_so(start, hub, cache, monkeypatch):
    load(start(), BBC)
    cut(cached(cache, BBC, "model.safetensors"))
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda _: SimpleNamespace(free=50_000))
    with pytest.raises(DiskFullError, match=r"needs 0\.\d MB"):
        load(start(), BBC)


def test_a_damaged_file_in_a_folder_is_the_hosts_own_affair(folders, tmp_path, hub):
    folder = tmp_path / "models--owner--model" / "checkpoint"
    shutil.copytree(folders["safetensors"], folder)
    cut(folder / "model.safetensors")
    hub.repositories["owner/model"] = {"main": {}}
    with pytest.raises(DamagedError, match="cut short"):
        Engine(EngineSettings(models=folder.parent, device="cpu")).load("fuse", "checkpoint")
    assert hub.num_requests == 0
