"""Configurations: documented arguments, what they refuse, and the file that they live in, here and elsewhere."""

import inspect
import json
from dataclasses import fields

import pytest

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.config import (
    BertConfig,
    BertGenerationConfig,
    BigBirdConfig,
    BigBirdPegasusConfig,
    EncoderDecoderConfig,
    config_from_dict,
    read_config,
)

DOCUMENTED = {
    BertGenerationConfig: {
        "vocab_size": 50358,
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": 512,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "position_embedding_type": "absolute",
        "use_cache": True,
    },
    BertConfig: {
        "vocab_size": 30522,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "use_cache": True,
        "classifier_dropout": None,
    },
}
SMALL = {"vocab_size": 40, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}


def small_pair(**changes):
    return EncoderDecoderConfig.from_encoder_decoder_configs(
        BertConfig(**SMALL), BertGenerationConfig(**SMALL), **changes
    )


@pytest.mark.parametrize("config_class", DOCUMENTED)
def test_documented_arguments_come_first_in_their_order_with_their_defaults(config_class):
    parameters = list(inspect.signature(config_class).parameters.values())[: len(DOCUMENTED[config_class])]
    assert {p.name: p.default for p in parameters} == DOCUMENTED[config_class]
    assert [p.name for p in parameters] == list(DOCUMENTED[config_class])
    config = config_class(31, 48)
    assert (config.vocab_size, config.hidden_size) == (31, 48)


def test_shared_defaults():
    config = BertConfig()
    assert (config.is_decoder, config.add_cross_attention, config.is_encoder_decoder) == (False, False, False)
    assert (config.output_attentions, config.output_hidden_states, config.return_dict) == (False, False, True)
    assert config.tie_word_embeddings


def test_a_pair_is_two_berts_by_default():
    config = EncoderDecoderConfig()
    assert isinstance(config.encoder, BertConfig)
    assert isinstance(config.decoder, BertConfig)
    assert (config.decoder.is_decoder, config.decoder.add_cross_attention) == (True, True)
    assert config.is_encoder_decoder
    assert EncoderDecoderConfig(BertConfig(**SMALL)).encoder.hidden_size == 24


@pytest.mark.parametrize("config_class", [BertGenerationConfig, BertConfig])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": 10, "num_attention_heads": 3}, r"hidden_size \(10\) must be a multiple"),
        ({"position_embedding_type": "rotary"}, "position_embedding_type must be one of absolute, .*'rotary'"),
    ],
)
def test_values_that_cannot_be(config_class, changes, message):
    with pytest.raises(ValueError, match=message):
        config_class(**changes)
    with pytest.raises(CheckpointError, match=message):
        config_class.from_dict(changes)


@pytest.mark.parametrize("config_class", [BertConfig, BigBirdConfig, BigBirdPegasusConfig])
@pytest.mark.parametrize("value", ["x", True, None, [1]])
def test_what_is_to_be_a_number_is_one(config_class, value):
    for each in fields(config_class):
        if each.type in ("int", "float"):
            with pytest.raises(CheckpointError, match=f"{each.name} must be a (whole )?number"):
                config_class.from_dict({each.name: value})


@pytest.mark.parametrize("value", [1.5, -1, float("nan"), 10**9])
@pytest.mark.parametrize("name", ["block_size", "num_random_blocks", "type_vocab_size"])
def test_what_is_counted_is_counted_whole(name, value):
    with pytest.raises(CheckpointError, match=f"{name} must be a whole number from 0 to 100,000,000; got {value}"):
        BigBirdConfig.from_dict({name: value})


def test_a_decoder_made_for_another_width_of_source_is_refused():
    decoder = BertConfig(**SMALL, cross_attention_hidden_size=32)
    with pytest.raises(ValueError, match=r"\(32\) must equal the encoder's hidden_size \(24\)"):
        EncoderDecoderConfig.from_encoder_decoder_configs(BertConfig(**SMALL), decoder)


def test_further_arguments_are_kept_and_written_back(tmp_path):
    config = BertGenerationConfig(**SMALL, task_specific_params={"summarization": {"num_beams": 4}})
    config.save_pretrained(tmp_path)
    read = BertGenerationConfig.from_pretrained(tmp_path)
    assert read.task_specific_params == {"summarization": {"num_beams": 4}}
    assert read.to_dict() == config.to_dict()


@pytest.mark.parametrize("config", [BertConfig(**SMALL), BertGenerationConfig(**SMALL), small_pair(pad_token_id=0)])
def test_a_file_reads_as_what_was_written(config, tmp_path):
    config.save_pretrained(tmp_path / "deep" / "folder")
    read = read_config(tmp_path / "deep" / "folder")
    assert type(read) is type(config)
    assert read.to_dict() == config.to_dict()
    assert json.loads(config.to_json_string())["model_type"] == config.model_type


def test_a_dictionary_is_a_copy():
    config = BertConfig(**SMALL, labels=["a"])
    config.to_dict()["labels"].append("b")
    assert config.labels == ["a"]
    values = {"labels": ["a"]}
    BertConfig.from_dict(values).labels.append("b")
    assert values == {"labels": ["a"]}


def test_arguments_override_what_is_on_file(tmp_path):
    BertConfig(**SMALL).save_pretrained(tmp_path)
    config = BertConfig.from_pretrained(tmp_path, is_decoder=True, vocab_size=50)
    assert (config.is_decoder, config.vocab_size, config.hidden_size) == (True, 50, 24)


def test_pairing_sets_the_decoders_role_in_place():
    encoder, decoder = BertConfig(**SMALL), BertConfig(**SMALL)
    config = EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder, decoder_start_token_id=5)
    assert (decoder.is_decoder, decoder.add_cross_attention) == (True, True)
    assert (encoder.is_decoder, encoder.add_cross_attention) == (False, False)
    assert config.decoder.is_decoder
    assert config.decoder is not decoder
    assert config.decoder_start_token_id == 5


def test_berts_file_describes_a_bert_generation_too():
    config = BertGenerationConfig.from_dict(BertConfig(**SMALL).to_dict())
    assert config.model_type == "bert-generation"
    assert config.num_token_types == 0


def test_the_newer_name_of_the_data_type():
    config = BertConfig.from_dict({**SMALL, "dtype": "bfloat16"})
    assert config.torch_dtype == "bfloat16"
    assert "dtype" not in config.to_dict()


@pytest.mark.parametrize("model_type", ["t5", None])
def test_a_type_that_nobody_knows(model_type):
    known = "bert-generation, bert, big_bird, bigbird_pegasus, encoder"
    with pytest.raises(CheckpointError, match=f"type {model_type!r} are not known.*{known}"):
        config_from_dict({"model_type": model_type})


def test_a_type_that_another_class_knows():
    with pytest.raises(CheckpointError, match="describes models of type 'bert', .* is of type 'encoder-decoder'"):
        BertConfig.from_dict(small_pair().to_dict())


def test_a_folder_without_a_configuration(tmp_path):
    with pytest.raises(CheckpointError, match="has no config.json"):
        read_config(tmp_path)
