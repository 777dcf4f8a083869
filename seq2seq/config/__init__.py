"""Model configurations. Knows no models and no tensors."""

from seq2seq.config.base import CONFIG_FILE, PretrainedConfig, StackConfig, take_hub_options
from seq2seq.config.bert import BertConfig, BertGenerationConfig
from seq2seq.config.bigbird import BigBirdConfig, BigBirdPegasusConfig, BigBirdPegasusStackConfig
from seq2seq.config.registry import CONFIGS, EncoderDecoderConfig, config_from_dict, read_config

__all__ = [
    "CONFIGS",
    "CONFIG_FILE",
    "BertConfig",
    "BertGenerationConfig",
    "BigBirdConfig",
    "BigBirdPegasusConfig",
    "BigBirdPegasusStackConfig",
    "EncoderDecoderConfig",
    "PretrainedConfig",
    "StackConfig",
    "config_from_dict",
    "read_config",
    "take_hub_options",
]
