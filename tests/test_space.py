"""A packed Space, installed and started as the Hub does it, asked as a program asks it, and stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from gradio_client import Client
from huggingface_hub import SpaceCard

from demo.space import pack
from tests.process import started
from tests.waiting import PATIENCE

SPACE = {
    "SYSTEM": "spaces",
    "SPACE_ID": "ada/gloss",
    "SPACE_HOST": "ada-gloss.hf.space",
    "SPACE_AUTHOR_NAME": "ada",
    "SPACE_REPO_NAME": "gloss",
    "ACCELERATOR": "none",
    "GRADIO_SERVER_NAME": "0.0.0.0",
    "HF_HUB_OFFLINE": "1",  # it needs nothing from there
}


@pytest.fixture
def folder(tmp_path) -> Path:
    pack(tmp_path / "space")
    return tmp_path / "space"


@pytest.fixture
def python(folder, tmp_path) -> Path:
    """The interpreter of a new environment with what the packed files ask for, and what the Hub adds."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    added = [f"gradio=={SpaceCard.load(folder / 'README.md').data.sdk_version}", "spaces"]
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile"]
    subprocess.run([*pip, "-r", folder / "requirements.txt", *added], check=True)
    return python


@pytest.mark.network
def test_it_starts_answers_and_stops(python, folder, tmp_path):
    with started(python, folder, SPACE, tmp_path / "log") as (process, address):
        assert httpx.get(f"{address}/config").json()["space_id"] == SPACE["SPACE_ID"]
        fused = Client(address, verbose=False).predict("Rain fell all night. The river rose.", api_name="/fuse")
        assert "rain fell" in fused.lower()
        assert "river" in fused
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) in (0, -signal.SIGTERM)
