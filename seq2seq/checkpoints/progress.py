"""How much of a checkpoint has been fetched from the Hub, for whoever waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from huggingface_hub.utils import tqdm


@dataclass
class Fetched:
    """Bytes of the files that were fetched or begun since it has been there; what was in the cache is not counted."""

    done: int = 0
    total: int = 0


_counted: ContextVar[Fetched | None] = ContextVar("fetched", default=None)


@contextmanager
def counting(fetched: Fetched) -> Iterator[None]:
    """Counts what is fetched in this context."""
    token = _counted.set(fetched)
    try:
        yield
    finally:
        _counted.reset(token)


class CountingBar(tqdm):
    """huggingface_hub's bar, which also counts, whether or not there is a terminal to show it on."""

    def __init__(self, *args: Any, total: int | None = None, **kwargs: Any):
        self.fetched = _counted.get() or Fetched()
        self.fetched.total += total or 0
        super().__init__(*args, total=total, **kwargs)

    def update(self, n: int = 1) -> bool | None:
        self.fetched.done += n  # negative where a file is begun anew
        return super().update(n)

    def update_transfer(self, n: int) -> None:
        """Of a second bar, for what went over the wire: there is none, as it would count the same file again."""

    def set_transfer_postfix_str(self, *args: Any, **kwargs: Any) -> None:
        """Of that bar too."""
