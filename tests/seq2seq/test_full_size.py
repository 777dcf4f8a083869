"""Published checkpoints at full size: their files with random weights, made on the spot where they would be cached."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import torch
from huggingface_hub import constants
from sentencepiece import SentencePieceProcessor
from torch import Tensor

from seq2seq.config import PretrainedConfig
from seq2seq.engine import Engine, EngineSettings
from seq2seq.engine.published import PUBLISHED
from seq2seq.models import (
    BertConfig,
    BertGenerationConfig,
    BigBirdConfig,
    BigBirdForQuestionAnswering,
    BigBirdPegasusConfig,
    BigBirdPegasusForConditionalGeneration,
    EncoderDecoderConfig,
    EncoderDecoderModel,
)
from seq2seq.models.pretrained import PreTrainedModel
from seq2seq.tasks import GenerationSettings
from tests.fixtures.tokenizers.samples import SENTENCES, train_sentencepiece
from tests.hub import Hub

MEMORY_NEEDED, DISK_NEEDED = 6.5e9, 2.5e9  # bytes
TEXT = " ".join(SENTENCES)
LONG_TEXT = " ".join(SENTENCES * 14)
KEPT = 5  # numbers of each tensor, to know it again


def shared_pair() -> PretrainedConfig:
    """As google/roberta2roberta_L-24_*: both stacks are one."""
    encoder, decoder = (
        BertGenerationConfig(bos_token_id=None, eos_token_id=None, architectures=["BertGenerationEncoder"])
        for _ in range(2)
    )
    return EncoderDecoderConfig.from_encoder_decoder_configs(
        encoder, decoder, architectures=["EncoderDecoderModel"], bos_token_id=2, decoder_start_token_id=2,
        eos_token_id=1, pad_token_id=0, tie_encoder_decoder=True, max_length=128, vocab_size=50358,
    )  # fmt: skip


def untied_pair() -> PretrainedConfig:
    """As patrickvonplaten/bert2bert_cnn_daily_mail."""
    return EncoderDecoderConfig.from_encoder_decoder_configs(
        BertConfig(architectures=["BertForMaskedLM"]), BertConfig(architectures=["BertForMaskedLM"]),
        architectures=["EncoderDecoderModel"], decoder_start_token_id=101, eos_token_id=102, pad_token_id=0,
        max_length=142, min_length=56, num_beams=4, no_repeat_ngram_size=3, early_stopping=True, length_penalty=2.0,
    )  # fmt: skip


def long_pair() -> PretrainedConfig:
    """As google/bigbird-pegasus-large-*."""
    return BigBirdPegasusConfig(
        architectures=["BigBirdPegasusForConditionalGeneration"], num_beams=5, length_penalty=0.8, max_length=256,
        tokenizer_class="PegasusTokenizer",
    )  # fmt: skip


def questioned() -> PretrainedConfig:
    """As google/bigbird-base-trivia-itc."""
    return BigBirdConfig(
        architectures=["BigBirdForQuestionAnswering"], type_vocab_size=16, rescale_embeddings=True, sep_token_id=66
    )


def pieces(folder: Path, count: int, **special) -> bytes:
    """A SentencePiece model of so many pieces, of which the first few hundred are found in texts."""
    trained = train_sentencepiece(folder, pad_id=0, **special)
    known = SentencePieceProcessor(model_file=str(trained)).get_piece_size()
    return trained.read_bytes() + b"".join(piece(f"\u2581piece{number}", -99) for number in range(known, count))


def piece(text: str, score: float) -> bytes:
    """One more of a model, as its protobuf has them."""
    named = text.encode()
    content = b"\x0a" + bytes([len(named)]) + named + b"\x15" + struct.pack("<f", score)
    return b"\x0a" + bytes([len(content)]) + content


def of_bert_generation(folder: Path) -> dict[str, bytes]:
    return {"spiece.model": pieces(folder, 50358, eos_id=1, bos_id=2, unk_id=3, user_defined_symbols=["#", "`"])}


def of_bert(folder: Path) -> dict[str, bytes]:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    known = [*letters, *".,?!;:()-'", *(f"##{each}" for each in letters)]
    special = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]"}
    words = [special.get(number, f"[unused{number}]") for number in range(30522)]
    words[1000 : 1000 + len(known)] = known
    settings = {"do_lower_case": True, "model_max_length": 512}
    return {"vocab.txt": "\n".join(words).encode(), "tokenizer_config.json": json.dumps(settings).encode()}


def of_pegasus(folder: Path) -> dict[str, bytes]:
    special = {"eos_id": 1, "bos_id": 2, "unk_id": 3, "user_defined_symbols": ["<n>", "[MASK]"]}
    settings = {"offset": 0, "mask_token": "[MASK]", "mask_token_sent": None, "model_max_length": 4096}
    vocabulary = pieces(folder, 96103, byte_fallback=False, **special)
    return {"spiece.model": vocabulary, "tokenizer_config.json": json.dumps(settings).encode()}


def of_bigbird(folder: Path) -> dict[str, bytes]:
    special = {"bos_id": 1, "eos_id": 2, "unk_id": 3, "user_defined_symbols": ["[CLS]", "[SEP]", "[MASK]"]}
    settings = {"tokenizer_class": "BigBirdTokenizer"}
    vocabulary = pieces(folder, 50358, byte_fallback=False, **special)
    return {"spiece.model": vocabulary, "tokenizer_config.json": json.dumps(settings).encode()}


@dataclass(frozen=True)
class Shape:
    model: type[PreTrainedModel]
    config: Callable[[], PretrainedConfig]
    tokenizer: Callable[[Path], dict[str, bytes]]  # its files by their names


SHARED = Shape(EncoderDecoderModel, shared_pair, of_bert_generation)
UNTIED = Shape(EncoderDecoderModel, untied_pair, of_bert)
LONG = Shape(BigBirdPegasusForConditionalGeneration, long_pair, of_pegasus)
QUESTIONED = Shape(BigBirdForQuestionAnswering, questioned, of_bigbird)


def drawn(shape: Shape) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights at random, by every name that they have on file, and the first numbers of each by our name."""
    config = shape.config()
    with torch.device("meta"):
        model = shape.model(config)
    names = shape.model.names(config)
    on_file: dict[str, Tensor] = {}
    first: dict[str, Tensor] = {}
    made: dict[int, Tensor] = {}  # what is tied is one tensor
    chance = torch.empty(2**23).uniform_(-0.05, 0.05)
    for ours, empty in model.state_dict(keep_vars=True).items():
        if id(empty) not in made:
            made[id(empty)] = torch.ones(empty.shape) if "norm.weight" in ours else some(empty.shape, chance)
        first[ours] = made[id(empty)].flatten()[:KEPT].clone()
        on_file |= dict.fromkeys(names.to_foreign(ours), made[id(empty)])
    return on_file, first


def some(shape: torch.Size, numbers: Tensor) -> Tensor:
    """These numbers, as often as it takes: to draw them all would take most of a test's time."""
    tensor = torch.empty(shape)
    for part in tensor.view(-1).split(len(numbers)):
        part.copy_(numbers[: len(part)])
    return tensor


def write_pickle(tensors: dict[str, Tensor], folder: Path) -> None:
    """As torch did it in 2020: what is tied once, under all of its names; and numbers of positions, kept back then."""
    table = "position_embeddings.weight"
    positions = {
        name.replace(table, "position_ids"): torch.arange(len(each))[None]
        for name, each in tensors.items()
        if name.endswith(table)
    }
    torch.save(tensors | positions, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)


def write_safetensors(tensors: dict[str, Tensor], folder: Path) -> None:
    """As the Hub's bot did it: of what is tied one name. By hand, as the library's own way copies everything twice."""
    once = {each.data_ptr(): (name, each) for name, each in reversed(tensors.items())}.values()
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, tensor in once:
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [end, end + tensor.nbytes]}
        end += tensor.nbytes
    told = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(told)) + told)
        for _, tensor in once:
            file.write(tensor.numpy())


def cached(cache: Path, name: str, shape: Shape, scratch: Path) -> dict[str, Tensor]:
    """Puts a checkpoint where huggingface_hub would, in the revision that is taken; some of it, as `drawn` tells it."""
    repository = cache / f"models--{name.replace('/', '--')}"
    for revision in dict.fromkeys(("main", *PUBLISHED[name].revisions)):
        commit = Hub().commit(name, revision)
        (repository / "refs" / revision).parent.mkdir(parents=True, exist_ok=True)
        (repository / "refs" / revision).write_text(commit)
        folder = repository / "snapshots" / commit
        folder.mkdir(parents=True)
        shape.config().save_pretrained(folder)
        for filename, content in shape.tokenizer(scratch).items():
            (folder / filename).write_bytes(content)
    tensors, first = drawn(shape)
    write = write_safetensors if PUBLISHED[name].revisions else write_pickle
    write(tensors, folder)
    [written] = [path for path in folder.iterdir() if path.stat().st_size > 1e8]
    assert written.stat().st_size == pytest.approx(PUBLISHED[name].num_bytes, rel=0.003)
    return first


@pytest.fixture
def load(tmp_path, monkeypatch) -> Iterator[Callable[[str, Shape], Engine]]:
    """Engines that know a published model whose files are here; they are deleted afterwards."""
    if psutil.virtual_memory().available < MEMORY_NEEDED or shutil.disk_usage(tmp_path).free < DISK_NEEDED:
        pytest.skip("too little memory or disk for a checkpoint of full size")
    cache = tmp_path / "cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def loaded(name: str, shape: Shape) -> Engine:
        first = cached(cache, name, shape, tmp_path)
        engine = Engine(EngineSettings(models=tmp_path / "none", published=(name,), device="cpu"))
        [task] = PUBLISHED[name].parameters
        weights = engine.load(task, name).model.state_dict()
        assert weights.keys() == first.keys()
        assert all(torch.equal(weights[ours].flatten()[:KEPT], first[ours].to(engine.dtype)) for ours in first)
        return engine

    yield loaded
    shutil.rmtree(cache)


@pytest.mark.parametrize(
    ("name", "shape", "text", "num_beams"),
    [
        ("google/roberta2roberta_L-24_discofuse", SHARED, TEXT, 4),
        ("google/roberta2roberta_L-24_gigaword", SHARED, TEXT, 4),
        ("patrickvonplaten/bert2bert_cnn_daily_mail", UNTIED, TEXT, 4),
        ("google/bigbird-pegasus-large-arxiv", LONG, LONG_TEXT, 5),
    ],
)
def test_one_that_writes(load, name, shape, text, num_beams):
    engine = load(name, shape)
    [task] = PUBLISHED[name].parameters
    few = GenerationSettings(max_new_tokens=3, min_new_tokens=3)
    assert engine.load(task, name).generation_config(task, few).num_beams == num_beams
    *_, last = engine.run(task, text, name, few)
    assert last.finished
    [section] = last.sections
    assert len(section.target_ids) == 3
    assert section.num_source_tokens > (2000 if text == LONG_TEXT else 50)


def test_the_one_that_answers(load):
    engine = load("google/bigbird-base-trivia-itc", QUESTIONED)
    *_, reading = engine.answer("What does she sell?", LONG_TEXT)
    assert reading.answer.best.text in LONG_TEXT
    assert len(reading.answer.tokens) > 2000
