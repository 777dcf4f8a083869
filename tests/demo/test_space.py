"""The repository as a Hugging Face Space: what the Hub reads of it, what it refuses, and what is packed for it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import gradio
import pytest
from huggingface_hub import SpaceCard, SpaceCardData, SpaceHardware
from packaging.requirements import Requirement

from demo.space import PARTS, main, pack
from seq2seq.engine import EngineSettings

ROOT = Path(__file__).parents[2]
LARGEST_FILE = 10_000_000  # bytes; above, the Hub wants special storage
LONGEST_DESCRIPTION = 60  # characters
COLORS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
ZERO_GPU_PYTHONS = {"3.10.13", "3.12.12"}
ZERO_GPU_TORCHES = ("2.8.0", "2.11.0")  # first, last
KEYS = {  # https://huggingface.co/docs/hub/spaces-config-reference
    "title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file", "suggested_hardware",
    "short_description", "license", "pinned", "models", "datasets", "tags",
}  # fmt: skip


@pytest.fixture(scope="module")
def card() -> SpaceCardData:
    return SpaceCard.load(ROOT / "README.md", ignore_metadata_errors=False).data


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("space") / "packed"
    pack(folder)
    return folder


def requirements(path: Path) -> dict[str, Requirement]:
    return {each.name: each for each in map(Requirement, path.read_text().splitlines())}


def test_the_card_says_all_that_it_can_and_nothing_that_the_hub_does_not_know(card):
    said = {name for name, value in card.to_dict().items() if value is not None}
    assert said == KEYS


def test_the_card_names_what_runs(card):
    assert card.sdk == "gradio"
    assert (ROOT / card.app_file).exists()
    assert card.suggested_hardware in {hardware.value for hardware in SpaceHardware}
    assert card.python_version in ZERO_GPU_PYTHONS


def test_the_card_can_be_shown(card):
    assert card.title
    assert not card.emoji.isascii()
    assert {card.colorFrom, card.colorTo} <= COLORS
    assert len(card.short_description) <= LONGEST_DESCRIPTION
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+", name) for name in card.models + card.datasets)


def test_requirements_allow_the_release_that_the_card_asks_for(card):
    assert card.sdk_version in requirements(ROOT / "requirements.txt")["gradio"].specifier
    assert gradio.__version__.split(".")[0] == card.sdk_version.split(".")[0]


def test_no_file_needs_special_storage():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is not a git checkout, so which files belong to it is not known")
    sizes = {
        name: (ROOT / name).stat().st_size for name in listed.stdout.split("\0") if name and (ROOT / name).exists()
    }
    assert sizes
    assert {name: size for name, size in sizes.items() if size > LARGEST_FILE} == {}


def test_what_is_packed_is_what_serves(packed):
    assert {path.name for path in packed.iterdir()} == set(PARTS)
    assert list((packed / "assets" / "models").glob("*/config.json"))
    names = {part for path in packed.rglob("*") for part in path.relative_to(packed).parts}
    assert not names & {"tests", "training", "__pycache__", ".git", ".venv"}
    assert max(path.stat().st_size for path in packed.rglob("*")) <= LARGEST_FILE


def test_what_is_packed_needs_nothing_that_is_not(packed):
    """Every module, but for those that are programs, is imported from there."""
    script = (
        "import importlib, pkgutil, sys\n"
        "for top in ('demo', 'components', 'seq2seq'):\n"
        "    for found in pkgutil.walk_packages(importlib.import_module(top).__path__, top + '.'):\n"
        "        if not found.name.endswith('__main__'):\n"
        "            print(importlib.import_module(found.name).__file__)\n"
    )
    run = [sys.executable, "-E", "-s", "-c", script]
    told = subprocess.run(run, cwd=packed, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(told) > 50
    assert all(Path(file).is_relative_to(packed) for file in told)


def test_nothing_that_is_there_is_packed_over(packed):
    with pytest.raises(FileExistsError):
        pack(packed)


def test_for_zero_gpu_it_keeps_to_what_is_offered_there(tmp_path, capsys):
    main([str(tmp_path / "space"), "--zero-gpu"])
    assert str(tmp_path / "space") in capsys.readouterr().out
    assert SpaceCard.load(tmp_path / "space" / "README.md").data.suggested_hardware == SpaceHardware.ZERO_A10G
    offered = requirements(tmp_path / "space" / "requirements.txt")["torch"].specifier
    assert all(release in offered for release in ZERO_GPU_TORCHES)
    assert "2.12.0" not in offered


def test_published_checkpoints_are_put_beside_it_and_offered(tmp_path, monkeypatch, capsys):
    gigaword, arxiv = "google/roberta2roberta_L-24_gigaword", "google/bigbird-pegasus-large-arxiv"
    main([str(tmp_path / "space"), "--published", gigaword, arxiv])
    assert SpaceCard.load(tmp_path / "space" / "README.md").data.preload_from_hub == [
        f"{gigaword} config.json,pytorch_model.bin",
        f"{arxiv} config.json,model.safetensors refs/pr/13",
    ]
    monkeypatch.chdir(tmp_path / "space")
    assert EngineSettings().published == (gigaword, arxiv)
    with pytest.raises(SystemExit):
        main([str(tmp_path / "other"), "--published", "nobody/nothing"])
    assert "invalid choice: 'nobody/nothing'" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
