"""Checkpoints that are made to run code, to lead out of their folder, or to take all memory: refused by their heads."""

from __future__ import annotations

import json
import resource
import struct
import subprocess
import sys
import time
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import torch

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.checkpoints.files import read_tensors
from seq2seq.config import read_config
from seq2seq.engine import Engine, EngineSettings
from seq2seq.tokenizers import load_tokenizer

SMALL = {
    "model_type": "bert-generation",
    "vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 8, "max_position_embeddings": 16,
}  # fmt: skip


def safetensors_file(path: Path, header: bytes, data: bytes = b"", length: int | None = None) -> Path:
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + data)
    return path


def tensor(start: int, end: int, shape=(2,), dtype: str = "F32") -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "header",
    [
        {"a": tensor(0, 8), "b": tensor(4, 12)},  # over each other
        {"a": tensor(0, 8), "b": tensor(100, 108)},  # a hole
        {"a": tensor(-8, 0)},
        {"a": tensor(8, 0)},
        {"a": tensor(0, 8, (2**62, 4))},
        {"a": tensor(0, 8, (-2,))},
        {"a": tensor(0, 2**63)},
        {"a": tensor(0, 8, dtype="OBJECT")},
        {"a": [1]},
        {"a": None},
    ],
)
def test_a_head_that_lies_is_not_believed(tmp_path, header):
    path = safetensors_file(tmp_path / "model.safetensors", json.dumps(header).encode(), bytes(16))
    with pytest.raises(CheckpointError, match="damaged"):
        read_tensors(path)


@pytest.mark.parametrize("length", [2**63, 2**40, 200_000_000])
def test_a_giant_head_is_not_read(tmp_path, length):
    path = safetensors_file(tmp_path / "model.safetensors", b"{}", length=length)
    with path.open("ab") as file:
        file.truncate(300_000_000)  # sparse: as long as it says, for the shortest of them
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match="damaged"):
        read_tensors(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000  # kB


def test_a_packed_bin_is_not_unpacked(tmp_path):
    """torch writes its archives unpacked; one that is not could unpack to anything."""
    torch.save({"a": torch.zeros(10)}, tmp_path / "whole.bin")
    path = tmp_path / "pytorch_model.bin"
    with ZipFile(tmp_path / "whole.bin") as whole, ZipFile(path, "w", ZIP_DEFLATED) as packed:
        for name in whole.namelist():
            content = bytes(100_000_000) if "/data/" in name else whole.read(name)
            packed.writestr(name, content)
    assert path.stat().st_size < 200_000
    script = (
        "import resource, sys\nfrom pathlib import Path\nfrom seq2seq.checkpoints.files import read_tensors\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    read_tensors(Path(sys.argv[1]))\nexcept ValueError:\n    pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    run = [sys.executable, "-c", script, str(path)]
    told = subprocess.run(run, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]).stdout
    assert int(told) < 60_000  # kB


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_layers": 10**9}, {"hidden_size": 2**40}, {"vocab_size": 10**15}, {"num_hidden_layers": -1},
        {"num_attention_heads": 0}, {"hidden_size": "8"}, {"intermediate_size": None}, {"vocab_size": 1e300},
        {"max_position_embeddings": 10**15}, {"num_attention_heads": [2]},
        {"hidden_act": "__import__('os').system('id')"},
    ],
    ids=str,
)  # fmt: skip
def test_a_configuration_of_a_giant_or_of_nonsense_is_refused_at_once(tmp_path, changes):
    """Nothing of a model is made before its size is known to be that of its files."""
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(SMALL | changes))
    safetensors_file(folder / "model.safetensors", json.dumps({"a": tensor(0, 8)}).encode(), bytes(8))
    began = time.monotonic()
    with pytest.raises(CheckpointError):
        Engine(EngineSettings(models=tmp_path, device="cpu")).load("fuse", str(folder))
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "content", ["{", "[]", "null", "[" * 100_000, '{"model_type": ["bert"]}', '{"model_type": {}}', "\0"]
)
def test_a_configuration_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(CheckpointError):
        read_config(tmp_path)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"model": {"type": "WordPiece", "vocab": {}}}', '{"version": "1.0"}', "[" * 9_999]
)
def test_a_tokenizer_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "config.json").write_text(json.dumps(SMALL | {"model_type": "bert"}))
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(CheckpointError):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\x0a\xff\xff\xff\xff\x7f", b"<html>"])
def test_a_vocabulary_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "config.json").write_text(json.dumps(SMALL))
    (tmp_path / "spiece.model").write_bytes(content)
    with pytest.raises(CheckpointError):
        load_tokenizer(tmp_path)
