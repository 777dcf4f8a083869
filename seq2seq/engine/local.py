"""The engine in this process: which checkpoints there are, loaded when first asked for, on the device that is there."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import prod
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open

from seq2seq.checkpoints.downloads import is_mended
from seq2seq.checkpoints.errors import CheckpointError, NotFiniteError, blaming
from seq2seq.checkpoints.files import find_weights, revision_with_safetensors
from seq2seq.checkpoints.hub import settled
from seq2seq.config import read_config
from seq2seq.engine.batching import Batcher
from seq2seq.engine.explaining import Explains
from seq2seq.engine.kinds import Kind, kind_of
from seq2seq.engine.loading import Load, Loading
from seq2seq.engine.memory import have_libraries_keep_little, keep_freed_memory
from seq2seq.engine.processes import turn_of_process
from seq2seq.engine.published import PUBLISHED, Published
from seq2seq.engine.settings import EngineSettings, SettingError
from seq2seq.engine.shelf import Shelf, room_there_is
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
from seq2seq.tasks.own_settings import refuse_own_settings, refuse_unknown_tokens
from seq2seq.tasks.parameters import decoder_of, encoder_of, task_parameters, writing_parameters
from seq2seq.tasks.pattern import PatternSettings
from seq2seq.tasks.source import clean, read_source
from seq2seq.tasks.turns import Turns, in_turns
from seq2seq.tokenizers import Tokenizer, load_tokenizer
from seq2seq.trace import Answer, BlockMass, Timing

log = logging.getLogger(__name__)

Snapshot = TypeVar("Snapshot")
SECONDS_TO_ANSWER = 10  # for a Hub at the start; one that hangs would be asked for minutes


@dataclass(frozen=True)
class ModelCard:
    """A checkpoint that can be chosen, as its config.json describes it; its weights need not be loaded.

    Of a published one nothing need be here yet.
    """

    name: str  # the folder's name, or the Hub id
    title: str
    tasks: tuple[Skill, ...]
    num_layers: int  # of the decoder; 0 where there is none
    num_heads: int  # of the decoder, or else of the encoder
    num_encoder_layers: int
    max_source_tokens: int
    preferred: tuple[Skill, ...] = ()  # what its config.json says it does better than others that come with it
    folder: Path | None = None  # where its files are; None for a Hub id
    published: Published | None = None  # what is known of it, if it is one of those

    @property
    def num_bytes(self) -> int | None:
        """Of its weights' files; None where they are not all in a folder, and nobody has told."""
        if self.published:
            return self.published.num_bytes
        try:
            return sum(path.stat().st_size for path in self._weights) or None
        except OSError:
            return None

    @property
    def num_parameters(self) -> int | None:
        """As its safetensors files say in their heads, where some may stand twice; None for files that do not say."""
        if any(path.suffix != ".safetensors" for path in self._weights):
            return None
        try:
            return sum(map(count_parameters, self._weights)) or None
        except (SafetensorError, OSError):
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
        have_libraries_keep_little()
        keep_freed_memory()
        self.device = choose_device(self.settings.device)
        self.dtype = choose_dtype(self.settings.dtype, self.device)
        self._paths: dict[str, str] = {}
        self._cards: dict[str, ModelCard] = {}
        self._shelf = Shelf(self.settings.memory_bytes or room_there_is(self.device), self.forget)
        self._fetched: set[str] = set()  # published ones that were in memory once
        self._doubted: set[str] = set()  # those that gave no numbers once
        self._loads: dict[str, Load[Writer | Reader]] = {}  # under way
        self._loading = threading.Lock()
        self._offer_all()
        alone = None if self.settings.side_by_side else turn_of_process(self.device.type)
        self.turns = Turns(alone)  # of whoever computes

    def _offer_all(self) -> None:
        """One that is broken or cannot be had in time is left out, and logged."""
        folders = [path.parent for path in sorted(self.settings.models.glob("*/config.json"))]
        paths = {folder.name: str(folder) for folder in folders}
        paths |= {name: name for name in (*self.settings.published, *self.settings.extra_models)}
        cards = {name: Load(partial(read_card, name, path), 0) for name, path in paths.items()}
        until = time.monotonic() + SECONDS_TO_ANSWER
        for name, card in cards.items():
            seconds = None if Path(paths[name]).is_dir() else max(0.0, until - time.monotonic())
            try:
                self._offer(name, paths[name], partial(card.result, seconds))
            except CheckpointError as error:
                log.error("%s is left out: %s", name, error)

    def _offer(self, name: str, path: str, read: Callable[[], ModelCard]) -> None:
        with blaming(name):
            self._cards[name] = read()
        self._paths[name] = path

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
            self._offer(model, model, partial(read_card, model, model))
        card = self._cards[model]
        if task not in card.tasks:
            raise CheckpointError(
                f"{model} does not {task}; it was made to {' and '.join(card.tasks)}. Choose another model."
            )
        return card

    def load(self, task: Skill, model: str | None = None) -> Writer | Reader:
        """The model, from disk or the Hub if this is the first time that it is asked for; a Reader if it answers."""
        name = self.card(task, model).name
        return self._shelf.find(name) or self._load(name).result()

    def loading(self, task: Skill, model: str | None = None) -> Iterator[Loading]:
        """Snapshots of the model being loaded, if it is not yet. It is when they end, as by `load`.

        Whoever stops iterating stops waiting; the model goes on being loaded. Raises: CheckpointError, with what to do.
        """
        name = self.card(task, model).name
        if self._shelf.find(name) is None:
            yield from self._load(name).snapshots()

    def must_be_fetched(self, task: Skill, model: str | None = None) -> bool:
        """Whether the model is a published one that was never loaded: to do so may take minutes."""
        card = self.card(task, model)
        return card.published is not None and card.name not in self._fetched

    def _load(self, name: str) -> Load[Writer | Reader]:
        """The one under way, or a new one."""
        with self._loading:
            if name not in self._loads:
                self._loads[name] = Load(partial(self._read_once, name), self._cards[name].num_bytes or 0)
            return self._loads[name]

    def _read_once(self, name: str) -> Writer | Reader:
        """Nothing is kept of what fails, so that it can be tried again."""
        try:
            found = self._shelf.find(name)  # it may have been loaded since somebody looked
            return found or self._shelf.add(name, self._size(name), partial(self._read, name))
        finally:
            with self._loading:
                del self._loads[name]

    def _read(self, name: str) -> Writer | Reader:
        path, published = self._paths[name], self._cards[name].published
        revision = revision_with_safetensors(path, ("main", *published.revisions)) if published else None
        told = {"task_specific_params": published.parameters} if published else {}
        with blaming(name):
            revision = settled(path, revision)
            if name in self._doubted:
                for file in find_weights(path, revision=revision):
                    is_mended(file)
            kind = kind_of(name, read_config(path, revision=revision))
            weights = kind.model.from_pretrained(path, dtype=self.dtype, revision=revision, **told).to(self.device)
            tokenizer = load_tokenizer(path, revision=revision)
            worker = worker_of(kind, weights, tokenizer, self.turns)
            refuse_unknown_tokens(name, worker)
            if isinstance(worker, Writer):
                refuse_own_settings(name, worker, self._cards[name].tasks)
        self._fetched.add(name)
        return worker

    @contextmanager
    def doubting(self, task: Skill, model: str | None = None) -> Iterator[None]:
        """For work of a model: where its numbers are not finite, its files are checked when it is loaded next.

        Once, as they may well be as they were published. Raises: NotFiniteError that names the model.
        """
        try:
            yield
        except NotFiniteError as error:
            name = self.card(task, model).name
            if name not in self._doubted:
                self._doubted.add(name)
                self._shelf.drop(name)
            raise NotFiniteError(f"{name}: {error}") from error

    def _size(self, name: str) -> int:
        """Bytes that its weights will take in memory, however few its files are: as its entry or config.json says."""
        published = self._cards[name].published
        if published:
            return published.num_bytes * self.dtype.itemsize // torch.float32.itemsize
        with blaming(name):
            config = read_config(self._paths[name])
            return kind_of(name, config).model.outline(config).num_parameters() * self.dtype.itemsize

    @property
    def loaded(self) -> dict[str, int]:
        """The models in memory, and the bytes of each."""
        return self._shelf.sizes

    def load_defaults(self) -> None:
        """Has the first model for each thing to do in memory before anyone asks, but fetches none unasked.

        One that cannot be loaded is logged, and keeps none of the others from it.
        """
        for name, skill in {self.card(skill).name: skill for skill in SKILLS if self.models(skill)}.items():
            if not self.must_be_fetched(skill):
                try:
                    self.load(skill)
                except Exception as error:
                    log.error("%s cannot be loaded: %s", name, str(error) or repr(error))

    def count_tokens(self, task: Skill, text: str, model: str | None = None) -> TokenCount:
        return self.load(task, model).count(task, text)

    def read_ahead(self, task: Task, text: str, model: str | None = None) -> bool:
        """Has a text read before anyone looks back at it, if its model is in memory and does nothing for anyone.

        Whether it has been.
        """
        if self.card(task, model).name not in self.loaded or not self.turns.are_free:
            return False
        writer = self.load(task, model)
        source = writer.source(task, text)
        with self.turns:
            writer.read_ahead(source)
        return True

    def run(
        self, task: Task, text: str, model: str | None = None, settings: GenerationSettings | None = None
    ) -> Iterator[Generated]:
        """Snapshots of a run as it goes on; stop iterating to cancel it.

        Raises: InputError, CheckpointError, ValueError, each with what to do.
        """
        return self._doubted_in(task, model, write(self.load(task, model), task, text, settings))

    def _doubted_in(self, task: Skill, model: str | None, snapshots: Iterator[Snapshot]) -> Iterator[Snapshot]:
        with self.doubting(task, model):
            yield from snapshots

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
            with self.doubting(task, model):
                outputs = write_batch(writer, task, batch, settings)
            yield from outputs

    def answer_settings(self, model: str | None = None) -> AnswerSettings:
        """The checkpoint's own."""
        return self.load("answer", model).settings

    def answer(
        self, question: str, context: str, model: str | None = None, settings: AnswerSettings | None = None
    ) -> Iterator[Reading]:
        """Snapshots of the text being read, the last with the answer; stop iterating to cancel.

        Raises: InputError, CheckpointError, each with what to do.
        """
        return self._doubted_in("answer", model, answer(self.load("answer", model), question, context, settings))

    def answer_many(
        self, rows: Iterable[tuple[str, str]], model: str | None = None, settings: AnswerSettings | None = None
    ) -> Iterator[Answer | InputError]:
        """The answer to every (question, context), in order; for one that cannot be worked on, why. Read in batches."""
        reader = self.load("answer", model)
        remaining = iter(rows)
        while batch := list(islice(remaining, MOST_ROWS)):
            with self.doubting("answer", model):
                answers = answer_many(reader, batch, settings)
            yield from answers

    def encoders(self) -> tuple[ModelCard, ...]:
        """Every model, as each reads with an encoder."""
        return tuple(self._cards.values())

    def read_blocks(self, model: str, text: str, layer: int, block_size: int) -> Iterator[LayersRead | BlockMass]:
        """Where the full attention of one layer of an encoder goes in a text, which it reads as for its first task.

        Snapshots, the last with the attention; stop iterating to cancel. Raises: InputError, with what to do.
        """
        card = self._cards[model]
        worker = self.load(card.tasks[0], model)
        prompt = writing_parameters(worker.model.config, card.tasks[0])
        source = read_source(clean(text), prompt, worker.tokenizer, card.max_source_tokens)
        return in_turns(self.turns.looks, read_mass(worker.model, source, model, layer, block_size))

    def measure(self, settings: PatternSettings) -> Iterator[Timing]:
        """How long one layer's attention takes here, full and block-sparse, at growing lengths."""
        return measure(settings, self.device, self.dtype, self.turns.looks)

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
    """Raises: CheckpointError, with what to do."""
    if path in PUBLISHED and not Path(path).is_dir():
        return card_of(PUBLISHED[path])
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


def card_of(published: Published) -> ModelCard:
    """Raises: CheckpointError for one that does none of the tasks."""
    if not published.parameters:
        raise CheckpointError(f"{published.hub_id} does nothing that is asked for here. {published.about}")
    return ModelCard(
        name=published.hub_id,
        title=published.title,
        tasks=tuple(published.parameters),
        num_layers=published.num_layers,
        num_heads=published.num_heads,
        num_encoder_layers=published.num_encoder_layers,
        max_source_tokens=published.max_source_tokens,
        published=published,
    )


def count_parameters(path: Path) -> int:
    with safe_open(path, framework="numpy") as file:
        return sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118


def choose_device(wanted: str) -> torch.device:
    """Raises: SettingError for one that is not there."""
    is_there = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available, "cpu": lambda: True}
    if wanted == "auto":
        return torch.device(next(device for device in is_there if is_there[device]()))
    if not is_there[wanted]():
        raise SettingError(f"GLOSS_DEVICE is {wanted}, which torch does not find here. Set it to cpu, or leave it out.")
    return torch.device(wanted)


def choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    if wanted != "auto":
        return getattr(torch, wanted)
    fast = device.type == "cuda" or (device.type == "cpu" and cpu_multiplies_bfloat16())
    return torch.bfloat16 if fast else torch.float32


def cpu_multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for it; torch tells from release 2.10 on."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))
