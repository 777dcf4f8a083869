"""The repository as a Hugging Face Space: what the Hub reads of it, and what it refuses."""

import subprocess
from pathlib import Path

import pytest
from huggingface_hub import SpaceCard

ROOT = Path(__file__).parents[2]
LARGEST_FILE = 10_000_000  # bytes; above, the Hub wants special storage
LONGEST_DESCRIPTION = 60  # characters


@pytest.fixture(scope="module")
def card():
    return SpaceCard.load(ROOT / "README.md", ignore_metadata_errors=False).data


def test_the_card_names_what_runs(card):
    assert card.sdk == "gradio"
    assert (ROOT / card.app_file).exists()
    assert card.title
    assert len(card.short_description) <= LONGEST_DESCRIPTION


def test_the_page_was_made_with_the_release_that_the_card_asks_for(card):
    import gradio

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
