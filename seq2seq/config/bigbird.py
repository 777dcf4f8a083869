"""BigBird and BigBird-Pegasus (Zaheer et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from seq2seq.attention.block_table import BlockSparsity, RandomBlocks
from seq2seq.config.base import PretrainedConfig, StackConfig, open_dataclass

AttentionType = Literal["block_sparse", "original_full"]


@open_dataclass
class BigBirdConfig(StackConfig):
    """BigBird (Zaheer et al. 2020). The defaults are google/bigbird-roberta-base's.

    `random_blocks` is ours: see `attention.block_table.BlockSparsity`.
    """

    model_type: ClassVar[str] = "big_bird"

    vocab_size: int = 50358
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu_new"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 4096
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    use_cache: bool = True
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | None = 2
    sep_token_id: int | None = 66
    attention_type: AttentionType = "block_sparse"
    use_bias: bool = True
    rescale_embeddings: bool = False
    block_size: int = 64
    num_random_blocks: int = 3
    classifier_dropout: float | None = None
    random_blocks: RandomBlocks = field(default="reference", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sparsity(self)

    @property
    def num_token_types(self) -> int:
        return self.type_vocab_size

    @property
    def attention_biases(self) -> tuple[bool, bool]:
        return self.use_bias, True

    @property
    def embedding_scale(self) -> float:
        return self.hidden_size**0.5 if self.rescale_embeddings else 1.0

    @property
    def block_sparsity(self) -> BlockSparsity | None:
        return block_sparsity_of(self)


@open_dataclass
class BigBirdPegasusConfig(PretrainedConfig):
    """BigBird-Pegasus (Zaheer et al. 2020). The defaults are google/bigbird-pegasus-large-arxiv's.

    `hidden_size`, `num_hidden_layers`, `num_attention_heads` and `attention_probs_dropout_prob` are second names of
    `d_model`, `encoder_layers`, `encoder_attention_heads` and `attention_dropout`. `encoder` and `decoder` are the two
    stacks' own configurations, made from this one. `random_blocks` is ours: see `attention.block_table.BlockSparsity`.
    """

    model_type: ClassVar[str] = "bigbird_pegasus"

    vocab_size: int = 96103
    max_position_embeddings: int = 4096
    encoder_layers: int = 16
    encoder_ffn_dim: int = 4096
    encoder_attention_heads: int = 16
    decoder_layers: int = 16
    decoder_ffn_dim: int = 4096
    decoder_attention_heads: int = 16
    encoder_layerdrop: float = 0.0
    decoder_layerdrop: float = 0.0
    use_cache: bool = True
    is_encoder_decoder: bool = True
    activation_function: str = "gelu_new"
    d_model: int = 1024
    dropout: float = 0.1
    attention_dropout: float = 0.0
    activation_dropout: float = 0.0
    init_std: float = 0.02
    decoder_start_token_id: int | None = 2
    classifier_dropout: float = 0.0
    scale_embedding: bool = True
    pad_token_id: int | None = 0
    bos_token_id: int | None = 2
    eos_token_id: int | None = 1
    attention_type: AttentionType = "block_sparse"
    block_size: int = 64
    num_random_blocks: int = 3
    use_bias: bool = False
    random_blocks: RandomBlocks = field(default="reference", kw_only=True)
    problem_type: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sparsity(self)
        for heads in ("encoder_attention_heads", "decoder_attention_heads"):
            if self.d_model % getattr(self, heads):
                raise ValueError(f"d_model ({self.d_model}) must be a multiple of {heads} ({getattr(self, heads)}).")
        _ = self.encoder, self.decoder  # which check their own sizes

    @classmethod
    def from_dict(cls, values: dict[str, Any], **overrides: Any) -> BigBirdPegasusConfig:
        if values.get("id2label"):  # numbers, which a JSON file holds as strings
            values = {**values, "id2label": {int(index): label for index, label in values["id2label"].items()}}
        return super().from_dict(values, **overrides)

    @property
    def num_labels(self) -> int:
        """Classes to tell apart; written to a file as the names of the classes, `id2label`."""
        return len(getattr(self, "id2label", None) or ()) or 2

    @num_labels.setter
    def num_labels(self, count: int) -> None:
        if count != self.num_labels:
            self.id2label = {index: f"LABEL_{index}" for index in range(count)}
            self.label2id = {label: index for index, label in self.id2label.items()}

    @property
    def encoder(self) -> BigBirdPegasusStackConfig:
        return BigBirdPegasusStackConfig.half(self, "encoder", block_sparsity=block_sparsity_of(self))

    @property
    def decoder(self) -> BigBirdPegasusStackConfig:
        return BigBirdPegasusStackConfig.half(
            self,
            "decoder",
            is_decoder=True,
            add_cross_attention=True,
            activation_dropout=self.activation_dropout,
        )


def second_name(name: str) -> property:
    return property(lambda self: getattr(self, name), lambda self, value: setattr(self, name, value))


BigBirdPegasusConfig.hidden_size = second_name("d_model")
BigBirdPegasusConfig.num_hidden_layers = second_name("encoder_layers")
BigBirdPegasusConfig.num_attention_heads = second_name("encoder_attention_heads")
BigBirdPegasusConfig.attention_probs_dropout_prob = second_name("attention_dropout")
BigBirdPegasusConfig.initializer_range = second_name("init_std")


@dataclass(kw_only=True)
class BigBirdPegasusStackConfig(StackConfig):
    """One half of a BigBirdPegasusConfig, under the names that all stacks use. It has no file of its own."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: str
    hidden_dropout_prob: float
    attention_probs_dropout_prob: float
    max_position_embeddings: int
    initializer_range: float
    pad_token_id: int | None
    use_cache: bool
    use_bias: bool
    embedding_scale: float = 1.0
    layerdrop: float = 0.0
    activation_dropout: float = 0.0
    block_sparsity: BlockSparsity | None = None
    layer_norm_eps: float = 1e-5
    norms_first: bool = True

    @classmethod
    def half(cls, config: BigBirdPegasusConfig, half: str, **role: Any) -> BigBirdPegasusStackConfig:
        return cls(
            vocab_size=config.vocab_size,
            hidden_size=config.d_model,
            num_hidden_layers=getattr(config, f"{half}_layers"),
            num_attention_heads=getattr(config, f"{half}_attention_heads"),
            intermediate_size=getattr(config, f"{half}_ffn_dim"),
            hidden_act=config.activation_function,
            hidden_dropout_prob=config.dropout,
            attention_probs_dropout_prob=config.attention_dropout,
            max_position_embeddings=config.max_position_embeddings,
            initializer_range=config.init_std,
            pad_token_id=config.pad_token_id,
            use_cache=config.use_cache,
            use_bias=config.use_bias,
            embedding_scale=config.d_model**0.5 if config.scale_embedding else 1.0,
            layerdrop=getattr(config, f"{half}_layerdrop"),
            output_attentions=config.output_attentions,
            output_hidden_states=config.output_hidden_states,
            **role,
        )

    @property
    def attention_biases(self) -> tuple[bool, bool]:
        return self.use_bias, self.use_bias


def block_sparsity_of(config: BigBirdConfig | BigBirdPegasusConfig) -> BlockSparsity | None:
    """The pattern that a configuration asks for; None for `original_full`."""
    if config.attention_type == "original_full":
        return None
    return BlockSparsity(config.block_size, config.num_random_blocks, config.random_blocks)


def check_sparsity(config: BigBirdConfig | BigBirdPegasusConfig) -> None:
    for name, kinds in (("attention_type", AttentionType.__args__), ("random_blocks", RandomBlocks.__args__)):
        if getattr(config, name) not in kinds:
            raise ValueError(f"{name} must be one of {', '.join(kinds)}; got {getattr(config, name)!r}.")
    if config.block_size < 1 or config.num_random_blocks < 0:
        raise ValueError(
            f"block_size must be 1 or more and num_random_blocks 0 or more; got {config.block_size} and "
            f"{config.num_random_blocks}."
        )
