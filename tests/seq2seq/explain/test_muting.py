"""Heads switched off: against plain forward passes with the documented masks, and against heads that weigh nothing."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from seq2seq.explain.attention import decode
from seq2seq.explain.choices import log_probability
from seq2seq.explain.muting import masks, num_heads, read_with, rewriting
from seq2seq.tasks import GenerationSettings
from tests.seq2seq.explain.conftest import finished, pair

FAMILIES = {"writer": "fuse", "wide": "summarize"}
MUTED = [("encoder", 0, 1), ("encoder", 2, 3), ("decoder", 1, 0), ("cross", 0, 1), ("cross", 1, 0)]


@pytest.fixture(scope="module")
def wide(summarizing):
    """A BigBird-Pegasus whose weights are drawn so wide that every head tells."""
    model, generator = deepcopy(summarizing.model), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.normal_(std=0.4, generator=generator)
    return replace(summarizing, model=model)


@pytest.fixture(params=FAMILIES)
def looked_back(request):
    return pair(request.getfixturevalue(request.param), task=FAMILIES[request.param], min_new_tokens=6)


def without(pair, muted):
    """The same model, with nothing of the muted heads in the layers' outputs."""
    model = deepcopy(pair.model)
    stacks = {"encoder": model.get_encoder(), "decoder": model.decoder_and_logits()[0]}
    with torch.no_grad():
        for kind, layer, head in muted:
            block = stacks["encoder" if kind == "encoder" else "decoder"].layers[layer]
            attention = block.cross_attention if kind == "cross" else block.self_attention
            width = attention.head_dim
            attention.output.weight[:, head * width : (head + 1) * width] = 0.0
    return replace(pair, writer=replace(pair.writer, model=model))


def test_masks_are_ones_but_for_the_muted(looked_back):
    made = masks(looked_back, MUTED)
    assert made.keys() == {"head_mask", "decoder_head_mask", "cross_attn_head_mask"}
    config = looked_back.model.config
    assert made["head_mask"].shape == (config.encoder.num_hidden_layers, config.encoder.num_attention_heads)
    assert made["cross_attn_head_mask"].shape == (config.decoder.num_hidden_layers, num_heads(looked_back, "cross"))
    assert (made["head_mask"] == 0).nonzero().tolist() == [[0, 1], [2, 3]]
    assert (made["decoder_head_mask"] == 0).nonzero().tolist() == [[1, 0]]
    assert (made["cross_attn_head_mask"] == 0).nonzero().tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("settings", [{}, {"num_beams": 3}])
def test_what_is_rewritten_is_what_a_model_without_those_heads_writes(looked_back, settings):
    found = rewriting(looked_back, MUTED, GenerationSettings(**settings))
    bare = without(looked_back, MUTED)
    assert found.muted == tuple(MUTED)
    assert found.before == looked_back.target_text
    assert found.after == finished(bare.writer, bare.source.text, bare.task, **settings).text != found.before
    assert found.log_probability_before == pytest.approx(log_probability(looked_back), abs=1e-4)
    assert found.log_probability_after == pytest.approx(log_probability(bare), abs=1e-3)
    assert found.log_probability_after != pytest.approx(found.log_probability_before, abs=0.1)


@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
def test_each_kind_of_attention_is_muted_alone(looked_back, kind):
    muted = [(kind, 1, 1)]
    found = read_with(looked_back, masks(looked_back, muted))
    torch.testing.assert_close(found, read_of(without(looked_back, muted)), atol=1e-3, rtol=1e-4)
    assert not torch.allclose(found, read_of(looked_back), atol=1e-2)


def read_of(pair):
    with torch.no_grad():
        return decode(pair)


def test_with_all_heads_on_nothing_changes(looked_back):
    found = rewriting(looked_back, [], GenerationSettings(min_new_tokens=6))
    assert found.after == found.before
    assert found.log_probability_after == pytest.approx(found.log_probability_before, abs=1e-4)
    torch.testing.assert_close(
        read_with(looked_back, masks(looked_back, [])), read_of(looked_back), atol=1e-4, rtol=1e-4
    )


def documented(pair):
    """Masks as `generate` and `forward` both take them, in either family: of the encoder and of the decoder."""
    made = masks(pair, [("encoder", 0, 1), ("encoder", 1, 2), ("decoder", 0, 0), ("decoder", 1, 1)])
    return {name: made[name] for name in ("head_mask", "decoder_head_mask")}


@pytest.mark.parametrize("use_cache", [True, False])
def test_documented_masks_mean_to_generate_what_they_mean_to_forward(looked_back, use_cache):
    given = documented(looked_back)
    tokens = torch.tensor([[looked_back.start_id]])
    for _ in range(8):
        with torch.no_grad():
            logits = looked_back.model(
                input_ids=looked_back.input_ids, decoder_input_ids=tokens, use_cache=False, **given
            ).logits
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], dim=1)
    settings = {"max_new_tokens": 8, "eos_token_id": None, "num_beams": 1, "use_cache": use_cache}
    found = looked_back.model.generate(looked_back.input_ids, **given, **settings)
    assert found.tolist() == tokens.tolist()
    assert looked_back.model.generate(looked_back.input_ids, **settings).tolist() != tokens.tolist()


@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_cache_changes_nothing_with_masks(looked_back, num_beams):
    given = masks(looked_back, MUTED)
    runs = [
        looked_back.model.generate(
            looked_back.input_ids, **given, num_beams=num_beams, max_new_tokens=10, use_cache=use_cache
        )
        for use_cache in (True, False)
    ]
    assert runs[0].tolist() == runs[1].tolist()


def test_a_mask_may_be_a_row_for_all_layers(looked_back):
    row = torch.ones(num_heads(looked_back, "cross"))
    row[0] = 0.0
    layers = looked_back.model.config.decoder.num_hidden_layers
    runs = [
        looked_back.model.generate(looked_back.input_ids, cross_attn_head_mask=mask, max_new_tokens=8, num_beams=1)
        for mask in (row, row.expand(layers, -1))
    ]
    assert runs[0].tolist() == runs[1].tolist()
    with pytest.raises(ValueError, match="head_mask must have the shape"):
        looked_back.model.generate(looked_back.input_ids, cross_attn_head_mask=torch.ones(9))


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (("cross", 0, 9), "no head 9 in layer 0 of cross attention"),
        (("encoder", 3, 0), "no head 0 in layer 3 of encoder attention: layers are 0 to 2, heads 0 to 3"),
        (("decoder", -1, 0), "no head 0 in layer -1"),
        (("decoder", 0, -1), "no head -1 in layer 0"),
        (("sideways", 0, 0), "none called 'sideways'"),
    ],
)
def test_a_head_that_is_not_there_is_named(looked_back, head, message):
    with pytest.raises(ValueError, match=message):
        rewriting(looked_back, [head])
