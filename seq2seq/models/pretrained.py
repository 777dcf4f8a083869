"""What every public model can do: be made from a configuration, be loaded from a checkpoint, and be saved as one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from torch import nn

from seq2seq.checkpoints.load import load_weights
from seq2seq.checkpoints.names import NameTable
from seq2seq.checkpoints.save import save_weights
from seq2seq.config import PretrainedConfig, take_hub_options

Model = TypeVar("Model", bound="PreTrainedModel")


class PreTrainedModel(nn.Module):
    """A torch module with a configuration, a table of the names its weights have in checkpoints, and its ties."""

    config_class: ClassVar[type[PretrainedConfig]]

    def __init__(self, config: PretrainedConfig):
        super().__init__()
        if not isinstance(config, self.config_class):
            raise ValueError(
                f"{type(self).__name__} is made from a {self.config_class.__name__}, not from a "
                f"{type(config).__name__}."
            )
        self.config = config

    @classmethod
    def names(cls, config: PretrainedConfig) -> NameTable:
        """The names of this model's weights in a checkpoint, and ours."""
        raise AttributeError(f"{cls.__name__} has no table of checkpoint names")

    def ties(self) -> Mapping[str, str]:
        """Our names of parameters that are another parameter under a second name: second name -> first name."""
        return {}

    def is_new_in_warm_start(self, name: str) -> bool:
        """Whether a checkpoint of a bare or headless stack may lack this parameter, which then starts fresh."""
        return False

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def num_parameters(self) -> int:
        """Parameters, tied ones counted once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def gradient_checkpointing_enable(self) -> None:
        """Training keeps what goes between blocks and computes again what happens inside: less memory, more time."""
        self._set_gradient_checkpointing(True)

    def gradient_checkpointing_disable(self) -> None:
        self._set_gradient_checkpointing(False)

    def _set_gradient_checkpointing(self, wanted: bool) -> None:
        for module in self.modules():
            if hasattr(module, "gradient_checkpointing"):
                module.gradient_checkpointing = wanted

    def post_init(self) -> None:
        """Draws the initial weights and ties what is tied; the last line of every public class's constructor."""
        for module in self.modules():
            init_weights(module, self.config)
        self.tie_weights()

    def tie_weights(self) -> None:
        for second, first in self.ties().items():
            owner, _, attribute = second.rpartition(".")
            setattr(self.get_submodule(owner), attribute, self.get_parameter(first))

    @classmethod
    def from_pretrained(
        cls: type[Model],
        pretrained_model_name_or_path: str | Path,
        *,
        config: PretrainedConfig | None = None,
        dtype: torch.dtype | None = None,
        torch_dtype: torch.dtype | None = None,
        **kwargs: Any,
    ) -> Model:
        """Loads a checkpoint from a folder or a Hub id, in evaluation mode; nothing in it is ever executed.

        Args: config, instead of the checkpoint's own; dtype (or torch_dtype, its older name), instead of the stored
        one; revision, cache_dir, local_files_only, token and subfolder say where to look; any other argument
        overrides a field of the configuration.
        Raises: CheckpointError, which names the file and the tensor, and says what to do.
        """
        hub_options = take_hub_options(kwargs)
        if config is None:
            config = cls.config_class.from_pretrained(pretrained_model_name_or_path, **hub_options, **kwargs)
        model = cls.outline(config)
        report = load_weights(
            model,
            pretrained_model_name_or_path,
            cls.names(config),
            dtype=dtype or torch_dtype,
            tied=model.ties(),
            may_be_missing=model.is_new_in_warm_start,
            **hub_options,
        )
        model.materialise(report.new, dtype or torch_dtype)
        model.tie_weights()
        return model.eval()

    @classmethod
    def outline(cls: type[Model], config: PretrainedConfig) -> Model:
        """Its parameters have shapes, and take no memory."""
        with torch.device("meta"):
            return cls(config)

    def materialise(self, names: tuple[str, ...], dtype: torch.dtype | None) -> None:
        """Gives parameters that the checkpoint lacks their initial weights, and touches no other."""
        for name in names:
            owner, _, attribute = name.rpartition(".")
            module = self.get_submodule(owner)
            fresh = torch.empty_like(getattr(module, attribute), device="cpu", dtype=dtype or torch.float32)
            setattr(module, attribute, nn.Parameter(fresh))
            init_parameter(module, attribute, self.config)

    def save_pretrained(self, save_directory: str | Path, *, max_shard_size: int = 9_500_000) -> None:
        """Writes config.json and safetensors shards that the reference library loads too."""
        self.config.architectures = [type(self).__name__]
        self.config.torch_dtype = str(self.dtype).removeprefix("torch.")
        self.config.save_pretrained(save_directory)
        save_weights(self, save_directory, self.names(self.config), max_shard_size=max_shard_size)


def init_weights(module: nn.Module, config: PretrainedConfig) -> None:
    """BERT's initial weights for the parameters that are the module's own; on the meta device there are none."""
    for name, parameter in module.named_parameters(recurse=False):
        if not parameter.is_meta:
            init_parameter(module, name, config)


@torch.no_grad()
def init_parameter(module: nn.Module, name: str, config: PretrainedConfig) -> None:
    """Normal with initializer_range; biases zero, norms one, the vector of padding zero."""
    parameter = getattr(module, name)
    if name.endswith("bias"):
        parameter.zero_()
    elif isinstance(module, nn.LayerNorm):
        parameter.fill_(1.0)
    else:
        parameter.normal_(std=getattr(config, "initializer_range", 0.02))
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            parameter[module.padding_idx].zero_()
