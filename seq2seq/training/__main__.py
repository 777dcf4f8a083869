"""python -m seq2seq.training RECIPE --data DATA --output FOLDER: trains, and goes on where it stopped."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from seq2seq.engine.memory import keep_freed_memory
from seq2seq.training.loop import train
from seq2seq.training.prepare import prepare, public_bert
from seq2seq.training.recipes import RECIPES


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m seq2seq.training", description=__doc__)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--data", type=Path, required=True, help="folder of gzipped JSON lines")
    parser.add_argument(
        "--start", type=Path, help="folder of the checkpoint to start from: a BERT (MiniLM by default), or one of ours"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the run, which can be resumed")
    parser.add_argument("--steps", type=int, help="instead of the recipe's number of steps")
    arguments = parser.parse_args()

    keep_freed_memory()
    recipe = RECIPES[arguments.recipe]
    settings = replace(recipe.settings, num_steps=arguments.steps or recipe.settings.num_steps)
    torch.manual_seed(settings.seed)
    start = arguments.start or public_bert()
    model, examples, dev = prepare(recipe, arguments.data, start, arguments.output)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    print(f"{len(examples)} training examples, {len(dev)} dev examples, {model.num_parameters():,} parameters")
    train(model, examples, dev, settings, arguments.output)


if __name__ == "__main__":
    main()
