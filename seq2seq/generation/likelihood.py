"""How likely a model finds what it did not choose: tokens are given, not searched for. No model inside."""

from __future__ import annotations

import torch
from torch import LongTensor, Tensor

from seq2seq.generation.generate import NextToken


@torch.no_grad()
def log_probabilities(next_token: NextToken, start_ids: LongTensor, continuations: LongTensor) -> Tensor:
    """M K: of each token of M continuations (M K) of one start (1 t), given those before it.

    The model must not have read anything yet. All continuations are read side by side, and the source once.
    """
    logits = next_token(start_ids)
    next_token.reorder(torch.zeros(len(continuations), dtype=torch.long))
    logits = logits.expand(len(continuations), -1)
    columns = continuations.to(start_ids.device).split(1, dim=1)  # K times M 1
    found = []
    for place, tokens in enumerate(columns):
        if place:
            logits = next_token(columns[place - 1])
        found.append(logits.float().log_softmax(dim=-1).gather(1, tokens))
    return torch.cat(found, dim=1)
