"""The loss of targets straight from hidden states: against the definition, its gradients too, and the models' own."""

import pytest
import torch
from torch.nn import functional as F

from seq2seq.linear import Linear
from seq2seq.models import (
    BertGenerationConfig,
    BigBirdPegasusConfig,
    BigBirdPegasusForConditionalGeneration,
    EncoderDecoderConfig,
    EncoderDecoderModel,
)
from seq2seq.training.token_loss import ROWS_AT_ONCE, token_loss
from seq2seq.training.writing import PairExample

SPECIAL = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 2}


@pytest.mark.parametrize("rows", [1, ROWS_AT_ONCE, 2 * ROWS_AT_ONCE + 3])
@pytest.mark.parametrize("bias", [True, False])
def test_loss_and_gradients_are_those_of_cross_entropy(rows, bias):
    torch.manual_seed(rows)
    head, labels = Linear(8, 50, bias=bias), torch.randint(50, (rows,))
    values = torch.randn(rows, 8)
    found = []
    for loss_of in (
        lambda hidden: F.cross_entropy(head(hidden), labels),
        lambda hidden: token_loss(hidden, head, labels),
    ):
        hidden = values.clone().requires_grad_()
        head.zero_grad()
        loss = loss_of(hidden)
        (3 * loss).backward()
        found.append((loss.detach(), hidden.grad, *(parameter.grad for parameter in head.parameters())))
    for expected, got in zip(*found, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-6, rtol=1e-5)


def test_what_is_frozen_gets_no_gradient():
    head = Linear(8, 50).requires_grad_(False)
    hidden = torch.randn(4, 8, requires_grad=True)
    token_loss(hidden, head, torch.arange(4)).backward()
    assert head.weight.grad is None
    assert hidden.grad is not None


def pair_of_stacks() -> EncoderDecoderModel:
    half = BertGenerationConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    return EncoderDecoderModel(EncoderDecoderConfig.from_encoder_decoder_configs(half, half, **SPECIAL))


def pegasus() -> BigBirdPegasusForConditionalGeneration:
    return BigBirdPegasusForConditionalGeneration(BigBirdPegasusConfig(
        vocab_size=40, d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=32, dropout=0.0,
        **SPECIAL,
    ))  # fmt: skip


@pytest.mark.parametrize("make", [pair_of_stacks, pegasus])
def test_the_loss_of_pairs_is_the_models_own(make):
    torch.manual_seed(0)
    model = make()
    rows = [([5, 6, 7, 8], [9, 1]), ([10], [11, 12, 13, 1]), ([14, 15, 16], [1])]
    examples = [PairExample("summarize", *row) for row in rows]
    own = model(
        input_ids=torch.tensor([[5, 6, 7, 8], [10, 0, 0, 0], [14, 15, 16, 0]]),
        attention_mask=torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 1, 0]]),
        labels=torch.tensor([[9, 1, -100, -100], [11, 12, 13, 1], [1, -100, -100, -100]]),
    ).loss
    assert PairExample.loss(model, examples).item() == pytest.approx(own.item(), rel=1e-5)
