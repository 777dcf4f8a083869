"""The training loop: bfloat16 autocast, warm-up and linear decay, gradient clipping, validation, best kept, resumable.

A run lives in a folder: `state.pt` holds all that a killed run needs to go on as if nothing had happened, `best/` the
checkpoint with the lowest validation loss so far (the mean over tasks by the number of their examples), `log.jsonl` one
line a validation.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from tqdm import tqdm

from seq2seq.models.pretrained import PreTrainedModel
from seq2seq.training.batches import Example, batches

STATE_FILE, BEST_FOLDER, LOG_FILE = "state.pt", "best", "log.jsonl"


@dataclass(frozen=True)
class TrainingSettings:
    num_steps: int
    learning_rate: float = 5e-4
    warmup_steps: int = 150
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    batch_cost: int = 4000  # see Example.cost
    batches_a_step: int = 1  # their gradients are added up
    validate_every: int = 250
    seed: int = 0


@dataclass
class Progress:
    """Where a run stands; saved with its weights."""

    step: int = 0
    seconds: float = 0.0
    best_loss: float = math.inf


def train(
    model: PreTrainedModel,
    examples: list[Example],
    dev: list[Example],
    settings: TrainingSettings,
    folder: Path,
) -> Progress:
    """Trains in place until num_steps, from where `folder` left off if it holds a state."""
    folder.mkdir(parents=True, exist_ok=True)
    optimizer = torch.optim.AdamW(grouped(model, settings.weight_decay), lr=settings.learning_rate, fused=True)
    progress = restore(folder / STATE_FILE, model, optimizer)
    torch.manual_seed(settings.seed + progress.step)
    model.train()
    running = None
    bar = tqdm(total=settings.num_steps, initial=progress.step, unit="step", smoothing=0.05)
    groups = endless(examples, settings, progress.step * settings.batches_a_step)
    while progress.step < settings.num_steps:
        started = time.monotonic()
        loss = update(model, optimizer, list(islice(groups, settings.batches_a_step)), settings, progress.step)
        progress.step += 1
        progress.seconds += time.monotonic() - started
        running = loss if running is None else 0.98 * running + 0.02 * loss
        bar.set_postfix(loss=f"{running:.3f}", refresh=False)
        bar.update()
        if progress.step % settings.validate_every == 0 or progress.step == settings.num_steps:
            validate_and_save(model, optimizer, dev, settings, progress, folder, running)
    bar.close()
    return progress


def grouped(model: PreTrainedModel, weight_decay: float) -> list[dict]:
    """Matrices decay towards zero; biases and norms do not. What is frozen is not there."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]


def freeze(model: PreTrainedModel, beginnings: Sequence[str]) -> None:
    """Leaves the parameters whose names begin so as they are.

    Raises: ValueError for a beginning that no parameter has.
    """
    names = [name for name, _ in model.named_parameters()]
    for beginning in beginnings:
        if not any(name.startswith(beginning) for name in names):
            raise ValueError(f"No parameter's name begins with {beginning!r}. They are: {', '.join(names)}.")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not name.startswith(tuple(beginnings)))


def endless(examples: list[Example], settings: TrainingSettings, start: int) -> Iterator[list[Example]]:
    """Batches of epoch after epoch, without the first `start`."""
    epoch = 0
    while True:
        groups = batches(examples, settings.batch_cost, settings.seed + epoch)
        yield from groups[start:]
        start = max(0, start - len(groups))
        epoch += 1


def learning_rate(settings: TrainingSettings, step: int) -> float:
    """Up linearly over the warm-up, then down linearly to zero."""
    rise = (step + 1) / settings.warmup_steps
    fall = (settings.num_steps - step) / max(1, settings.num_steps - settings.warmup_steps)
    return settings.learning_rate * min(rise, fall)


def update(
    model: PreTrainedModel, optimizer: torch.optim.Optimizer, groups: list[list[Example]],
    settings: TrainingSettings, step: int,
) -> float:  # fmt: skip
    """One step from the gradients of all groups. Returns the mean loss.

    Groups of one class of examples weigh by their targets, and every class by its groups: what is a target to one,
    a token, is nothing beside what is a target to another, a sentence of a long text.
    """
    for parameters in optimizer.param_groups:
        parameters["lr"] = learning_rate(settings, step)
    classes = Counter(type(group[0]) for group in groups)
    targets: dict[type, float] = dict.fromkeys(classes, 0.0)
    for group in groups:
        targets[type(group[0])] += count_targets(group)
    mean = 0.0
    for group in groups:
        kind = type(group[0])
        weight = count_targets(group) / targets[kind] * classes[kind] / len(groups)
        loss = batch_loss(model, group) * weight
        loss.backward()
        mean += loss.item()
    torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return mean


def count_targets(group: list[Example]) -> float:
    return sum(example.num_targets for example in group)


def batch_loss(model: PreTrainedModel, group: list[Example]) -> torch.Tensor:
    with torch.autocast(model.device.type, dtype=torch.bfloat16):
        return type(group[0]).loss(model, group)


@torch.no_grad()
def validation_losses(model: PreTrainedModel, dev: list[Example], batch_cost: int) -> dict[str, float]:
    """Mean loss a target of each task's dev examples."""
    model.eval()
    sums: dict[str, float] = {}
    targets: dict[str, float] = {}
    for task in sorted({example.task for example in dev}):
        for group in batches([example for example in dev if example.task == task], batch_cost, seed=0):
            count = count_targets(group)
            sums[task] = sums.get(task, 0.0) + batch_loss(model, group).item() * count
            targets[task] = targets.get(task, 0.0) + count
    model.train()
    return {task: sums[task] / targets[task] for task in sums}


def validate_and_save(
    model: PreTrainedModel, optimizer: torch.optim.Optimizer, dev: list[Example],
    settings: TrainingSettings, progress: Progress, folder: Path, train_loss: float,
) -> None:  # fmt: skip
    losses = validation_losses(model, dev, settings.batch_cost)
    counts = Counter(example.task for example in dev)
    mean = sum(losses[task] * count for task, count in counts.items()) / len(dev)
    if mean < progress.best_loss:
        progress.best_loss = mean
        model.save_pretrained(folder / BEST_FOLDER)
    save_state(folder / STATE_FILE, model, optimizer, progress)
    minutes = progress.seconds / 60
    entry = {
        "step": progress.step,
        "minutes": round(minutes, 1),
        "minutes_left": round(minutes * (settings.num_steps / progress.step - 1), 1),
        "train": round(train_loss, 4),
        "machine": machine(model.device),
    }
    entry["dev"] = {task: round(loss, 4) for task, loss in losses.items()}
    with open(folder / LOG_FILE, "a", encoding="utf-8") as log:
        log.write(json.dumps(entry) + "\n")
    tqdm.write(json.dumps(entry))


def machine(device: torch.device) -> str:
    """What a run takes its time on, in a reader's words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return "one processor core" if threads == 1 else f"{threads} processor cores"


def save_state(path: Path, model: PreTrainedModel, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
    """Written beside and renamed, so that a kill in the middle leaves the state before."""
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "progress": vars(progress)}
    torch.save(state, path.with_suffix(".tmp"))
    os.replace(path.with_suffix(".tmp"), path)


def restore(path: Path, model: PreTrainedModel, optimizer: torch.optim.Optimizer) -> Progress:
    if not path.exists():
        return Progress()
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return Progress(**state["progress"])
