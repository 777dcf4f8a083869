"""A tiny encoder-decoder checkpoint with a tokenizer of its own, as an engine finds them in a folder of models."""

from pathlib import Path

import pytest
import torch

from seq2seq.engine import Engine, EngineSettings
from seq2seq.models import BertGenerationConfig, EncoderDecoderConfig, EncoderDecoderModel
from seq2seq.tokenizers import BertGenerationTokenizer
from seq2seq.training.vocabulary import train_sentencepiece

SENTENCES = (
    "The bridge was built in 1932. It was closed in the spring.",
    "Anna Lind moved to Oslo, where she opened a small bakery.",
    "Rain fell all night; the river rose, and nobody crossed it.",
    "Researchers in Geneva measured the distance again and found it shorter.",
)


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """A folder with two models: `taught` knows three tasks by their prompts, `plain` says nothing of tasks."""
    folder = tmp_path_factory.mktemp("models")
    vocabulary = folder / "spiece.model"
    train_sentencepiece(SENTENCES * 20, vocabulary, 320, ["<fuse>", "<split>", "<summarize>"])
    tokenizer = BertGenerationTokenizer(str(vocabulary), sep_token="</s>")
    half = {"vocab_size": len(tokenizer), "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
            "intermediate_size": 64, "max_position_embeddings": 64, "initializer_range": 0.4}  # fmt: skip
    prompts = {task: {"prefix": f"<{task}> ", "max_new_tokens": 12} for task in ("fuse", "split", "summarize")}
    for name, extra in {"taught": {"task_specific_params": prompts}, "plain": {}}.items():
        torch.manual_seed(0)
        config = EncoderDecoderConfig.from_encoder_decoder_configs(
            BertGenerationConfig(**half), BertGenerationConfig(**half),
            pad_token_id=0, eos_token_id=1, decoder_start_token_id=2, **extra,
        )  # fmt: skip
        EncoderDecoderModel(config).save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return folder


@pytest.fixture(scope="session")
def engine(models: Path) -> Engine:
    return Engine(EngineSettings(models=models, dtype="float32"))
