"""Where a checkpoint's files are: in a folder on disk, or in a repository on the Hugging Face Hub.

Offline mode (HF_HUB_OFFLINE) is huggingface_hub's; this file turns its many failures into one error in plain
words. It knows no tensors.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, TypedDict, TypeVar

from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from seq2seq.checkpoints.downloads import commit_of, fetched, is_mended
from seq2seq.checkpoints.errors import CheckpointError, DamagedError, RevisionError, reading

Read = TypeVar("Read")

MOST_PARTS = 2_000_000  # of a JSON file; each takes up to a hundred bytes, and reading them half a microsecond

_HAD_BY_ALL = "config.json"
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"

# What went wrong at the Hub -> what to tell the caller. The first row that fits is used.
_EXPLANATIONS: tuple[tuple[type[Exception], str], ...] = (
    (
        LocalEntryNotFoundError,
        "{filename} of {name!r} is not in the local cache, and the Hub cannot be asked for it ({reason}). Connect once "
        "so that it can be downloaded, check the spelling if a folder was meant, or choose a model that is already on "
        "this machine.",
    ),
    (
        GatedRepoError,
        "The owners of {name!r} on the Hub have to grant access to it. Ask for it on its page there, then "
        "log in with `hf auth login` or pass token=...",
    ),
    (
        RepositoryNotFoundError,
        "{name!r} is neither a folder here nor a repository on the Hub that you may see. Check the spelling; "
        "if the repository is private, log in with `hf auth login` or pass token=...",
    ),
    (
        RevisionNotFoundError,
        "{name!r} on the Hub has no revision {revision!r}. Check the spelling of the branch, tag or commit, "
        "or leave `revision` out to get the main branch.",
    ),
    (
        HFValidationError,
        "There is no folder {name!r}, and it cannot be the id of a repository on the Hub either. Expected "
        "the path of a folder that holds a checkpoint, or an id such as "
        "'google/roberta2roberta_L-24_discofuse'. Check the spelling.",
    ),
    (
        Exception,
        "{filename} of {name!r} could not be fetched from the Hub ({error}). Try again in a while, or choose "
        "a model that is already on this machine.",
    ),
)


class HubOptions(TypedDict, total=False):
    """What `from_pretrained` hands through to `find_file`. A folder on disk heeds only `subfolder`."""

    revision: str | None  # branch, tag or commit; None: main
    cache_dir: str | Path | None  # None: huggingface_hub's own
    local_files_only: bool  # True: never ask the network, use what is in the cache
    token: str | bool | None  # None: the one stored by `hf auth login`, if there is one
    subfolder: str  # "": the files are at the top


def find_file(
    name_or_path: str | Path,
    filename: str,
    *,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    token: str | bool | None = None,
    subfolder: str = "",
) -> Path | None:
    """The path of one file of a checkpoint, downloaded if need be; None if the checkpoint has no such file.

    `name_or_path` is a folder, which wins if it exists, or the id of a repository on the Hub ("owner/name").
    CheckpointError if it is neither, or if the Hub denies access or fails; RevisionError if it lacks the revision, or
    cannot be asked for it.
    """
    if Path(name_or_path).is_dir():
        return _file_in_folder(Path(name_or_path, subfolder), filename)
    name = str(name_or_path)
    wanted = f"{subfolder}/{filename}" if subfolder else filename
    try:
        _refuse_what_must_be_a_path(name_or_path)
        found = fetched(
            name, wanted, revision=revision, cache_dir=cache_dir, local_files_only=local_files_only, token=token
        )
    except LocalEntryNotFoundError as error:
        if not _is_known_to_lack(name, wanted, revision, cache_dir, local_files_only or _is_offline(error)):
            told = error.__cause__ if isinstance(error.__cause__, HfHubHTTPError | FileMetadataError) else error
            raise _explained(told, name=name, filename=filename, reason=_why_not_asked(error)) from error
        return None
    except EntryNotFoundError:
        return None
    except (HTTPError, OSError, HFValidationError, RuntimeError) as error:  # the last is hf_xet's
        raise _explained(error, name=name, filename=filename, revision=revision) from error
    return found


def settled(name_or_path: str | Path, revision: str | None = None) -> str | None:
    """The commit that a branch or tag of a repository is at now, so that whatever is read by it belongs together."""
    path = None if Path(name_or_path).is_dir() else find_file(name_or_path, _HAD_BY_ALL, revision=revision)
    return (path and commit_of(path)) or revision


def read_whole(read: Callable[[Path], Read], path: Path) -> Read:
    """What `read` makes of a file. One from the Hub that it finds damaged is downloaded and read once more."""
    with reading(path):
        try:
            return read(path)
        except DamagedError:
            if not is_mended(path):
                raise
            return read(path)


def read_json(path: str | Path) -> dict[str, Any]:
    """The object in a JSON file; CheckpointError that names the file if it holds anything else."""
    return read_whole(_read_json, Path(path))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        if sum(map(text.count, "[{,")) > MOST_PARTS:
            raise CheckpointError(f"{path} has more parts than the largest tokenizer. Get the checkpoint elsewhere.")
        content = json.loads(text)
    except CheckpointError:
        raise
    except (ValueError, RecursionError) as error:
        raise DamagedError(
            f"{path} is not valid JSON ({error}). It may have been cut short: fetch or save it again."
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path} should hold one JSON object, {{...}}, but holds a {type(content).__name__}. "
            "Fetch or save the checkpoint again."
        )
    return content


def _file_in_folder(folder: Path, filename: str) -> Path | None:
    path = folder / filename
    with reading(path):
        if not path.is_file():
            return None
        with path.open("rb") as file:
            head = file.read(len(_LFS_POINTER))
    if head == _LFS_POINTER:
        raise CheckpointError(
            f"{path} is a git-lfs pointer, not the file itself: the repository was cloned without "
            f"git-lfs. Run `git lfs install` and `git lfs pull` in {folder}, or download the file."
        )
    return path


def _refuse_what_must_be_a_path(name_or_path: str | Path) -> None:
    """What can only have been meant as a path is never looked for on the Hub."""
    if Path(name_or_path).is_file():
        raise CheckpointError(
            f"{str(name_or_path)!r} is a file. Expected the folder that holds the checkpoint, here "
            f"{str(Path(name_or_path).parent)!r}."
        )
    name = str(name_or_path)
    if isinstance(name_or_path, Path) or name.startswith(("/", ".", "~")) or name.endswith("/"):
        raise _explained(HFValidationError(name), name=name)


def _is_offline(error: LocalEntryNotFoundError) -> bool:
    """By choice, and not because the Hub failed."""
    return isinstance(error.__cause__, OfflineModeIsEnabled)


def _why_not_asked(error: LocalEntryNotFoundError) -> str:
    """By whom there was no answer, where somebody was asked."""
    cause = error.__cause__
    if cause is None or _is_offline(error):
        return "offline mode"
    with suppress(AttributeError, RuntimeError):  # the request is not always known
        return f"no connection to {cause.request.url.host}: {cause}"
    return f"no connection: {cause}"


def _is_known_to_lack(
    name: str, wanted: str, revision: str | None, cache_dir: str | Path | None, is_offline: bool
) -> bool:
    """Whether this revision has no such file, rather than one that could not be had just now.

    The Hub said so once; or it may not be asked, and the revision is in the cache with what all have, and without it.
    """
    try:
        cached = try_to_load_from_cache(name, wanted, cache_dir=cache_dir, revision=revision)
        beside = str(PurePosixPath(wanted).with_name(_HAD_BY_ALL))
        had_by_all = try_to_load_from_cache(name, beside, cache_dir=cache_dir, revision=revision)
    except OSError:  # what should be a folder of the cache is none
        return False
    return cached is _CACHED_NO_EXIST or (is_offline and had_by_all is not None)


def _explained(error: Exception, **facts: str | None) -> CheckpointError:
    explanation = next(text for kind, text in _EXPLANATIONS if isinstance(error, kind))
    is_absent = isinstance(error, RevisionNotFoundError | LocalEntryNotFoundError)
    return (RevisionError if is_absent else CheckpointError)(explanation.format(error=error, **facts))
