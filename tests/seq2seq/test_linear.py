"""The second way to multiply gives what torch's own gives."""

import pytest
import torch
from torch.nn import functional as F

from seq2seq.linear import BY_ONEDNN, FUSED, HAS_ONEDNN, Linear, gelu_tanh, rounded_up

needs_onednn = pytest.mark.skipif(not HAS_ONEDNN, reason="this build of torch comes without oneDNN")
SHAPES = [(1, 24), (5, 24), (2, 3, 24), (5, 1, 24), (1, 5, 24), (70, 24), (2, 9, 24), (0, 24)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("out_features", [24, 96, 8])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_both_ways_are_equal(shape, out_features, bias, dtype):
    layer, x = Linear(24, out_features, bias, dtype=dtype), torch.randn(shape, dtype=dtype)
    with torch.no_grad():
        expected = F.linear(x, layer.weight, layer.bias)
        close(layer(x), expected)
        for activation in (*FUSED, F.silu):
            close(layer.activated(x, activation), activation(expected))


def close(found, expected):
    tolerance = 0.03 if expected.dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)


@needs_onednn
def test_views_are_read_as_they_lie():
    layer, x = Linear(24, 30), torch.randn(24, 9, 5)
    with torch.no_grad():
        view = x.permute(2, 1, 0)[::2]
        assert layer.is_faster_by_onednn(view)
        close(layer(view), F.linear(view, layer.weight, layer.bias))


@needs_onednn
def test_when_the_second_way_is_taken():
    layer = Linear(24, 48)
    with torch.no_grad():
        assert layer.is_faster_by_onednn(torch.randn(5, 1, 24))
        assert not layer.is_faster_by_onednn(torch.randn(1, 24))
        assert not layer.is_faster_by_onednn(torch.randn(5, 24, dtype=torch.float64))
        assert not layer.is_faster_by_onednn(torch.randn(5, 24, dtype=torch.bfloat16))
        with torch.autocast("cpu", torch.bfloat16):
            assert not layer.is_faster_by_onednn(torch.randn(5, 24))
    assert not layer.is_faster_by_onednn(torch.randn(5, 24))


@pytest.mark.skipif(torch.bfloat16 not in BY_ONEDNN, reason="oneDNN has no bfloat16 on this processor")
def test_one_row_of_bfloat16_goes_the_second_way():
    with torch.no_grad():
        assert Linear(24, 48, dtype=torch.bfloat16).is_faster_by_onednn(torch.randn(1, 24, dtype=torch.bfloat16))


def test_texts_of_all_lengths_are_of_few_numbers_of_rows():
    numbers = {rows: rounded_up(rows) for rows in range(1, 4097)}
    assert all(rows <= rounded <= min(1.125 * rows, rows + 63) for rows, rounded in numbers.items())
    assert len(set(numbers.values())) < 120


def test_gradients_go_through_the_activation():
    layer, x = Linear(24, 48), torch.randn(5, 24, requires_grad=True)
    layer.activated(x, gelu_tanh).sum().backward()
    assert x.grad.isfinite().all()
