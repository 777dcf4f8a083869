"""The second way to multiply a few rows gives what torch's own gives."""

import pytest
import torch

from seq2seq.linear import Linear


@pytest.mark.parametrize("shape", [(1, 24), (5, 24), (2, 3, 24), (5, 1, 24), (1, 5, 24), (6, 24), (0, 24)])
@pytest.mark.parametrize("out_features", [24, 96, 8])
def test_few_rows_equal_the_definition(shape, out_features):
    layer, x = Linear(24, out_features), torch.randn(shape)
    with torch.no_grad():
        expected = torch.nn.functional.linear(x, layer.weight, layer.bias)
        assert torch.allclose(layer(x), expected, atol=1e-5)
        assert layer(x).shape == expected.shape


def test_the_second_way_is_for_few_rows_without_gradients():
    layer = Linear(24, 48)
    with torch.no_grad():
        assert layer.is_few_rows(torch.randn(5, 1, 24))
        assert not layer.is_few_rows(torch.randn(1, 24))
        assert not layer.is_few_rows(torch.randn(6, 24))
        assert not layer.is_few_rows(torch.randn(5, 24, dtype=torch.float64))
    assert not layer.is_few_rows(torch.randn(5, 24))
