"""BigBirdModel and BigBirdForQuestionAnswering against the reference library, from one token to 2,000."""

import pytest
import torch
import transformers

from seq2seq.models import BigBirdConfig, BigBirdForQuestionAnswering, BigBirdModel
from tests.parity.cases import WATCHED
from tests.parity.long_pairs import BIG_BIRD, LONGEST_DENSE, LongPair, long_model, long_pair, make_ready, pair_of
from tests.parity.pairs import (
    assert_close,
    assert_equal_tuples,
    config_of,
    mask_of_lengths,
    pair_config,
    randomize,
    token_ids,
    trained,
    vectors,
)

WIDTH = BIG_BIRD["hidden_size"]
SPARSE = LONGEST_DENSE + 9  # 14 blocks, the last one not full
LENGTHS = (1, 2, LONGEST_DENSE, LONGEST_DENSE + 1, 2 * LONGEST_DENSE, 1024, 2000)
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
HOLES = (token_ids(3, SPARSE, seed=7) > 18).long()


def positions(*shape):
    return token_ids(*shape, seed=3, vocab_size=BIG_BIRD["max_position_embeddings"])


# Of both classes; B is 3.
ARGUMENTS = {
    "ids alone": lambda length: {"input_ids": token_ids(3, length)},
    "padding right": lambda length: {
        "input_ids": token_ids(3, length),
        "attention_mask": mask_of_lengths((length, length // 2, 3), length),
    },
    "padding left": lambda length: {
        "input_ids": token_ids(3, length),
        "attention_mask": mask_of_lengths((length, length // 2, 3), length, "left"),
    },
    "holes": lambda length: {"input_ids": token_ids(3, length), "attention_mask": HOLES[:, :length]},
    "a mask of floats": lambda length: {
        "input_ids": token_ids(3, length),
        "attention_mask": HOLES[:, :length].float(),
    },
    "positions": lambda length: {"input_ids": token_ids(3, length), "position_ids": positions(3, length)},
    "token types": lambda length: {
        "input_ids": token_ids(3, length),
        "token_type_ids": token_ids(3, length, seed=1) % 2,
    },
    "vectors": lambda length: {
        "inputs_embeds": vectors(3, length, WIDTH),
        "attention_mask": HOLES[:, :length],
    },
}
CONFIGURATIONS = {
    "blocks of 1": {"block_size": 1},
    "blocks of 5, 1 random": {"block_size": 5, "num_random_blocks": 1},
    "blocks of 16, 2 random": {"block_size": 16, "num_random_blocks": 2},
    "blocks of 64": {"block_size": 64},
    "5 random": {"num_random_blocks": 5},
    "one head": {"num_attention_heads": 1},
    "a head a number": {"num_attention_heads": WIDTH},
    "one layer": {"num_hidden_layers": 1},
    "no biases": {"use_bias": False},
    "rescaled": {"rescale_embeddings": True},
    "dense": {"attention_type": "original_full"},
    "three token types, relu": {"type_vocab_size": 3, "hidden_act": "relu", "layer_norm_eps": 0.01},
    "no padding token": {"pad_token_id": 3},
}


@pytest.fixture(scope="module")
def bare():
    return pair_of("BigBirdModel")


@pytest.fixture(scope="module")
def answering():
    return pair_of("BigBirdForQuestionAnswering")


def padded(length, batch=3):
    lengths = (length, max(length // 2, 1), min(3, length))[:batch]
    return {"input_ids": token_ids(batch, length), "attention_mask": mask_of_lengths(lengths, length)}


def sparse_length(theirs):
    """A text of a few blocks more than are attended to densely, the last of them not full."""
    return (theirs.config.num_random_blocks * 2 + 8) * theirs.config.block_size - theirs.config.block_size // 3


@pytest.mark.parametrize("length", LENGTHS)
def test_lengths(bare, answering, length):
    watched = WATCHED if length < 100 else {}
    bare.check(**padded(length), **watched)
    answering.check(**padded(length, batch=2), **watched)


@pytest.mark.parametrize("length", [7, SPARSE])
@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_arguments(bare, answering, arguments, length):
    bare.check(**ARGUMENTS[arguments](length), **WATCHED)
    answering.check(**ARGUMENTS[arguments](length), **WATCHED)


@pytest.mark.parametrize("changes", CONFIGURATIONS)
def test_configurations(changes):
    pair = pair_of("BigBirdModel", **CONFIGURATIONS[changes])
    pair.check(**padded(sparse_length(pair.theirs)), **WATCHED)
    vectors_alone = {"inputs_embeds": vectors(1, sparse_length(pair.theirs), WIDTH)}
    pair.check(**vectors_alone)


def test_a_text_of_padding_alone(bare):
    """Its attention gives nothing where attention is sparse, and stays finite."""
    mask = mask_of_lengths((SPARSE, 0), SPARSE)
    bare.check(input_ids=token_ids(2, SPARSE), attention_mask=mask, output_hidden_states=True)


@pytest.mark.parametrize("length", [7, SPARSE])
@pytest.mark.parametrize("watched", [{}, WATCHED])
def test_tuples(bare, answering, length, watched):
    if length == SPARSE:
        watched = {}  # what they record is longer: see long_pairs
    assert_equal_tuples(*bare.run(**padded(length), **watched, return_dict=False))
    spans = {"start_positions": torch.tensor([1, 2, 0]), "end_positions": torch.tensor([5, 2, 1])}
    assert_equal_tuples(*answering.run(**padded(length), **watched, **spans, return_dict=False))


def test_rows_of_the_maps_sum_to_one(bare):
    """Ours add the weights of a block that is seen several times; the reference library's overwrite each other."""
    ids = token_ids(1, 2 * LONGEST_DENSE)
    make_ready(bare.theirs, ids.shape[1])
    with torch.no_grad():
        ours, theirs = (model(ids, output_attentions=True).attentions for model in (bare.ours, bare.theirs))
    for our_map, their_map in zip(ours, theirs, strict=True):
        assert_close(our_map.sum(-1), torch.ones(our_map.shape[:-1]))
        first = slice(0, BIG_BIRD["block_size"])
        between = slice(BIG_BIRD["block_size"], -BIG_BIRD["block_size"])
        times = 1 + BIG_BIRD["num_random_blocks"]
        assert_close(our_map[:, :, between, first], times * their_map[:, :, between, first])
        assert (their_map[:, :, between].sum(-1) < 0.999).all()


QUESTIONS = {
    "no mark": {"input_ids": token_ids(3, SPARSE).clamp(min=6)},
    "a mark each": {
        "input_ids": token_ids(3, SPARSE)
        .clamp(min=6)
        .scatter(1, torch.tensor([[4, 19], [9, 20], [0, SPARSE - 1]]), BIG_BIRD["sep_token_id"])
    },
    "lengths": {"input_ids": token_ids(3, SPARSE), "question_lengths": torch.tensor([[1], [7], [SPARSE]])},
    "lengths of vectors": {
        "inputs_embeds": vectors(3, SPARSE, WIDTH),
        "question_lengths": torch.tensor([[1], [7], [SPARSE]]),
    },
    "lengths of vectors and token types": {
        "inputs_embeds": vectors(3, SPARSE, WIDTH),
        "token_type_ids": token_ids(3, SPARSE) % 2,
        "question_lengths": torch.tensor([[1], [7], [SPARSE]]),
    },
    "none known": {"inputs_embeds": vectors(3, SPARSE, WIDTH)},
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_questions(answering, question):
    answering.check(**QUESTIONS[question])
    short = {name: value if name == "question_lengths" else value[:, :8] for name, value in QUESTIONS[question].items()}
    answering.check(**short)


def test_a_pooler_beside_the_spans():
    theirs = randomize(
        transformers.BigBirdForQuestionAnswering(transformers.BigBirdConfig(**BIG_BIRD), add_pooling_layer=True)
    )
    ours = BigBirdForQuestionAnswering(BigBirdConfig.from_dict(theirs.config.to_dict()), add_pooling_layer=True)
    names = ours.names(ours.config)
    ours.load_state_dict({names.to_ours(name): tensor for name, tensor in theirs.state_dict().items()})
    LongPair(ours.eval(), theirs.eval()).check(**padded(SPARSE), **WATCHED)


SPANS = {
    "inside": (torch.tensor([12, 50, 0]), torch.tensor([14, 52, 0])),
    "a column": (torch.tensor([[12], [50], [0]]), torch.tensor([[14], [52], [0]])),
    "some outside": (torch.tensor([12, SPARSE, 999]), torch.tensor([SPARSE + 1, 52, -5])),
    "in the question": (torch.tensor([1, 50, 1]), torch.tensor([1, 51, 2])),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("spans", SPANS)
def test_loss_and_gradients_of_spans(spans, training):
    pair = pair_of("BigBirdForQuestionAnswering", **NO_DROPOUT)
    start, end = SPANS[spans]
    arguments = {**padded(SPARSE), "start_positions": start, "end_positions": end}
    (pair.train() if training else pair).check_gradients(**arguments, question_lengths=torch.full((3, 1), 3), **WATCHED)


@pytest.mark.parametrize("changes", [{}, {"use_bias": False}, {"num_random_blocks": 5}, {"block_size": 16}])
@pytest.mark.parametrize("training", [False, True])
def test_gradients(training, changes):
    """Of every parameter; in training the reference library draws its random blocks, and ours are the same."""
    pair = pair_of("BigBirdModel", **NO_DROPOUT, **changes)
    outputs = (pair.train() if training else pair).call(**padded(sparse_length(pair.theirs)), **WATCHED)
    for output in outputs:
        (output.last_hidden_state.square().mean() + output.pooler_output.sum()).backward()
    names = pair.ours.names(pair.ours.config)
    for name, parameter in trained(pair.ours):
        assert_close(parameter.grad, pair.theirs.get_parameter(names.to_foreign(name)[0]).grad, name)


@pytest.mark.parametrize("length", [SPARSE, 1024])
def test_in_training_random_blocks_are_drawn_as_there(length):
    pair = pair_of("BigBirdModel", **NO_DROPOUT)
    in_evaluation = pair.run(**padded(length))[0]
    pair.train().check(**padded(length))
    assert not torch.allclose(pair.run(**padded(length))[0].last_hidden_state, in_evaluation.last_hidden_state)


@pytest.mark.parametrize("length", [SPARSE, 1024])
def test_the_authors_plan_is_their_training_plan(length):
    """Ours with random_blocks="original" evaluates as the reference library trains."""
    pair = pair_of("BigBirdModel", **NO_DROPOUT)
    pair.theirs.train()
    pair.ours.config.random_blocks = "original"
    pair.check(**padded(length))


def test_as_the_encoder_of_a_pair():
    encoder = transformers.BigBirdConfig(**BIG_BIRD)
    pair = long_pair(transformers.EncoderDecoderModel(pair_config(encoder, config_of("bert"))))
    for length in (6, SPARSE):
        pair.check(**padded(length), decoder_input_ids=token_ids(3, 5, seed=1), **WATCHED)
    pair.check_gradients(**padded(SPARSE), labels=token_ids(3, 5, seed=1))


@pytest.mark.parametrize("saved", ["BigBirdModel", "BigBirdForPreTraining", "BigBirdForMaskedLM"])
def test_a_checkpoint_of_another_head_starts_one_for_questions(saved, tmp_path):
    """Its stack is that checkpoint's; the head is new, as it is in the reference library."""
    randomize(long_model(saved)).save_pretrained(tmp_path)
    ours = BigBirdForQuestionAnswering.from_pretrained(tmp_path)
    theirs = transformers.BigBirdForQuestionAnswering.from_pretrained(tmp_path, attn_implementation="eager")
    pair = LongPair(ours, theirs)
    pair_of_states = pair.run(**padded(SPARSE), output_hidden_states=True)
    assert_close(*(output.hidden_states for output in pair_of_states))
    assert ours.spans.weight.std() < 0.1


def test_a_checkpoint_for_questions_gives_back_its_stack(tmp_path):
    theirs = randomize(long_model("BigBirdForQuestionAnswering"))
    theirs.save_pretrained(tmp_path)
    bare = LongPair(BigBirdModel.from_pretrained(tmp_path), theirs.bert.eval())
    ours, theirs = bare.run(**padded(SPARSE))
    assert_close(ours.last_hidden_state, theirs.last_hidden_state)
