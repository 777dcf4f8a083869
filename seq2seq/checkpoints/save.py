"""A module's weights into a folder: safetensors, named and sharded as the reference library does it.

Everything is written beside its destination first and renamed then, so a save that fails leaves the folder
as it was. Knows no models: it is given tensors and a table of names.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from huggingface_hub import StateDictSplit, split_torch_state_dict_into_shards
from safetensors.torch import save_file
from torch import Tensor, nn

from seq2seq.checkpoints.files import INDEX_SUFFIX, WEIGHTS_FILES
from seq2seq.checkpoints.names import NameTable

_INDEX = WEIGHTS_FILES[0] + INDEX_SUFFIX
_WRITTEN_HERE = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?")


def save_weights(
    weights: nn.Module | Mapping[str, Tensor],
    folder: str | Path,
    names: NameTable,
    *,
    max_shard_size: int = 9_500_000,
    dtype: torch.dtype | None = None,
) -> None:
    """Writes model.safetensors, or shards and their index if it would be larger than `max_shard_size` bytes.

    The format cannot split a tensor over files: one larger than the limit gets a shard of its own, as large
    as it is. `dtype` converts floating point numbers, shard by shard. Safetensors of an earlier save are
    replaced.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = _under_foreign_names(weights, names)
    split = split_torch_state_dict_into_shards(
        {name: _as(tensor, dtype, "meta") for name, tensor in tensors.items()}, max_shard_size=max_shard_size
    )
    with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as unfinished:
        for filename, shard in split.filename_to_tensors.items():
            written = {name: _as(tensors[name], dtype, "cpu") for name in shard}
            save_file(written, Path(unfinished, filename), metadata={"format": "pt"})
        filenames = list(split.filename_to_tensors)
        if split.is_sharded:
            filenames.append(_INDEX)
            Path(unfinished, _INDEX).write_text(_index_of(split, tensors), encoding="utf-8")
        for filename in filenames:
            os.replace(Path(unfinished, filename), folder / filename)
    for path in folder.iterdir():
        if _WRITTEN_HERE.fullmatch(path.name) and path.name not in filenames:
            path.unlink()


def _under_foreign_names(weights: nn.Module | Mapping[str, Tensor], names: NameTable) -> dict[str, Tensor]:
    """Every tensor under every name that it has on file, without those that a reader ties again by itself."""
    state = weights.state_dict() if isinstance(weights, nn.Module) else weights
    first = {tensor.data_ptr() for name, tensor in state.items() if name not in names.copies}
    kept = {
        name: tensor for name, tensor in state.items() if name not in names.copies or tensor.data_ptr() not in first
    }
    return {foreign: tensor for name, tensor in kept.items() for foreign in names.to_foreign(name)}


def _as(tensor: Tensor, dtype: torch.dtype | None, device: str) -> Tensor:
    """A contiguous copy with memory of its own, as the file format asks: tied tensors share theirs."""
    dtype = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
    return tensor.detach().to(device, dtype, copy=True, memory_format=torch.contiguous_format)


def _index_of(split: StateDictSplit, tensors: Mapping[str, Tensor]) -> str:
    distinct = {tensor.data_ptr(): tensor.numel() for tensor in tensors.values()}
    sizes = {"total_parameters": sum(distinct.values()), **split.metadata}
    index = {"metadata": sizes, "weight_map": split.tensor_to_filename}
    return json.dumps(index, indent=2, sort_keys=True) + "\n"
