"""python -m seq2seq.training RECIPE --data DATA --output FOLDER: trains, and goes on where it stopped."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from seq2seq.engine.memory import keep_freed_memory
from seq2seq.training.loop import freeze, train
from seq2seq.training.prepare import prepare, public_bert
from seq2seq.training.recipes import RECIPES

SETTINGS = {
    "num_steps": int,
    "learning_rate": float,
    "warmup_steps": int,
    "batch_cost": int,
    "batches_a_step": int,
    "validate_every": int,
    "seed": int,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m seq2seq.training", description=__doc__)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--data", type=Path, required=True, help="folder of gzipped JSON lines")
    parser.add_argument(
        "--start", type=Path, help="folder of the checkpoint to start from: a BERT (MiniLM by default), or one of ours"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the run, which can be resumed")
    for field, kind in SETTINGS.items():
        parser.add_argument(f"--{field.replace('_', '-')}", type=kind, help="in place of the recipe's own")
    parser.add_argument("--frozen", nargs="*", default=(), help="beginnings of the names of parameters to leave alone")
    arguments = parser.parse_args()

    keep_freed_memory()
    recipe = RECIPES[arguments.recipe]
    given = {field: getattr(arguments, field) for field in SETTINGS}
    settings = replace(recipe.settings, **{field: value for field, value in given.items() if value is not None})
    torch.manual_seed(settings.seed)
    if recipe.start and not arguments.start:
        parser.error(f"{recipe.name} goes on from what {recipe.start} made: give its folder as --start")
    start = arguments.start or public_bert()
    model, examples, dev = prepare(recipe, arguments.data, start, arguments.output)
    freeze(model, arguments.frozen)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    print(f"{len(examples)} training examples, {len(dev)} dev examples, {model.num_parameters():,} parameters")
    train(model, examples, dev, settings, arguments.output)


if __name__ == "__main__":
    main()
