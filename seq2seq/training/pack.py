"""From a finished run to a checkpoint to ship: bfloat16 shards, tokenizer, settings by task, and a model card.

python -m seq2seq.training.pack RECIPE RUN_FOLDER DESTINATION --data DATA
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from seq2seq.engine import Engine
from seq2seq.models import BigBirdForQuestionAnswering
from seq2seq.tokenizers import BertGenerationTokenizer, BertTokenizer
from seq2seq.training import answering, calibration, writing
from seq2seq.training.cards import answering_card, writing_card
from seq2seq.training.evaluate import measure
from seq2seq.training.evaluate_answers import fitting_rows
from seq2seq.training.loop import BEST_FOLDER, LOG_FILE
from seq2seq.training.recipes import RECIPES, AnsweringRecipe, PegasusRecipe, WritingRecipe
from seq2seq.training.trials import tried

TRIALS = Path("assets/trials.json")


def pack_writing(
    recipe: WritingRecipe, run: Path, destination: Path, data: Path, limit: int, trials: Path, note: str
) -> None:
    model = writing.model_class(recipe).from_pretrained(run / BEST_FOLDER, dtype=torch.bfloat16)
    tokenizer = BertGenerationTokenizer(
        str(run / writing.VOCABULARY_FILE),
        sep_token="</s>",  # the usual "<::::>" is not in this vocabulary, and would become an id that the model lacks
        model_max_length=model.config.encoder.max_position_embeddings,
    )
    model.config.task_specific_params = {
        task: {"prefix": f"{prompt} ".lstrip(), **recipe.generation[task]} for task, prompt in recipe.prompts.items()
    }
    model.save_pretrained(destination)
    tokenizer.save_pretrained(destination)
    report = measure(Engine(), str(destination), data, limit)
    tried_out = tried(Engine(), str(destination), trials)
    publish(destination, report, writing_card(recipe, model, last_entry(run), report, tried_out, note))


def pack_answering(
    recipe: AnsweringRecipe, run: Path, destination: Path, data: Path, limit: int, trials: Path, note: str
) -> None:
    """With what is fitted to a half of a dev set (`calibration`)."""
    model = BigBirdForQuestionAnswering.from_pretrained(run / BEST_FOLDER, dtype=torch.bfloat16)
    tokenizer = BertTokenizer(
        vocab_file=run / answering.VOCABULARY_FILE, model_max_length=model.config.max_position_embeddings
    )
    model.config.task_specific_params = {"answer": {}}
    model.save_pretrained(destination)
    tokenizer.save_pretrained(destination)
    settings = calibration.calibrate(Engine().load("answer", str(destination)), fitting_rows(data, limit))
    calibration.write(destination, settings)
    report = measure(Engine(), str(destination), data, limit)
    tried_out = tried(Engine(), str(destination), trials)
    publish(destination, report, answering_card(recipe, model, settings, last_entry(run), report, tried_out, note))


PACKINGS = {WritingRecipe: pack_writing, PegasusRecipe: pack_writing, AnsweringRecipe: pack_answering}


def last_entry(run: Path) -> dict:
    """Of the run's log."""
    return json.loads((run / LOG_FILE).read_text(encoding="utf-8").splitlines()[-1])


def publish(destination: Path, report: dict, card: str) -> None:
    (destination / "README.md").write_text(card, encoding="utf-8")
    print(json.dumps(report, indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("run", type=Path)
    parser.add_argument("destination", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=300, help="dev pairs a task, or questions a set")
    parser.add_argument("--trials", type=Path, default=TRIALS, help="texts to try it out on")
    parser.add_argument("--note", default="", help="what else the card should say of these very weights")
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.recipe]
    pack = PACKINGS[type(recipe)]
    pack(
        recipe, arguments.run, arguments.destination, arguments.data, arguments.limit, arguments.trials, arguments.note
    )


if __name__ == "__main__":
    main()
