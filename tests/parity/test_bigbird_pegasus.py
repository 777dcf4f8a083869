"""The five BigBird-Pegasus models against the reference library: short and long sources, heads, caches, training."""

from functools import cache

import pytest
import torch
import transformers

from seq2seq import models
from tests.parity.cases import HOLES as SHORT_HOLES
from tests.parity.cases import SOURCES, WATCHED, labels_for
from tests.parity.long_pairs import BIGBIRD_PEGASUS, LONGEST_DENSE, LongPair, long_model, make_ready, pair_of
from tests.parity.pairs import (
    Pair,
    assert_close,
    assert_equal_outputs,
    assert_equal_tuples,
    load_pair,
    make_pair,
    mask_of_lengths,
    randomize,
    token_ids,
    vectors,
)
from tests.parity.steps import CUTS, check_steps, check_steps_from_tuples

WIDTH = BIGBIRD_PEGASUS["d_model"]
SPARSE = LONGEST_DENSE + 9  # 14 blocks, the last one not full
LENGTHS = (1, 2, LONGEST_DENSE, LONGEST_DENSE + 1, 2 * LONGEST_DENSE, 1024, 2000)
HOLES = (token_ids(3, SPARSE, seed=7) > 18).long()
TARGET = token_ids(3, 5, seed=1)
TARGET_MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 1, 1, 1]])
STATES = vectors(3, SPARSE, WIDTH, seed=5)
EOS = 1
NUM_WRITERS = 4
LABELS = {
    "regression": (1, lambda: torch.tensor([0.3, -2.0, 1.0])),
    "single_label_classification": (4, lambda: torch.tensor([0, 3, 1])),
    "multi_label_classification": (4, lambda: (token_ids(3, 4) % 2).float()),
}
SPANS = {
    "inside": (torch.tensor([2, 0, 4]), torch.tensor([3, 0, 4])),
    "a column": (torch.tensor([[2], [0], [4]]), torch.tensor([[3], [0], [4]])),
    "some outside": (torch.tensor([2, 5, 999]), torch.tensor([7, 0, -3])),
}


def padded(length):
    return {
        "input_ids": token_ids(3, length),
        "attention_mask": mask_of_lengths((length, max(length // 2, 1), min(3, length)), length),
    }


def ending(inputs):
    """The same texts, each with two end tokens, at different places."""
    ids = inputs["input_ids"].clone()
    for row, place in enumerate((0, 2, 3)):
        ids[row, [place, -1 - row]] = EOS
    return {**inputs, "input_ids": ids}


@pytest.fixture(scope="module")
def bare():
    return pair_of("BigBirdPegasusModel")


@pytest.fixture(scope="module")
def writing():
    return pair_of("BigBirdPegasusForConditionalGeneration")


@pytest.fixture(scope="module")
def lone():
    return lone_decoder()


def lone_decoder(**changes):
    config = transformers.BigBirdPegasusConfig(**{**BIGBIRD_PEGASUS, **changes})
    return make_pair(transformers.BigBirdPegasusForCausalLM(config))


@pytest.mark.parametrize("length", LENGTHS)
def test_lengths(bare, length):
    bare.check(**padded(length), decoder_input_ids=TARGET, **(WATCHED if length < 100 else {}))


def source(name, length):
    return {
        "ids alone": {"input_ids": token_ids(3, length)},
        "padding right": padded(length),
        "padding left": {
            "input_ids": token_ids(3, length),
            "attention_mask": mask_of_lengths((length, length // 2, 3), length, "left"),
        },
        "holes": {"input_ids": token_ids(3, length), "attention_mask": HOLES[:, :length]},
        "vectors": {"inputs_embeds": vectors(3, length, WIDTH), "attention_mask": HOLES[:, :length]},
        "states in a tuple": {"encoder_outputs": (STATES[:, :length],), "attention_mask": HOLES[:, :length]},
    }[name]


TARGETS = {
    "padded": {"decoder_input_ids": TARGET, "decoder_attention_mask": TARGET_MASK},
    "vectors": {"decoder_inputs_embeds": vectors(3, 5, WIDTH)},
    "one token": {"decoder_input_ids": TARGET[:, :1]},
    "no cache": {"decoder_input_ids": TARGET, "use_cache": False},
}


@pytest.mark.parametrize("length", [7, SPARSE])
@pytest.mark.parametrize(
    "arguments", ["ids alone", "padding right", "padding left", "holes", "vectors", "states in a tuple"]
)
def test_sources(bare, writing, arguments, length):
    for pair in (bare, writing):
        pair.check(**source(arguments, length), decoder_input_ids=TARGET, **WATCHED)


@pytest.mark.parametrize("target", TARGETS)
def test_targets(bare, writing, target):
    for pair in (bare, writing):
        pair.check(**padded(SPARSE), **TARGETS[target], **WATCHED)


@pytest.mark.parametrize("length", [7, SPARSE])
def test_without_a_target_the_source_is_read_again(bare, length):
    bare.check(**padded(length), **WATCHED)


CONFIGURATIONS = {
    "blocks of 1": {"block_size": 1},
    "blocks of 5, 1 random": {"block_size": 5, "num_random_blocks": 1},
    "blocks of 16, 2 random": {"block_size": 16, "num_random_blocks": 2},
    "5 random": {"num_random_blocks": 5},
    "one head, a head a number": {"encoder_attention_heads": 1, "decoder_attention_heads": WIDTH},
    "biases": {"use_bias": True},
    "not scaled": {"scale_embedding": False},
    "dense": {"attention_type": "original_full"},
    "3 layers and 1": {"encoder_layers": 3, "decoder_layers": 1},
    "relu": {"activation_function": "relu"},
    "untied": {"tie_word_embeddings": False},
    "other tokens": {"pad_token_id": 4, "decoder_start_token_id": 7, "eos_token_id": 3, "bos_token_id": 6},
}


@pytest.mark.parametrize("changes", CONFIGURATIONS)
def test_configurations(changes):
    pair = pair_of("BigBirdPegasusForConditionalGeneration", **CONFIGURATIONS[changes])
    config = pair.theirs.config
    length = (config.num_random_blocks * 2 + 8) * config.block_size - config.block_size // 3
    pair.check(**padded(length), decoder_input_ids=TARGET, **WATCHED)
    pair.check(inputs_embeds=vectors(1, length, WIDTH), decoder_input_ids=TARGET[:1])
    pair.check_gradients(**padded(length), labels=labels_for(TARGET))


@pytest.mark.parametrize("watched", [{}, WATCHED])
def test_tuples(bare, writing, lone, watched):
    for pair in (bare, writing):
        assert_equal_tuples(*pair.run(**padded(7), decoder_input_ids=TARGET, **watched, return_dict=False))
        assert_equal_tuples(*pair.run(**padded(SPARSE), decoder_input_ids=TARGET, return_dict=False))
    assert_equal_tuples(*writing.run(**padded(7), labels=TARGET, **watched, return_dict=False))
    assert_equal_tuples(*lone.run(input_ids=token_ids(3, 7), **watched, labels=token_ids(3, 7), return_dict=False))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("length", [7, SPARSE])
def test_loss_and_gradients_of_writing(length, training):
    """Of every parameter; in training the reference library draws its random blocks, and ours are the same."""
    pair = pair_of("BigBirdPegasusForConditionalGeneration", dropout=0.0)
    pair = pair.train() if training else pair
    pair.check_gradients(**padded(length), labels=labels_for(TARGET), **WATCHED)
    pair.check_gradients(**padded(length), decoder_input_ids=TARGET, labels=labels_for(TARGET))
    pair.check_gradients(**padded(length), labels=TARGET, decoder_attention_mask=TARGET_MASK, use_cache=True)
    pair.check_gradients(inputs_embeds=vectors(3, length, WIDTH), labels=TARGET * TARGET_MASK)


def test_in_training_the_papers_plan_is_drawn_as_there():
    pair = pair_of("BigBirdPegasusModel", dropout=0.0)
    pair.train().check(input_ids=token_ids(1, 1022), decoder_input_ids=TARGET[:1])


def test_the_authors_plan_is_their_training_plan():
    """Ours with random_blocks="original" evaluates as the reference library trains."""
    pair = pair_of("BigBirdPegasusModel", dropout=0.0, random_blocks="original")
    pair.theirs.train()
    pair.check(**padded(SPARSE), decoder_input_ids=TARGET)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("problem", LABELS)
def test_classes(problem, named, training):
    """What the labels are for is said by the configuration, or seen by what they are."""
    num_labels, labels = LABELS[problem]
    changes = {"num_labels": num_labels, **({"problem_type": problem} if named else {})}
    pair = pair_of("BigBirdPegasusForSequenceClassification", dropout=0.0, **changes)
    pair = pair.train() if training else pair
    for length in (7, SPARSE):
        pair.check(**ending(padded(length)), **WATCHED)
        pair.check_gradients(**ending(padded(length)), labels=labels(), **WATCHED)
    assert_equal_tuples(*pair.run(**ending(padded(SPARSE)), labels=labels(), return_dict=False))


def test_two_numbers_for_a_text():
    pair = pair_of("BigBirdPegasusForSequenceClassification", num_labels=2, problem_type="regression")
    pair.check_gradients(**ending(padded(7)), labels=vectors(3, 2))


@pytest.mark.parametrize("refused", ["no end token", "not as many", "vectors"])
def test_a_class_is_read_at_the_last_end_token(refused):
    pair = pair_of("BigBirdPegasusForSequenceClassification")
    inputs = {
        "no end token": {"input_ids": token_ids(2, 7)},
        "not as many": {"input_ids": torch.tensor([[5, EOS, EOS], [5, 5, EOS]])},
        "vectors": {"inputs_embeds": vectors(2, 7, WIDTH), "decoder_inputs_embeds": vectors(2, 7, WIDTH)},
    }[refused]
    with pytest.raises((ValueError, RuntimeError)):
        pair.theirs(**inputs)
    with pytest.raises(ValueError, match="end token"):
        pair.ours(**inputs)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("spans", SPANS)
def test_spans(spans, training):
    pair = pair_of("BigBirdPegasusForQuestionAnswering", dropout=0.0)
    pair = pair.train() if training else pair
    start, end = SPANS[spans]
    for length in (7, SPARSE):
        arguments = {**padded(length), "decoder_input_ids": TARGET}
        pair.check(**padded(length), **WATCHED)
        pair.check_gradients(**arguments, start_positions=start, end_positions=end, **WATCHED)
        pair.check(**arguments, start_positions=start)
    assert_equal_tuples(*pair.run(**arguments, start_positions=start, end_positions=end, return_dict=False))


@pytest.mark.parametrize("across", [None, *SOURCES])
def test_a_lone_decoder(lone, across):
    inputs = {"input_ids": token_ids(3, 7), **(SOURCES[across]() if across else {})}
    lone.check(**inputs, **WATCHED)
    lone.check(**inputs, attention_mask=SHORT_HOLES, **WATCHED)
    lone.check(**inputs, use_cache=False)
    lone.check_gradients(**inputs, attention_mask=SHORT_HOLES, labels=labels_for(inputs["input_ids"]))
    vectors_instead = {**inputs, "input_ids": None, "inputs_embeds": vectors(3, 7, WIDTH)}
    lone.check(**vectors_instead, **WATCHED)


@pytest.mark.parametrize(
    "changes", [{"use_bias": True}, {"scale_embedding": False}, {"decoder_attention_heads": 6}, {"decoder_ffn_dim": 1}]
)
def test_configurations_of_a_lone_decoder(changes):
    lone_decoder(**changes).check_gradients(
        input_ids=token_ids(3, 7), **SOURCES["a padded source"](), labels=token_ids(3, 7)
    )


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("cuts", CUTS)
def test_steps_of_a_lone_decoder(lone, cuts, across, padded):
    check_steps(lone, cuts, across, padded)


@pytest.mark.parametrize("across", [False, True])
def test_steps_of_a_lone_decoder_from_tuples(lone, across):
    check_steps_from_tuples(lone, "several", across)


@pytest.mark.parametrize("length", [7, SPARSE])
@pytest.mark.parametrize("cuts", [(1, 2, 3, 4), (2,)])
def test_steps_with_a_cache(bare, writing, cuts, length):
    for pair in (bare, writing):
        check_steps_of_a_target(pair, cuts, padded(length))


def check_steps_of_a_target(pair, cuts, source):
    """Step by step, with a cache or with the documented tuples, is what both libraries do, and what they do at once."""
    with torch.no_grad():
        ours, theirs = pair.run(**source, decoder_input_ids=TARGET[:, : cuts[0]])
        outputs = [ours[0]]
        our_past, their_past, tuples = ours.past_key_values, theirs.past_key_values, tuple(ours.past_key_values)
        for start, end in zip(cuts, (*cuts[1:], 5), strict=True):
            step = {
                "encoder_outputs": (theirs.encoder_last_hidden_state,),
                "attention_mask": source["attention_mask"],
                "decoder_input_ids": TARGET[:, start:end],
                "decoder_attention_mask": TARGET_MASK[:, :end].clamp(min=1),
                **WATCHED,
            }
            ours, stepped = pair.ours(**step, past_key_values=our_past), pair.theirs(**step, past_key_values=their_past)
            from_tuples = pair.ours(**step, past_key_values=tuples)
            assert_equal_outputs(ours, stepped)
            assert_equal_outputs(from_tuples, stepped)
            outputs.append(ours[0])
            our_past, their_past = ours.past_key_values, stepped.past_key_values
            tuples = tuple(from_tuples.past_key_values)
        whole = pair.ours(**source, decoder_input_ids=TARGET)
    assert_close(torch.cat(outputs, dim=1), whole[0])


CROSSINGS = {
    "Model": ("ForConditionalGeneration", "ForSequenceClassification", "ForQuestionAnswering"),
    "ForConditionalGeneration": ("Model", "ForQuestionAnswering"),
    "ForQuestionAnswering": ("Model", "ForConditionalGeneration", "ForSequenceClassification"),
}


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(("saved", "loaded"), [(one, other) for one, others in CROSSINGS.items() for other in others])
def test_a_checkpoint_of_one_head_starts_another(saved, loaded, tied, tmp_path):
    """What both libraries draw anew is left out: a head, and without ties the writer's vectors."""
    randomize(long_model(f"BigBirdPegasus{saved}", tie_word_embeddings=tied)).save_pretrained(tmp_path)
    ours = getattr(models, f"BigBirdPegasus{loaded}").from_pretrained(tmp_path)
    theirs = getattr(transformers, f"BigBirdPegasus{loaded}").from_pretrained(tmp_path, attn_implementation="eager")
    inputs = ending(padded(SPARSE))
    outputs = LongPair(ours, theirs).run(**inputs, decoder_input_ids=inputs["input_ids"], **WATCHED)
    for field in ("encoder_last_hidden_state", "decoder_hidden_states", "cross_attentions"):
        assert_close(*(output[field] for output in outputs), field)
    if tied and loaded == "ForConditionalGeneration":
        assert_close(*(output.logits for output in outputs))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("saved", ["Model", "ForConditionalGeneration", "ForSequenceClassification"])
def test_a_lone_decoder_from_a_checkpoint_of_both_stacks(saved, tied, tmp_path):
    """Its decoder, writing with its own head or, where there is none, the vectors of its words.

    The reference library finds neither words nor head in a tied checkpoint, and draws both: so by hand.
    """
    whole = randomize(long_model(f"BigBirdPegasus{saved}", tie_word_embeddings=tied))
    whole.save_pretrained(tmp_path)
    theirs = long_model("BigBirdPegasusForCausalLM").eval()
    decoder = getattr(whole, "model", whole).decoder
    theirs.model.decoder.load_state_dict(decoder.state_dict())
    theirs.lm_head.load_state_dict(getattr(whole, "lm_head", decoder.embed_tokens).state_dict())
    pair = Pair(models.BigBirdPegasusForCausalLM.from_pretrained(tmp_path), theirs)
    pair.check(input_ids=token_ids(3, 7), **SOURCES["a padded source"](), **WATCHED)


@cache
def writer(seed):
    """A model whose results vary, and end at times."""
    config = transformers.BigBirdPegasusConfig(**BIGBIRD_PEGASUS, scale_embedding=False)
    theirs = randomize(transformers.BigBirdPegasusForConditionalGeneration(config), seed=seed, scale=0.6)
    theirs.final_logits_bias[:, EOS] = 4
    pair = load_pair(theirs)
    return LongPair(pair.ours, pair.theirs)


WAYS = {
    "greedy": {},
    "beams": {"num_beams": 3},
    "several of many beams": {"num_beams": 4, "num_return_sequences": 2, "length_penalty": 0.5},
    "no repetition": {"num_beams": 2, "no_repeat_ngram_size": 2, "repetition_penalty": 1.3, "early_stopping": True},
    "not too short": {"min_new_tokens": 5},
}


@pytest.mark.parametrize("length", [1, 7, SPARSE])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(NUM_WRITERS))
def test_generation(seed, way, length):
    pair = writer(seed)
    inputs = padded(length)
    make_ready(pair.theirs, length)
    ours, theirs = (model.generate(**inputs, **WAYS[way], max_new_tokens=9) for model in (pair.ours, pair.theirs))
    assert ours.tolist() == theirs.tolist()


@pytest.mark.parametrize("num_beams", [1, 3])
def test_other_ways_to_generate(num_beams):
    pair = writer(0)
    mask = padded(SPARSE)["attention_mask"]
    started = torch.cat((torch.full((3, 1), 2), TARGET[:, :2]), dim=1)
    make_ready(pair.theirs, SPARSE)
    with torch.no_grad():
        states = pair.theirs.get_encoder()(token_ids(3, SPARSE), attention_mask=mask)
    ways = (
        {"input_ids": token_ids(3, SPARSE) * mask},
        {"input_ids": token_ids(3, SPARSE), "decoder_input_ids": started},
        {"input_ids": token_ids(3, SPARSE), "decoder_input_ids": TARGET[:, :2]},
        {"encoder_outputs": states, "attention_mask": mask},
        {"inputs_embeds": vectors(2, SPARSE, WIDTH)},
        {"input_ids": token_ids(3, SPARSE), "use_cache": False},
        {"input_ids": token_ids(3, SPARSE), "max_length": 6},
    )
    for inputs in ways:
        make_ready(pair.theirs, SPARSE)
        ours, theirs = (model.generate(**inputs, num_beams=num_beams) for model in (pair.ours, pair.theirs))
        assert ours.tolist() == theirs.tolist(), inputs.keys()


def test_results_of_generation_vary():
    """Else the tests above would show little."""
    sequences = [writer(seed).ours.generate(**padded(SPARSE), max_new_tokens=9) for seed in range(NUM_WRITERS)]
    rows = [row.tolist() for rows in sequences for row in rows]
    assert len({tuple(row) for row in rows}) == 3 * NUM_WRITERS - 1  # two are empty
    assert len({row.index(EOS) if EOS in row else None for row in rows}) > 2


@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_lone_decoder_goes_on(num_beams):
    lone = lone_decoder(init_std=0.6)
    prompt = token_ids(3, 6)
    ours, theirs = (model.generate(prompt, num_beams=num_beams, max_new_tokens=6) for model in (lone.ours, lone.theirs))
    assert ours.tolist() == theirs.tolist()


def test_a_lone_decoder_goes_on_from_a_padded_prompt_as_from_that_prompt_alone():
    """The reference library counts the padding's positions too, so that there a batch writes other texts."""
    lone = lone_decoder(init_std=0.6)
    mask = mask_of_lengths((6, 3), 6, "left")
    padded_prompts = token_ids(2, 6) * mask
    together = lone.ours.generate(padded_prompts, attention_mask=mask, max_new_tokens=6)
    for model in (lone.ours, lone.theirs):
        alone = model.generate(padded_prompts[1:, 3:], max_new_tokens=6)
        assert together[1, 3:].tolist() == alone[0].tolist()
