"""A stack with a language-modelling head: the logits of the next token, the loss, and what generation needs."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.config import StackConfig
from seq2seq.linear import Linear
from seq2seq.models.outputs import BaseModelOutputWithPastAndCrossAttentions, CausalLMOutputWithCrossAttentions
from seq2seq.models.pretrained import PreTrainedModel
from seq2seq.models.stack import Stack


class LanguageModel(PreTrainedModel):
    """Stack, then `lm_head`, whose weight is the word embeddings' unless the configuration says otherwise."""

    def __init__(self, config: StackConfig, stack: Stack):
        super().__init__(config)
        self.stack = stack
        self.lm_head = Linear(config.hidden_size, config.vocab_size)

    def ties(self) -> dict[str, str]:
        return {"lm_head.weight": "stack.embeddings.word.weight"} if self.config.tie_word_embeddings else {}

    def is_new_in_warm_start(self, name: str) -> bool:
        return not name.startswith("stack.") or self.stack.is_new_in_warm_start(name)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.stack.get_input_embeddings()

    def get_output_embeddings(self) -> nn.Linear:
        return self.lm_head

    def logits(self, hidden_states: Tensor) -> Tensor:
        """B T D -> B T V"""
        return self.lm_head(hidden_states)

    def run(
        self, *, labels: Tensor | None = None, use_cache: bool | None = None, **inputs: Any
    ) -> CausalLMOutputWithCrossAttentions:
        """The stack's forward pass, logits, and with labels (B T, -100 ignored) the loss of predicting the next one."""
        output = self.stack.run(use_cache=False if labels is not None else use_cache, **inputs)
        logits = self.logits(output.last_hidden_state)
        loss = None if labels is None else token_loss(logits[:, :-1], labels[:, 1:])
        return with_logits(output, logits, loss)


def with_logits(
    output: BaseModelOutputWithPastAndCrossAttentions, logits: Tensor, loss: Tensor | None
) -> CausalLMOutputWithCrossAttentions:
    """A stack's output as that of the language model on it."""
    return CausalLMOutputWithCrossAttentions(
        loss=loss,
        logits=logits,
        past_key_values=output.past_key_values,
        hidden_states=output.hidden_states,
        attentions=output.attentions,
        cross_attentions=output.cross_attentions,
    )


def token_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of labels (B T) under logits (B T V), in float32; labels of -100 do not count."""
    return F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=-100)
