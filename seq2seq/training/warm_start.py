"""Models warm-started from one BERT checkpoint, its vocabulary exchanged on the way (`vocabulary`).

An encoder-decoder of BertGeneration stacks (Rothe et al. 2020, section 2), with an addition to the paper:
cross-attention starts as a copy of the same layer's self-attention, so that looking at the same word across is there
from the first step and copying emerges within some hundred steps.

A BigBird that answers questions, or that reads long texts for such a decoder, with the positions repeated as often as
its longer texts ask for: so BigBird's authors began from RoBERTa (Zaheer et al. 2020, appendix E; Beltagy et al. 2020,
section 5). A BigBird-Pegasus, from such a pair with its norms moved in front.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from seq2seq.config import BertConfig, BertGenerationConfig, BigBirdConfig, BigBirdPegasusConfig, read_config
from seq2seq.models import (
    BertGenerationDecoder,
    BertGenerationEncoder,
    BertModel,
    BigBirdForQuestionAnswering,
    BigBirdModel,
    BigBirdPegasusForConditionalGeneration,
    EncoderDecoderModel,
)
from seq2seq.models.stack import Stack

KEPT_FIELDS = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",
               "max_position_embeddings", "initializer_range", "layer_norm_eps")  # fmt: skip
DROPOUT_FIELDS = ("hidden_dropout_prob", "attention_probs_dropout_prob")
PARTS = ("self_attention", "cross_attention", "feed_forward")  # of a block, in order
TOKEN_FIELDS = ("pad_token_id", "bos_token_id", "eos_token_id")


def is_bert(checkpoint: Path) -> bool:
    """Whether a folder holds a BERT to start from, rather than a model of this package's to go on with."""
    return isinstance(read_config(checkpoint), BertConfig)


def warm_start(bert: BertModel, embeddings: Tensor, dropout: float) -> EncoderDecoderModel:
    """BERT's layers in both stacks, with `embeddings` (new V, D) in place of BERT's own vocabulary."""
    shape = shape_of(bert, embeddings, dropout)
    encoder = BertGenerationEncoder(BertGenerationConfig(**shape))
    decoder = BertGenerationDecoder(BertGenerationConfig(**shape, is_decoder=True, add_cross_attention=True))
    weights = without_token_types(stack_weights(bert, embeddings))
    for stack in (encoder, decoder.stack):
        copy_layers(weights, stack)
    start_across_as_within(decoder.stack)
    model = EncoderDecoderModel(encoder=encoder, decoder=decoder)
    config = encoder.config
    model.config.pad_token_id = config.pad_token_id
    model.config.eos_token_id = config.eos_token_id
    model.config.decoder_start_token_id = config.bos_token_id
    return model


def warm_start_answering(
    bert: BertModel, embeddings: Tensor, dropout: float, max_position_embeddings: int, **token_ids: int
) -> BigBirdForQuestionAnswering:
    """BERT's layers, block-sparse, under a new head. `token_ids` are the configuration's fields of that kind.

    Random blocks are the "original" ones in training anyway; so evaluation sees the pattern that was trained.
    """
    shape = shape_of(bert, embeddings, dropout) | {"max_position_embeddings": max_position_embeddings}
    config = BigBirdConfig(**shape, **token_ids, type_vocab_size=bert.config.type_vocab_size, random_blocks="original")
    model = BigBirdForQuestionAnswering(config)
    copy_layers(with_positions(stack_weights(bert, embeddings), max_position_embeddings), model.stack)
    return model


@torch.no_grad()
def warm_start_pegasus(
    start: EncoderDecoderModel, max_position_embeddings: int, num_layers: tuple[int, int]
) -> BigBirdPegasusForConditionalGeneration:
    """A BigBird-Pegasus with as many layers of a pair's encoder and of its decoder, spread evenly over the pair's.

    Its blocks norm before each part and the pair's after: what came out of the last norm there went into the next part,
    so that norm stands before that part here. The sums beside the parts, which the pair norms too, begin as large as
    there (`gain`): else what a layer adds would drown which word it is. Words have the decoder's vectors.
    """
    shape, (encoder_layers, decoder_layers) = start.encoder.config, num_layers
    model = BigBirdPegasusForConditionalGeneration(
        BigBirdPegasusConfig(
            vocab_size=shape.vocab_size,
            d_model=shape.hidden_size,
            max_position_embeddings=max_position_embeddings,
            encoder_layers=encoder_layers,
            decoder_layers=decoder_layers,
            encoder_ffn_dim=shape.intermediate_size,
            decoder_ffn_dim=shape.intermediate_size,
            encoder_attention_heads=shape.num_attention_heads,
            decoder_attention_heads=shape.num_attention_heads,
            activation_function=shape.hidden_act,
            dropout=0.0,
            use_bias=True,
            random_blocks="original",
        )
    )
    decoder = start.decoder.stack.state_dict()
    larger = gain(decoder)
    of_words = larger / model.config.encoder.embedding_scale
    for stack, weights in (
        (model.model.encoder, without_token_types(start.encoder.state_dict())),
        (model.model.decoder, decoder),
    ):
        weights = with_positions(weights, max_position_embeddings)
        weights["embeddings.word.weight"] = of_words * decoder["embeddings.word.weight"]
        weights["embeddings.position.weight"] = larger * weights["embeddings.position.weight"]
        copy_layers(normed_before(weights, spread(len(stack.layers), shape.num_hidden_layers)), stack)
    for part in model.model.decoder.last_norm.parameters():
        part /= of_words  # the head shares the embeddings of words
    return model


def gain(weights: dict[str, Tensor]) -> float:
    """How many times as large a stack's embeddings are after their norm, on average over words at the first place."""
    raw = weights["embeddings.word.weight"] + weights["embeddings.position.weight"][0]
    norm = weights["embeddings.norm.weight"], weights["embeddings.norm.bias"]
    normed = torch.nn.functional.layer_norm(raw, raw.shape[-1:], *norm)
    return (normed.std(dim=-1).mean() / raw.std(dim=-1).mean()).item()


def spread(count: int, total: int) -> list[int]:
    """`count` of `total` layers, from the first to the last."""
    return [round(index * (total - 1) / max(1, count - 1)) for index in range(count)]


def normed_before(weights: dict[str, Tensor], layers: list[int]) -> dict[str, Tensor]:
    """The weights of some layers of a stack that norms after each part, for one that norms before."""
    before = "embeddings.norm"
    moved = {name: value for name, value in weights.items() if name.startswith(("embeddings.word", "embeddings.pos"))}
    for index, layer in enumerate(layers):
        ours, theirs = f"layers.{index}.", f"layers.{layer}."
        for name, value in weights.items():
            if name.startswith(theirs) and "_norm." not in name:
                moved[ours + name.removeprefix(theirs)] = value
        for part in PARTS:
            if f"{theirs}{part}_norm.weight" in weights:
                moved |= norm_of(weights, before, f"{ours}{part}_norm")
                before = f"{theirs}{part}_norm"
    return moved | norm_of(weights, before, "last_norm")


def norm_of(weights: dict[str, Tensor], name: str, new_name: str) -> dict[str, Tensor]:
    return {f"{new_name}.{part}": weights[f"{name}.{part}"] for part in ("weight", "bias")}


def with_long_encoder(model: EncoderDecoderModel, max_position_embeddings: int) -> EncoderDecoderModel:
    """The same pair, its encoder a block-sparse BigBird: short texts are read as before, long ones can be read."""
    old = model.encoder.config
    shape = {name: getattr(old, name) for name in (*KEPT_FIELDS, *TOKEN_FIELDS, "vocab_size", *DROPOUT_FIELDS)}
    config = BigBirdConfig(
        **shape | {"max_position_embeddings": max_position_embeddings},
        sep_token_id=old.eos_token_id,
        type_vocab_size=1,
        random_blocks="original",
    )
    encoder = BigBirdModel(config)
    weights = with_positions(model.encoder.state_dict(), max_position_embeddings)
    copy_layers(weights | {"embeddings.token_type.weight": torch.zeros(1, config.hidden_size)}, encoder)
    longer = EncoderDecoderModel(encoder=encoder, decoder=model.decoder)
    for name in ("pad_token_id", "eos_token_id", "decoder_start_token_id"):
        setattr(longer.config, name, getattr(model.config, name))
    return longer


def with_positions(weights: dict[str, Tensor], count: int) -> dict[str, Tensor]:
    """A stack's weights, its position vectors repeated to `count`."""
    name = "embeddings.position.weight"
    repeats = -(-count // len(weights[name]))
    return weights | {name: weights[name].repeat(repeats, 1)[:count]}


def shape_of(bert: BertModel, embeddings: Tensor, dropout: float) -> dict[str, int | float | str]:
    """The fields of a configuration that a model with BERT's layers takes from it."""
    return {name: getattr(bert.config, name) for name in KEPT_FIELDS} | {
        "vocab_size": embeddings.shape[0],
        **dict.fromkeys(DROPOUT_FIELDS, dropout),
    }


def stack_weights(bert: BertModel, embeddings: Tensor) -> dict[str, Tensor]:
    """BERT's weights by our names, without its pooler, and with `embeddings` (new V, D) for its vocabulary."""
    weights = {name: value for name, value in bert.state_dict().items() if not name.startswith("pooler.")}
    return weights | {"embeddings.word.weight": embeddings}


def without_token_types(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """BertGeneration has no token types: BERT's first, which all tokens of a lone text have, joins the positions."""
    weights = dict(weights)
    token_type = weights.pop("embeddings.token_type.weight")
    weights["embeddings.position.weight"] = weights["embeddings.position.weight"] + token_type[0]
    return weights


@torch.no_grad()
def copy_layers(weights: dict[str, Tensor], stack: Stack) -> None:
    unexpected = stack.load_state_dict(weights, strict=False).unexpected_keys
    assert not unexpected, unexpected


@torch.no_grad()
def start_across_as_within(decoder: Stack) -> None:
    for block in decoder.layers:
        block.cross_attention.load_state_dict(block.self_attention.state_dict())
        block.cross_attention_norm.load_state_dict(block.self_attention_norm.state_dict())
