"""Tiny checkpoints of every kind, with tokenizers of their own, as an engine finds them in a folder of models."""

from pathlib import Path

import pytest
import torch
from hypothesis import settings

from seq2seq.engine import Engine, EngineSettings
from seq2seq.models import (
    BertGenerationConfig,
    BigBirdConfig,
    BigBirdForQuestionAnswering,
    BigBirdPegasusConfig,
    BigBirdPegasusForConditionalGeneration,
    EncoderDecoderConfig,
    EncoderDecoderModel,
)
from seq2seq.tokenizers import BertGenerationTokenizer, BertTokenizer, PegasusTokenizer
from seq2seq.training.vocabulary import train_sentencepiece

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

SENTENCES = (
    "The bridge was built in 1932. It was closed in the spring.",
    "Anna Lind moved to Oslo, where she opened a small bakery.",
    "Rain fell all night; the river rose, and nobody crossed it.",
    "Researchers in Geneva measured the distance again and found it shorter.",
)


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """A folder with four models: `taught` knows three tasks by their prompts, `plain` says nothing of tasks,
    `summarizing` is a BigBird-Pegasus that writes, and `asked` a BigBird that answers.
    """
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
    save_summarizing(folder / "summarizing", vocabulary)
    save_asked(folder / "asked")
    return folder


def save_summarizing(folder: Path, vocabulary: Path) -> None:
    torch.manual_seed(0)
    tokenizer = PegasusTokenizer(vocab_file=vocabulary, offset=0, mask_token="[MASK]", mask_token_sent=None)
    config = BigBirdPegasusConfig(
        vocab_size=len(tokenizer), d_model=32, encoder_layers=3, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=64, init_std=0.4,
        block_size=4, num_random_blocks=1, max_new_tokens=12,
    )  # fmt: skip
    BigBirdPegasusForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def save_asked(folder: Path) -> None:
    torch.manual_seed(0)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *".,?;", *(f"##{letter}" for letter in letters)]
    tokenizer = BertTokenizer({piece: number for number, piece in enumerate(pieces)})
    config = BigBirdConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=64, initializer_range=0.4, block_size=4, num_random_blocks=1,
        sep_token_id=tokenizer.sep_token_id, task_specific_params={"answer": {"no_answer_threshold": 1.0}},
    )  # fmt: skip
    BigBirdForQuestionAnswering(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="session")
def engine(models: Path) -> Engine:
    return Engine(EngineSettings(models=models, dtype="float32"))
