"""What a checkpoint brings along, its tokens, settings and prompts: checked once, when it is loaded.

A run would otherwise fail at them, or take all memory, and its visitor could do nothing about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from seq2seq.checkpoints.errors import CheckpointError, blaming
from seq2seq.config import CONFIG_FILE
from seq2seq.generation.settings import GenerationConfig
from seq2seq.models.generating import GENERATION_CONFIG_FILE, first_token
from seq2seq.tasks.answer import Reader
from seq2seq.tasks.parameters import encoder_of
from seq2seq.tasks.results import RANGES, GenerationSettings, InputError, Task
from seq2seq.tasks.writing import Writer

SAMPLE = "Rain fell all night."
UNBOUNDED = {"seed", "min_new_tokens", "max_new_tokens"}  # lengths are held to the room that the model has


def refuse_own_settings(checkpoint: str, writer: Writer, tasks: Iterable[Task]) -> None:
    """Raises: CheckpointError that names the checkpoint, and the file, the setting and its range if it is one."""
    for task in tasks:
        try:
            refuse_out_of_range(writer, task)
        except InputError as error:
            file = file_of(str(error), writer, task)
            raise CheckpointError(f"{file} of {checkpoint}: {error} Correct it, or choose another.") from error
        with blaming(checkpoint):
            try_on_sample(writer, task)


def refuse_unknown_tokens(checkpoint: str, worker: Writer | Reader) -> None:
    """Raises: CheckpointError where the tokenizer has ids for which the model has no embedding.

    For named special tokens that is fair: a family names some by default that not every vocabulary has.
    """
    known = encoder_of(worker.model.config).vocab_size
    named = set(worker.tokenizer.special_tokens_map.values())
    for token, token_id in worker.tokenizer.get_vocab().items():
        if not 0 <= token_id < known and token not in named:
            raise CheckpointError(
                f"The tokenizer of {checkpoint} gives {token!r} the id {token_id:,}, and its model knows those from 0 "
                f"to {known - 1:,}. Get the files of both from one source, or choose another."
            )


def try_on_sample(writer: Writer, task: Task) -> None:
    """Has a text read as a run would, before the model comes in: fails at a prompt that no text can have."""
    writer.quotes(task, SAMPLE, GenerationSettings())
    for part in writer.parts(task, SAMPLE):
        writer.source(task, part)


def refuse_out_of_range(writer: Writer, task: Task) -> None:
    """Raises: InputError that names the setting."""
    config = writer.generation_config(task, GenerationSettings())
    for name, value, low, high in bounded(config, writer.model.config.decoder.vocab_size):
        if not low <= value <= high:
            raise InputError(f"{name} must be from {low:,} to {high:,}; it is {value!r}.")


def bounded(config: GenerationConfig, vocabulary: int) -> Iterator[tuple[str, float, float, float]]:
    """Settings with what they may be: what a visitor may choose, and tokens that the model knows."""
    for name, bounds in RANGES.items():
        if name not in UNBOUNDED and getattr(config, name) is not None:
            yield name, getattr(config, name), *bounds
    start = "bos_token_id" if config.decoder_start_token_id is None else "decoder_start_token_id"
    ids = {
        start: (first_token(config),),
        "pad_token_id": (config.padding_id,),
        "eos_token_id": config.eos_ids,
        "forced_bos_token_id": () if config.forced_bos_token_id is None else (config.forced_bos_token_id,),
        "forced_eos_token_id": config.forced_eos_ids,
    }
    yield from ((name, each, 0, vocabulary - 1) for name, given in ids.items() for each in given)


def file_of(problem: str, writer: Writer, task: Task) -> str:
    """Where the setting stands that the problem names."""
    if any(name in problem for name in writer.parameters(task).search):
        return f'{CONFIG_FILE} (task_specific_params["{task}"])'
    return CONFIG_FILE if writer.model.generation_config is None else GENERATION_CONFIG_FILE
