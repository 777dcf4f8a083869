"""Which class a file's model_type names, and the pairing of two configurations, whose halves are found that way."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Any, ClassVar

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.config.base import PretrainedConfig, open_dataclass, read_config_values, take_hub_options
from seq2seq.config.bert import BertConfig, BertGenerationConfig
from seq2seq.config.bigbird import BigBirdConfig, BigBirdPegasusConfig


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
        super().__post_init__()
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


def config_from_dict(values: dict[str, Any], **overrides: Any) -> PretrainedConfig:
    """The configuration of the class that `model_type` names."""
    model_type = values.get("model_type")
    if not isinstance(model_type, str) or model_type not in CONFIGS:
        raise CheckpointError(
            f"Models of type {model_type!r} are not known here; the known types are {', '.join(CONFIGS)}. "
            "Choose a checkpoint of one of these families."
        )
    return CONFIGS[model_type].from_dict(values, **overrides)


def read_config(name_or_path: str | Path, **kwargs: Any) -> PretrainedConfig:
    """config.json of a folder or a Hub id, as the configuration class that fits it."""
    hub_options = take_hub_options(kwargs)
    return config_from_dict(read_config_values(name_or_path, **hub_options), **kwargs)
