"""BertGenerationEncoder and BertGenerationDecoder against the reference library."""

import pytest
import torch
import transformers

from tests.parity.cases import ARGUMENTS, CONFIGURATIONS, SOURCES, WATCHED, labels_for
from tests.parity.pairs import (
    DECODER,
    assert_equal_outputs,
    assert_equal_tuples,
    config_of,
    make_pair,
    token_ids,
)
from tests.parity.steps import CUTS, check_steps, check_steps_from_tuples


def encoder(**changes):
    return make_pair(transformers.BertGenerationEncoder(config_of("bert-generation", **changes)))


def decoder(**changes):
    return make_pair(transformers.BertGenerationDecoder(config_of("bert-generation", **{**DECODER, **changes})))


@pytest.fixture(scope="module")
def small_encoder():
    return encoder()


@pytest.fixture(scope="module")
def small_decoder():
    return decoder()


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_encoder_arguments(small_encoder, arguments):
    small_encoder.check(**ARGUMENTS[arguments](), **WATCHED)


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_decoder_arguments(small_decoder, arguments):
    small_decoder.check(**ARGUMENTS[arguments](), **WATCHED)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("arguments", ["ids alone", "padding left", "holes", "vectors"])
def test_cross_attention(small_decoder, arguments, source):
    small_decoder.check(**ARGUMENTS[arguments](), **SOURCES[source](), **WATCHED)


@pytest.mark.parametrize("changes", CONFIGURATIONS)
def test_encoder_configurations(changes):
    encoder(**CONFIGURATIONS[changes]).check(**ARGUMENTS["padding right"](), **WATCHED)


@pytest.mark.parametrize("changes", CONFIGURATIONS)
def test_decoder_configurations(changes):
    arguments = {**ARGUMENTS["padding left"](), **SOURCES["a padded source"](), **WATCHED}
    pair = decoder(**CONFIGURATIONS[changes])
    pair.check(**arguments)
    pair.check_gradients(**arguments, labels=labels_for(arguments["input_ids"]))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("arguments", ["ids alone", "holes", "one token, masked", "longest"])
def test_loss_and_gradients(tied, arguments):
    pair = decoder(tie_word_embeddings=tied, add_cross_attention=False)
    arguments = ARGUMENTS[arguments]()
    if arguments["input_ids"].shape[1] == 1:
        ours, theirs = pair.run(**arguments, labels=arguments["input_ids"])
        assert ours.loss.isnan()
        assert theirs.loss.isnan()
    else:
        pair.check_gradients(**arguments, labels=labels_for(arguments["input_ids"]))


def test_a_bare_stack_as_decoder():
    pair = encoder(**DECODER)
    pair.check(**ARGUMENTS["padding left"](), **SOURCES["a padded source"](), **WATCHED)


def test_a_decoder_without_cross_attention_and_one_that_sees_all():
    decoder(add_cross_attention=False).check(**ARGUMENTS["holes"](), **WATCHED)
    decoder(is_decoder=False, add_cross_attention=False).check(**ARGUMENTS["holes"](), **WATCHED)


def test_a_source_without_cross_attention_is_an_error():
    pair = decoder(add_cross_attention=False)
    arguments = {**ARGUMENTS["ids alone"](), **SOURCES["a source"]()}
    with pytest.raises(ValueError, match="cross-attention"):
        pair.theirs(**arguments)
    with pytest.raises(ValueError, match="add_cross_attention=True"):
        pair.ours(**arguments)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("cuts", CUTS)
def test_steps_with_a_cache(small_decoder, cuts, across, padded):
    check_steps(small_decoder, cuts, across, padded)


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("cuts", CUTS)
def test_steps_from_tuples(small_decoder, cuts, across):
    check_steps_from_tuples(small_decoder, cuts, across)


def test_a_bare_stack_keeps_a_cache_too():
    check_steps(encoder(**DECODER), "several", across=True, padded=True)


@pytest.mark.parametrize("use_cache", [None, False, True])
@pytest.mark.parametrize("configured", [False, True])
def test_use_cache(configured, use_cache):
    for pair in (encoder(use_cache=configured), decoder(use_cache=configured)):
        pair.check(input_ids=token_ids(2, 5), use_cache=use_cache)


def test_a_given_cache_is_read_but_not_returned_where_none_is_wanted(small_decoder):
    pasts = [output.past_key_values for output in small_decoder.run(input_ids=token_ids(2, 5))]
    with torch.no_grad():
        ours, theirs = (
            model(token_ids(2, 2), past_key_values=past, use_cache=False)
            for model, past in zip((small_decoder.ours, small_decoder.theirs), pasts, strict=True)
        )
    assert ours.past_key_values is None
    assert_equal_outputs(ours, theirs)


@pytest.mark.parametrize("attentions", [None, False, True])
@pytest.mark.parametrize("hidden_states", [None, False, True])
@pytest.mark.parametrize("configured", [False, True])
def test_what_is_returned(configured, hidden_states, attentions):
    pair = decoder(output_attentions=configured, output_hidden_states=configured)
    asked = {"output_attentions": attentions, "output_hidden_states": hidden_states}
    asked = {name: value for name, value in asked.items() if value is not None}
    pair.check(**ARGUMENTS["ids alone"](), **SOURCES["a source"](), **asked)


@pytest.mark.parametrize("watched", [{}, WATCHED])
@pytest.mark.parametrize("labelled", [False, True])
def test_tuples(small_decoder, labelled, watched):
    arguments = {**ARGUMENTS["ids alone"](), **SOURCES["a source"](), **watched}
    if labelled:
        arguments["labels"] = labels_for(arguments["input_ids"])
    assert_equal_tuples(*small_decoder.run(**arguments, return_dict=False))
    small_decoder.ours.config.return_dict = False
    assert isinstance(small_decoder.ours(**arguments), tuple)
    small_decoder.ours.config.return_dict = True


def test_tuples_of_an_encoder(small_encoder):
    assert_equal_tuples(*small_encoder.run(**ARGUMENTS["holes"](), **WATCHED, return_dict=False))
