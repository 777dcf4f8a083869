"""A page served on this machine, with the stand-in engine behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.demo.stand_in import StandInEngine
from tests.serving import serve


@pytest.fixture
def engine() -> StandInEngine:
    return StandInEngine(seconds_per_token=0)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[StandInEngine, str]]:
    """The engine and the address of a page that is slow enough to be interrupted."""
    engine = StandInEngine(seconds_per_token=0.05)
    with serve(engine) as address:
        yield engine, address
