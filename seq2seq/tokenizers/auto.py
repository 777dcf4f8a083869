"""Which tokenizer a checkpoint needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.checkpoints.hub import find_file
from seq2seq.config import CONFIG_FILE, take_hub_options
from seq2seq.tokenizers.base import Tokenizer
from seq2seq.tokenizers.bigbird import BigBirdTokenizer
from seq2seq.tokenizers.pegasus import PegasusTokenizer
from seq2seq.tokenizers.sentencepiece import BertGenerationTokenizer
from seq2seq.tokenizers.settings import TOKENIZER_CONFIG_FILE, read_optional_json
from seq2seq.tokenizers.wordpiece import BertTokenizer

TOKENIZERS: dict[str, type[Tokenizer]] = {
    tokenizer.__name__: tokenizer
    for tokenizer in (BertGenerationTokenizer, BertTokenizer, BigBirdTokenizer, PegasusTokenizer)
}
TOKENIZER_OF_MODEL: dict[str, type[Tokenizer]] = {
    "bert-generation": BertGenerationTokenizer,
    "bert": BertTokenizer,
    "big_bird": BigBirdTokenizer,
    "bigbird_pegasus": PegasusTokenizer,
}
TOKENIZER_OF_FILE: dict[str, type[Tokenizer]] = {
    filename: tokenizer
    for tokenizer in (BertGenerationTokenizer, BertTokenizer)
    for filename in tokenizer.vocab_files_names.values()
}
# What the reference library writes where no class of its own fits: it says nothing.
_NAMELESS = frozenset({"PreTrainedTokenizer", "TokenizersBackend"})


def load_tokenizer(name_or_path: str | Path, **kwargs: Any) -> Tokenizer:
    """The tokenizer of a checkpoint: a folder or a repository on the Hub.

    Its class is the one that tokenizer_config.json or config.json names; else the one of the model's type
    (for a pair, the encoder's); else the one whose vocabulary file is there. Keyword arguments are those of
    `Tokenizer.from_pretrained`. CheckpointError if that is none of ours.
    """
    hub_options = take_hub_options(kwargs)
    tokenizer = _class_by_name(name_or_path, hub_options) or _class_by_vocabulary(name_or_path, hub_options)
    return tokenizer.from_pretrained(name_or_path, **hub_options, **kwargs)


def _class_by_name(name_or_path: str | Path, hub_options: dict[str, Any]) -> type[Tokenizer] | None:
    """The class that the checkpoint's settings ask for; None if they leave it open."""
    config = read_optional_json(name_or_path, CONFIG_FILE, **hub_options)
    settings = read_optional_json(name_or_path, TOKENIZER_CONFIG_FILE, **hub_options)
    name = (settings.get("tokenizer_class") or config.get("tokenizer_class") or "").removesuffix("Fast")
    if not name or name in _NAMELESS:
        return TOKENIZER_OF_MODEL.get(config.get("encoder", config).get("model_type"))
    if name not in TOKENIZERS:
        raise CheckpointError(
            f"{name_or_path} asks for the tokenizer {name}, which is not known here. Choose a checkpoint "
            f"with one of these: {', '.join(TOKENIZERS)}."
        )
    return TOKENIZERS[name]


def _class_by_vocabulary(name_or_path: str | Path, hub_options: dict[str, Any]) -> type[Tokenizer]:
    for filename, tokenizer in TOKENIZER_OF_FILE.items():
        if find_file(name_or_path, filename, **hub_options) is not None:
            return tokenizer
    raise CheckpointError(
        f"{name_or_path} names no tokenizer and no type of model that is known here, and has no vocabulary: "
        f"none of {', '.join(TOKENIZER_OF_FILE)}. Choose a complete checkpoint."
    )
