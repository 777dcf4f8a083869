"""Which models stay in memory when there is room for some."""

from __future__ import annotations

import psutil
import pytest
import torch

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.engine import shelf
from seq2seq.engine.memory import has_glibc, keep_freed_memory
from seq2seq.engine.shelf import Shelf, room_there_is


@pytest.fixture
def forgotten() -> list[int]:
    return []


@pytest.fixture
def kept(forgotten) -> Shelf[str]:
    return Shelf(100, lambda: forgotten.append(1))


def add(kept: Shelf[str], name: str, num_bytes: int) -> str:
    return kept.find(name) or kept.add(name, num_bytes, name.upper)


def test_the_least_recently_used_makes_room(kept, forgotten):
    assert [add(kept, name, 40) for name in "ab"] == ["A", "B"]
    assert kept.find("a") == "A"
    assert add(kept, "c", 40) == "C"
    assert (kept.find("a"), kept.find("b"), kept.find("c")) == ("A", None, "C")
    assert (kept.sizes, len(forgotten)) == ({"c": 40, "a": 40}, 1)
    add(kept, "d", 100)
    assert (kept.find("d"), kept.sizes, len(forgotten)) == ("D", {"d": 100}, 2)


def test_of_two_loaded_at_once_that_do_not_fit_together_the_first_to_be_there_goes(kept):
    assert kept.add("a", 60, lambda: kept.add("b", 60, "B".lower) and "A") == "A"
    assert kept.sizes == {"a": 60}


def test_what_never_fits_is_told_and_gives_up_nothing(kept):
    add(kept, "a", 40)
    with pytest.raises(CheckpointError, match=r"needs .* GB of memory .* smaller model"):
        add(kept, "vast", 101)
    assert kept.find("a") == "A"


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError])
def test_where_memory_runs_out_all_others_go_and_it_is_tried_again(kept, error):
    add(kept, "a", 10)
    tries = []

    def load() -> str:
        tries.append(len(kept.sizes))
        if kept.sizes:
            raise error("no more")
        return "B"

    assert kept.add("b", 10, load) == "B"
    assert tries == [1, 0]


def test_where_it_runs_out_even_alone_the_next_works(kept):
    def load() -> str:
        raise MemoryError

    add(kept, "a", 10)
    with pytest.raises(CheckpointError, match="smaller model"):
        kept.add("b", 10, load)
    assert add(kept, "a", 10) == "A"


@pytest.mark.skipif(not has_glibc(), reason="freed memory is kept by glibc alone")
def test_what_a_model_has_left_is_given_back_to_the_system(kept):
    keep_freed_memory()

    def load() -> list[torch.Tensor]:
        return [torch.ones(2**21) for _ in range(48)]  # 8 MB each

    before = psutil.Process().memory_info().rss
    kept.add("a", 60, load)
    assert psutil.Process().memory_info().rss > before + 3e8
    kept.add("b", 60, list)
    assert psutil.Process().memory_info().rss < before + 1e8


def test_what_cannot_be_loaded_is_not_kept(kept):
    def load() -> str:
        raise CheckpointError("cut short")

    add(kept, "a", 40)
    with pytest.raises(CheckpointError, match="cut short"):
        kept.add("b", 40, load)
    assert kept.find("b") is None
    assert kept.find("a") == "A"


def test_a_container_may_have_less_than_the_machine(monkeypatch, tmp_path):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(shelf, "CGROUP_LIMIT", limit)
    monkeypatch.setattr(shelf, "physical_memory", lambda: 1000.0)
    cpu = torch.device("cpu")
    assert room_there_is(cpu) == pytest.approx(700)
    limit.write_text("max\n")
    assert room_there_is(cpu) == pytest.approx(700)
    limit.write_text("100\n")
    assert room_there_is(cpu) == pytest.approx(70)
    assert shelf.physical_memory() > 0
