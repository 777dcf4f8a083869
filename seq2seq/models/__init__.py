"""The public models, under the names that their documentation gives them."""

from seq2seq.config import BertConfig, BertGenerationConfig, BigBirdConfig, BigBirdPegasusConfig, EncoderDecoderConfig
from seq2seq.models.bert import BertLMHeadModel, BertModel
from seq2seq.models.bert_generation import BertGenerationDecoder, BertGenerationEncoder
from seq2seq.models.bigbird import BigBirdForQuestionAnswering, BigBirdModel
from seq2seq.models.bigbird_pegasus import (
    BigBirdPegasusForCausalLM,
    BigBirdPegasusForConditionalGeneration,
    BigBirdPegasusForQuestionAnswering,
    BigBirdPegasusForSequenceClassification,
    BigBirdPegasusModel,
)
from seq2seq.models.encoder_decoder import EncoderDecoderModel

__all__ = [
    "BertConfig",
    "BertGenerationConfig",
    "BertGenerationDecoder",
    "BertGenerationEncoder",
    "BertLMHeadModel",
    "BertModel",
    "BigBirdConfig",
    "BigBirdForQuestionAnswering",
    "BigBirdModel",
    "BigBirdPegasusConfig",
    "BigBirdPegasusForCausalLM",
    "BigBirdPegasusForConditionalGeneration",
    "BigBirdPegasusForQuestionAnswering",
    "BigBirdPegasusForSequenceClassification",
    "BigBirdPegasusModel",
    "EncoderDecoderConfig",
    "EncoderDecoderModel",
]
