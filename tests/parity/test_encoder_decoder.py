"""EncoderDecoderModel against the reference library: every pairing and argument, and both drawn at random."""

import random

import pytest
import torch
import transformers

from tests.parity.cases import HOLES, LONGEST, WATCHED, WIDTH, labels_for
from tests.parity.pairs import (
    assert_equal_outputs,
    assert_equal_tuples,
    config_of,
    make_pair,
    mask_of_lengths,
    pair_config,
    token_ids,
    vectors,
)

FAMILIES = ["bert-generation", "bert"]


def pair_of(encoder="bert-generation", decoder="bert-generation", changes=None, **decoder_changes):
    halves = config_of(encoder), config_of(decoder, **decoder_changes)
    return make_pair(transformers.EncoderDecoderModel(pair_config(*halves, **(changes or {}))))


@pytest.fixture(scope="module")
def small_pair():
    return pair_of()


SOURCE, TARGET = token_ids(3, 7), token_ids(3, 5, seed=1)
TARGET_MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 1, 1, 1]])
STATES = vectors(3, 7, WIDTH, seed=5)

# Beside decoder_input_ids, unless the case gives another target.
ARGUMENTS = {
    "ids alone": {"input_ids": SOURCE},
    "padded source": {"input_ids": SOURCE, "attention_mask": mask_of_lengths((7, 2, 4), 7)},
    "source padded left": {"input_ids": SOURCE, "attention_mask": mask_of_lengths((7, 2, 4), 7, "left")},
    "holes": {"input_ids": SOURCE, "attention_mask": HOLES},
    "padded target": {"input_ids": SOURCE, "decoder_attention_mask": TARGET_MASK},
    "both padded": {
        "input_ids": SOURCE,
        "attention_mask": HOLES,
        "decoder_attention_mask": TARGET_MASK.bool(),
    },
    "vectors": {"inputs_embeds": vectors(3, 7, WIDTH)},
    "target vectors": {
        "input_ids": SOURCE,
        "decoder_input_ids": None,
        "decoder_inputs_embeds": vectors(3, 5, WIDTH),
    },
    "positions": {
        "input_ids": SOURCE,
        "position_ids": token_ids(3, 7, vocab_size=LONGEST),
        "decoder_position_ids": token_ids(3, 5, vocab_size=LONGEST),
    },
    "states in a tuple": {"encoder_outputs": (STATES,), "attention_mask": HOLES},
    "states and more in a tuple": {"encoder_outputs": (STATES, (STATES, STATES), (STATES.sigmoid(),))},
    "no cache": {"input_ids": SOURCE, "use_cache": False},
    "one token each": {"input_ids": SOURCE[:, :1], "decoder_input_ids": TARGET[:, :1]},
    "longest": {"input_ids": token_ids(2, LONGEST), "decoder_input_ids": token_ids(2, LONGEST, seed=3)},
}


@pytest.mark.parametrize("watched", [{}, WATCHED])
@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_arguments(small_pair, arguments, watched):
    small_pair.check(**{"decoder_input_ids": TARGET, **ARGUMENTS[arguments]}, **watched)


def test_outputs_of_an_earlier_call(small_pair):
    with torch.no_grad():
        for outputs in zip(*(given_again(model) for model in (small_pair.ours, small_pair.theirs)), strict=True):
            assert_equal_outputs(*outputs)


def given_again(model):
    """What a call returns that is given the encoder's output: as an object, and as a tuple."""
    yield model(encoder_outputs=model.encoder(SOURCE, **WATCHED), decoder_input_ids=TARGET)
    yield model(encoder_outputs=model.encoder(SOURCE, return_dict=False), decoder_input_ids=TARGET)


@pytest.mark.parametrize("decoder", FAMILIES)
@pytest.mark.parametrize("encoder", FAMILIES)
def test_token_types(encoder, decoder):
    """The halves take their own arguments, and only the BERT family knows token types."""
    types = {"token_type_ids": SOURCE % 2} if encoder == "bert" else {}
    if decoder == "bert":
        types["decoder_token_type_ids"] = TARGET % 2
    pair_of(encoder, decoder).check(input_ids=SOURCE, decoder_input_ids=TARGET, **types, **WATCHED)


@pytest.mark.parametrize("width", [WIDTH, 16])
@pytest.mark.parametrize("decoder", FAMILIES)
@pytest.mark.parametrize("encoder", FAMILIES)
def test_loss_and_gradients(encoder, decoder, width):
    pair = pair_of(encoder, decoder, hidden_size=width)
    assert (pair.ours.enc_to_dec_proj is None) == (width == WIDTH)
    pair.check_gradients(input_ids=SOURCE, attention_mask=HOLES, labels=labels_for(TARGET), **WATCHED)


LABELLED = {
    "target given": {"decoder_input_ids": TARGET},
    "target and mask given": {"decoder_input_ids": TARGET, "decoder_attention_mask": TARGET_MASK},
    "target vectors given": {"decoder_inputs_embeds": vectors(3, 5, WIDTH)},
    "mask given": {"decoder_attention_mask": TARGET_MASK},
    "cache asked for": {"use_cache": True},
}


@pytest.mark.parametrize("arguments", LABELLED)
def test_labels_beside(small_pair, arguments):
    small_pair.check_gradients(input_ids=SOURCE, labels=labels_for(TARGET), **LABELLED[arguments])


def test_padding_among_the_labels(small_pair):
    labels = TARGET * TARGET_MASK
    small_pair.check_gradients(input_ids=SOURCE, labels=labels)
    ours, theirs = (
        model.prepare_decoder_input_ids_from_labels(labels) for model in (small_pair.ours, small_pair.theirs)
    )
    assert ours.tolist() == theirs.tolist()


@pytest.mark.parametrize("missing", ["pad_token_id", "decoder_start_token_id"])
def test_labels_need_to_know_where_to_start(missing):
    pair = pair_of(changes={missing: None})
    with pytest.raises(ValueError, match=missing):
        pair.theirs(input_ids=SOURCE, labels=TARGET)
    with pytest.raises(ValueError, match=f"model.config.{missing} ="):
        pair.ours(input_ids=SOURCE, labels=TARGET)


@pytest.mark.parametrize("projected", [False, True])
@pytest.mark.parametrize("cuts", [(1, 2, 3, 4), (2,), (1, 3)])
def test_steps_with_a_cache(cuts, projected):
    pair = pair_of(hidden_size=16 if projected else WIDTH)
    our_past = their_past = our_tuples = None
    with torch.no_grad():
        for start, end in zip((0, *cuts), (*cuts, 5), strict=True):
            arguments = {
                "input_ids": SOURCE,
                "attention_mask": HOLES,
                "decoder_input_ids": TARGET[:, start:end],
                "decoder_attention_mask": TARGET_MASK[:, :end],
                **WATCHED,
            }
            ours = pair.ours(**arguments, past_key_values=our_past)
            theirs = pair.theirs(**arguments, past_key_values=their_past)
            from_tuples = pair.ours(**arguments, past_key_values=our_tuples)
            assert_equal_outputs(ours, theirs)
            assert_equal_outputs(from_tuples, theirs)
            our_past, their_past = ours.past_key_values, theirs.past_key_values
            our_tuples = tuple(from_tuples.past_key_values)


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("watched", [{}, WATCHED])
def test_tuples(small_pair, watched, labelled):
    arguments = {"input_ids": SOURCE, "decoder_input_ids": TARGET, **watched}
    if labelled:
        arguments["labels"] = labels_for(TARGET)
    assert_equal_tuples(*small_pair.run(**arguments, return_dict=False))


@pytest.mark.parametrize("decoder_watched", [False, True])
@pytest.mark.parametrize("encoder_watched", [False, True])
def test_each_half_returns_what_its_own_configuration_asks_for(encoder_watched, decoder_watched):
    configs = [
        config_of("bert-generation", output_attentions=watched, output_hidden_states=watched)
        for watched in (encoder_watched, decoder_watched)
    ]
    pair = make_pair(transformers.EncoderDecoderModel(pair_config(*configs)))
    pair.check(input_ids=SOURCE, decoder_input_ids=TARGET)


def draw_stack(draw, family, **fixed):
    heads = draw.choice((1, 2, 3, 4))
    config = {
        "vocab_size": draw.randint(5, 60),
        "hidden_size": heads * draw.choice((2, 5, 8)),
        "num_hidden_layers": draw.randint(1, 3),
        "num_attention_heads": heads,
        "intermediate_size": draw.randint(1, 50),
        "max_position_embeddings": draw.randint(12, 40),
        "hidden_act": draw.choice(("gelu", "gelu_new", "relu", "silu")),
        "layer_norm_eps": draw.choice((1e-12, 1e-5, 1e-2)),
        "hidden_dropout_prob": draw.choice((0.0, 0.5)),
        "attention_probs_dropout_prob": draw.choice((0.0, 0.5)),
        "tie_word_embeddings": draw.random() < 0.7,
        "pad_token_id": draw.choice((0, 3, None)),
        "chunk_size_feed_forward": draw.choice((0, 0, 1)),
    }
    if family == "bert":
        config["type_vocab_size"] = draw.randint(1, 3)
    return config_of(family, **{**config, **fixed})


def draw_mask(draw, batch, length):
    kind = draw.choice(("none", "right", "left", "holes"))
    if kind == "none":
        return None
    if kind == "holes":
        mask = token_ids(batch, length, seed=draw.randint(0, 99)) % 2
        mask[:, 0] = 1
        return mask
    return mask_of_lengths([draw.randint(1, length) for _ in range(batch)], length, kind)


@pytest.mark.parametrize("seed", range(40))
def test_drawn_at_random(seed):
    draw = random.Random(seed)
    encoder = draw_stack(draw, draw.choice(FAMILIES))
    decoder = draw_stack(draw, draw.choice(FAMILIES))
    if draw.random() < 0.5:
        decoder = draw_stack(
            draw,
            draw.choice(FAMILIES),
            hidden_size=encoder.hidden_size,
            num_attention_heads=encoder.num_attention_heads,
        )
    batch, source, target = draw.randint(1, 4), draw.randint(1, 12), draw.randint(1, 12)
    arguments = {
        "input_ids": token_ids(batch, source, seed=seed, vocab_size=encoder.vocab_size),
        "attention_mask": draw_mask(draw, batch, source),
        "decoder_attention_mask": draw_mask(draw, batch, target),
        **(WATCHED if draw.random() < 0.7 else {}),
    }
    target_ids = token_ids(batch, target, seed=seed + 1, vocab_size=decoder.vocab_size)
    pair = make_pair(transformers.EncoderDecoderModel(pair_config(encoder, decoder)))
    pair.check(**arguments, decoder_input_ids=target_ids)
    pair.check_gradients(**arguments, labels=draw.choice((target_ids, labels_for(target_ids))))
