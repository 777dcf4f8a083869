"""A checkpoint's weights into a module: every tensor accounted for, nothing copied that need not be.

The module is best built on the meta device: it takes the tensors of the file as its own. Knows no models; it
is given a module, a table of names, and what may be missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from seq2seq.checkpoints.errors import CheckpointError, listed
from seq2seq.checkpoints.files import WeightsFile, find_weights
from seq2seq.checkpoints.hub import HubOptions
from seq2seq.checkpoints.names import NameTable

if TYPE_CHECKING:
    from typing_extensions import Unpack


_NEXT_LINE = "\n- "


@dataclass(frozen=True)
class LoadReport:
    """What a load did not simply hand across."""

    new: tuple[str, ...]  # our names of parameters that the checkpoint lacks: left as they were
    dropped: tuple[str, ...]  # names in the checkpoint that were left out on purpose


@dataclass(frozen=True)
class _Source:
    """Where one of the module's tensors comes from."""

    file: WeightsFile
    name: str  # on file

    def __str__(self) -> str:
        return f"{self.file.path.name}: {self.name}"

    @property
    def tensor(self) -> Tensor:
        return self.file.tensors[self.name]


def none_may_be_missing(name: str) -> bool:
    return False


def load_weights(
    module: nn.Module,
    name_or_path: str | Path,
    names: NameTable,
    *,
    dtype: torch.dtype | None = None,
    tied: Mapping[str, str] | None = None,
    may_be_missing: Callable[[str], bool] = none_may_be_missing,
    **hub_options: Unpack[HubOptions],
) -> LoadReport:
    """Replaces the parameters and buffers of `module` by the tensors of a checkpoint, on the CPU.

    Args:
        names: the table between the names on file and the module's.
        dtype: what floating point numbers are converted to, tensor by tensor; by default they stay as stored.
        tied: the module's names for parameters that are another one under a second name: second -> first. On
            file either suffices; of both, the first counts. Seconds are left alone: tie them afterwards.
        may_be_missing: whether the checkpoint may lack a parameter, which is then left as it was.
    Raises:
        CheckpointError: a file that is missing, damaged or holds code; tensors that are missing, unexpected
            or of another shape, named together.
    """
    tied = tied or {}
    expected = module.state_dict()
    files = [WeightsFile(path) for path in find_weights(name_or_path, **hub_options)]
    sources, dropped, unexpected = _match(files, expected, names)
    sources = _through_ties(sources, tied)
    absent = [name for name in expected if name not in sources and name not in tied]
    missing = [name for name in absent if not may_be_missing(name)]
    problems = [
        *(_missing(names.to_foreign(name)[0], expected[name], files) for name in missing),
        *unexpected,
        *_misfits(sources, expected),
    ]
    if problems:
        raise CheckpointError(
            f"The weights in {str(name_or_path)!r} do not fit this {type(module).__name__}:"
            f"{_NEXT_LINE}{listed(problems, separator=_NEXT_LINE)}\n"
            "Load them with their own config.json and the class that it names under `architectures`. If they "
            "should fit, download them again."
        )
    module.load_state_dict(_taken(sources, dtype), strict=False, assign=True)
    return LoadReport(new=tuple(absent), dropped=tuple(dropped))


def _match(
    files: list[WeightsFile], expected: Mapping[str, Tensor], names: NameTable
) -> tuple[dict[str, _Source], list[str], list[str]]:
    """The module's names with their sources; names on file to drop; a line for each that nobody expects."""
    sources: dict[str, _Source] = {}
    dropped, unexpected = [], []
    for source in (_Source(file, name) for file in files for name in file.tensors):
        try:
            ours = names.to_ours(source.name)
        except KeyError:
            unexpected.append(f"{source} is unexpected: the model has no place for it.")
            continue
        if ours in expected:
            if ours not in sources or source.name == names.to_foreign(ours)[0]:
                sources[ours] = source
        elif ours is None or ours in names.optional:
            dropped.append(source.name)
        else:
            unexpected.append(f"{source} is unexpected: the model has no {ours}.")
    return sources, dropped, unexpected


def _through_ties(sources: Mapping[str, _Source], tied: Mapping[str, str]) -> dict[str, _Source]:
    """Sources of first names only; a first that is not on file takes the source of one of its seconds."""
    firsts = {name: source for name, source in sources.items() if name not in tied}
    for name, source in sources.items():
        first = name
        while first in tied:
            first = tied[first]
        firsts.setdefault(first, source)
    return firsts


def _missing(name: str, expected: Tensor, files: list[WeightsFile]) -> str:
    where = files[0].path.name if len(files) == 1 else f"all {len(files)} files"
    return f"{name}, of shape {list(expected.shape)}, is missing from {where}."


def _misfits(sources: Mapping[str, _Source], expected: Mapping[str, Tensor]) -> list[str]:
    problems = []
    for name, source in sources.items():
        found, needed = source.tensor, expected[name]
        if found.shape != needed.shape:
            problems.append(f"{source} has shape {list(found.shape)}, the model needs {list(needed.shape)}.")
        elif found.is_floating_point() != needed.is_floating_point():
            problems.append(f"{source} holds {found.dtype}, the model needs {needed.dtype}.")
    return problems


def _taken(sources: Mapping[str, _Source], dtype: torch.dtype | None) -> dict[str, Tensor]:
    """The tensors themselves. One that shares memory on file, as tied ones do in .bin, gets its own."""
    taken: dict[str, Tensor] = {}
    used: set[int] = set()
    for name, source in sources.items():
        tensor = source.file.take(source.name, dtype)
        storage = tensor.untyped_storage().data_ptr()
        taken[name] = tensor.clone() if storage in used else tensor
        used.add(storage)
    return taken
