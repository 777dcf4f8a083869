"""BertModel and BertLMHeadModel against the reference library."""

import pytest
import torch
import transformers

from seq2seq.models import BertLMHeadModel, BertModel
from tests.parity.cases import ARGUMENTS, CONFIGURATIONS, SOURCES, WATCHED, labels_for
from tests.parity.pairs import (
    DECODER,
    Pair,
    assert_close,
    assert_equal_tuples,
    config_of,
    make_pair,
    randomize,
    token_ids,
)
from tests.parity.steps import CUTS, check_steps, check_steps_from_tuples

TOKEN_TYPES = {
    "none": lambda: {},
    "two texts": lambda: {"token_type_ids": (torch.arange(7) > 3).long().expand(3, 7)},
    "each its own": lambda: {"token_type_ids": token_ids(3, 7) % 2},
}


def bare(**changes):
    return make_pair(transformers.BertModel(config_of("bert", **changes)))


def decoder(**changes):
    return make_pair(transformers.BertLMHeadModel(config_of("bert", **{**DECODER, **changes})))


@pytest.fixture(scope="module")
def small_bare():
    return bare()


@pytest.fixture(scope="module")
def small_decoder():
    return decoder()


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_bare_arguments(small_bare, arguments):
    small_bare.check(**ARGUMENTS[arguments](), **WATCHED)


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_decoder_arguments(small_decoder, arguments):
    small_decoder.check(**ARGUMENTS[arguments](), **WATCHED)


@pytest.mark.parametrize("types", TOKEN_TYPES)
@pytest.mark.parametrize("arguments", ["ids alone", "padding left", "vectors"])
def test_token_types(small_bare, small_decoder, arguments, types):
    arguments = {**ARGUMENTS[arguments](), **TOKEN_TYPES[types]()}
    small_bare.check(**arguments)
    small_decoder.check(**arguments)


@pytest.mark.parametrize("source", SOURCES)
def test_cross_attention(small_decoder, source):
    small_decoder.check(**ARGUMENTS["holes"](), **SOURCES[source](), **WATCHED)


@pytest.mark.parametrize("changes", CONFIGURATIONS)
def test_bare_configurations(changes):
    bare(**CONFIGURATIONS[changes]).check(**ARGUMENTS["padding right"](), **TOKEN_TYPES["two texts"](), **WATCHED)


@pytest.mark.parametrize("changes", [*CONFIGURATIONS, "three token types", "untied"])
def test_decoder_configurations(changes):
    more = {"three token types": {"type_vocab_size": 3}, "untied": {"tie_word_embeddings": False}}
    pair = decoder(**{**CONFIGURATIONS, **more}[changes])
    arguments = {**ARGUMENTS["padding left"](), **SOURCES["a padded source"](), **TOKEN_TYPES["two texts"]()}
    pair.check(**arguments, **WATCHED)
    pair.check_gradients(**arguments, labels=labels_for(arguments["input_ids"]))


def test_gradients_of_the_pooler(small_bare):
    for model in (small_bare.ours, small_bare.theirs):
        model.zero_grad()
        model(**ARGUMENTS["holes"]()).pooler_output.square().sum().backward()
    names = small_bare.ours.names(small_bare.ours.config)
    for name, parameter in small_bare.ours.named_parameters():
        foreign = names.to_foreign(name)[0]
        assert_close(parameter.grad, small_bare.theirs.get_parameter(foreign).grad, name)


def test_without_a_pooler():
    theirs = randomize(transformers.BertModel(config_of("bert"), add_pooling_layer=False))
    ours = BertModel(BertModel.config_class.from_dict(theirs.config.to_dict()), add_pooling_layer=False)
    names = ours.names(ours.config)
    ours.load_state_dict({names.to_ours(name): tensor for name, tensor in theirs.state_dict().items()})
    pair = Pair(ours.eval(), theirs.eval())
    pair.check(input_ids=token_ids(2, 5))
    assert_equal_tuples(*pair.run(input_ids=token_ids(2, 5), return_dict=False))


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("cuts", CUTS)
def test_steps_with_a_cache(small_decoder, cuts, across, padded):
    check_steps(small_decoder, cuts, across, padded)


@pytest.mark.parametrize("across", [False, True])
def test_steps_from_tuples(small_decoder, across):
    check_steps_from_tuples(small_decoder, "several", across)


def test_a_bare_stack_as_decoder():
    pair = bare(**DECODER)
    pair.check(**ARGUMENTS["padding left"](), **SOURCES["a padded source"](), **WATCHED)
    check_steps(pair, "several", across=True, padded=True)


@pytest.mark.parametrize("watched", [{}, WATCHED])
def test_tuples(small_bare, small_decoder, watched):
    ours, theirs = small_bare.run(**ARGUMENTS["holes"](), **watched, return_dict=False)
    assert_equal_tuples(ours, theirs)
    ours, theirs = small_decoder.run(
        **ARGUMENTS["holes"](), **SOURCES["a source"](), **watched, labels=token_ids(3, 7), return_dict=False
    )
    assert_equal_tuples(ours, theirs)


def test_a_checkpoint_of_the_whole_pretraining_model_loads_as_either(tmp_path):
    """The files of BERT's authors hold two heads: the masked language model's, and the next sentence's."""
    whole = randomize(transformers.BertForPreTraining(config_of("bert"))).eval()
    with torch.no_grad():
        expected = whole(token_ids(2, 6), output_hidden_states=True)
    whole.save_pretrained(tmp_path)
    bare, headed = BertModel.from_pretrained(tmp_path), BertLMHeadModel.from_pretrained(tmp_path)
    assert_close(bare(token_ids(2, 6)).last_hidden_state, expected.hidden_states[-1])
    assert_close(headed(token_ids(2, 6)).logits, expected.prediction_logits)
