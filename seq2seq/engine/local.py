"""The engine in this process: which checkpoints there are, loaded when first asked for, on the device that is there."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.config import EncoderDecoderConfig, read_config
from seq2seq.engine.settings import EngineSettings
from seq2seq.models import EncoderDecoderModel
from seq2seq.tasks import (
    TASKS,
    Generated,
    GenerationSettings,
    InputError,
    Task,
    TokenCount,
    Writer,
    attention,
    write,
    write_batch,
)
from seq2seq.tasks.writing import task_parameters
from seq2seq.tokenizers import load_tokenizer
from seq2seq.trace import AttentionKind, AttentionRecord

BATCH_SIZE = 16


@dataclass(frozen=True)
class ModelCard:
    """A checkpoint that can be chosen, as its config.json describes it; its weights need not be loaded."""

    name: str  # the folder's name, or the Hub id
    title: str
    tasks: tuple[Task, ...]
    num_layers: int  # of the decoder
    num_heads: int
    num_encoder_layers: int
    max_source_tokens: int


class Engine:
    """Owns the models. One is loaded once and kept; every run of it has its own cache."""

    def __init__(self, settings: EngineSettings | None = None):
        self.settings = settings or EngineSettings()
        self.device = choose_device(self.settings.device)
        self.dtype = choose_dtype(self.settings.dtype, self.device)
        self._paths = {
            path.parent.name: str(path.parent) for path in sorted(self.settings.models.glob("*/config.json"))
        }
        self._paths |= {name: name for name in self.settings.extra_models}
        self._cards = {name: read_card(name, path) for name, path in self._paths.items()}
        self._writers: dict[str, Writer] = {}
        self._loading = threading.Lock()

    def models(self, task: Task) -> tuple[ModelCard, ...]:
        """What can do this task; the first is the default."""
        return tuple(card for card in self._cards.values() if task in card.tasks)

    def card(self, task: Task, model: str | None = None) -> ModelCard:
        """A model by its name, a folder or a Hub id; the task's default for None."""
        if model is None:
            cards = self.models(task)
            if not cards:
                raise CheckpointError(
                    f"There is no model for {task!r} in {self.settings.models}. "
                    "Train one with `make train`, or name one: a folder or a Hub id."
                )
            return cards[0]
        if model not in self._cards:
            self._cards[model] = read_card(model, model)
            self._paths[model] = model
        return self._cards[model]

    def load(self, task: Task, model: str | None = None) -> Writer:
        """The model, from disk or the Hub if this is the first time that it is asked for."""
        name = self.card(task, model).name
        with self._loading:
            if name not in self._writers:
                path = self._paths[name]
                weights = EncoderDecoderModel.from_pretrained(path, dtype=self.dtype).to(self.device)
                self._writers[name] = Writer(weights, load_tokenizer(path))
        return self._writers[name]

    def count_tokens(self, task: Task, text: str, model: str | None = None) -> TokenCount:
        writer = self.load(task, model)
        source = writer.source(task, text)
        return TokenCount(len(source.input_ids) + source.num_cut_tokens, writer.limit)

    def run(
        self, task: Task, text: str, model: str | None = None, settings: GenerationSettings | None = None
    ) -> Iterator[Generated]:
        """Snapshots of a run as it goes on; stop iterating to cancel it.

        Raises: InputError, CheckpointError, ValueError, each with what to do.
        """
        return write(self.load(task, model), task, text, settings)

    def run_many(
        self,
        task: Task,
        texts: Iterable[str],
        model: str | None = None,
        settings: GenerationSettings | None = None,
    ) -> Iterator[str | InputError]:
        """The finished output of every text, in order; for one that cannot be worked on, why. Written in batches."""
        writer = self.load(task, model)
        remaining = iter(texts)
        while batch := list(islice(remaining, BATCH_SIZE)):
            yield from write_batch(writer, task, batch, settings)

    def attention(
        self,
        task: Task,
        text: str,
        target_ids: Sequence[int],
        kind: AttentionKind,
        layer: int,
        model: str | None = None,
    ) -> AttentionRecord:
        """What one layer looked at in a finished run: its text and its `target_ids`."""
        return attention(self.load(task, model), task, text, tuple(target_ids), kind, layer)


def read_card(name: str, path: str) -> ModelCard:
    config = read_config(path)
    if not isinstance(config, EncoderDecoderConfig):
        raise CheckpointError(
            f"{name} is a {config.model_type} model, which does not write text from a text. "
            "Choose an encoder-decoder checkpoint."
        )
    taught = tuple(task for task in TASKS if task in task_parameters(config))
    return ModelCard(
        name=name,
        title=Path(name).name.replace("-", " ").replace("_", " ").capitalize(),
        tasks=taught or TASKS,
        num_layers=config.decoder.num_hidden_layers,
        num_heads=config.decoder.num_attention_heads,
        num_encoder_layers=config.encoder.num_hidden_layers,
        max_source_tokens=config.encoder.max_position_embeddings,
    )


def choose_device(wanted: str) -> torch.device:
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    if wanted != "auto":
        return getattr(torch, wanted)
    fast = device.type == "cuda" or (device.type == "cpu" and cpu_multiplies_bfloat16())
    return torch.bfloat16 if fast else torch.float32


def cpu_multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for it; torch tells from release 2.10 on."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))
