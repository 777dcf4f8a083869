"""An encoder-decoder of BertGeneration stacks, warm-started from one BERT checkpoint (Rothe et al. 2020, section 2).

Two additions to the paper: cross-attention starts as a copy of the same layer's self-attention, so that looking at the
same word across is there from the first step and copying emerges within some hundred steps; and the vocabulary is
exchanged on the way (`vocabulary`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from seq2seq.config import BertGenerationConfig
from seq2seq.models import BertGenerationDecoder, BertGenerationEncoder, BertModel, EncoderDecoderModel


def warm_start(bert: BertModel, embeddings: Tensor, dropout: float) -> EncoderDecoderModel:
    """BERT's layers in both stacks, with `embeddings` (new V, D) in place of BERT's own vocabulary."""
    fields = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",
              "max_position_embeddings", "initializer_range", "layer_norm_eps")  # fmt: skip
    shape = {name: getattr(bert.config, name) for name in fields}
    shape |= {
        "vocab_size": embeddings.shape[0],
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
    }
    encoder = BertGenerationEncoder(BertGenerationConfig(**shape))
    decoder = BertGenerationDecoder(BertGenerationConfig(**shape, is_decoder=True, add_cross_attention=True))
    for stack in (encoder, decoder.stack):
        copy_layers(bert, stack, embeddings)
    start_across_as_within(decoder)
    model = EncoderDecoderModel(encoder=encoder, decoder=decoder)
    config = encoder.config
    model.config.pad_token_id = config.pad_token_id
    model.config.eos_token_id = config.eos_token_id
    model.config.decoder_start_token_id = config.bos_token_id
    return model


@torch.no_grad()
def copy_layers(bert: BertModel, stack: BertGenerationEncoder, embeddings: Tensor) -> None:
    """BertGeneration has no token types: BERT's first, which all tokens of a lone text have, joins the positions."""
    weights = {name: value for name, value in bert.state_dict().items() if not name.startswith("pooler.")}
    token_type = weights.pop("embeddings.token_type.weight")
    weights["embeddings.position.weight"] = weights["embeddings.position.weight"] + token_type[0]
    weights["embeddings.word.weight"] = embeddings
    unexpected = stack.load_state_dict(weights, strict=False).unexpected_keys
    assert not unexpected, unexpected


@torch.no_grad()
def start_across_as_within(decoder: BertGenerationDecoder) -> None:
    for block in decoder.stack.layers:
        block.cross_attention.load_state_dict(block.self_attention.state_dict())
        block.cross_attention_norm.load_state_dict(block.self_attention_norm.state_dict())
