"""The files of a checkpoint's weights: which they are, and the tensors in each, mapped rather than copied.

Safetensors are preferred. A pickle (.bin) is read by an unpickler that makes tensors and refuses all else:
nothing in a file is ever executed. Knows no models, and no names but those on file.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from seq2seq.checkpoints.errors import CheckpointError, DamagedError, RevisionError
from seq2seq.checkpoints.hub import HubOptions, find_file, read_json, read_whole
from seq2seq.checkpoints.pickles import is_zip, read_pickle

if TYPE_CHECKING:
    from typing_extensions import Unpack

WEIGHTS_FILES = ("model.safetensors", "pytorch_model.bin")
MOST_BYTES_OF_HEAD = 4_000_000  # a tensor takes a hundred
INDEX_SUFFIX = ".index.json"
SAFETENSORS_FILES = (WEIGHTS_FILES[0], WEIGHTS_FILES[0] + INDEX_SUFFIX)


class WeightsFile:
    """One file of weights, on the CPU. Where the format allows, `tensors` are read page by page when used."""

    def __init__(self, path: Path):
        self.path = path
        self.tensors = read_tensors(path)
        self._converted_bytes = 0

    def take(self, name: str, dtype: torch.dtype | None = None) -> Tensor:
        """Hands one tensor over, once; floating point numbers as `dtype` if it is given."""
        tensor = self.tensors.pop(name).detach()
        if dtype is None or tensor.dtype == dtype or not tensor.is_floating_point():
            return tensor.contiguous()
        converted = tensor.to(dtype).contiguous()
        self._release(tensor.nbytes)
        return converted

    def _release(self, num_bytes: int) -> None:
        """A mapping keeps every page that was read until it is closed: open a new one for each tenth read."""
        self._converted_bytes += num_bytes
        if is_mappable(self.path) and self._converted_bytes > self.path.stat().st_size // 10:
            self.tensors = read_tensors(self.path)
            self._converted_bytes = 0


def find_weights(name_or_path: str | Path, **hub_options: Unpack[HubOptions]) -> tuple[Path, ...]:
    """The paths of all files with weights; CheckpointError if there are none, or one of them is not there."""
    for filename in WEIGHTS_FILES:
        path = find_file(name_or_path, filename, **hub_options)
        if path is not None:
            return (path,)
        index = find_file(name_or_path, filename + INDEX_SUFFIX, **hub_options)
        if index is not None:
            return _find_shards(name_or_path, index, **hub_options)
    raise CheckpointError(
        f"There are no weights in {str(name_or_path)!r}: expected {' or '.join(WEIGHTS_FILES)}, or shards "
        f"with an index ({WEIGHTS_FILES[0]}{INDEX_SUFFIX}). Check that it is complete, and where it is from the Hub, "
        "connect once, as only the cache may lack them; weights of other frameworks have to be converted first."
    )


def revision_with_safetensors(name: str, revisions: Iterable[str]) -> str | None:
    """The first of these revisions of a repository on the Hub that has safetensors; None if there is none.

    Raises: CheckpointError if the Hub denies access or fails.
    """
    for revision in revisions:
        try:
            if any(find_file(name, filename, revision=revision) for filename in SAFETENSORS_FILES):
                return revision
        except RevisionError:
            continue
    return None


def _find_shards(name_or_path: str | Path, index: Path, **hub_options: Unpack[HubOptions]) -> tuple[Path, ...]:
    weight_map = read_json(index).get("weight_map")
    shards = list(weight_map.values()) if isinstance(weight_map, dict) else []
    if not shards or not all(isinstance(shard, str) for shard in shards):
        raise CheckpointError(
            f"{index} should say under 'weight_map' in which file each tensor is. Fetch or save it again."
        )
    return tuple(_find_shard(name_or_path, index, shard, **hub_options) for shard in sorted(set(shards)))


def _find_shard(name_or_path: str | Path, index: Path, shard: str, **hub_options: Unpack[HubOptions]) -> Path:
    if shard != Path(shard).name or "\\" in shard or shard == "..":
        raise CheckpointError(
            f"{index} names the file {shard!r}, which is refused: an index may not lead out of its folder. "
            "Get the checkpoint from a source that you trust."
        )
    path = find_file(name_or_path, shard, **hub_options)
    if path is None:
        raise CheckpointError(
            f"{index} names the file {shard!r}, and there is none beside it. Download the missing shard."
        )
    return path


def is_mappable(path: Path) -> bool:
    """Whether tensors can be mapped: in all safetensors, and in pickles in the zip format of torch >= 1.6."""
    return path.suffix == ".safetensors" or is_zip(path)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a file by its name there; CheckpointError if it is damaged or holds other things."""
    return read_whole(_read_safetensors if path.suffix == ".safetensors" else read_pickle, path)


def refuse_giant_head(path: Path) -> None:
    """The library would make objects of up to 100 MB of names, whatever else runs meanwhile. Raises: ValueError."""
    with path.open("rb") as file:
        if int.from_bytes(file.read(8), "little") > MOST_BYTES_OF_HEAD:
            raise ValueError("its head is larger than any model's")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        refuse_giant_head(path)
        return safetensors.torch.load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise DamagedError(
            f"{path} is cut short, damaged or not a safetensors file ({error}). Download it again."
        ) from error
