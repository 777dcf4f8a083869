"""The tree of a beam search: every continuation that it weighed for a source, and what became of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from seq2seq.generation.beam import WORST
from seq2seq.generation.settings import GenerationConfig
from seq2seq.generation.steps import GenerateOutput, Weighed
from seq2seq.tasks import GenerationSettings, Writer, Written
from seq2seq.tasks.output import name_of
from seq2seq.tokenizers import Tokenizer
from seq2seq.trace import BeamTree, Branch, Fate

NUM_BEAMS = 4  # where there would be only one, and so no tree
DROPPED: dict[Fate, int] = {"written": 0, "finished": 1, "kept": 1, "pruned": 2}  # the higher, the sooner


def beam_tree(
    writer: Writer, written: Written, settings: GenerationSettings | None = None, most_branches: int = 400
) -> BeamTree:
    """The search for this source, run once more: with the settings' beams or the checkpoint's, or with 4 for one.

    Scores are those that the search went by, under its rules. Of more than `most_branches`, pruned ones are left out
    first and the others after them, the latest first; what is on the way to the output stays.
    Raises: InputError for a text that cannot be worked on, ValueError for settings out of range.
    """
    settings = settings or GenerationSettings()
    config = writer.generation_config(written.task, settings)
    config = config.merged(num_beams=config.num_beams if config.num_beams > 1 else NUM_BEAMS)
    weighed, output = searched(writer, written, config, settings.seed)
    branches = all_branches(writer.tokenizer, weighed, output)
    return BeamTree(config.num_beams, fewer(branches, most_branches))


def searched(
    writer: Writer, written: Written, config: GenerationConfig, seed: int
) -> tuple[tuple[Weighed, ...], GenerateOutput]:
    """What each step weighed, and what came out."""
    source = writer.source(written.task, written.text)
    with writer.turns:
        steps = writer.model.generate_steps(
            torch.tensor([source.input_ids], device=writer.model.device),
            generation_config=config,
            generator=torch.Generator(writer.model.device).manual_seed(seed),
            num_alternatives=None,
            logits_processor=writer.rules(written.task, [source]),
            with_weighed=True,
            joined=writer.joined,
        )
    weighed, outputs = zip(*((step.weighed, step.output) for step in steps), strict=True)
    return weighed, outputs[-1]


def all_branches(tokenizer: Tokenizer, weighed: Sequence[Weighed], output: GenerateOutput) -> list[Branch]:
    """Step by step. What stands in a row of the search is known by the place of its last branch."""
    path = path_of(output)
    branches: list[Branch] = []
    place_of: dict[int, int | None] = {0: None}
    for number, step in enumerate(weighed):
        parents, place_of = place_of, {}
        for score, parent, token, row, finished in continuations(step):
            if row >= 0:
                place_of[row] = len(branches)
            is_written = path.get(number) == (parent, token)
            fate = "written" if is_written else "finished" if finished else "kept" if row >= 0 else "pruned"
            branches.append(Branch(parents[parent], name_of(tokenizer, token), score, fate))
    return branches


def path_of(output: GenerateOutput) -> dict[int, tuple[int, int]]:
    """The best hypothesis: by step, the row that it went on from, and its token."""
    rows = output.beam_indices[0].tolist()
    tokens = output.sequences[0, -len(rows) :].tolist()
    return {number: step for number, step in enumerate(zip(rows, tokens, strict=True)) if step[0] >= 0}


def continuations(step: Weighed) -> Iterator[tuple[float, int, int, int, bool]]:
    """Score, parent's row, token, row that goes on with it, and whether it finished: of the first source's."""
    columns = (step.scores, step.parents, step.tokens, step.rows, step.finished)
    for continuation in zip(*(column[0].tolist() for column in columns), strict=True):
        if continuation[0] > WORST / 2:  # otherwise there was none
            yield continuation


def fewer(branches: Sequence[Branch], most: int) -> tuple[Branch, ...]:
    """At most so many, if what is written is not more. Parents stay, as they are never dropped before a child."""
    in_order = sorted(range(len(branches)), key=lambda place: DROPPED[branches[place].fate])
    num_written = sum(branch.fate == "written" for branch in branches)
    places = sorted(in_order[: max(most, num_written)])
    moved: dict[int | None, int | None] = {None: None} | {place: number for number, place in enumerate(places)}
    return tuple(replace(branches[place], parent=moved[branches[place].parent]) for place in places)
