"""What a model writes with some of its heads switched off, and how likely its own output is without them.

A head is switched off by a mask of 0 on its weights, as by the documented `head_mask` arguments; this is not to take
its parameters away (Michel, Levy and Neubig 2019, "Are sixteen heads really better than one?", section 2.3).
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor

from seq2seq.explain.attention import num_layers
from seq2seq.explain.choices import log_probability, total
from seq2seq.explain.pair import Pair
from seq2seq.tasks import GenerationSettings
from seq2seq.tasks.writing import write_section
from seq2seq.trace import ATTENTION_KINDS, AttentionKind, Head, Rewriting

ARGUMENTS: dict[AttentionKind, str] = {
    "cross": "cross_attn_head_mask",
    "encoder": "head_mask",
    "decoder": "decoder_head_mask",
}


def rewriting(pair: Pair, muted: Collection[Head], settings: GenerationSettings | None = None) -> Rewriting:
    """The output as it was, and what is written without the muted heads.

    Raises: ValueError that names a head that is not there; ValueError for settings out of range.
    """
    settings = settings or GenerationSettings()
    inputs = masks(pair, muted)
    config = pair.writer.generation_config(pair.task, settings)
    generator = torch.Generator(pair.model.device).manual_seed(settings.seed)
    *_, (section, _) = write_section(pair.writer, pair.task, pair.source, config, generator, **inputs)
    return Rewriting(
        muted=tuple(muted),
        before=pair.target_text,
        after=section.text,
        log_probability_before=log_probability(pair),
        log_probability_after=total(read_with(pair, inputs), pair.target_ids),
    )


def masks(pair: Pair, muted: Collection[Head]) -> dict[str, Tensor]:
    """By the names that `generate` has for them, for each kind of attention L H: 0 for a muted head, 1 for others.

    Raises: ValueError that names a head that is not there.
    """
    by_kind = {kind: torch.ones(num_layers(pair, kind), num_heads(pair, kind)) for kind in ATTENTION_KINDS}
    for kind, layer, head in muted:
        check_head(pair, kind, layer, head)
        by_kind[kind][layer, head] = 0.0
    return {ARGUMENTS[kind]: mask.to(pair.model.device) for kind, mask in by_kind.items()}


@torch.no_grad()
def read_with(pair: Pair, inputs: dict[str, Tensor]) -> Tensor:
    """1 T V, the logits of each target token, by the way that generation takes.

    Not by `forward`, whose masks have other names in other families, and in some are one for two kinds of attention.
    """
    config = pair.writer.generation_config(pair.task, GenerationSettings())
    _, decoding = pair.model.start(pair.input_ids, None, config, dict(inputs))
    return decoding.logits(decoding.read(pair.decoder_input_ids))


def num_heads(pair: Pair, kind: AttentionKind) -> int:
    config = pair.model.config
    return (config.encoder if kind == "encoder" else config.decoder).num_attention_heads


def check_head(pair: Pair, kind: AttentionKind, layer: int, head: int) -> None:
    if kind not in ATTENTION_KINDS:
        raise ValueError(f"The kinds of attention are {', '.join(ATTENTION_KINDS)}; there is none called {kind!r}.")
    layers, heads = num_layers(pair, kind), num_heads(pair, kind)
    if not (0 <= layer < layers and 0 <= head < heads):
        raise ValueError(
            f"There is no head {head} in layer {layer} of {kind} attention: layers are 0 to {layers - 1}, heads 0 to "
            f"{heads - 1}."
        )
