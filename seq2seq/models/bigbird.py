"""BigBird (Zaheer et al. 2020, 2007.14062): BERT's stack with block-sparse attention, and its head for questions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seq2seq.checkpoints import names
from seq2seq.checkpoints.names import NameTable
from seq2seq.config import BigBirdConfig
from seq2seq.linear import Linear
from seq2seq.models.bert import BertModel
from seq2seq.models.layers import FeedForward
from seq2seq.models.outputs import BigBirdForQuestionAnsweringModelOutput, as_asked
from seq2seq.models.pretrained import PreTrainedModel
from seq2seq.models.questions import span_loss, start_and_end


class BigBirdModel(BertModel):
    """The bare stack with its pooler. Texts longer than (5 + 2 r) blocks are attended to sparsely."""

    config_class = BigBirdConfig

    @classmethod
    def names(cls, config: BigBirdConfig) -> NameTable:
        return names.BIG_BIRD_STACK

    def run(self, *, inputs_embeds: Tensor | None = None, **inputs):
        """As any stack's; vectors that are given are scaled as those of the vocabulary are."""
        if inputs_embeds is not None:
            inputs_embeds = inputs_embeds * self.config.embedding_scale
        return super().run(inputs_embeds=inputs_embeds, **inputs)


class BigBirdForQuestionAnswering(PreTrainedModel):
    """The stack, one more feed-forward layer, and for each token how well an answer would start or end there.

    A text of two parts: [CLS] question [SEP] context [SEP]. Tokens of the question are out of the competition, but for
    the first, which stands for "there is no answer".
    """

    config_class = BigBirdConfig

    def __init__(self, config: BigBirdConfig, add_pooling_layer: bool = False):
        super().__init__(config)
        self.stack = BigBirdModel(config, add_pooling_layer)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.feed_forward = FeedForward(config)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.spans = Linear(config.hidden_size, 2)
        self.post_init()

    @classmethod
    def names(cls, config: BigBirdConfig) -> NameTable:
        return names.BIG_BIRD_QA

    def is_new_in_warm_start(self, name: str) -> bool:
        return not name.startswith("stack.") or self.stack.is_new_in_warm_start(name)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.stack.get_input_embeddings()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        question_lengths: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> BigBirdForQuestionAnsweringModelOutput | tuple:
        """start_logits and end_logits (B T); with start_positions and end_positions (B) also the loss.

        Args:
            question_lengths: (B 1) tokens up to the context; by default up to the first sep_token_id of input_ids.
            token_type_ids: (B T) by default 0 for the question and 1 for the context.
            The other arguments are BertModel's.
        """
        question = self.question(input_ids, question_lengths, inputs_embeds)
        if question is not None and token_type_ids is None:
            token_type_ids = (~question).long()
        output = self.stack(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            head_mask=head_mask,
            inputs_embeds=inputs_embeds,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            return_dict=True,
        )
        logits = self.logits(output.last_hidden_state)
        if question is not None:
            no_answer = torch.arange(question.shape[1], device=question.device) == 0
            logits = logits - 1e6 * (question & ~no_answer)[..., None]
        start_logits, end_logits = start_and_end(logits)
        answered = BigBirdForQuestionAnsweringModelOutput(
            loss=span_loss(start_logits, end_logits, start_positions, end_positions),
            start_logits=start_logits,
            end_logits=end_logits,
            pooler_output=output.pooler_output,
            hidden_states=output.hidden_states,
            attentions=output.attentions,
        )
        return as_asked(answered, return_dict, self.config)

    def question(
        self, input_ids: Tensor | None, question_lengths: Tensor | None, inputs_embeds: Tensor | None
    ) -> Tensor | None:
        """B T: True for the tokens of the question, its marks included; None where nobody can tell."""
        if question_lengths is None and input_ids is None:
            return None
        if question_lengths is None:
            question_lengths = (input_ids == self.config.sep_token_id).long().argmax(dim=1, keepdim=True) + 1
        length = (input_ids if inputs_embeds is None else inputs_embeds).shape[1]
        return torch.arange(length, device=question_lengths.device) < question_lengths

    def logits(self, hidden_states: Tensor) -> Tensor:
        """B T D -> B T 2, of start and end"""
        transformed = self.dropout(self.feed_forward(self.dropout(hidden_states)))
        return self.spans(self.norm(transformed + hidden_states))
