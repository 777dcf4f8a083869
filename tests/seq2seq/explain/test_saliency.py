"""Gradients of a stretch's log-probability, against finite differences and against their definitions."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from seq2seq.explain.saliency import integrated_gradients, saliency
from seq2seq.tasks import Writer
from seq2seq.trace import Token
from tests.seq2seq.explain.conftest import TEXT, pair, unsure

FIRST, LAST = 1, 4


@pytest.fixture(params=["writer", "summarizing"])
def made(request):
    return unsure(request.getfixturevalue(request.param), TEXT)


def scale(model):
    """By what this family's encoder multiplies its table of words."""
    return model.config.d_model**0.5 if getattr(model.config, "scale_embedding", False) else 1.0


def embedded(model, ids):
    """1 S D, from the table of words itself, in double precision."""
    return model.get_input_embeddings().weight.detach().double()[ids][None] * scale(model)


def log_probability(model, made, words):
    """Of FIRST to LAST, by the public forward pass over the whole output, in double precision."""
    with torch.no_grad():
        logits = model(inputs_embeds=words, decoder_input_ids=made.decoder_input_ids).logits[0]
    places = torch.arange(FIRST, LAST)
    return logits.log_softmax(-1)[places, list(made.target_ids[FIRST:LAST])].sum()


def double(model):
    return copy.deepcopy(model).double()


def along(model, made, words, direction, size=1e-4):
    """The slope in a direction, by a finite difference."""
    above, below = (log_probability(model, made, words + sign * size * direction) for sign in (1, -1))
    return ((above - below) / (2 * size)).item()


def baseline(made, model):
    source = zip(made.source.tokens, made.source.input_ids, strict=True)
    ids = [token_id if token.special else 0 for token, token_id in source]
    return embedded(model, ids)


def one_token(words, place):
    """Its embedding alone, elsewhere 0: the slope in this direction is the token's gradient x input."""
    alone = torch.zeros_like(words)
    alone[:, place] = words[:, place]
    return alone


def test_saliency_is_the_slope_along_each_embedding(made):
    result = saliency(made, FIRST, LAST)
    model = double(made.model)
    words = embedded(model, list(made.source.input_ids))
    expected = [along(model, made, words, one_token(words, place)) for place in range(words.shape[1])]
    assert np.abs(expected).max() > 1e-3
    assert np.allclose(result.scores, expected, rtol=1e-3, atol=1e-5)
    assert result.log_probability == pytest.approx(log_probability(model, made, words).item(), abs=1e-4)


def test_the_record_names_what_was_asked(made):
    result = saliency(made, FIRST, LAST)
    tokens = [token for token in made.targets[FIRST:LAST] if not token.special]
    start, end = tokens[0].start, tokens[-1].end
    assert result.target == Token(made.target_text[start:end], start, end)
    assert (result.method, result.residue) == ("gradient", None)
    assert (result.sources, result.source_text) == (made.source.tokens, made.source.text)
    assert (result.scores.shape, result.scores.dtype) == ((len(result.sources),), np.float32)


def test_a_stretch_of_special_tokens_is_the_first_of_them(made):
    ended = replace(made, target_ids=(*made.target_ids[:3], 1))
    assert ended.targets[3].special
    assert saliency(ended, 3, 4).target == ended.targets[3]


def test_integrated_gradients_are_a_sum_of_slopes_at_midpoints(made):
    result = integrated_gradients(made, FIRST, LAST, num_steps=3)
    model = double(made.model)
    end, start = embedded(model, list(made.source.input_ids)), baseline(made, model)
    way = end - start
    expected = [
        np.mean([along(model, made, start + part * way, one_token(way, place)) for part in (1 / 6, 3 / 6, 5 / 6)])
        for place in range(way.shape[1])
    ]
    assert np.abs(expected).max() > 1e-3
    assert np.allclose(result.scores, expected, rtol=1e-3, atol=1e-5)
    difference = log_probability(model, made, end) - log_probability(model, made, start)
    assert result.residue == pytest.approx(difference.item() - sum(expected), abs=1e-3)
    assert result.log_probability == pytest.approx(log_probability(model, made, end).item(), abs=1e-4)


def test_integrated_gradients_of_many_steps_explain_all_of_the_difference(made):
    coarse, fine = (integrated_gradients(made, FIRST, LAST, num_steps=steps) for steps in (2, 256))
    assert abs(fine.residue) < 0.01 * np.abs(fine.scores).sum()
    assert abs(fine.residue) < abs(coarse.residue)


def test_special_tokens_and_prompt_are_on_no_way(writer):
    result = integrated_gradients(pair(writer), 0, 2)
    special = np.array([token.special for token in result.sources])
    assert special.any()
    assert (result.scores[special] == 0).all()
    assert (result.scores[~special] != 0).all()


@pytest.mark.parametrize("method", [saliency, integrated_gradients])
def test_a_bfloat16_model_is_read_in_float32(writer, method):
    made = pair(writer)
    halved = copy.deepcopy(writer.model).bfloat16()
    coarse = replace(made, writer=Writer(halved, writer.tokenizer))
    exact = replace(made, writer=Writer(copy.deepcopy(halved).float(), writer.tokenizer))
    assert np.array_equal(method(coarse, 0, 2).scores, method(exact, 0, 2).scores)
    assert halved.dtype == torch.bfloat16


def test_the_model_is_left_as_it_was(made):
    before = {name: (weight, weight.clone()) for name, weight in made.model.named_parameters()}
    asked = {name: weight.requires_grad for name, weight in made.model.named_parameters()}
    saliency(made, FIRST, LAST)
    integrated_gradients(made, FIRST, LAST, num_steps=2)
    for name, weight in made.model.named_parameters():
        assert weight is before[name][0]
        assert torch.equal(weight, before[name][1])
        assert weight.grad is None
        assert weight.requires_grad == asked[name]
    assert not made.model.training


def test_gradients_are_made_where_they_are_switched_off(made):
    expected = saliency(made, FIRST, LAST).scores
    with torch.no_grad():
        assert np.array_equal(saliency(made, FIRST, LAST).scores, expected)


@pytest.mark.parametrize("method", [saliency, integrated_gradients])
@pytest.mark.parametrize(("first", "last"), [(-1, 2), (2, 2), (3, 2), (0, 99)])
def test_a_stretch_that_is_not_there_is_refused(writer, method, first, last):
    with pytest.raises(ValueError, match=f"first < last; got {first} to {last}"):
        method(pair(writer), first, last)


def test_integrating_takes_a_step_at_least(writer):
    with pytest.raises(ValueError, match="num_steps must be at least 1; got 0"):
        integrated_gradients(pair(writer), 0, 2, num_steps=0)
