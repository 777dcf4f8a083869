"""Model configurations: plain dataclasses that read and write a checkpoint's config.json.

Names, order and defaults are the documented ones of the reference library, so that its files load unchanged. They are
not frozen: the documented way to make a decoder is `config.is_decoder = True`. Fields that a file carries beyond
those we know are kept as attributes and written back, so nothing is lost on the way through.

Knows no models and no tensors.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field, fields
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, Literal

from seq2seq.attention.block_table import BlockSparsity, RandomBlocks
from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.checkpoints.hub import find_file, read_json

CONFIG_FILE = "config.json"
PositionEmbeddingType = Literal["absolute", "relative_key", "relative_key_query"]
AttentionType = Literal["block_sparse", "original_full"]


def open_dataclass(cls: type) -> type:
    """A dataclass that takes any further keyword arguments too and keeps them as attributes."""
    cls = dataclass(cls)
    known = {f.name for f in fields(cls)}
    plain_init = cls.__init__

    @wraps(plain_init)
    def __init__(self, *args, **kwargs):
        plain_init(self, *args, **{name: kwargs[name] for name in kwargs.keys() & known})
        for name in kwargs.keys() - known:
            setattr(self, name, kwargs[name])

    cls.__init__ = __init__
    return cls


@dataclass(kw_only=True)
class PretrainedConfig:
    """What every configuration shares: the role a stack plays, what a call returns, and the file it lives in."""

    model_type: ClassVar[str] = ""
    also_reads: ClassVar[frozenset[str]] = frozenset()  # types whose checkpoints this family can start from

    is_decoder: bool = False
    add_cross_attention: bool = False
    is_encoder_decoder: bool = False
    cross_attention_hidden_size: int | None = None
    tie_word_embeddings: bool = True
    tie_encoder_decoder: bool = False
    chunk_size_feed_forward: int = 0
    output_attentions: bool = False
    output_hidden_states: bool = False
    return_dict: bool = True
    decoder_start_token_id: int | None = None
    architectures: list[str] | None = None
    torch_dtype: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """A copy as plain data, as config.json holds it."""
        values = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return {"model_type": self.model_type, **copy.deepcopy(values)}

    def to_json_string(self) -> str:
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def save_pretrained(self, save_directory: str | Path) -> None:
        """Writes config.json into the folder, which is made if need be."""
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG_FILE).write_text(self.to_json_string(), encoding="utf-8")

    @classmethod
    def from_dict(cls, values: dict[str, Any], **overrides: Any) -> PretrainedConfig:
        values = {**values, **overrides}
        if "dtype" in values:  # its newer name: two that differ must not be written back
            values["torch_dtype"] = values.pop("dtype")
        model_type = values.pop("model_type", cls.model_type)
        if model_type not in {cls.model_type} | cls.also_reads:
            raise CheckpointError(
                f"{cls.__name__} describes models of type {cls.model_type!r}, and this configuration is of type "
                f"{model_type!r}. Load it with the class of that type, or with seq2seq.config.read_config."
            )
        try:
            return cls(**copy.deepcopy(values))
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"This configuration is not one of a {cls.model_type} model: {error}") from error

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **kwargs: Any) -> PretrainedConfig:
        """Reads config.json from a folder or a Hub id; keyword arguments that are not Hub options override fields."""
        hub_options = take_hub_options(kwargs)
        return cls.from_dict(read_config_values(pretrained_model_name_or_path, **hub_options), **kwargs)


@dataclass(kw_only=True)
class StackConfig(PretrainedConfig):
    """A configuration of one transformer stack: checks what has to hold for any of them.

    What most families do alike is a property here, which the others override.
    """

    position_embedding_type = "absolute"

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size ({self.hidden_size}) must be a multiple of num_attention_heads "
                f"({self.num_attention_heads})."
            )
        kinds = PositionEmbeddingType.__args__
        if self.position_embedding_type not in kinds:
            raise ValueError(
                f"position_embedding_type must be one of {', '.join(kinds)}; got {self.position_embedding_type!r}."
            )

    @property
    def adds_position_embeddings(self) -> bool:
        """Whether a vector of its position joins each token's, beside relative positions in the attention if any."""
        return True

    @property
    def num_token_types(self) -> int:
        """How many kinds of token have a vector of their own; a `type_vocab_size` that came along in a file is none."""
        return 0

    @property
    def embedding_scale(self) -> float:
        """What a word's vector is multiplied by."""
        return 1.0

    @property
    def attention_biases(self) -> tuple[bool, bool]:
        """Whether the projections of query, key and value have a bias, and that of the output."""
        return True, True

    @property
    def norms_first(self) -> bool:
        """Norms before each part of a block and after the last block (pre-norm), or after each part (post-norm)."""
        return False

    @property
    def block_sparsity(self) -> BlockSparsity | None:
        """How long texts are attended to sparsely; None: never."""
        return None

    @property
    def layerdrop(self) -> float:
        """The probability that training skips a block."""
        return 0.0

    @property
    def activation_dropout(self) -> float:
        return 0.0


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
        check_sparsity(self)
        for heads in ("encoder_attention_heads", "decoder_attention_heads"):
            if self.d_model % getattr(self, heads):
                raise ValueError(f"d_model ({self.d_model}) must be a multiple of {heads} ({getattr(self, heads)}).")

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


@open_dataclass
class EncoderDecoderConfig(PretrainedConfig):
    """The pairing of an encoder's and a decoder's configuration, each given as a configuration or its dictionary."""

    model_type: ClassVar[str] = "encoder-decoder"

    encoder: PretrainedConfig | dict[str, Any] = field(default_factory=BertConfig)
    decoder: PretrainedConfig | dict[str, Any] = field(
        default_factory=lambda: BertConfig(is_decoder=True, add_cross_attention=True)
    )
    pad_token_id: int | None = None
    is_encoder_decoder: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.encoder, dict):
            self.encoder = config_from_dict(self.encoder)
        if isinstance(self.decoder, dict):
            self.decoder = config_from_dict(self.decoder)
        width = self.decoder.cross_attention_hidden_size
        if width is not None and width != self.encoder.hidden_size:
            raise ValueError(
                f"The decoder's cross_attention_hidden_size ({width}) must equal the encoder's hidden_size "
                f"({self.encoder.hidden_size})."
            )

    @classmethod
    def from_encoder_decoder_configs(
        cls, encoder_config: PretrainedConfig, decoder_config: PretrainedConfig, **kwargs: Any
    ) -> EncoderDecoderConfig:
        """Pairs two configurations; the decoder's is_decoder and add_cross_attention are switched on in place."""
        decoder_config.is_decoder = True
        decoder_config.add_cross_attention = True
        return cls(encoder=encoder_config.to_dict(), decoder=decoder_config.to_dict(), **kwargs)

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "encoder": self.encoder.to_dict(), "decoder": self.decoder.to_dict()}


CONFIGS: dict[str, type[PretrainedConfig]] = {
    config.model_type: config
    for config in (BertGenerationConfig, BertConfig, BigBirdConfig, BigBirdPegasusConfig, EncoderDecoderConfig)
}
HUB_OPTIONS = ("revision", "cache_dir", "local_files_only", "token", "subfolder")


def take_hub_options(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Moves the arguments that say where to find a checkpoint out of `kwargs`, and returns them."""
    return {name: kwargs.pop(name) for name in HUB_OPTIONS if name in kwargs}


def config_from_dict(values: dict[str, Any], **overrides: Any) -> PretrainedConfig:
    """The configuration of the class that `model_type` names."""
    model_type = values.get("model_type")
    if model_type not in CONFIGS:
        raise CheckpointError(
            f"Models of type {model_type!r} are not known here; the known types are {', '.join(CONFIGS)}. "
            "Choose a checkpoint of one of these families."
        )
    return CONFIGS[model_type].from_dict(values, **overrides)


def read_config(name_or_path: str | Path, **kwargs: Any) -> PretrainedConfig:
    """config.json of a folder or a Hub id, as the configuration class that fits it."""
    hub_options = take_hub_options(kwargs)
    return config_from_dict(read_config_values(name_or_path, **hub_options), **kwargs)


def read_config_values(name_or_path: str | Path, **hub_options: Any) -> dict[str, Any]:
    path = find_file(name_or_path, CONFIG_FILE, **hub_options)
    if path is None:
        raise CheckpointError(
            f"{name_or_path} has no {CONFIG_FILE}, which says what kind of model it is. "
            "Give the folder or Hub id of a complete checkpoint."
        )
    return read_json(path)
