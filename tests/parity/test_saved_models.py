"""What the reference library saves loads here, and what is saved here loads there: every class, every kind of file."""

import json

import pytest
import torch
import transformers

from seq2seq import models
from tests.parity.cases import HOLES, WATCHED, WIDTH
from tests.parity.long_pairs import BIG_BIRD, LongPair, long_model
from tests.parity.pairs import (
    DECODER,
    assert_close,
    config_of,
    make_pair,
    pair_config,
    randomize,
    token_ids,
)


def pair_of(encoder="bert-generation", decoder="bert-generation", **changes):
    return transformers.EncoderDecoderModel(pair_config(config_of(encoder), config_of(decoder, **changes)))


MODELS = {
    "BertGenerationEncoder": lambda: transformers.BertGenerationEncoder(config_of("bert-generation")),
    "BertGenerationEncoder as decoder": lambda: transformers.BertGenerationEncoder(
        config_of("bert-generation", **DECODER)
    ),
    "BertGenerationDecoder": lambda: transformers.BertGenerationDecoder(config_of("bert-generation", **DECODER)),
    "BertGenerationDecoder, untied": lambda: transformers.BertGenerationDecoder(
        config_of("bert-generation", **DECODER, tie_word_embeddings=False)
    ),
    "BertModel": lambda: transformers.BertModel(config_of("bert")),
    "BertLMHeadModel": lambda: transformers.BertLMHeadModel(config_of("bert", **DECODER)),
    "BertLMHeadModel, untied": lambda: transformers.BertLMHeadModel(
        config_of("bert", **DECODER, tie_word_embeddings=False)
    ),
    "pair": pair_of,
    "pair of BERTs": lambda: pair_of("bert", "bert"),
    "mixed pair": lambda: pair_of("bert", "bert-generation", hidden_size=16),
    "other mixed pair, untied": lambda: pair_of("bert-generation", "bert", tie_word_embeddings=False),
    "BigBirdModel": lambda: long_model("BigBirdModel"),
    "BigBirdForQuestionAnswering, without biases": lambda: long_model("BigBirdForQuestionAnswering", use_bias=False),
    "BigBirdPegasusModel": lambda: long_model("BigBirdPegasusModel"),
    "BigBirdPegasusModel, untied": lambda: long_model("BigBirdPegasusModel", tie_word_embeddings=False),
    "BigBirdPegasusForConditionalGeneration": lambda: long_model("BigBirdPegasusForConditionalGeneration"),
    "BigBirdPegasusForConditionalGeneration, untied, with biases": lambda: long_model(
        "BigBirdPegasusForConditionalGeneration", tie_word_embeddings=False, use_bias=True
    ),
    "BigBirdPegasusForSequenceClassification": lambda: long_model(
        "BigBirdPegasusForSequenceClassification", num_labels=5
    ),
    "BigBirdPegasusForQuestionAnswering": lambda: long_model("BigBirdPegasusForQuestionAnswering"),
    "BigBirdPegasusForCausalLM": lambda: long_model("BigBirdPegasusForCausalLM"),
    "pair with a BigBird": lambda: transformers.EncoderDecoderModel(
        pair_config(transformers.BigBirdConfig(**BIG_BIRD), config_of("bert"))
    ),
}


def arguments_for(model):
    if isinstance(model, transformers.BigBirdPegasusForSequenceClassification):
        return {"input_ids": token_ids(3, 7).index_fill(1, torch.tensor(6), model.config.eos_token_id)}
    ids = {"input_ids": token_ids(3, 7), "attention_mask": HOLES}
    return {**ids, "decoder_input_ids": token_ids(3, 4)} if model.config.is_encoder_decoder else ids


@pytest.fixture(params=MODELS)
def theirs(request):
    return randomize(MODELS[request.param]()).eval()


def ours_from(theirs, folder, **kwargs):
    return getattr(models, type(theirs).__name__).from_pretrained(folder, **kwargs)


def save_in_shards(model, folder):
    model.save_pretrained(folder, max_shard_size=3_000)
    assert len(list(folder.glob("model-*.safetensors"))) > 3


def save_as_bin(model, folder):
    model.config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")


def save_as_bins(model, folder):
    model.config.save_pretrained(folder)
    state = list(model.state_dict().items())
    shards = {"pytorch_model-00001-of-00002.bin": state[::2], "pytorch_model-00002-of-00002.bin": state[1::2]}
    for filename, tensors in shards.items():
        torch.save(dict(tensors), folder / filename)
    index = {name: filename for filename, tensors in shards.items() for name, _ in tensors}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))


@pytest.mark.parametrize("save", [save_in_shards, save_as_bin, save_as_bins])
def test_theirs_load_here(theirs, save, tmp_path):
    save(theirs, tmp_path)
    LongPair(ours_from(theirs, tmp_path), theirs).check(**arguments_for(theirs), **WATCHED)


@pytest.mark.parametrize("max_shard_size", [9_500_000, 3_000])
def test_ours_load_there(theirs, max_shard_size, tmp_path):
    pair = make_pair(theirs)
    pair.ours.save_pretrained(tmp_path, max_shard_size=max_shard_size)
    loaded, info = type(theirs).from_pretrained(tmp_path, output_loading_info=True, attn_implementation="eager")
    assert not any(info.values()), info
    LongPair(pair.ours, loaded.eval()).check(**arguments_for(theirs), **WATCHED)


def test_ours_load_here(theirs, tmp_path):
    pair = make_pair(theirs)
    pair.ours.save_pretrained(tmp_path)
    LongPair(ours_from(theirs, tmp_path), theirs).check(**arguments_for(theirs), **WATCHED)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_as_stored_or_is_converted(dtype, tmp_path):
    theirs = randomize(pair_of()).to(dtype).eval()
    theirs.save_pretrained(tmp_path)
    ours = ours_from(theirs, tmp_path)
    assert {parameter.dtype for parameter in ours.parameters()} == {dtype}
    assert ours.dtype == dtype
    LongPair(ours_from(theirs, tmp_path, dtype=torch.float32), theirs.float()).check(**arguments_for(theirs), **WATCHED)
    LongPair(ours_from(theirs, tmp_path, torch_dtype=torch.float32), theirs).check(**arguments_for(theirs))


def test_a_warm_start_is_the_same_there(tmp_path):
    """Two BERT checkpoints become a pair; only the cross-attention is drawn anew, here and there."""
    for seed, name in enumerate(("one", "other")):
        randomize(transformers.BertForMaskedLM(config_of("bert")), seed).save_pretrained(tmp_path / name)
    ours = models.EncoderDecoderModel.from_encoder_decoder_pretrained(tmp_path / "one", tmp_path / "other")
    theirs = transformers.EncoderDecoderModel.from_encoder_decoder_pretrained(
        tmp_path / "one", tmp_path / "other", encoder_attn_implementation="eager", decoder_attn_implementation="eager"
    )
    names = ours.names(ours.config)
    state = theirs.state_dict()
    for name, tensor in ours.state_dict().items():
        if ".cross_attention" not in name and ".pooler" not in name:
            assert_close(tensor, state[names.to_foreign(name)[0]], name)
    ours.save_pretrained(tmp_path / "pair")
    loaded = type(theirs).from_pretrained(tmp_path / "pair", attn_implementation="eager")
    LongPair(ours, loaded).check(**arguments_for(theirs), **WATCHED)


def test_a_documented_example_on_a_bert_checkpoint(tmp_path):
    """BertGeneration from BERT's weights, with BERT's special tokens in their roles, and a step of training."""
    config = config_of("bert", vocab_size=110)
    bert = randomize(transformers.BertForPreTraining(config)).eval()
    bert.save_pretrained(tmp_path)
    special = {"bos_token_id": 101, "eos_token_id": 102}
    encoder = models.BertGenerationEncoder.from_pretrained(tmp_path, **special)
    decoder = models.BertGenerationDecoder.from_pretrained(tmp_path, **DECODER, **special)
    pair = models.EncoderDecoderModel(encoder=encoder, decoder=decoder)
    assert (pair.config.encoder.bos_token_id, pair.config.decoder.eos_token_id) == (101, 102)

    theirs = transformers.BertGenerationEncoder.from_pretrained(tmp_path, attn_implementation="eager", **special)
    LongPair(encoder, theirs.eval()).check(input_ids=token_ids(2, 6), **WATCHED)
    assert_close(decoder.stack.embeddings.word.weight, bert.bert.embeddings.word_embeddings.weight)
    assert decoder.lm_head.weight is decoder.stack.embeddings.word.weight

    labels = token_ids(2, 5)
    loss = pair(input_ids=token_ids(2, 6), decoder_input_ids=labels, labels=labels).loss
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in pair.parameters())


def test_token_types_of_a_bert_checkpoint_are_dropped_by_bert_generation(tmp_path):
    bert = randomize(transformers.BertModel(config_of("bert"))).eval()
    bert.save_pretrained(tmp_path)
    ours = models.BertGenerationEncoder.from_pretrained(tmp_path)
    words = bert.embeddings.word_embeddings(token_ids(2, 6)) - bert.embeddings.token_type_embeddings.weight[0]
    with torch.no_grad():
        expected = bert(inputs_embeds=words)
    assert words.shape[-1] == WIDTH
    assert_close(ours(token_ids(2, 6)).last_hidden_state, expected.last_hidden_state)
