"""BigBird and BigBird-Pegasus by themselves: heads, lengths, precision, training, warm starts and what is refused."""

import inspect

import pytest
import torch

from seq2seq.attention.tape import recording
from seq2seq.models import (
    BertConfig,
    BertLMHeadModel,
    BertModel,
    BigBirdConfig,
    BigBirdForQuestionAnswering,
    BigBirdModel,
    BigBirdPegasusConfig,
    BigBirdPegasusForCausalLM,
    BigBirdPegasusForConditionalGeneration,
    BigBirdPegasusForQuestionAnswering,
    BigBirdPegasusForSequenceClassification,
    BigBirdPegasusModel,
    EncoderDecoderConfig,
    EncoderDecoderModel,
)

HEADS = 4
SHAPE = {"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": HEADS,
         "intermediate_size": 24, "max_position_embeddings": 256}  # fmt: skip
PEGASUS_SHAPE = {"vocab_size": 30, "d_model": 16, "encoder_layers": 2, "decoder_layers": 2,
                 "encoder_attention_heads": HEADS, "decoder_attention_heads": HEADS, "encoder_ffn_dim": 24,
                 "decoder_ffn_dim": 24, "max_position_embeddings": 256}  # fmt: skip
BLOCKS = {"block_size": 4, "num_random_blocks": 2}
SHORT, LONG = 20, 50  # 36 tokens are the longest that are attended to densely

OF_A_SOURCE = ["input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask", "head_mask",
               "decoder_head_mask", "cross_attn_head_mask", "encoder_outputs"]  # fmt: skip
EMBEDS, WATCHED = ["inputs_embeds", "decoder_inputs_embeds"], ["output_attentions", "output_hidden_states"]
ENDS = ["use_cache", *WATCHED, "return_dict"]
DOCUMENTED = {
    BigBirdModel: ["input_ids", "attention_mask", "token_type_ids", "position_ids", "head_mask", "inputs_embeds",
                   "encoder_hidden_states", "encoder_attention_mask", "past_key_values", *ENDS],
    BigBirdForQuestionAnswering: ["input_ids", "attention_mask", "question_lengths", "token_type_ids", "position_ids",
                                  "head_mask", "inputs_embeds", "start_positions", "end_positions", *ENDS[1:]],
    BigBirdPegasusModel: [*OF_A_SOURCE, "past_key_values", *EMBEDS, *ENDS],
    BigBirdPegasusForConditionalGeneration: [*OF_A_SOURCE, "past_key_values", *EMBEDS, "labels", *ENDS],
    BigBirdPegasusForSequenceClassification: [*OF_A_SOURCE, *EMBEDS, "labels", *ENDS],
    BigBirdPegasusForQuestionAnswering: [*OF_A_SOURCE, "start_positions", "end_positions", *EMBEDS, *ENDS],
    BigBirdPegasusForCausalLM: ["input_ids", "attention_mask", "encoder_hidden_states", "encoder_attention_mask",
                                "head_mask", "cross_attn_head_mask", "past_key_values", "inputs_embeds", "labels",
                                *ENDS],
}  # fmt: skip


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    torch.manual_seed(0)


def ids(*shape):
    return torch.randint(3, SHAPE["vocab_size"], shape)


def big_bird(model_class=BigBirdModel, **changes):
    return model_class(BigBirdConfig(**{**SHAPE, **BLOCKS, "initializer_range": 0.3, **changes})).eval()


def pegasus(model_class=BigBirdPegasusModel, **changes):
    return model_class(BigBirdPegasusConfig(**{**PEGASUS_SHAPE, **BLOCKS, "init_std": 0.3, **changes})).eval()


@pytest.mark.parametrize("model_class", DOCUMENTED)
def test_documented_arguments_in_their_order(model_class):
    assert list(inspect.signature(model_class.forward).parameters) == ["self", *DOCUMENTED[model_class]]


HEAD_MASKS = {
    "one for all layers": torch.tensor([1.0, 0.0, 0.5, 1.0]),
    "one a layer": torch.tensor([[1.0, 0.0, 0.5, 1.0], [0.0, 1.0, 1.0, 0.25]]),
    "all silent": torch.zeros(2, HEADS),
}


@torch.no_grad()
def scale_heads(stack, attention, head_mask):
    """By hand: what a head adds to a layer's output goes through its own columns of the last projection."""
    for block, scales in zip(stack.layers, head_mask.expand(len(stack.layers), HEADS), strict=True):
        projection = getattr(block, attention).output
        projection.weight.mul_(scales.repeat_interleave(projection.in_features // HEADS))


def test_new_weights_are_as_wide_as_the_configuration_says():
    model = BigBirdPegasusModel(BigBirdPegasusConfig(**PEGASUS_SHAPE, init_std=0.5))
    drawn = [weight for name, weight in model.named_parameters() if weight.dim() > 1]
    assert torch.cat([weight.flatten() for weight in drawn]).std().item() == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("length", [SHORT, LONG])
@pytest.mark.parametrize("head_mask", HEAD_MASKS.values(), ids=HEAD_MASKS)
@torch.no_grad()
def test_head_masks_of_an_encoder(head_mask, length):
    model, words = big_bird(), ids(2, length)
    masked = model(words, head_mask=head_mask, output_attentions=True)
    plain = model(words, output_attentions=True)
    first = head_mask.expand(2, HEADS)[0, :, None, None]
    torch.testing.assert_close(masked.attentions[0], plain.attentions[0] * first)
    unwatched = model(words, head_mask=head_mask).last_hidden_state
    scale_heads(model, "self_attention", head_mask)
    expected = model(words).last_hidden_state
    for found in (masked.last_hidden_state, unwatched):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(plain.last_hidden_state, expected, atol=1e-2)


@pytest.mark.parametrize("length", [SHORT, LONG])
@pytest.mark.parametrize(
    ("argument", "half", "attention"),
    [
        ("head_mask", "encoder", "self_attention"),
        ("decoder_head_mask", "decoder", "self_attention"),
        ("cross_attn_head_mask", "decoder", "cross_attention"),
    ],
)
@pytest.mark.parametrize("head_mask", HEAD_MASKS.values(), ids=HEAD_MASKS)
@torch.no_grad()
def test_head_masks_of_both_stacks(head_mask, argument, half, attention, length):
    model = pegasus(use_bias=True)
    texts = {"input_ids": ids(2, length), "decoder_input_ids": ids(2, 6)}
    plain = model(**texts).last_hidden_state
    found = model(**texts, **{argument: head_mask}).last_hidden_state
    scale_heads(getattr(model, half), attention, head_mask)
    expected = model(**texts).last_hidden_state
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(plain, expected, atol=1e-3)


HEADED = {
    BigBirdPegasusForConditionalGeneration: "logits",
    BigBirdPegasusForSequenceClassification: "logits",
    BigBirdPegasusForQuestionAnswering: "start_logits",
}


@pytest.mark.parametrize("model_class", HEADED)
@torch.no_grad()
def test_head_masks_reach_the_stacks_below_a_head(model_class):
    model = pegasus(model_class)
    masks = {
        "head_mask": HEAD_MASKS["one a layer"],
        "decoder_head_mask": HEAD_MASKS["one a layer"].flip(0),
        "cross_attn_head_mask": HEAD_MASKS["one a layer"].flip(1),
    }
    words = ids(2, LONG).index_fill(1, torch.tensor(LONG - 1), model.config.eos_token_id)
    texts = {"input_ids": words, "decoder_input_ids": words}
    found = model(**texts, **masks)[HEADED[model_class]]
    scale_heads(model.get_encoder(), "self_attention", masks["head_mask"])
    scale_heads(model.get_decoder(), "self_attention", masks["decoder_head_mask"])
    scale_heads(model.get_decoder(), "cross_attention", masks["cross_attn_head_mask"])
    torch.testing.assert_close(found, model(**texts)[HEADED[model_class]], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_head_masks_of_a_lone_decoder():
    model, texts = pegasus(BigBirdPegasusForCausalLM), {"input_ids": ids(2, 7), "encoder_hidden_states": ids(2, 9, 16)}
    texts["encoder_hidden_states"] = texts["encoder_hidden_states"].float() / 10
    own, across = HEAD_MASKS["one a layer"], HEAD_MASKS["one for all layers"]
    found = model(**texts, head_mask=own, cross_attn_head_mask=across).logits
    scale_heads(model.stack, "self_attention", own)
    scale_heads(model.stack, "cross_attention", across)
    torch.testing.assert_close(found, model(**texts).logits, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_head_masks_of_a_model_for_questions():
    model, words = big_bird(BigBirdForQuestionAnswering), ids(2, LONG)
    found = model(words, head_mask=HEAD_MASKS["one a layer"]).start_logits
    scale_heads(model.stack, "self_attention", HEAD_MASKS["one a layer"])
    torch.testing.assert_close(found, model(words).start_logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("make", [big_bird, pegasus])
@torch.no_grad()
def test_dense_or_sparse_is_a_matter_of_this_text_alone(make):
    """The reference library stays dense after one short text."""
    model, short, long = make(), ids(1, SHORT), ids(1, LONG)
    fresh = make()
    fresh.load_state_dict(model.state_dict())
    before = model(long).last_hidden_state
    in_between = model(short).last_hidden_state
    assert model(long).last_hidden_state.equal(before)
    assert fresh(short).last_hidden_state.equal(in_between)


@torch.no_grad()
def test_from_which_length_on_attention_is_sparse():
    """With no more blocks than the window, the global ones and twice the random ones, it is dense."""
    sparse = big_bird()
    full = big_bird(attention_type="original_full")
    full.load_state_dict(sparse.state_dict())
    for length, same in ((36, True), (37, False)):
        words = ids(1, length)
        outputs = (model(words).last_hidden_state for model in (sparse, full))
        assert torch.allclose(*outputs, atol=1e-6) == same


@pytest.mark.parametrize("plan", ["reference", "original"])
@torch.no_grad()
def test_without_random_blocks(plan):
    """Which the reference library refuses. Texts of more than 5 blocks see the window and the global blocks."""
    model = big_bird(num_random_blocks=0, random_blocks=plan, num_hidden_layers=1)
    words = ids(1, 40)
    weights = model(words, output_attentions=True).attentions[0]
    blocks = torch.arange(10)
    seen = (blocks[:, None] - blocks).abs() <= 1
    seen[:, [0, -1]] = seen[[0, -1]] = True
    seen = seen.repeat_interleave(4, 0).repeat_interleave(4, 1)
    assert (weights[0] > 0).equal(seen.expand(HEADS, 40, 40))
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, HEADS, 40))


@pytest.mark.parametrize("make", [big_bird, pegasus])
@torch.no_grad()
def test_the_reference_draws_in_training_and_the_authors_plan_always(make):
    calm = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0} if make is big_bird else {"dropout": 0.0}
    reference, original = make(**calm), make(**calm, random_blocks="original")
    original.load_state_dict(reference.state_dict())
    words = ids(1, LONG)
    evaluated, drawn = (model(words).last_hidden_state for model in (reference, original))
    assert not torch.allclose(evaluated, drawn, atol=1e-3)
    assert reference.train()(words).last_hidden_state.equal(drawn)
    assert original.train()(words).last_hidden_state.equal(drawn)


@pytest.mark.parametrize("plan", ["reference", "original"])
@torch.no_grad()
def test_bfloat16_is_near_float32(plan):
    model = big_bird(hidden_size=64, num_hidden_layers=3, random_blocks=plan)
    words, mask = ids(2, 200), (torch.arange(200) < torch.tensor([[200], [90]])).long()
    expected = model(words, attention_mask=mask).last_hidden_state
    found = model.to(torch.bfloat16)(words, attention_mask=mask).last_hidden_state
    assert found.dtype == torch.bfloat16
    assert torch.cosine_similarity(found.float().flatten(), expected.flatten(), dim=0) > 0.999


@torch.no_grad()
def test_bfloat16_of_both_stacks_is_near_float32():
    model = pegasus(d_model=64, init_std=0.1)
    texts = {"input_ids": ids(2, 200), "decoder_input_ids": ids(2, 8)}
    expected = model(**texts)
    found = model.to(torch.bfloat16)(**texts)
    for field in ("last_hidden_state", "encoder_last_hidden_state"):
        assert torch.cosine_similarity(found[field].float().flatten(), expected[field].flatten(), dim=0) > 0.999


def loss_and_gradients(model, **inputs):
    model.zero_grad()
    output = model(**inputs)
    loss = output[0].square().mean() if output.loss is None else output.loss
    loss.backward()
    return loss, [parameter.grad for parameter in model.parameters() if parameter.grad is not None]


def pair_with_a_big_bird():
    encoder = BigBirdConfig(**SHAPE, **BLOCKS)
    decoder = BertConfig(**{**SHAPE, "hidden_size": 24})
    config = EncoderDecoderConfig.from_encoder_decoder_configs(
        encoder, decoder, decoder_start_token_id=2, pad_token_id=0
    )
    return EncoderDecoderModel(config).eval()


TARGET = {"labels": torch.tensor([[3, 4, 5, -100], [6, 7, 8, 9]])}
TRAINED = {
    "questions": (
        lambda: big_bird(BigBirdForQuestionAnswering),
        {"start_positions": torch.tensor([5, 20]), "end_positions": torch.tensor([7, 20])},
    ),
    "both stacks": (
        lambda: pegasus(BigBirdPegasusForQuestionAnswering),
        {"decoder_input_ids": torch.tensor([[3, 4], [5, 6]])},
    ),
    "writing": (lambda: pegasus(BigBirdPegasusForConditionalGeneration), TARGET),
    "a lone decoder": (lambda: pegasus(BigBirdPegasusForCausalLM), {"labels": torch.full((2, LONG), 5)}),
    "a pair": (pair_with_a_big_bird, TARGET),
}


@pytest.mark.parametrize("case", TRAINED)
def test_gradient_checkpointing_changes_no_gradient(case):
    make, more = TRAINED[case]
    model, words = make().train(), ids(2, LONG)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout") and isinstance(module.dropout, float):
            module.dropout = 0.0
    loss, gradients = loss_and_gradients(model, input_ids=words, **more)
    model.gradient_checkpointing_enable()
    computed = count_of_runs(model)
    loss_again, gradients_again = loss_and_gradients(model, input_ids=words, **more)
    assert set(computed.values()) == {2}
    torch.testing.assert_close(loss_again, loss)
    torch.testing.assert_close(gradients_again, gradients)


def count_of_runs(model):
    """How often each feed-forward layer of a block runs from now on."""
    runs = {}
    for name, module in model.named_modules():
        if name.endswith(".feed_forward") and "layers." in name:
            runs[name] = 0
            module.register_forward_pre_hook(lambda *_, name=name: runs.update({name: runs[name] + 1}))
    return runs


def test_gradient_checkpointing_keeps_the_dropout_of_its_first_run():
    model, words = big_bird().train(), ids(2, LONG)
    gradients = []
    for wanted in (False, True):
        model._set_gradient_checkpointing(wanted)
        torch.manual_seed(1)
        model.zero_grad()
        model(words).last_hidden_state.square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters() if parameter.grad is not None])
    torch.testing.assert_close(*gradients)


def test_gradient_checkpointing_takes_no_past():
    model = pegasus(BigBirdPegasusForCausalLM)
    past = model(ids(1, 3)).past_key_values
    model.train().gradient_checkpointing_enable()
    assert model(ids(1, 3), use_cache=True).past_key_values is None
    with pytest.raises(ValueError, match="takes no past_key_values"):
        model(ids(1, 1), past_key_values=past)


@torch.no_grad()
def test_a_question_is_out_of_the_competition_but_for_its_first_token():
    model = big_bird(BigBirdForQuestionAnswering, sep_token_id=2)
    words = ids(2, LONG)
    words[0, 7], words[1, 12] = 2, 2
    output = model(words)
    bare = model.logits(model.stack(words, token_type_ids=(~model.question(words, None, None)).long())[0])
    for logits, plain in ((output.start_logits, bare[..., 0]), (output.end_logits, bare[..., 1])):
        for row, context in ((0, 8), (1, 13)):
            assert (logits[row, 1:context] < -9e5).all()
            assert logits[row, 0] == plain[row, 0]
            assert logits[row, context:].equal(plain[row, context:])


@torch.no_grad()
def test_a_big_bird_of_short_texts_is_a_bert():
    """One stack: with the same weights they say the same, up to the length from which attention is sparse."""
    bird = big_bird(hidden_act="gelu")
    bert = BertModel(BertConfig(**SHAPE)).eval()
    bert.load_state_dict(bird.state_dict())
    words = ids(2, SHORT)
    assert bird(words).last_hidden_state.equal(bert(words).last_hidden_state)


def test_a_warm_start_with_a_big_bird(tmp_path):
    bird = big_bird(BigBirdForQuestionAnswering, random_blocks="original")
    bird.save_pretrained(tmp_path / "bird")
    BertLMHeadModel(BertConfig(**SHAPE)).save_pretrained(tmp_path / "bert")
    model = EncoderDecoderModel.from_encoder_decoder_pretrained(tmp_path / "bird", tmp_path / "bert", pad_token_id=0)
    model.config.decoder_start_token_id = 2
    assert isinstance(model.encoder, BigBirdModel)
    assert model.encoder.config.random_blocks == "original"
    for name, tensor in model.encoder.state_dict().items():
        if not name.startswith("pooler."):
            assert tensor.equal(bird.stack.state_dict()[name]), name
    model.save_pretrained(tmp_path / "pair")
    loaded = EncoderDecoderModel.from_pretrained(tmp_path / "pair")
    assert loaded.config.encoder.random_blocks == "original"
    words = ids(2, LONG)
    written = loaded.generate(words, num_beams=2, max_new_tokens=5)
    assert written.tolist() == model.generate(words, num_beams=2, max_new_tokens=5).tolist()


@pytest.mark.parametrize("model_class", [BigBirdModel, BigBirdForQuestionAnswering])
def test_bird_checkpoints_keep_their_random_blocks(model_class, tmp_path):
    model = big_bird(model_class, random_blocks="original", num_random_blocks=0)
    model.save_pretrained(tmp_path)
    loaded = model_class.from_pretrained(tmp_path)
    assert (loaded.config.random_blocks, loaded.config.num_random_blocks) == ("original", 0)
    words = ids(1, LONG)
    assert loaded(words)[0].equal(model(words)[0])


def test_pegasus_checkpoints_keep_their_random_blocks_and_bias(tmp_path):
    model = pegasus(BigBirdPegasusForConditionalGeneration, random_blocks="original")
    with torch.no_grad():
        model.final_logits_bias.normal_()
    model.save_pretrained(tmp_path)
    loaded = BigBirdPegasusForConditionalGeneration.from_pretrained(tmp_path)
    texts = {"input_ids": ids(1, LONG), "decoder_input_ids": ids(1, 4)}
    assert loaded(**texts).logits.equal(model(**texts).logits)
    assert not loaded.final_logits_bias.requires_grad
    assert loaded.lm_head.weight is loaded.get_input_embeddings().weight


@torch.no_grad()
def test_encoder_outputs_may_be_a_list():
    model, target = pegasus(), ids(2, 4)
    states = torch.randn(2, 7, 16)
    expected = model(encoder_outputs=(states,), decoder_input_ids=target).last_hidden_state
    assert model(encoder_outputs=[states], decoder_input_ids=target).last_hidden_state.equal(expected)


@torch.no_grad()
def test_a_tape_may_keep_less_than_a_map_of_a_long_text():
    model, words = big_bird(), ids(1, LONG)
    mask = (torch.arange(LONG) < 40).long()[None]
    expected = model(words, attention_mask=mask).last_hidden_state
    with recording(lambda kind, layer: layer == 1, keep=lambda query, key, pattern: (query, key, pattern.bias)) as tape:
        found = model(words, attention_mask=mask).last_hidden_state
    assert found.equal(expected)
    query, key, bias = tape.weights["encoder", 1]
    assert query.shape == key.shape == (1, HEADS, LONG, 4)
    assert (bias == 0).view(1, LONG).equal(mask == 1)


@torch.no_grad()
def test_a_texts_class_is_that_of_its_last_end_token():
    """What follows that token is not looked at: the decoder looks left."""
    model = pegasus(BigBirdPegasusForSequenceClassification, num_labels=3)
    words = ids(1, SHORT)
    words[0, [4, 11]] = model.config.eos_token_id
    source = model.get_encoder()(words).last_hidden_state
    expected = model(words, encoder_outputs=(source,), decoder_input_ids=words).logits
    target = words.clone()
    target[0, 12:] = ids(SHORT - 12)
    assert model(words, encoder_outputs=(source,), decoder_input_ids=target).logits.equal(expected)
    target[0, 11] = 5
    assert not torch.allclose(model(words, encoder_outputs=(source,), decoder_input_ids=target).logits, expected)


def test_a_problem_nobody_knows():
    model = pegasus(BigBirdPegasusForSequenceClassification, problem_type="ranking")
    words = torch.tensor([[5, model.config.eos_token_id]])
    with pytest.raises(ValueError, match="problem_type must be regression, .*; got 'ranking'"):
        model(words, labels=torch.tensor([0]))


def test_a_long_text_takes_one_number_a_token_as_its_mask():
    words, mask = ids(2, LONG), torch.ones(2, LONG, LONG)
    with pytest.raises(ValueError, match=r"attention_mask of shape \(batch, tokens\).*got \(2, 50, 50\)"):
        big_bird()(words, attention_mask=mask)
    assert big_bird()(words[:, :SHORT], attention_mask=mask[:, :SHORT, :SHORT]).last_hidden_state.isfinite().all()


@pytest.mark.parametrize("make", [big_bird, pegasus])
def test_a_text_that_is_too_long(make):
    with pytest.raises(ValueError, match="at most 256 tokens, and was given 257"):
        make()(ids(1, 257))
    assert make()(ids(1, 256)).last_hidden_state.shape == (1, 256, 16)


def test_nothing_to_decode():
    with pytest.raises(ValueError, match="decoder_input_ids or decoder_inputs_embeds"):
        pegasus()(inputs_embeds=torch.randn(1, 5, 16))


@pytest.mark.parametrize("config_class", [BigBirdConfig, BigBirdPegasusConfig])
@pytest.mark.parametrize(
    ("field", "value"),
    [("attention_type", "sparse"), ("random_blocks", "none"), ("block_size", 0), ("num_random_blocks", -1)],
)
def test_a_pattern_that_cannot_be(config_class, field, value):
    with pytest.raises(ValueError, match=f"{field}.*{value}"):
        config_class(**{field: value})


def test_heads_that_do_not_divide_the_width():
    with pytest.raises(ValueError, match="decoder_attention_heads"):
        BigBirdPegasusConfig(d_model=16, encoder_attention_heads=4, decoder_attention_heads=3)


def test_second_names_of_a_pegasus_configuration():
    config = BigBirdPegasusConfig(**PEGASUS_SHAPE)
    assert (config.hidden_size, config.num_attention_heads, config.num_hidden_layers) == (16, HEADS, 2)
    config.hidden_size = 32
    assert config.d_model == config.encoder.hidden_size == config.decoder.hidden_size == 32


@pytest.mark.parametrize(
    ("given", "count"), [({}, 2), ({"num_labels": 5}, 5), ({"id2label": {0: "a", 1: "b", 2: "c"}}, 3)]
)
def test_how_many_classes(given, count):
    assert pegasus(BigBirdPegasusForSequenceClassification, **given).classes.out_features == count
