"""One file of the Hub in the cache: downloaded if it fits on the disk, and anew if it is cut short or damaged there.

Downloads and their cache are huggingface_hub's.
"""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import Timeout
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url, set_client_factory
from huggingface_hub.errors import HFValidationError, HTTPError
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import WeakFileLock
from huggingface_hub.utils._http import default_client_factory

from seq2seq.checkpoints.errors import CheckpointError, DiskFullError
from seq2seq.checkpoints.progress import CountingBar

SECONDS_TO_LOCK = 0.1  # what nobody has locked

_IN_CACHE = re.compile(r"(?P<cache>.+)/models--(?P<name>[^/]+)/snapshots/(?P<revision>[^/]+)/(?P<filename>.+)")


def _client() -> Any:
    """huggingface_hub's own, which calls a file in the cache by what a server tells as its ETag."""
    client = default_client_factory()
    client.event_hooks["response"].append(_refuse_paths)
    return client


def _refuse_paths(response: Any) -> None:
    for name in ("ETag", "X-Linked-ETag"):
        tag = response.headers.get(name, "").removeprefix("W/").strip('"')
        if Path(tag).name != tag:
            raise CheckpointError(
                f"{response.url.host} calls a file by a path ({tag[:100]!r}), which is refused: it could lead anywhere "
                "on this machine. Have HF_ENDPOINT name a server that you trust."
            )


set_client_factory(_client)


def fetched(name: str, filename: str, **options: Any) -> Path:
    """The file in the cache, of the size that the Hub tells where it can be asked: one of another is replaced."""
    known = hf_hub_download(name, filename, dry_run=True, **options)
    path, size = Path(known.local_path), known.file_size
    if known.is_cached and known.commit_hash == options["revision"] and not options["local_files_only"]:
        size = _size_on_the_hub(name, filename, known.commit_hash, options["token"])
    for anew in (False, True):
        if path.is_file() and size in (None, path.stat().st_size):
            break
        if anew:
            _drop(path)
        path = download(name, filename, size or 0, force_download=anew, **options)
    return path


def _size_on_the_hub(name: str, filename: str, commit: str, token: str | bool | None) -> int | None:
    """None where it cannot be had. huggingface_hub asks for none where it has a file of a commit, whole or not."""
    try:
        return get_hf_file_metadata(hf_hub_url(name, filename, revision=commit), token=token).size
    except (HTTPError, OSError):
        return None


def commit_of(path: Path) -> str | None:
    """Of which commit a file in the cache is; None for one elsewhere."""
    place = _IN_CACHE.fullmatch(path.absolute().as_posix())
    return place["revision"] if place else None


def download(name: str, filename: str, num_bytes: int, **options: Any) -> Path:
    """Where it is: not where it was to be, if a branch has moved since that was asked."""
    cache = Path(options["cache_dir"] or constants.HF_HUB_CACHE)
    _remove_remains(cache, name)
    if num_bytes > _free_bytes(cache):
        raise _disk_full(name, filename, num_bytes, cache)
    try:
        return Path(hf_hub_download(name, filename, tqdm_class=CountingBar, **options))
    except (OSError, RuntimeError) as error:
        if not _is_disk_full(error):
            raise
        raise _disk_full(name, filename, num_bytes, cache) from error


def _remove_remains(cache: Path, name: str) -> None:
    """Of downloads whose process was killed: huggingface_hub begins each under a name of its own, and takes up none.

    One that somebody is downloading is locked, and stays.
    """
    folder = repo_folder_name(repo_id=name, repo_type="model")
    for path in (cache / folder / "blobs").glob("*.????????.incomplete"):
        lock = cache / ".locks" / folder / f"{path.name.split('.')[0]}.lock"
        with suppress(Timeout, OSError), WeakFileLock(lock, timeout=SECONDS_TO_LOCK):
            path.unlink(missing_ok=True)


def _free_bytes(folder: Path) -> int:
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    return shutil.disk_usage(there).free


def _is_disk_full(error: OSError | RuntimeError) -> bool:
    """hf_xet tells it in words."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left on device" in str(error)


def _disk_full(name: str, filename: str, num_bytes: int, cache: Path) -> DiskFullError:
    return DiskFullError(
        f"{filename} of {name!r} does not fit on the disk: it needs {num_bytes / 1e6:,.1f} MB, and "
        f"{_free_bytes(cache) / 1e6:,.1f} MB are free in {cache}. Make room there, or set HF_HUB_CACHE to a folder "
        "on a larger disk; then try again."
    )


def is_mended(path: Path) -> bool:
    """Whether a damaged file could be replaced: not one of a folder's, nor one that is damaged on the Hub itself."""
    place = _IN_CACHE.fullmatch(path.absolute().as_posix())
    if place is None or _is_as_published(path):
        return False
    name = place["name"].replace("--", "/")  # which an id on the Hub does not have in it
    options = {"revision": place["revision"], "cache_dir": place["cache"], "force_download": True}
    try:
        known = get_hf_file_metadata(hf_hub_url(name, place["filename"], revision=place["revision"]))
        _drop(path)
        download(name, place["filename"], known.size or 0, **options)
    except (HTTPError, OSError, HFValidationError, RuntimeError):
        return False
    return True


def _drop(path: Path) -> None:
    """From the cache: huggingface_hub keeps the file of a commit there, even if the Hub has it by another name now."""
    path.unlink(missing_ok=True)


def _is_as_published(path: Path) -> bool:
    """Whether it is what its name in the cache says: there, large files are called after their SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest() == path.resolve().name
