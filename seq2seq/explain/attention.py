"""One layer's attention over a finished pair of texts: one teacher-forced pass that keeps that layer alone."""

from __future__ import annotations

import torch

from seq2seq.attention.tape import recording
from seq2seq.explain.pair import Pair
from seq2seq.trace import AttentionKind, AttentionRecord, Token


@torch.no_grad()
def attention(pair: Pair, kind: AttentionKind, layer: int) -> AttentionRecord:
    """What one layer looked at while it wrote.

    Row t is the attention from which token t was predicted: that of the token before it, or of the start token.
    Raises: ValueError for a layer that the model does not have.
    """
    check_layer(pair, kind, layer)
    with recording(lambda recorded, number: (recorded, number) == (kind, layer)) as tape:
        read(pair)
    weights = tape.weights[kind, layer][0].float().cpu().numpy()
    return AttentionRecord(kind, layer, weights, *sides(pair, kind))


def read(pair: Pair) -> torch.Tensor:
    """The pass: 1 T V, the logits of each target token."""
    return pair.model(input_ids=pair.input_ids, decoder_input_ids=pair.decoder_input_ids, use_cache=False).logits


def num_layers(pair: Pair, kind: AttentionKind) -> int:
    config = pair.model.config
    return (config.encoder if kind == "encoder" else config.decoder).num_hidden_layers


def check_layer(pair: Pair, kind: AttentionKind, layer: int) -> None:
    count = num_layers(pair, kind)
    if not 0 <= layer < count:
        raise ValueError(f"layer must be from 0 to {count - 1}; got {layer}.")


def sides(pair: Pair, kind: AttentionKind) -> tuple[tuple[Token, ...], tuple[Token, ...], str, str]:
    """Who looks (T), at whom (S), and the texts that both belong to."""
    source, text = pair.source, pair.target_text
    return {
        "cross": (pair.targets, source.tokens, text, source.text),
        "encoder": (source.tokens, source.tokens, source.text, source.text),
        "decoder": (pair.targets, pair.read_back, text, text),
    }[kind]
