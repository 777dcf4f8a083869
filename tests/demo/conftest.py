"""A page served on this machine, with the stand-in engine behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.layout import build
from demo.theme import launch_options
from tests.demo.stand_in import StandInEngine


@pytest.fixture
def engine() -> StandInEngine:
    return StandInEngine(seconds_per_token=0)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[StandInEngine, str]]:
    """The engine and the address of a page that is slow enough to be interrupted."""
    engine = StandInEngine(seconds_per_token=0.05)
    demo = build(engine)
    demo.queue(max_size=16, default_concurrency_limit=1)
    _, address, _ = demo.launch(prevent_thread_lock=True, quiet=True, inbrowser=False, **launch_options())
    yield engine, address
    demo.close()
