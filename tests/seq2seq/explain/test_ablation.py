"""Parts of a source left out or hidden, against plain passes over what is left."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from seq2seq.explain import ablation as module
from seq2seq.explain.ablation import AblationStep, ablation, masked_ablation
from seq2seq.tasks import Writer
from tests.seq2seq.explain.conftest import pair, unsure

FIRST, LAST = 1, 4
TEXT = "Anna Lind moved to Oslo. She opened a small bakery. Rain fell all night."
SENTENCES = [
    ("Anna Lind moved to Oslo.", 0, 25),
    ("She opened a small bakery.", 25, 52),
    ("Rain fell all night.", 52, 72),
]


@pytest.fixture(params=["writer", "summarizing"])
def made(request):
    return unsure(request.getfixturevalue(request.param), TEXT)


def inside(made, start, end):
    """Places of the source's tokens in a stretch of its text."""
    return [i for i, token in enumerate(made.source.tokens) if not token.special and start <= token.start < end]


def without(ids, places):
    return [each for place, each in enumerate(ids) if place not in places]


@torch.no_grad()
def log_probability(made, **source):
    logits = made.model(decoder_input_ids=made.decoder_input_ids, use_cache=False, **source).logits[0]
    return logits.log_softmax(-1)[range(FIRST, LAST), made.target_ids[FIRST:LAST]].sum().item()


def drop(made, places):
    """How far the log-probability falls for a source of the other tokens alone."""
    ids = without(made.source.input_ids, places)
    return log_probability(made, input_ids=made.input_ids) - log_probability(made, input_ids=torch.tensor([ids]))


def drop_from_sight(made, places):
    """How far it falls where the encoder's states of these tokens are taken away."""
    with torch.no_grad():
        states = made.model.get_encoder()(input_ids=made.input_ids).last_hidden_state
    kept = states[:, without(range(states.shape[1]), places)]
    return log_probability(made, encoder_outputs=(states,)) - log_probability(made, encoder_outputs=(kept,))


def test_leaving_out_a_sentence_is_reading_the_others(made):
    *_, result = ablation(made, FIRST, LAST)
    expected = [drop(made, inside(made, start, end)) for _, start, end in SENTENCES]
    assert np.abs(expected).min() > 1e-3
    assert np.allclose(result.scores, expected, atol=1e-4)
    assert [(piece.text, piece.start, piece.end) for piece in result.sources] == SENTENCES
    assert result.log_probability == pytest.approx(log_probability(made, input_ids=made.input_ids), abs=1e-4)
    assert (result.method, result.source_text, result.scores.dtype) == ("ablation", TEXT, np.float32)


def test_hiding_a_sentence_is_decoding_without_its_states(made):
    result = masked_ablation(made, FIRST, LAST)
    expected = [drop_from_sight(made, inside(made, start, end)) for _, start, end in SENTENCES]
    assert np.abs(expected).min() > 1e-3
    assert np.allclose(result.scores, expected, atol=1e-4)
    assert [(piece.text, piece.start, piece.end) for piece in result.sources] == SENTENCES
    assert result.log_probability == pytest.approx(log_probability(made, input_ids=made.input_ids), abs=1e-4)


def test_more_stretches_than_are_hidden_at_once_get_the_same_scores(made, monkeypatch):
    expected = masked_ablation(made, FIRST, LAST).scores
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 3)
    assert np.allclose(masked_ablation(made, FIRST, LAST).scores, expected, atol=1e-5)


@pytest.mark.parametrize("way", ["left out", "hidden"])
def test_many_sentences_are_taken_together_with_their_neighbours(made, monkeypatch, way):
    monkeypatch.setattr(module, "MOST_STRETCHES", 2)
    result = masked_ablation(made, FIRST, LAST) if way == "hidden" else list(ablation(made, FIRST, LAST))[-1]
    both = f"{SENTENCES[0][0]} {SENTENCES[1][0]}"
    assert [(piece.text, piece.start, piece.end) for piece in result.sources] == [(both, 0, 52), SENTENCES[2]]
    measure = drop_from_sight if way == "hidden" else drop
    expected = [measure(made, inside(made, *span)) for span in ((0, 52), (52, 72))]
    assert np.allclose(result.scores, expected, atol=1e-4)


def test_each_pass_is_told_before_it_is_made(made):
    *steps, _ = ablation(made, FIRST, LAST)
    assert steps == [AblationStep(done, 4) for done in range(4)]


def test_who_stops_iterating_stops_the_work(made, monkeypatch):
    passes = []
    hook = made.model.register_forward_pre_hook(lambda *_: passes.append(1))
    steps = ablation(made, FIRST, LAST)
    assert [next(steps), len(passes)] == [AblationStep(0, 4), 0]
    assert [next(steps), len(passes)] == [AblationStep(1, 4), 1]
    steps.close()
    hook.remove()
    assert list(steps) == []
    assert len(passes) == 1


def test_without_its_only_sentence_special_tokens_are_left(writer):
    made = pair(writer, "Anna Lind moved to Oslo.", min_new_tokens=6)
    *_, result = ablation(made, FIRST, LAST)
    assert [token.special for token in made.source.tokens].count(True) > 0
    assert np.allclose(result.scores, [drop(made, inside(made, 0, 99))], atol=1e-4)


def test_without_its_only_sentence_and_special_tokens_padding_is_left(engine):
    made = pair(engine.load("fuse", "plain"), "Anna Lind moved to Oslo.", min_new_tokens=6)
    made = replace(made, source=without_special(made.source))
    *_, result = ablation(made, FIRST, LAST)
    expected = log_probability(made, input_ids=made.input_ids) - log_probability(made, input_ids=torch.tensor([[0]]))
    assert np.allclose(result.scores, [expected], atol=1e-4)
    assert np.isfinite(masked_ablation(made, FIRST, LAST).scores).all()


def without_special(source):
    places = {place for place, token in enumerate(source.tokens) if token.special}
    ids, tokens = without(source.input_ids, places), without(source.tokens, places)
    return replace(source, input_ids=tuple(ids), tokens=tuple(tokens))


def test_what_was_cut_off_is_not_left_out(writer):
    made = pair(writer, f"{TEXT} " * 4)
    assert made.source.num_cut_tokens > 0
    *steps, result = ablation(made, 0, 2)
    assert len(steps) == len(result.sources) + 1
    assert all(inside(made, piece.start, piece.end) for piece in result.sources)
    assert masked_ablation(made, 0, 2).sources == result.sources


def test_a_bfloat16_model_tells_about_the_same(writer):
    made = pair(writer, TEXT, min_new_tokens=6)
    halved = replace(made, writer=Writer(copy.deepcopy(writer.model).bfloat16(), writer.tokenizer))
    assert np.allclose(masked_ablation(halved, FIRST, LAST).scores, masked_ablation(made, FIRST, LAST).scores, atol=0.5)


def test_nothing_asks_for_gradients_afterwards(made):
    asked = [weight.requires_grad for weight in made.model.parameters()]
    assert torch.is_grad_enabled()
    list(ablation(made, FIRST, LAST))
    masked_ablation(made, FIRST, LAST)
    assert torch.is_grad_enabled()
    assert [weight.requires_grad for weight in made.model.parameters()] == asked
    assert all(weight.grad is None for weight in made.model.parameters())


@pytest.mark.parametrize("method", [lambda *args: list(ablation(*args)), masked_ablation])
@pytest.mark.parametrize(("first", "last"), [(-1, 2), (2, 2), (0, 99)])
def test_a_stretch_that_is_not_there_is_refused(writer, method, first, last):
    with pytest.raises(ValueError, match=f"first < last; got {first} to {last}"):
        method(pair(writer), first, last)
