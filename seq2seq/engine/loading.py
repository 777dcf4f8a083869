"""A model that is being loaded, in a thread of its own: however many wait for it, and whoever gives up, it goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.checkpoints.progress import Fetched, counting

SECONDS_BETWEEN = 0.5  # two snapshots

Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class Loading:
    """A snapshot of a model being loaded, and first fetched if need be."""

    done: int  # bytes from the Hub
    total: int  # 0 where there is nothing to fetch, or nothing is known of it yet


class Load(Generic[Loaded]):
    """Begins when it is made."""

    def __init__(self, load: Callable[[], Loaded], num_bytes: int):
        """`num_bytes` are those of its files, as far as they are known before any is begun."""
        self._num_bytes = num_bytes
        self._fetched = Fetched()
        self._loaded: Future[Loaded] = Future()
        threading.Thread(target=self._run, args=(load,), daemon=True).start()

    def _run(self, load: Callable[[], Loaded]) -> None:
        try:
            with counting(self._fetched):
                self._loaded.set_result(load())
        except BaseException as error:  # told to whoever waits
            self._loaded.set_exception(error)

    def result(self, seconds: float | None = None) -> Loaded:
        """Waits for it. Raises: what went wrong; CheckpointError where that takes longer than so many seconds."""
        if not wait([self._loaded], seconds).done:
            raise CheckpointError(
                "It was not there in time. Start Gloss again when its Hub answers, or with HF_HUB_OFFLINE=1 if it was "
                "fetched before."
            )
        return self._loaded.result()

    def snapshots(self) -> Iterator[Loading]:
        """Until it is loaded, so that whoever waits can run out of time or leave. Raises: what went wrong."""
        while not wait([self._loaded], SECONDS_BETWEEN).done:
            total = self._fetched.total
            yield Loading(self._fetched.done, total and max(total, self._num_bytes))
        self.result()
