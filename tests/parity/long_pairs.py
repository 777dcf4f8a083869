"""Models with block-sparse attention beside the reference library's, whose habits with long texts are undone here.

It switches a model to dense attention at its first short text, for good, and forgets in either switch to record the
attention. What it records is as long as the padded text. Where a row sees a block several times, its map holds the
weights of one of those times, and ours their sum, so that rows sum to 1. What it writes into its map's rows of padding
is left out: their outputs are zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers.models.bigbird_pegasus.modeling_bigbird_pegasus import BigBirdPegasusEncoder

from seq2seq.models.stack import Stack
from tests.parity.pairs import Pair, load_pair, randomize

SHARED = {
    "vocab_size": 41,
    "max_position_embeddings": 2048,
    "block_size": 4,
    "num_random_blocks": 3,
    "attn_implementation": "eager",
}
BIG_BIRD = {
    **SHARED,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 36,
    "sep_token_id": 5,
}
BIGBIRD_PEGASUS = {
    **SHARED,
    "d_model": 24,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 36,
    "decoder_ffn_dim": 30,
}
LONGEST_DENSE = (5 + 2 * SHARED["num_random_blocks"]) * SHARED["block_size"]


@dataclass(frozen=True)
class LongPair(Pair):
    def call(self, **inputs: Any) -> tuple[Any, Any]:
        text = next((inputs[name] for name in ("input_ids", "inputs_embeds") if name in inputs), None)
        if text is not None:
            make_ready(self.theirs, text.shape[1])
        ours, theirs = super().call(**inputs)
        if isinstance(theirs, transformers.utils.ModelOutput):
            self.adjust(theirs, ours, inputs.get("attention_mask"))
        return ours, theirs

    def train(self) -> LongPair:
        self.ours.train()
        self.theirs.train()
        return self

    def adjust(self, theirs: Any, ours: Any, attention_mask: Tensor | None) -> None:
        """Says what they recorded of the encoder as ours does."""
        stack = stack_of(self.ours)
        prefix = "encoder_" if self.theirs.config.is_encoder_decoder else ""
        states, maps = f"{prefix}hidden_states", f"{prefix}attentions"
        if theirs.get(states):
            length = ours[states][0].shape[1]
            theirs[states] = tuple(state[:, :length] for state in theirs[states])
        if theirs.get(maps):
            theirs[maps] = tuple(
                adjusted(theirs_map, ours_map, counts_of(stack, ours_map.shape[-1], layer), attention_mask)
                for layer, (theirs_map, ours_map) in enumerate(zip(theirs[maps], ours[maps], strict=True))
            )


def adjusted(theirs: Tensor, ours: Tensor, counts: Tensor | None, attention_mask: Tensor | None) -> Tensor:
    """B H T T: their map, each weight as often as its block is seen (H T T), and rows of padding as ours are."""
    if counts is None:
        return theirs
    length = ours.shape[-1]
    theirs = theirs[:, :, :length, :length] * counts
    return theirs if attention_mask is None else theirs.where(attention_mask[:, None, :, None] != 0, ours)


def counts_of(stack: Stack, length: int, layer: int) -> Tensor | None:
    """H T T (or 1 T T): how often each token sees each token's block; None where attention is dense."""
    config, sparsity = stack.config, stack.config.block_sparsity
    if sparsity is None or length <= sparsity.longest_dense:
        return None
    shape = length, config.num_attention_heads, config.max_position_embeddings
    visible = torch.from_numpy(sparsity.table(*shape, layer, stack.training).visible())
    for dim in (1, 2):
        visible = visible.repeat_interleave(sparsity.block_size, dim)
    return visible[:, :length, :length]


def stack_of(ours: nn.Module) -> Stack:
    """The stack that reads sparsely."""
    if isinstance(ours, Stack):
        return ours
    return ours.get_encoder() if ours.config.is_encoder_decoder else ours.stack


def make_ready(theirs: nn.Module, length: int) -> None:
    """Attention of the kind that is due at this length, in modules of its own, which nothing records yet."""
    for module in theirs.modules():
        if isinstance(module, transformers.BigBirdModel | BigBirdPegasusEncoder):
            config = module.config
            is_short = length <= (5 + 2 * config.num_random_blocks) * config.block_size
            module.set_attention_type("original_full" if is_short else config.attention_type)
    for module in theirs.modules():
        module._forward_hooks.clear()
        vars(module).pop("_output_capturing_hooks_installed", None)


def pair_of(name: str, **changes: Any) -> LongPair:
    """The two models of this name."""
    return long_pair(long_model(name, **changes))


def long_pair(theirs: nn.Module) -> LongPair:
    """As make_pair; the bias of the logits, which the reference library holds in a buffer, is random too."""
    randomize(theirs)
    if hasattr(theirs, "final_logits_bias"):
        theirs.final_logits_bias.normal_(generator=torch.Generator().manual_seed(1))
    pair = load_pair(theirs)
    return LongPair(pair.ours, pair.theirs)


def long_model(name: str, **changes: Any) -> nn.Module:
    """A small model of the reference library's class of this name."""
    if name.startswith("BigBirdPegasus"):
        config = transformers.BigBirdPegasusConfig(**{**BIGBIRD_PEGASUS, **changes})
    else:
        config = transformers.BigBirdConfig(**{**BIG_BIRD, **changes})
    return getattr(transformers, name)(config)
