"""What every configuration is: a plain dataclass that reads and writes a checkpoint's config.json.

Names, order and defaults are the documented ones of the reference library, so that its files load unchanged. They are
not frozen: the documented way to make a decoder is `config.is_decoder = True`. Fields that a file carries beyond
those we know are kept as attributes and written back, so nothing is lost on the way through.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, Literal

from seq2seq.attention.block_table import BlockSparsity
from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.checkpoints.hub import find_file, read_json

CONFIG_FILE = "config.json"
HUB_OPTIONS = ("revision", "cache_dir", "local_files_only", "token", "subfolder")
SIZES = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings",
)  # fmt: skip
LARGEST = 10**8
MOST_LAYERS = 100  # of a stack: each is built before the weights tell how many there are
PositionEmbeddingType = Literal["absolute", "relative_key", "relative_key_query"]


def open_dataclass(cls: type) -> type:
    """A dataclass that takes any further keyword arguments too and keeps them as attributes."""
    cls = dataclass(cls)
    known = {f.name for f in fields(cls)}
    plain_init = cls.__init__

    @wraps(plain_init)
    def __init__(self, *args, **kwargs):
        plain_init(self, *args, **{name: kwargs[name] for name in kwargs.keys() & known})
        for name in kwargs.keys() - known:
            setattr(self, name, kwargs[name])

    cls.__init__ = __init__
    return cls


@dataclass(kw_only=True)
class PretrainedConfig:
    """What every configuration shares: the role a stack plays, what a call returns, and the file it lives in.

    Checks that numbers are numbers.
    """

    model_type: ClassVar[str] = ""
    also_reads: ClassVar[frozenset[str]] = frozenset()  # types whose checkpoints this family can start from

    is_decoder: bool = False
    add_cross_attention: bool = False
    is_encoder_decoder: bool = False
    cross_attention_hidden_size: int | None = None
    tie_word_embeddings: bool = True
    tie_encoder_decoder: bool = False
    chunk_size_feed_forward: int = 0
    output_attentions: bool = False
    output_hidden_states: bool = False
    return_dict: bool = True
    decoder_start_token_id: int | None = None
    architectures: list[str] | None = None
    torch_dtype: str | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            name, value = each.name, getattr(self, each.name)
            least = 1 if name in SIZES else 0
            most = MOST_LAYERS if name == "num_hidden_layers" else LARGEST
            if each.type == "int" and (type(value) is not int or not least <= value <= most):
                raise ValueError(f"{name} must be a whole number from {least} to {most:,}; got {value!r}.")
            if each.type == "float" and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise ValueError(f"{name} must be a number; got {value!r}.")

    def to_dict(self) -> dict[str, Any]:
        """A copy as plain data, as config.json holds it."""
        values = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return {"model_type": self.model_type, **copy.deepcopy(values)}

    def to_json_string(self) -> str:
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def save_pretrained(self, save_directory: str | Path) -> None:
        """Writes config.json into the folder, which is made if need be."""
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG_FILE).write_text(self.to_json_string(), encoding="utf-8")

    @classmethod
    def from_dict(cls, values: dict[str, Any], **overrides: Any) -> PretrainedConfig:
        values = {**values, **overrides}
        if "dtype" in values:  # its newer name: two that differ must not be written back
            values["torch_dtype"] = values.pop("dtype")
        model_type = values.pop("model_type", cls.model_type)
        if model_type not in {cls.model_type} | cls.also_reads:
            raise CheckpointError(
                f"{cls.__name__} describes models of type {cls.model_type!r}, and this configuration is of type "
                f"{model_type!r}. Load it with the class of that type, or with seq2seq.config.read_config."
            )
        try:
            return cls(**copy.deepcopy(values))
        except (TypeError, ValueError, ArithmeticError) as error:
            raise CheckpointError(f"This configuration is not one of a {cls.model_type} model: {error}") from error

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **kwargs: Any) -> PretrainedConfig:
        """Reads config.json from a folder or a Hub id; keyword arguments that are not Hub options override fields."""
        hub_options = take_hub_options(kwargs)
        return cls.from_dict(read_config_values(pretrained_model_name_or_path, **hub_options), **kwargs)


@dataclass(kw_only=True)
class StackConfig(PretrainedConfig):
    """A configuration of one transformer stack: checks what has to hold for any of them.

    What most families do alike is a property here, which the others override.
    """

    position_embedding_type = "absolute"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size ({self.hidden_size}) must be a multiple of num_attention_heads "
                f"({self.num_attention_heads})."
            )
        kinds = PositionEmbeddingType.__args__
        if self.position_embedding_type not in kinds:
            raise ValueError(
                f"position_embedding_type must be one of {', '.join(kinds)}; got {self.position_embedding_type!r}."
            )

    @property
    def adds_position_embeddings(self) -> bool:
        """Whether a vector of its position joins each token's, beside relative positions in the attention if any."""
        return True

    @property
    def num_token_types(self) -> int:
        """How many kinds of token have a vector of their own; a `type_vocab_size` that came along in a file is none."""
        return 0

    @property
    def embedding_scale(self) -> float:
        """What a word's vector is multiplied by."""
        return 1.0

    @property
    def attention_biases(self) -> tuple[bool, bool]:
        """Whether the projections of query, key and value have a bias, and that of the output."""
        return True, True

    @property
    def norms_first(self) -> bool:
        """Norms before each part of a block and after the last block (pre-norm), or after each part (post-norm)."""
        return False

    @property
    def block_sparsity(self) -> BlockSparsity | None:
        """How long texts are attended to sparsely; None: never."""
        return None

    @property
    def layerdrop(self) -> float:
        """The probability that training skips a block."""
        return 0.0

    @property
    def activation_dropout(self) -> float:
        return 0.0


def take_hub_options(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Moves the arguments that say where to find a checkpoint out of `kwargs`, and returns them."""
    return {name: kwargs.pop(name) for name in HUB_OPTIONS if name in kwargs}


def read_config_values(name_or_path: str | Path, **hub_options: Any) -> dict[str, Any]:
    path = find_file(name_or_path, CONFIG_FILE, **hub_options)
    if path is None:
        raise CheckpointError(
            f"{name_or_path} has no {CONFIG_FILE}, which says what kind of model it is. "
            "Give the folder or Hub id of a complete checkpoint."
        )
    return read_json(path)
