"""The tensors of a pickle of weights (pytorch_model.bin), by torch's restricted unpickler, which runs no code.

A few bytes may still ask that for gigabytes of zeros, or for a key that takes years to hash. So what is pickled is
looked through before anything is made of it: it may ask for what weights are made of, and for nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from pickletools import genops
from struct import Struct
from typing import BinaryIO
from zipfile import ZIP_STORED, ZipFile

import torch
from torch import Tensor

from seq2seq.checkpoints.errors import CheckpointError, DamagedError, listed

MOST_BYTES = 2**21  # of what is pickled, in which each tensor takes about 200
PARTS_OF_OLD = 5  # pickles at the start of the format before torch 1.6: a number, a version, the machine, weights, keys

_ZIP_MAGIC = b"PK\x03\x04"
# The ends of a zip: of one of gigabytes (the size of its list of records, where that begins), where that end is, and
# the one that every zip has (the same, and the size of a comment). All else is passed over.
_ENDS = Struct("<4s36sQQ4sLQL4s8sLLH")
_SHORT_END = 22
_KNOWN = re.compile(
    r"collections OrderedDict|torch Size|torch(\.storage)? \w+Storage"
    r"|torch (float|bfloat|complex|uint|int)\d+|torch bool"
    r"|torch\._utils _rebuild_(tensor(_v[23])?|parameter)"
)
_PUTS, _GETS = {"BINPUT", "LONG_BINPUT"}, {"BINGET", "LONG_BINGET"}
_TUPLES = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
_KNOWN_OPCODES = {
    "PROTO", "STOP", "GLOBAL", "BINPERSID", "REDUCE", "BUILD", "MARK", *_PUTS, *_GETS, *_TUPLES,
    "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING",
    "BINSTRING", "EMPTY_TUPLE", "EMPTY_LIST", "EMPTY_DICT", "APPEND", "APPENDS", "SETITEM", "SETITEMS",
}  # fmt: skip


class StrangerError(ValueError):
    """The name of something that is no part of weights."""


def is_zip(path: Path) -> bool:
    """Whether it is in the format of torch >= 1.6, which can be mapped."""
    with path.open("rb") as file:
        return file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC


def read_pickle(path: Path) -> dict[str, Tensor]:
    """Every tensor by its name, mapped if the format allows.

    Raises: DamagedError for a damaged file; CheckpointError for other things in it; OSError.
    """
    try:
        for pickled in _pickled(path):
            refuse_strangers(pickled)
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip(path))
    except OSError:
        raise
    except StrangerError as error:
        raise CheckpointError(
            f"{path} holds code or objects besides dense tensors: it asks for {error}. Nothing of it was run. Do not "
            "load it another way: use the checkpoint's safetensors, or ask its author for them."
        ) from error
    except Exception as error:  # a damaged pickle can fail in any way
        raise DamagedError(
            f"{path} is cut short, damaged or not a file of weights ({type(error).__name__}: {error}). Nothing of it "
            "was run. Download it again, best as safetensors."
        ) from error
    return _weights(content, path)


def refuse_strangers(pickled: BinaryIO) -> None:
    """Looks through the next pickle. Raises: StrangerError; ValueError for what is damaged or serves no weights.

    A tuple is not used again, as it could hold one twice that holds one twice, and so on.
    """
    tuples, before = set(), ""
    for opcode, value, _ in genops(pickled):
        if opcode.name not in _KNOWN_OPCODES:
            raise ValueError(f"{opcode.name} is not used for weights")
        if opcode.name == "GLOBAL" and not _KNOWN.fullmatch(value):
            raise StrangerError(value.replace(" ", "."))
        if opcode.name in _PUTS and before in _TUPLES:
            tuples.add(value)
        if opcode.name in _GETS and value in tuples:
            raise ValueError("a tuple is used again")
        before = opcode.name


def _pickled(path: Path) -> Iterator[BinaryIO]:
    """What is to be looked through, to as much of it as weights may take."""
    if not is_zip(path):
        with path.open("rb") as file:
            head = BytesIO(file.read(MOST_BYTES))
        yield from [head] * PARTS_OF_OLD
        return
    refuse_two_directories(path)
    with ZipFile(path) as archive:
        records = archive.infolist()
        if any(record.compress_type != ZIP_STORED or record.compress_size != record.file_size for record in records):
            raise ValueError("its records are compressed, which torch's never are")
        pickled = [each for each in records if each.filename.partition("/")[2].lower() == "data.pkl"]
        if len(pickled) != 1 or pickled[0].file_size > MOST_BYTES:
            raise ValueError("it should have one data.pkl, no larger than weights take")
        yield BytesIO(archive.read(pickled[0]))


def refuse_two_directories(path: Path) -> None:
    """Python goes by where a zip's list of records must end, torch by where it is said to begin: there may be two.

    Raises: ValueError, also for a comment behind the list, in which another end of it could stand.
    """
    with path.open("rb") as file:
        place = file.seek(max(0, path.stat().st_size - _ENDS.size))
        long, _, long_size, long_begin, locator, _, located, _, short, _, size, begin, comment = _ENDS.unpack(
            file.read()
        )
    if locator == b"PK\6\7":
        fits = long == b"PK\6\6" and located == place and long_begin + long_size == place
    else:
        fits = begin + size == place + _ENDS.size - _SHORT_END
    if short != b"PK\5\6" or comment or not fits:
        raise ValueError("its list of records is not where it is said to be")


def _weights(content: object, path: Path) -> dict[str, Tensor]:
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path} should hold a dictionary of tensors, but holds a {type(content).__name__}. Save the "
            "model's state_dict() instead, best as safetensors."
        )
    strangers = [str(name) for name, value in content.items() if not (isinstance(name, str) and _is_dense(value))]
    if strangers:
        raise CheckpointError(
            f"{path} should hold named dense tensors and nothing else, but it also holds "
            f"{listed(strangers)}. Save the model's state_dict() alone, best as safetensors."
        )
    shown = [name for name, tensor in content.items() if tensor.nbytes > tensor.untyped_storage().nbytes()]
    if shown:
        raise CheckpointError(
            f"{path} has a tensor that shows more than is stored ({listed(shown)}): one row that is shown a million "
            "times would be a million once it is used. Use the checkpoint's safetensors."
        )
    return dict(content)


def _is_dense(value: object) -> bool:
    return (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
    )
