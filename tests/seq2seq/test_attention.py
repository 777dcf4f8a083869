"""The kernel against its definition, masks, the tape, and beams that share a source."""

import itertools
import math
import threading

import pytest
import torch

from seq2seq.attention import masks
from seq2seq.attention.kernel import Dense, attend, attend_with_weights
from seq2seq.attention.multihead import CrossAttention, RelativeSelfAttention, SelfAttention
from seq2seq.attention.tape import recording, running_tape, tape_for, unwatched
from seq2seq.generation.cache import LayerCache
from seq2seq.models import BertConfig, BertLMHeadModel

WIDTH, HEADS = 12, 3


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def by_hand(query, key, value, visible):
    """softmax(QK^T / sqrt(d)) V, a row at a time and over the keys it sees only."""
    output = torch.zeros(query.shape)
    for b, h, t in itertools.product(*(range(size) for size in query.shape[:3])):
        seen = [s for s in range(key.shape[2]) if visible[b, h, t, s]]
        scores = [float(query[b, h, t] @ key[b, h, s]) / math.sqrt(query.shape[3]) for s in seen]
        weights = [math.exp(score) for score in scores]
        for s, weight in zip(seen, weights, strict=True):
            output[b, h, t] += weight / sum(weights) * value[b, h, s]
    return output


VISIBLE = {
    "all": torch.ones(1, 1, 1, 6, dtype=torch.bool),
    "causal": masks.causal(4, 6),
    "padding": masks.padding(torch.tensor([[1, 1, 0, 1, 0, 0], [0, 0, 0, 0, 0, 1]])),
    "both": masks.causal(4, 6) & masks.padding(torch.tensor([[1, 1, 0, 1, 0, 0], [1, 0, 0, 0, 0, 1]])),
}


@pytest.mark.parametrize("visible", VISIBLE)
def test_both_paths_of_the_kernel_are_its_definition(visible):
    query, key, value = randn(2, 3, 4, 5), randn(2, 3, 6, 5, seed=1), randn(2, 3, 6, 5, seed=2)
    bias = masks.as_bias(VISIBLE[visible], torch.float32)
    expected = by_hand(query, key, value, VISIBLE[visible].expand(2, 3, 4, 6))
    with torch.no_grad():
        fused = attend(query, key, value, bias)
    defined, weights = attend_with_weights(query, key, value, bias)
    torch.testing.assert_close(fused, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(defined, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 4))
    assert not weights[~VISIBLE[visible].expand(2, 3, 4, 6)].any()


def test_no_bias_is_all_visible():
    query, key, value = randn(2, 3, 4, 5), randn(2, 3, 6, 5, seed=1), randn(2, 3, 6, 5, seed=2)
    bias = masks.as_bias(VISIBLE["all"], torch.float32)
    assert attend_with_weights(query, key, value)[0].equal(attend_with_weights(query, key, value, bias)[0])


@pytest.mark.parametrize("shape", [None, (1, 1, 1, 6), (2, 1, 150, 6), (1, 3, 150, 6)])
def test_pieces_are_the_rows_of_the_weights(shape):
    query, key = randn(2, 3, 150, 5), randn(2, 3, 6, 5, seed=1)
    pattern = Dense(None if shape is None else randn(*shape, seed=2))
    pieces = list(pattern.pieces(query, key))
    assert len(pieces) > 1
    assert all(piece.columns.equal(torch.arange(6)[None]) for piece in pieces)
    assert [row for piece in pieces for row in range(150)[piece.rows]] == list(range(150))
    weights = torch.cat([piece.weights for piece in pieces], dim=2)
    torch.testing.assert_close(weights, pattern.attend_with_weights(query, key, key)[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_row_that_sees_nothing_stays_finite(dtype):
    query, key, value = (randn(1, 1, 2, 4, seed=seed).to(dtype) for seed in range(3))
    bias = masks.as_bias(torch.zeros(1, 1, 2, 2, dtype=torch.bool), dtype)
    with torch.no_grad():
        assert attend(query, key, value, bias).isfinite().all()
    assert attend_with_weights(query, key, value, bias)[0].isfinite().all()


def test_causal_queries_are_the_last_of_the_keys():
    assert masks.causal(3, 3)[0, 0].int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert masks.causal(2, 4)[0, 0].int().tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert masks.causal(1, 3)[0, 0].int().tolist() == [[1, 1, 1]]


def test_padding_takes_one_row_a_text_or_one_a_query():
    assert masks.padding(torch.tensor([[1, 0], [1, 1]])).shape == (2, 1, 1, 2)
    assert masks.padding(torch.ones(2, 3, 4)).shape == (2, 1, 3, 4)
    assert masks.padding(torch.tensor([[1.0, 0.0, 0.5]]))[0, 0, 0].tolist() == [True, False, True]


def test_a_bias_adds_nothing_or_the_lowest_number():
    bias = masks.as_bias(torch.tensor([True, False]), torch.float16)
    assert bias.tolist() == [0.0, torch.finfo(torch.float16).min]


def test_a_head_mask_scales_a_heads_part():
    attention = SelfAttention(WIDTH, HEADS, 0.0, "encoder", 0).requires_grad_(False)
    x, scales = randn(2, 5, WIDTH), torch.tensor([1.0, 0.5, 0.0])
    with recording(lambda kind, layer: True) as tape:
        plain = attention(x)
        full = tape.weights["encoder", 0]
        masked = attention(x, head_mask=scales[:, None, None])
        scaled = tape.weights["encoder", 0]
    torch.testing.assert_close(scaled, full * scales[:, None, None])
    # The part of each head in the output is linear in its scale.
    parts = []
    for head in range(HEADS):
        only = torch.zeros(HEADS, 1, 1)
        only[head] = 1
        parts.append(attention(x, head_mask=only) - attention.output.bias)
    torch.testing.assert_close(plain, sum(parts) + attention.output.bias)
    expected = sum(scale * part for scale, part in zip(scales, parts, strict=True)) + attention.output.bias
    torch.testing.assert_close(masked, expected)
    torch.testing.assert_close(attention(x, head_mask=scales[:, None, None]), expected)


@pytest.mark.parametrize("with_key", [False, True])
def test_relative_positions_know_distances_and_no_places(with_key):
    attention = RelativeSelfAttention(WIDTH, HEADS, 0.0, "encoder", 0, 8, with_key).requires_grad_(False)
    x = randn(1, 4, WIDTH)
    alone = attention(x)
    unseen = masks.as_bias(masks.padding(torch.tensor([[0, 0, 0, 1, 1, 1, 1]])), torch.float32)
    moved = attention(torch.cat((randn(1, 3, WIDTH, seed=1), x), dim=1), Dense(unseen))
    torch.testing.assert_close(moved[:, 3:], alone, atol=1e-5, rtol=1e-5)
    turned = attention(x.flip(1)).flip(1)
    assert not torch.allclose(turned, alone, atol=1e-3)


@pytest.mark.parametrize("num_beams", [1, 3])
@pytest.mark.parametrize("cached", [False, True])
def test_beams_that_share_a_source_see_what_each_would_alone(num_beams, cached):
    attention = CrossAttention(WIDTH, HEADS, 0.0, "cross", 0).requires_grad_(False)
    x, source = randn(2 * num_beams, 2, WIDTH), randn(2, 5, WIDTH, seed=1)
    bias = masks.as_bias(masks.padding(torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])), torch.float32)
    expanded = source.repeat_interleave(num_beams, dim=0), Dense(bias.repeat_interleave(num_beams, dim=0))
    expected = attention(x, *expanded)
    cache = LayerCache() if cached else None
    torch.testing.assert_close(attention(x, source, Dense(bias), cache=cache), expected)
    if cached:
        # The source is read once: later calls do not look at it.
        torch.testing.assert_close(attention(x, torch.full_like(source, torch.nan), Dense(bias), cache=cache), expected)
        assert cache.cross_attention.pair[0].shape[0] == 2


def small_model(**changes):
    shape = {"hidden_size": WIDTH, "num_attention_heads": HEADS, "num_hidden_layers": 3, "intermediate_size": 8}
    return BertLMHeadModel(
        BertConfig(vocab_size=11, is_decoder=True, add_cross_attention=True, **shape, **changes)
    ).eval()


IDS, STATES = torch.tensor([[3, 4, 5]]), randn(1, 4, WIDTH)


@torch.no_grad()
def test_the_tape_records_what_is_wanted_and_no_more():
    model = small_model()
    with recording(lambda kind, layer: kind == "cross" and layer == 1) as tape:
        model(IDS, encoder_hidden_states=STATES)
    assert list(tape.weights) == [("cross", 1)]
    assert tape.weights["cross", 1].shape == (1, HEADS, 3, 4)
    assert tape.hidden_states == []
    everything = model(IDS, encoder_hidden_states=STATES, output_attentions=True)
    torch.testing.assert_close(tape.weights["cross", 1], everything.cross_attentions[1])


@torch.no_grad()
def test_watching_changes_no_result():
    model = small_model()
    plain = model(IDS, encoder_hidden_states=STATES).logits
    watched = model(IDS, encoder_hidden_states=STATES, output_attentions=True, output_hidden_states=True).logits
    torch.testing.assert_close(plain, watched, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_without_a_tape_no_weights_are_made(monkeypatch):
    def never(*args):
        raise AssertionError("the weights were computed")

    model = small_model()
    monkeypatch.setattr("seq2seq.attention.kernel.attend_with_weights", never)
    model(IDS, encoder_hidden_states=STATES)
    with pytest.raises(AssertionError, match="the weights were computed"):
        model(IDS, encoder_hidden_states=STATES, output_attentions=True)


def test_the_innermost_tape_records_and_the_outer_one_comes_back():
    assert running_tape() is None
    with recording(lambda kind, layer: True) as outer:
        with recording(lambda kind, layer: kind == "cross") as inner:
            assert tape_for("cross", 0) is inner
            assert tape_for("encoder", 0) is None
        assert running_tape() is outer
    assert running_tape() is None


def test_no_tape_runs_where_it_is_unwatched_and_the_outer_one_comes_back():
    with recording(lambda kind, layer: True) as tape:
        with unwatched():
            assert running_tape() is None
        assert running_tape() is tape


def test_a_tape_ends_with_an_error():
    with pytest.raises(RuntimeError), recording(lambda kind, layer: True):
        raise RuntimeError
    assert running_tape() is None


@torch.no_grad()
def test_a_tape_does_not_hear_other_threads():
    model = small_model()
    found = []

    def elsewhere():
        found.append(running_tape())
        model(IDS, encoder_hidden_states=STATES)

    with recording(lambda kind, layer: True) as tape:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert found == [None]
    assert tape.weights == {}
