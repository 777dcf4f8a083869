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


@pytest.mark.parametrize("name", CONFIGS)
def test_defaults(name):
    assert_says_the_same(getattr(models, name)().to_dict(), getattr(transformers, name)().to_dict())
