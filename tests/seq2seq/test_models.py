"""The public models by themselves: how they are made, tied, started warm, trained and refused."""

import inspect

import pytest
import torch

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.generation import GenerationConfig
from seq2seq.models import (
    BertConfig,
    BertGenerationConfig,
    BertGenerationDecoder,
    BertGenerationEncoder,
    BertLMHeadModel,
    BertModel,
    EncoderDecoderConfig,
    EncoderDecoderModel,
)

SHAPE = {
    "vocab_size": 30,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 12,
}
DECODER = {"is_decoder": True, "add_cross_attention": True}
SPECIAL = {"decoder_start_token_id": 2, "pad_token_id": 0}

STACK_ARGUMENTS = [
    "input_ids",
    "attention_mask",
    "position_ids",
    "head_mask",
    "inputs_embeds",
    "encoder_hidden_states",
    "encoder_attention_mask",
    "past_key_values",
    "use_cache",
    "output_attentions",
    "output_hidden_states",
    "return_dict",
]
DOCUMENTED = {
    BertGenerationEncoder: STACK_ARGUMENTS,
    BertGenerationDecoder: [*STACK_ARGUMENTS[:7], "labels", *STACK_ARGUMENTS[7:]],
    BertModel: [*STACK_ARGUMENTS[:2], "token_type_ids", *STACK_ARGUMENTS[2:]],
    BertLMHeadModel: [
        *STACK_ARGUMENTS[:2],
        "token_type_ids",
        *STACK_ARGUMENTS[2:7],
        "labels",
        *STACK_ARGUMENTS[7:],
    ],
    EncoderDecoderModel: [
        "input_ids",
        "attention_mask",
        "decoder_input_ids",
        "decoder_attention_mask",
        "encoder_outputs",
        "past_key_values",
        "inputs_embeds",
        "decoder_inputs_embeds",
        "labels",
        "use_cache",
        "output_attentions",
        "output_hidden_states",
        "return_dict",
        "kwargs",
    ],
}


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    torch.manual_seed(0)


def stack(**changes):
    return BertGenerationConfig(**{**SHAPE, **changes})


def pair(decoder=None, **changes):
    config = EncoderDecoderConfig.from_encoder_decoder_configs(stack(), decoder or stack(), **{**SPECIAL, **changes})
    return EncoderDecoderModel(config)


def ids(*shape):
    return torch.randint(3, SHAPE["vocab_size"], shape)


@pytest.mark.parametrize("model_class", DOCUMENTED)
def test_documented_arguments_in_their_order(model_class):
    names = list(inspect.signature(model_class.forward).parameters)
    assert names == ["self", *DOCUMENTED[model_class]]


def test_initial_weights():
    model = BertLMHeadModel(BertConfig(**{**SHAPE, "vocab_size": 500}, initializer_range=0.1))
    words = model.get_input_embeddings().weight
    assert not words[0].any()
    assert words[1:].std().item() == pytest.approx(0.1, rel=0.05)
    assert words[1:].mean().item() == pytest.approx(0, abs=0.01)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
        elif "norm" in name:
            assert (parameter == 1).all(), name
        else:
            assert parameter.std() > 0.05, name


@pytest.mark.parametrize("model_class", [BertGenerationDecoder, BertLMHeadModel])
@pytest.mark.parametrize("tied", [True, False])
def test_a_head_is_tied_to_the_word_embeddings(model_class, tied):
    model = model_class(model_class.config_class(**SHAPE, tie_word_embeddings=tied))
    assert (model.get_output_embeddings().weight is model.get_input_embeddings().weight) == tied
    untied = model_class(model_class.config_class(**SHAPE, tie_word_embeddings=False))
    assert untied.num_parameters() - model.num_parameters() == tied * SHAPE["vocab_size"] * SHAPE["hidden_size"]


@pytest.mark.parametrize("arguments", [{}, {"input_ids": ids(1, 3), "inputs_embeds": torch.zeros(1, 3, 16)}])
def test_words_are_given_once(arguments):
    with pytest.raises(ValueError, match="either input_ids or inputs_embeds, and not both"):
        BertGenerationEncoder(stack())(**arguments)


def test_a_text_that_is_too_long():
    model = BertGenerationEncoder(stack())
    model(ids(1, 12))
    with pytest.raises(ValueError, match="at most 12 tokens, and was given 13"):
        model(ids(1, 13))
    decoder = BertGenerationDecoder(stack(is_decoder=True))
    past = decoder(ids(1, 10)).past_key_values
    with pytest.raises(ValueError, match="at most 12 tokens, and was given 13"):
        decoder(ids(1, 3), past_key_values=past)


@pytest.mark.parametrize("shape", [(3,), (1, 2), (2, 3), (2, 2, 1)])
def test_a_head_mask_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"head_mask must have the shape \(2,\) or \(2, 2\)"):
        BertGenerationEncoder(stack())(ids(1, 3), head_mask=torch.ones(shape))


def test_an_activation_that_nobody_knows():
    with pytest.raises(ValueError, match="hidden_act must be one of gelu, .*; got 'gelo'"):
        BertGenerationEncoder(stack(hidden_act="gelo"))


def test_an_activation_may_be_a_function():
    named = BertGenerationEncoder(stack(hidden_act="relu")).eval()
    given = BertGenerationEncoder(stack(hidden_act=torch.relu)).eval()
    given.load_state_dict(named.state_dict())
    words = ids(2, 5)
    assert given(words).last_hidden_state.equal(named(words).last_hidden_state)


def test_a_model_is_made_from_its_own_configuration():
    with pytest.raises(ValueError, match="BertModel is made from a BertConfig, not from a BertGenerationConfig"):
        BertModel(stack())


def test_a_pair_needs_two_halves():
    with pytest.raises(ValueError, match="a configuration, or both an encoder and a decoder"):
        EncoderDecoderModel(encoder=BertGenerationEncoder(stack()))
    decoder = BertGenerationDecoder(stack(**DECODER))
    with pytest.raises(ValueError, match="must be a bare stack"):
        EncoderDecoderModel(encoder=decoder, decoder=decoder)


def test_a_pair_of_two_models_shares_their_configurations():
    encoder, decoder = BertModel(BertConfig(**SHAPE)), BertGenerationDecoder(stack(**DECODER))
    model = EncoderDecoderModel(encoder=encoder, decoder=decoder)
    assert model.get_encoder() is encoder
    assert model.get_decoder() is decoder
    assert model.config.decoder is decoder.config
    assert model.get_input_embeddings() is encoder.get_input_embeddings()
    assert isinstance(EncoderDecoderModel(model.config).encoder, BertModel)


def test_dropout_is_at_work_in_training_only():
    model = pair()
    batch = {"input_ids": ids(2, 5), "decoder_input_ids": ids(2, 4)}
    assert not model(**batch).logits.equal(model(**batch).logits)
    model.eval()
    assert model(**batch).logits.equal(model(**batch).logits)


TIED = {"tie_encoder_decoder": True}


def test_tied_stacks_are_one():
    model, apart = pair(**TIED), pair()
    shared = dict(model.encoder.named_parameters())
    for name, parameter in model.decoder.stack.named_parameters():
        assert (parameter is shared.get(name)) == ("cross_attention" not in name), name
    assert model.decoder.lm_head.weight is model.encoder.get_input_embeddings().weight
    assert apart.num_parameters() - model.num_parameters() == sum(p.numel() for p in shared.values())


def test_gradients_of_tied_stacks_come_from_both_sides():
    model = pair(**TIED).eval()
    key = model.encoder.layers[0].self_attention.key.weight
    batch = {"labels": ids(2, 4)}
    model(encoder_outputs=(torch.randn(2, 5, 16),), **batch).loss.backward()
    from_decoder = key.grad.clone()
    model.zero_grad()
    model(ids(2, 5), **batch).loss.backward()
    assert from_decoder.any()
    assert not torch.allclose(key.grad, from_decoder)


def test_tied_stacks_stay_tied_when_they_are_saved(tmp_path):
    model = pair(**TIED).eval()
    model.save_pretrained(tmp_path)
    loaded = EncoderDecoderModel.from_pretrained(tmp_path)
    assert loaded.num_parameters() == model.num_parameters()
    assert loaded.decoder.stack.layers[1].feed_forward.up.weight is loaded.encoder.layers[1].feed_forward.up.weight
    batch = {"input_ids": ids(2, 5), "decoder_input_ids": ids(2, 4)}
    assert loaded(**batch).logits.equal(model(**batch).logits)


def save_halves(folder):
    """A bare stack and a masked language model's, as a warm start finds them."""
    encoder, decoder = BertModel(BertConfig(**SHAPE)).eval(), BertGenerationDecoder(stack()).eval()
    encoder.save_pretrained(folder / "encoder")
    decoder.save_pretrained(folder / "decoder")
    return encoder, decoder


def test_a_warm_start(tmp_path):
    encoder, decoder = save_halves(tmp_path)
    model = EncoderDecoderModel.from_encoder_decoder_pretrained(
        tmp_path / "encoder",
        str(tmp_path / "decoder"),
        encoder_output_attentions=True,
        decoder_attention_probs_dropout_prob=0.3,
        decoder_start_token_id=5,
        pad_token_id=0,
    )
    assert not model.training
    for name, tensor in encoder.state_dict().items():
        assert model.encoder.state_dict()[name].equal(tensor)
    for name, tensor in decoder.state_dict().items():
        assert model.decoder.state_dict()[name].equal(tensor)
    across = model.decoder.stack.layers[0].cross_attention
    assert across.query.weight.std().item() == pytest.approx(0.02, rel=0.2)
    assert not across.query.bias.any()
    assert (model.decoder.stack.layers[0].cross_attention_norm.weight == 1).all()
    assert model.config.encoder.output_attentions
    assert model.config.decoder.attention_probs_dropout_prob == 0.3
    assert model.config.pad_token_id == 0
    assert model(ids(1, 4), decoder_input_ids=ids(1, 3)).encoder_attentions is not None


def test_a_warm_start_keeps_the_cross_attention_that_a_decoder_has(tmp_path):
    model = pair().eval()
    model.encoder.save_pretrained(tmp_path / "encoder")
    model.decoder.save_pretrained(tmp_path / "decoder")
    started = EncoderDecoderModel.from_encoder_decoder_pretrained(tmp_path / "encoder", tmp_path / "decoder")
    kept = model.decoder.stack.layers[0].cross_attention.key.weight
    assert started.decoder.stack.layers[0].cross_attention.key.weight.equal(kept)


def test_a_warm_start_from_models_at_hand(tmp_path):
    _, decoder = save_halves(tmp_path)
    encoder = BertGenerationEncoder(stack(hidden_size=32))
    model = EncoderDecoderModel.from_encoder_decoder_pretrained(
        None, tmp_path / "decoder", encoder_model=encoder, tie_encoder_decoder=False
    )
    assert model.encoder is encoder
    assert model.enc_to_dec_proj.weight.shape == (16, 32)
    given = BertGenerationDecoder(stack(**DECODER))
    model = EncoderDecoderModel.from_encoder_decoder_pretrained(tmp_path / "encoder", decoder_model=given)
    assert model.decoder is given


def test_a_warm_start_with_configurations_at_hand(tmp_path):
    save_halves(tmp_path)
    config = BertGenerationConfig(**SHAPE, hidden_act="relu")
    model = EncoderDecoderModel.from_encoder_decoder_pretrained(
        tmp_path / "encoder", tmp_path / "decoder", decoder_config=config
    )
    assert model.decoder.config.hidden_act == "relu"
    assert model.decoder.config.add_cross_attention


def test_a_warm_start_may_tie_its_stacks(tmp_path):
    BertGenerationEncoder(stack()).save_pretrained(tmp_path)
    model = EncoderDecoderModel.from_encoder_decoder_pretrained(tmp_path, tmp_path, tie_encoder_decoder=True)
    assert model.decoder.stack.embeddings.word.weight is model.encoder.embeddings.word.weight


@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_a_warm_start_needs_both_halves(half, tmp_path):
    save_halves(tmp_path)
    other = {"encoder": "decoder", "decoder": "encoder"}[half]
    with pytest.raises(ValueError, match=f"Give {half}_pretrained_model_name_or_path, .* {half}_model"):
        EncoderDecoderModel.from_encoder_decoder_pretrained(
            **{f"{other}_pretrained_model_name_or_path": tmp_path / other}
        )


def test_a_pair_cannot_be_half_of_a_pair(tmp_path):
    pair().save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="'encoder-decoder' cannot be one half"):
        EncoderDecoderModel.from_encoder_decoder_pretrained(tmp_path, tmp_path)


def test_arguments_of_from_pretrained_override_the_configuration(tmp_path):
    BertGenerationDecoder(stack()).save_pretrained(tmp_path)
    model = BertGenerationDecoder.from_pretrained(tmp_path, **DECODER, eos_token_id=9, dtype=torch.bfloat16)
    assert (model.config.is_decoder, model.config.eos_token_id) == (True, 9)
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert BertGenerationDecoder.from_pretrained(tmp_path, config=stack(hidden_act="relu")).config.hidden_act == "relu"


@pytest.mark.parametrize("tied", [False, True])
def test_training_learns_to_copy(tied):
    """One word, three times over: the first can only come from the source."""
    model = pair(tie_encoder_decoder=tied)
    model.eval()  # no dropout: this is about gradients
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(150):
        words = ids(32, 1).expand(32, 3)
        loss = model(input_ids=words, labels=words).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 3
    assert losses[-1] < 0.5


def test_gradients_flow_through_a_cache():
    decoder = BertGenerationDecoder(stack(is_decoder=True)).eval()
    words = ids(2, 6)
    whole = decoder(words).logits[:, -1].square().sum()
    past = decoder(words[:, :4]).past_key_values
    in_steps = decoder(words[:, 4:], past_key_values=past).logits[:, -1].square().sum()
    weights = decoder.stack.layers[0].self_attention.key.weight
    expected, found = (torch.autograd.grad(value, weights)[0] for value in (whole, in_steps))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_outputs_read_by_name_by_index_and_as_a_tuple():
    output = BertGenerationDecoder(stack(is_decoder=True))(ids(1, 3), use_cache=False, output_hidden_states=True)
    assert list(output) == ["logits", "hidden_states"]
    assert output[0] is output.logits is output["logits"]
    assert output.to_tuple() == output[:]
    assert len(output) == 2
    assert "loss" not in output
    assert output.loss is None


def test_generation_needs_a_start_token():
    model = BertGenerationDecoder(stack(is_decoder=True, bos_token_id=None))
    with pytest.raises(ValueError, match="decoder_start_token_id"):
        model.generate()


def test_generation_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="generate does not know num_beems"):
        pair().generate(ids(1, 3), num_beems=2)


def test_given_settings_leave_the_special_tokens_to_the_model():
    model = pair().eval()
    words = ids(2, 5)
    given = model.generate(words, generation_config=GenerationConfig(num_beams=2, max_new_tokens=4))
    assert given.tolist() == model.generate(words, num_beams=2, max_new_tokens=4).tolist()
    assert (given[:, 0] == SPECIAL["decoder_start_token_id"]).all()
