"""BigBird and BigBird-Pegasus beside the reference library, with everything about them drawn at random."""

import random

import pytest
import torch

from tests.parity.cases import WATCHED
from tests.parity.long_pairs import pair_of
from tests.parity.pairs import mask_of_lengths, token_ids, vectors

PEGASUS = (
    "BigBirdPegasusModel",
    "BigBirdPegasusForConditionalGeneration",
    "BigBirdPegasusForSequenceClassification",
    "BigBirdPegasusForQuestionAnswering",
)
FAMILIES = ("BigBirdModel", "BigBirdForQuestionAnswering", *PEGASUS)
EOS = 1


def draw_pattern(draw):
    return {
        "vocab_size": draw.randint(8, 60),
        "block_size": draw.randint(1, 9),
        "num_random_blocks": draw.randint(1, 4),
        "use_bias": draw.random() < 0.5,
        "attention_type": draw.choice(("block_sparse",) * 4 + ("original_full",)),
        "max_position_embeddings": 400,
        "pad_token_id": draw.choice((0, 0, 4)),
    }


def draw_big_bird(draw):
    heads = draw.randint(1, 4)
    return {
        **draw_pattern(draw),
        "num_attention_heads": heads,
        "hidden_size": heads * draw.choice((4, 6, 9)),
        "num_hidden_layers": draw.randint(1, 3),
        "intermediate_size": draw.randint(1, 40),
        "type_vocab_size": draw.randint(2, 3),
        "hidden_act": draw.choice(("gelu", "gelu_new", "relu", "silu")),
        "layer_norm_eps": draw.choice((1e-12, 1e-5, 1e-2)),
        "rescale_embeddings": draw.random() < 0.5,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }


def draw_pegasus(draw):
    return {
        **draw_pattern(draw),
        "d_model": draw.choice((12, 24)),
        "encoder_attention_heads": draw.choice((1, 2, 3, 4, 6)),
        "decoder_attention_heads": draw.choice((1, 2, 3, 4, 6)),
        "encoder_layers": draw.randint(1, 3),
        "decoder_layers": draw.randint(1, 3),
        "encoder_ffn_dim": draw.randint(1, 40),
        "decoder_ffn_dim": draw.randint(1, 40),
        "activation_function": draw.choice(("gelu", "gelu_new", "relu", "silu")),
        "scale_embedding": draw.random() < 0.5,
        "tie_word_embeddings": draw.random() < 0.7,
        "num_labels": draw.randint(1, 4),
        "dropout": 0.0,
    }


def draw_length(draw, config):
    """Short, at the limit of dense attention, or beyond it by some blocks and a part of one."""
    limit = (5 + 2 * config["num_random_blocks"]) * config["block_size"]
    return draw.choice((draw.randint(3, 12), limit, limit + 1, limit + draw.randint(1, 8 * config["block_size"] + 30)))


def draw_mask(draw, batch, length):
    kind = draw.choice(("none", "right", "left", "holes"))
    if kind == "none":
        return None
    if kind == "holes":
        mask = token_ids(batch, length, seed=draw.randint(0, 999)) % 2
        mask[:, draw.randrange(length)] = 1
        return mask
    return mask_of_lengths([draw.randint(1, length) for _ in range(batch)], length, kind)


def draw_labels(draw, name, batch, length, config, decoder):
    """What a head of this name learns from."""
    if name.endswith("QuestionAnswering"):
        longest = decoder.get("decoder_input_ids", torch.empty(batch, length)).shape[1]
        places = [torch.tensor([draw.randint(0, longest + 1) for _ in range(batch)]) for _ in range(2)]
        return {"start_positions": places[0].clamp(max=longest - 1), "end_positions": places[1].clamp(max=longest - 1)}
    if name.endswith("ConditionalGeneration"):
        return {"labels": token_ids(batch, 6, seed=5, vocab_size=config["vocab_size"])}
    if name.endswith("Classification"):
        kinds = config["num_labels"]
        return {"labels": vectors(batch) if kinds == 1 else token_ids(batch, seed=2) % kinds}
    return {}


@pytest.mark.parametrize("seed", range(60))
def test_drawn_at_random(seed):
    draw = random.Random(seed)
    name = FAMILIES[seed % len(FAMILIES)]
    config = draw_pegasus(draw) if name in PEGASUS else draw_big_bird(draw)
    length, batch = draw_length(draw, config), draw.randint(1, 3)
    ids = token_ids(batch, length, seed=seed, vocab_size=config["vocab_size"])
    ids[:, [0, length // 2]] = EOS
    inputs = {"input_ids": ids, "attention_mask": draw_mask(draw, batch, length)}
    decoder = {}
    if name in PEGASUS and not name.endswith("Classification"):
        decoder["decoder_input_ids"] = token_ids(batch, 6, seed=seed + 1, vocab_size=config["vocab_size"])
    pair = pair_of(name, **config)
    if draw.random() < 0.5:
        pair.train()
    pair.check(**inputs, **decoder, **(WATCHED if draw.random() < 0.7 else {}))
    labels = draw_labels(draw, name, batch, length, config, decoder)
    if labels:
        pair.check_gradients(**inputs, **({} if "labels" in labels else decoder), **labels)
