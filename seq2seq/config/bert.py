"""BERT (Devlin et al. 2019) and BertGeneration (Rothe et al. 2020)."""

from __future__ import annotations

from typing import ClassVar

from seq2seq.config.base import PositionEmbeddingType, StackConfig, open_dataclass


@open_dataclass
class BertGenerationConfig(StackConfig):
    """BertGeneration (Rothe et al. 2020). The defaults are google/bert_for_seq_generation_L-24_bbc_encoder's."""

    model_type: ClassVar[str] = "bert-generation"
    also_reads: ClassVar[frozenset[str]] = frozenset({"bert"})

    vocab_size: int = 50358
    hidden_size: int = 1024
    num_hidden_layers: int = 24
    num_attention_heads: int = 16
    intermediate_size: int = 4096
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0
    bos_token_id: int | None = 2
    eos_token_id: int | None = 1
    position_embedding_type: PositionEmbeddingType = "absolute"
    use_cache: bool = True


@open_dataclass
class BertConfig(StackConfig):
    """BERT (Devlin et al. 2019). The defaults are google-bert/bert-base-uncased's."""

    model_type: ClassVar[str] = "bert"

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0
    position_embedding_type: PositionEmbeddingType = "absolute"
    use_cache: bool = True
    classifier_dropout: float | None = None
    bos_token_id: int | None = None
    eos_token_id: int | None = None

    @property
    def adds_position_embeddings(self) -> bool:
        return self.position_embedding_type == "absolute"

    @property
    def num_token_types(self) -> int:
        return self.type_vocab_size
