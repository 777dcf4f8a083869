"""The same model twice: the reference library's with small random weights, ours loaded from what that saved.

So every comparison in this folder also checks that what was saved there loads here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from seq2seq import models

TOLERANCE = 1e-5

SMALL = {
    "vocab_size": 41,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 36,
    "max_position_embeddings": 32,
}
DECODER = {"is_decoder": True, "add_cross_attention": True}
CONFIG_OF_FAMILY = {"bert-generation": transformers.BertGenerationConfig, "bert": transformers.BertConfig}


@dataclass(frozen=True)
class Pair:
    ours: nn.Module
    theirs: nn.Module

    def call(self, **inputs: Any) -> tuple[Any, Any]:
        """Both outputs of a forward pass."""
        return self.ours(**inputs), self.theirs(**inputs)

    def run(self, **inputs: Any) -> tuple[Any, Any]:
        """Both outputs of a forward pass without gradients."""
        with torch.no_grad():
            return self.call(**inputs)

    def check(self, **inputs: Any) -> None:
        """Both forward passes give the same fields with equal values."""
        ours, theirs = self.run(**inputs)
        assert_equal_outputs(ours, theirs)

    def check_gradients(self, **inputs: Any) -> None:
        """Both forward passes with labels give equal outputs, and every parameter an equal gradient."""
        ours, theirs = self.call(**inputs)
        assert_equal_outputs(ours, theirs)
        for model, output in ((self.ours, ours), (self.theirs, theirs)):
            model.zero_grad()
            output.loss.backward()
        names = self.ours.names(self.ours.config)
        for name, parameter in trained(self.ours):
            expected = self.theirs.get_parameter(names.to_foreign(name)[0]).grad
            assert (parameter.grad is None) == (expected is None), name
            if expected is not None:
                assert_close(parameter.grad, expected, name)


def trained(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """All parameters but frozen ones, which the reference library keeps as buffers."""
    return ((name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad)


def make_pair(theirs: nn.Module) -> Pair:
    """Randomizes every weight of a reference model, and loads it as the class of the same name."""
    return load_pair(randomize(theirs))


def load_pair(theirs: nn.Module) -> Pair:
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        ours = getattr(models, type(theirs).__name__).from_pretrained(folder)
    return Pair(ours, theirs.eval())


def randomize(model: nn.Module, seed: int = 0, scale: float = 0.3) -> nn.Module:
    """Random biases, norms and padding vectors too: zeros and ones would hide a mix-up."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
            if is_norm(name):
                parameter.add_(1)
    return model


def is_norm(name: str) -> bool:
    """Whether a name of the reference library is that of a norm's weight: LayerNorm, layernorm_embedding ..."""
    return name.endswith("weight") and "layernorm" in name.lower().replace("_", "")


def config_of(family: str, **changes: Any) -> transformers.PreTrainedConfig:
    """The reference library's small configuration; attention by its definition, so that maps can be had."""
    return CONFIG_OF_FAMILY[family](**{**SMALL, **changes}, attn_implementation="eager")


def pair_config(encoder: Any, decoder: Any, **changes: Any) -> transformers.EncoderDecoderConfig:
    return transformers.EncoderDecoderConfig.from_encoder_decoder_configs(
        encoder,
        decoder,
        **{"decoder_start_token_id": 2, "pad_token_id": 0, **changes},
        attn_implementation="eager",
    )


def token_ids(*shape: int, seed: int = 0, vocab_size: int = SMALL["vocab_size"]) -> Tensor:
    """Random ids, without the padding's and the start and end tokens'."""
    return torch.randint(3, vocab_size, shape, generator=torch.Generator().manual_seed(seed))


def vectors(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def mask_of_lengths(lengths: Iterable[int], length: int, side: str = "right") -> Tensor:
    """B length: 1 for as many tokens as each text has; padding on the named side."""
    mask = (torch.arange(length) < torch.tensor(list(lengths))[:, None]).long()
    return mask if side == "right" else mask.flip(1)


def assert_equal_outputs(ours: Any, theirs: Any) -> None:
    """The same fields in the same order, with equal values."""
    fields = [name for name, value in theirs.items() if not is_empty(value)]
    assert list(ours.keys()) == fields
    for name in fields:
        assert_close(ours[name], theirs[name], name)


def assert_equal_tuples(ours: Any, theirs: Any) -> None:
    """What is returned with return_dict=False: as many values, in the same order."""
    assert isinstance(ours, tuple)
    assert_close(ours, tuple(value for value in theirs if not is_empty(value)))


def is_empty(value: Any) -> bool:
    """Where there is no cross-attention, version 5 gives an empty tuple instead of the documented None."""
    return isinstance(value, tuple) and not value


def assert_close(ours: Any, theirs: Any, name: str = "") -> None:
    """Equal tensors, or equal nests of them; a cache counts as the tuples that it stands for."""
    if isinstance(theirs, Tensor):
        assert ours.shape == theirs.shape, f"{name}: {tuple(ours.shape)} is not {tuple(theirs.shape)}"
        torch.testing.assert_close(ours, theirs, atol=TOLERANCE, rtol=TOLERANCE, msg=lambda text: f"{name}: {text}")
        return
    theirs = legacy(theirs)
    assert len(ours) == len(theirs), name
    for index, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        assert_close(mine, other, f"{name}[{index}]")


def legacy(cache: Any) -> Any:
    """The documented tuple of tuples that a cache of the reference library stands for."""
    if isinstance(cache, transformers.EncoderDecoderCache):
        parts = (legacy(cache.self_attention_cache), legacy(cache.cross_attention_cache))
        return tuple(own + across for own, across in zip(*parts, strict=True))
    if isinstance(cache, transformers.DynamicCache):
        return tuple((layer.keys, layer.values) for layer in cache.layers)
    return cache
