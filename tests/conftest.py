"""Files that take a minute or more begin first, so that no process is left with one when the others are done.

The processes of a test run use models at the same time, as some tests stop in the middle of a step. They read the
certificates once, not for every request: no server here has any, and to read them takes longer than most answers.
"""

from __future__ import annotations

import gc
import os
import ssl
from collections.abc import Iterator
from functools import cache

import pytest

os.environ["GLOSS_SIDE_BY_SIDE"] = "true"
ssl.create_default_context = cache(ssl.create_default_context)

FIRST = ("test_space", "test_random_inputs", "test_ray", "browser", "test_full_size")


def pytest_collection_modifyitems(items: list) -> None:
    items.sort(key=lambda item: not any(name in item.nodeid for name in FIRST))


def pytest_collection_finish() -> None:
    look_no_more_at_what_is_here()


@pytest.fixture(scope="module", autouse=True)
def fresh_memory() -> Iterator[None]:
    yield
    look_no_more_at_what_is_here()


def look_no_more_at_what_is_here() -> None:
    """Else all of it would be looked through whenever an engine has memory given back."""
    gc.collect()
    gc.freeze()
