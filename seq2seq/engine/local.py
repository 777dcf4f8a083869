"""The engine in this process: which checkpoints there are, loaded when first asked for, on the device that is there."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from math import prod
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.checkpoints.files import find_weights
from seq2seq.config import read_config
from seq2seq.engine.batching import Batcher
from seq2seq.engine.explaining import Explains
from seq2seq.engine.kinds import Kind, kind_of
from seq2seq.engine.memory import keep_freed_memory
from seq2seq.engine.settings import EngineSettings
from seq2seq.models.pretrained import PreTrainedModel
from seq2seq.tasks import (
    SKILLS,
    AnswerSettings,
    Generated,
    GenerationSettings,
    InputError,
    Reader,
    Reading,
    Skill,
    Task,
    TokenCount,
    Writer,
    write,
    write_batch,
)
from seq2seq.tasks.alike import MOST_ROWS
from seq2seq.tasks.answer import answer, answer_many
from seq2seq.tasks.cost import Machine, machine, measure
from seq2seq.tasks.mass import LayersRead, read_mass
from seq2seq.tasks.parameters import decoder_of, encoder_of, task_parameters, writing_parameters
from seq2seq.tasks.pattern import PatternSettings
from seq2seq.tasks.source import clean, read_source
from seq2seq.tasks.turns import Turns, in_turns
from seq2seq.tokenizers import Tokenizer, load_tokenizer
from seq2seq.trace import Answer, BlockMass, Timing


@dataclass(frozen=True)
class ModelCard:
    """A checkpoint that can be chosen, as its config.json describes it; its weights need not be loaded."""

    name: str  # the folder's name, or the Hub id
    title: str
    tasks: tuple[Skill, ...]
    num_layers: int  # of the decoder; 0 where there is none
    num_heads: int  # of the decoder, or else of the encoder
    num_encoder_layers: int
    max_source_tokens: int
    preferred: tuple[Skill, ...] = ()  # what its config.json says it does better than others that come with it
    folder: Path | None = None  # where its files are; None for a Hub id

    @property
    def num_bytes(self) -> int | None:
        """Of its weights' files; None where they are not all in a folder."""
        return sum(path.stat().st_size for path in self._weights) or None

    @property
    def num_parameters(self) -> int | None:
        """As its safetensors files say in their heads, where some may stand twice; None for other and damaged files."""
        if any(path.suffix != ".safetensors" for path in self._weights):
            return None
        try:
            return sum(map(count_parameters, self._weights)) or None
        except SafetensorError:
            return None

    @property
    def _weights(self) -> tuple[Path, ...]:
        try:
            return find_weights(self.folder) if self.folder else ()
        except CheckpointError:
            return ()


class Engine(Explains):
    """Owns the models. One is loaded once and kept; every run of it has its own cache."""

    def __init__(self, settings: EngineSettings | None = None):
        self.settings = settings or EngineSettings()
        keep_freed_memory()
        self.device = choose_device(self.settings.device)
        self.dtype = choose_dtype(self.settings.dtype, self.device)
        self._paths = {
            path.parent.name: str(path.parent) for path in sorted(self.settings.models.glob("*/config.json"))
        }
        self._paths |= {name: name for name in self.settings.extra_models}
        self._cards = {name: read_card(name, path) for name, path in self._paths.items()}
        self._workers: dict[str, Writer | Reader] = {}
        self._loading = threading.Lock()
        self.turns = Turns()  # of whoever computes

    def models(self, task: Skill) -> tuple[ModelCard, ...]:
        """What can do this task; the first is the default."""
        able = [card for card in list(self._cards.values()) if task in card.tasks]
        return tuple(sorted(able, key=lambda card: task not in card.preferred))

    def card(self, task: Skill, model: str | None = None) -> ModelCard:
        """A model by its name, a folder or a Hub id; the task's default for None.

        Raises: CheckpointError if there is none, or if it cannot do the task.
        """
        if model is None:
            cards = self.models(task)
            if not cards:
                raise CheckpointError(
                    f"There is no model for {task!r} in {self.settings.models}. "
                    "Train one with `make train`, or name one: a folder or a Hub id."
                )
            return cards[0]
        if model not in self._cards:
            self._paths[model] = model
            self._cards[model] = read_card(model, model)
        card = self._cards[model]
        if task not in card.tasks:
            raise CheckpointError(
                f"{model} does not {task}; it was made to {' and '.join(card.tasks)}. Choose another model."
            )
        return card

    def load(self, task: Skill, model: str | None = None) -> Writer | Reader:
        """The model, from disk or the Hub if this is the first time that it is asked for; a Reader if it answers."""
        name = self.card(task, model).name
        if name in self._workers:
            return self._workers[name]
        with self._loading:
            if name not in self._workers:
                path = self._paths[name]
                kind = kind_of(name, read_config(path))
                weights = kind.model.from_pretrained(path, dtype=self.dtype).to(self.device)
                self._workers[name] = worker_of(kind, weights, load_tokenizer(path), self.turns)
        return self._workers[name]

    def load_defaults(self) -> None:
        """Has the first model for each thing to do in memory before anyone asks."""
        for skill in SKILLS:
            if self.models(skill):
                self.load(skill)

    def count_tokens(self, task: Skill, text: str, model: str | None = None) -> TokenCount:
        return self.load(task, model).count(task, text)

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
        while batch := list(islice(remaining, MOST_ROWS)):
            yield from write_batch(writer, task, batch, settings)

    def answer_settings(self, model: str | None = None) -> AnswerSettings:
        """The checkpoint's own."""
        return self.load("answer", model).settings

    def answer(
        self, question: str, context: str, model: str | None = None, settings: AnswerSettings | None = None
    ) -> Iterator[Reading]:
        """Snapshots of the text being read, the last with the answer; stop iterating to cancel.

        Raises: InputError, CheckpointError, each with what to do.
        """
        return answer(self.load("answer", model), question, context, settings)

    def answer_many(
        self, rows: Iterable[tuple[str, str]], model: str | None = None, settings: AnswerSettings | None = None
    ) -> Iterator[Answer | InputError]:
        """The answer to every (question, context), in order; for one that cannot be worked on, why. Read in batches."""
        reader = self.load("answer", model)
        remaining = iter(rows)
        while batch := list(islice(remaining, MOST_ROWS)):
            yield from answer_many(reader, batch, settings)

    def encoders(self) -> tuple[ModelCard, ...]:
        """Every model, as each reads with an encoder."""
        return tuple(self._cards.values())

    def read_blocks(self, model: str, text: str, layer: int, block_size: int) -> Iterator[LayersRead | BlockMass]:
        """Where the full attention of one layer of an encoder goes in a text, which it reads as for its first task.

        Snapshots, the last with the attention; stop iterating to cancel. Raises: InputError, with what to do.
        """
        card = self._cards[model]
        worker = self.load(card.tasks[0], model)
        prompt = writing_parameters(worker.model.config, card.tasks[0]).prefix
        source = read_source(clean(text), prompt, worker.tokenizer, card.max_source_tokens)
        return in_turns(self.turns, read_mass(worker.model, source, model, layer, block_size))

    def measure(self, settings: PatternSettings) -> Iterator[Timing]:
        """How long one layer's attention takes here, full and block-sparse, at growing lengths."""
        return in_turns(self.turns, measure(settings, self.device, self.dtype))

    @property
    def machine(self) -> Machine:
        """What measurements are taken on."""
        return machine(self.device, self.dtype)


def worker_of(kind: Kind, model: PreTrainedModel, tokenizer: Tokenizer, turns: Turns) -> Writer | Reader:
    """Runs of a model that writes take their steps together."""
    if kind.worker is Writer:
        return Writer(model, tokenizer, turns, Batcher(turns).join)
    return Reader(model, tokenizer, turns)


def read_card(name: str, path: str) -> ModelCard:
    config = read_config(path)
    skills = kind_of(name, config).skills
    taught = tuple(skill for skill in skills if skill in task_parameters(config))
    encoder, decoder = encoder_of(config), decoder_of(config)
    return ModelCard(
        name=name,
        title=Path(name).name.replace("-", " ").replace("_", " ").capitalize(),
        tasks=taught or skills,
        num_layers=decoder.num_hidden_layers if decoder else 0,
        num_heads=(decoder or encoder).num_attention_heads,
        num_encoder_layers=encoder.num_hidden_layers,
        max_source_tokens=encoder.max_position_embeddings,
        preferred=tuple(skill for skill in skills if writing_parameters(config, skill).preferred),
        folder=Path(path) if Path(path).is_dir() else None,
    )


def count_parameters(path: Path) -> int:
    with safe_open(path, framework="numpy") as file:
        return sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118


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
