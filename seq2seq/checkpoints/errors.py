"""The one error of this folder: a checkpoint that cannot be found, read, trusted or fitted to a model."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)


class CheckpointError(ValueError):
    """Something is wrong with a checkpoint. The message names the file or tensor, and what to do about it."""


class RevisionError(CheckpointError):
    """There is no such revision on the Hub; or none on this machine, while the Hub cannot be asked."""


class DamagedError(CheckpointError):
    """A file is cut short or damaged; another copy of it may be whole."""


class NotFiniteError(CheckpointError):
    """What a model computes is NaN or infinite."""


class DiskFullError(CheckpointError):
    """There is no room on the disk for a file from the Hub."""


PASSING = CheckpointError, MemoryError, RuntimeError


@contextmanager
def blaming(checkpoint: str) -> Iterator[None]:
    """For what is made of a checkpoint's files: one that cannot be read, or a value that nobody foresaw, is its fault.

    Running out of memory is not. torch says it in a RuntimeError; so those pass, but for lists nested too deep.
    Raises: CheckpointError.
    """
    try:
        yield
    except OSError as error:
        raise unreadable(error.filename or checkpoint, error) from error
    except Exception as error:
        if isinstance(error, PASSING) and not isinstance(error, RecursionError):
            raise
        log.info("%s holds what was not foreseen", checkpoint, exc_info=True)
        raise CheckpointError(
            f"{checkpoint} cannot be used: one of its files holds a value that no such model has "
            f"({type(error).__name__}: {error}). Get the checkpoint anew, or choose another."
        ) from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """For opening one file. Raises: CheckpointError that names it, where the system does not let it be read."""
    try:
        yield
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: str | Path, error: OSError) -> CheckpointError:
    return CheckpointError(
        f"{path} cannot be read ({error.strerror or error}). See that whoever runs Gloss may read it, and that its "
        "disk is well; or get the checkpoint anew."
    )


def listed(items: Sequence[str], separator: str = ", ", limit: int = 10) -> str:
    """The first few of many, for a message: "a, b, c and 14 more"."""
    rest = len(items) - limit
    return separator.join(items[:limit]) + (f" and {rest} more" if rest > 0 else "")
