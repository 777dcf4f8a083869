"""The one error of this folder: a checkpoint that cannot be found, read, trusted or fitted to a model."""

from __future__ import annotations

from collections.abc import Sequence


class CheckpointError(ValueError):
    """Something is wrong with a checkpoint. The message names the file or tensor, and what to do about it."""


class RevisionError(CheckpointError):
    """There is no such revision on the Hub; or none on this machine, while the Hub cannot be asked."""


class DamagedError(CheckpointError):
    """A file is cut short or damaged; another copy of it may be whole."""


class DiskFullError(CheckpointError):
    """There is no room on the disk for a file from the Hub."""


def listed(items: Sequence[str], separator: str = ", ", limit: int = 10) -> str:
    """The first few of many, for a message: "a, b, c and 14 more"."""
    rest = len(items) - limit
    return separator.join(items[:limit]) + (f" and {rest} more" if rest > 0 else "")
