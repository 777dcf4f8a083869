"""What models with an encoder and a decoder share: the source is encoded once, the target is read shifted by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from seq2seq.config import PretrainedConfig
from seq2seq.models.generating import Generates, decoding, first_token, refuse_unknown
from seq2seq.models.outputs import BaseModelOutputWithPastAndCrossAttentions, ModelOutput
from seq2seq.models.stack import Stack


def encoded(
    encoder: Stack,
    input_ids: Tensor | None,
    attention_mask: Tensor | None,
    inputs_embeds: Tensor | None = None,
    encoder_outputs: ModelOutput | tuple | None = None,
    **inputs: Any,
) -> ModelOutput:
    """The encoder's outputs: as given (a tuple of hidden states and what else was asked for), or computed."""
    if encoder_outputs is None:
        words = {"input_ids": input_ids, "inputs_embeds": inputs_embeds}
        return encoder(**words, attention_mask=attention_mask, return_dict=True, **inputs)
    if isinstance(encoder_outputs, tuple | list):
        last_hidden_state, *rest = encoder_outputs
        fields = dict(zip(("hidden_states", "attentions"), rest, strict=False))
        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state, **fields)
    return encoder_outputs


def shifted_right(labels: Tensor, config: PretrainedConfig) -> Tensor:
    """B T -> B T: the labels one to the right, after the start token, with padding in place of -100."""
    start, pad = config.decoder_start_token_id, config.pad_token_id
    if start is None or pad is None:
        raise ValueError(
            "Training on labels needs decoder_start_token_id and pad_token_id in the model's configuration: "
            "model.config.decoder_start_token_id = tokenizer.cls_token_id (or bos), "
            "model.config.pad_token_id = tokenizer.pad_token_id."
        )
    shifted = labels.roll(1, dims=1)
    shifted[:, 0] = start
    return shifted.masked_fill(shifted == -100, pad)


class GeneratesFromSource(Generates):
    """An encoder-decoder: the search begins with the start token, and looks at the encoded source."""

    def get_encoder(self) -> Stack:
        return self.encoder

    def encode(self, *inputs: Any, **more: Any) -> ModelOutput:
        """Arguments as `encoded` takes them, after the encoder."""
        return encoded(self.get_encoder(), *inputs, **more)

    def source_of(self, encoder_outputs: ModelOutput) -> Tensor:
        """B S D, as the decoder looks at it."""
        return encoder_outputs.last_hidden_state

    def decoder_and_logits(self) -> tuple[Stack, Callable[[Tensor], Tensor]]:
        """The decoder's stack, and what turns its hidden states (B T D) into logits (B T V)."""
        raise AttributeError(f"{type(self).__name__} does not say what decodes")

    def decoder_head_masks(self, own: Tensor | None, across: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """Those of the decoder's self-attention and of its cross-attention, as `forward` applies what it is given."""
        return own, across

    def prepare_decoder_input_ids_from_labels(self, labels: Tensor) -> Tensor:
        return shifted_right(labels, self.config)

    @torch.no_grad()
    def start(self, input_ids, attention_mask, config, inputs):
        """Encodes the source once; the search begins with the start token, and with `decoder_input_ids`."""
        encoder_outputs = self.encode(
            input_ids, attention_mask, inputs.pop("inputs_embeds", None), inputs.pop("encoder_outputs", None),
            head_mask=inputs.pop("head_mask", None),
        )  # fmt: skip
        head_masks = self.decoder_head_masks(
            inputs.pop("decoder_head_mask", None), inputs.pop("cross_attn_head_mask", None)
        )
        source = self.source_of(encoder_outputs)
        start_ids = torch.full((source.shape[0], 1), first_token(config), device=source.device)
        prompt_ids = inputs.pop("decoder_input_ids", None)
        prompt_mask = inputs.pop("decoder_attention_mask", None)
        refuse_unknown(inputs)
        if prompt_ids is not None and bool((prompt_ids[:, :1] == start_ids).any()):
            start_ids = prompt_ids
        elif prompt_ids is not None:
            start_ids = torch.cat((start_ids, prompt_ids), dim=1)
            prompt_mask = None if prompt_mask is None else F.pad(prompt_mask, (1, 0), value=1)
        next_token = decoding(config)(*self.decoder_and_logits(), source, attention_mask, prompt_mask, *head_masks)
        return start_ids, next_token
