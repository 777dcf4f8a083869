"""Configuration files, both ways between the reference library and ours."""

import json

import pytest
import transformers

from seq2seq import models
from tests.parity.pairs import DECODER, config_of, pair_config

CONFIGS = {
    "BertGenerationConfig": lambda: config_of("bert-generation", **DECODER, eos_token_id=7, hidden_act="relu"),
    "BertConfig": lambda: config_of("bert", type_vocab_size=3, layer_norm_eps=0.1, use_cache=False),
    "EncoderDecoderConfig": lambda: pair_config(config_of("bert"), config_of("bert-generation", hidden_size=16)),
    "BigBirdConfig": lambda: transformers.BigBirdConfig(
        block_size=16, num_random_blocks=2, use_bias=False, rescale_embeddings=True, sep_token_id=7
    ),
    "BigBirdPegasusConfig": lambda: transformers.BigBirdPegasusConfig(
        d_model=32,
        encoder_layers=3,
        decoder_attention_heads=4,
        attention_type="original_full",
        use_bias=True,
        num_labels=3,
        dropout=0.2,
        scale_embedding=False,
    ),
}
# What one library writes about itself, and not about the model.
OWN = {"transformers_version", "architectures", "torch_dtype", "dtype", "_name_or_path"}


def assert_says_the_same(values, others):
    """Every field that both have is equal."""
    common = values.keys() & others.keys() - OWN
    assert {"model_type", "pad_token_id"} <= common
    for name in common:
        if name in ("encoder", "decoder"):
            assert_says_the_same(values[name], others[name])
        else:
            assert values[name] == others[name], name


@pytest.mark.parametrize("name", CONFIGS)
def test_files_go_both_ways(name, tmp_path):
    theirs = CONFIGS[name]()
    theirs.save_pretrained(tmp_path / "theirs")
    ours = getattr(models, name).from_pretrained(tmp_path / "theirs")
    assert_says_the_same(ours.to_dict(), theirs.to_dict())
    ours.save_pretrained(tmp_path / "ours")
    again = getattr(transformers, name).from_pretrained(tmp_path / "ours")
    assert_says_the_same(again.to_dict(), theirs.to_dict())
    written = json.loads((tmp_path / "theirs" / "config.json").read_text())
    assert set(written) - set(ours.to_dict()) <= OWN


@pytest.mark.parametrize("name", ["BigBirdConfig", "BigBirdPegasusConfig"])
def test_which_random_blocks_are_seen_is_kept_by_the_reference_library(name, tmp_path):
    """It knows no such field, and hands it on."""
    getattr(models, name)(random_blocks="original", num_random_blocks=0).save_pretrained(tmp_path / "ours")
    getattr(transformers, name).from_pretrained(tmp_path / "ours").save_pretrained(tmp_path / "theirs")
    again = getattr(models, name).from_pretrained(tmp_path / "theirs")
    assert (again.random_blocks, again.num_random_blocks) == ("original", 0)


def test_names_of_classes_go_both_ways(tmp_path):
    names = {0: "no", 1: "perhaps", 2: "yes"}
    theirs = transformers.BigBirdPegasusConfig(id2label=names, problem_type="multi_label_classification")
    theirs.save_pretrained(tmp_path / "theirs")
    ours = models.BigBirdPegasusConfig.from_pretrained(tmp_path / "theirs")
    assert (ours.num_labels, ours.id2label, ours.problem_type) == (3, names, "multi_label_classification")
    ours.save_pretrained(tmp_path / "ours")
    again = transformers.BigBirdPegasusConfig.from_pretrained(tmp_path / "ours")
    assert (again.num_labels, again.id2label, again.label2id) == (3, names, theirs.label2id)
    assert again.problem_type == "multi_label_classification"


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_number_of_classes_goes_both_ways(count, tmp_path):
    models.BigBirdPegasusConfig(num_labels=count).save_pretrained(tmp_path / "ours")
    theirs = transformers.BigBirdPegasusConfig.from_pretrained(tmp_path / "ours")
    assert theirs.num_labels == count
    theirs.save_pretrained(tmp_path / "theirs")
    assert models.BigBirdPegasusConfig.from_pretrained(tmp_path / "theirs").num_labels == count


@pytest.mark.parametrize("name", CONFIGS)
def test_defaults(name):
    assert_says_the_same(getattr(models, name)().to_dict(), getattr(transformers, name)().to_dict())
