"""From a finished run to a checkpoint to ship: bfloat16 shards, tokenizer, settings by task, and a model card.

python -m seq2seq.training.pack RECIPE RUN_FOLDER DESTINATION --data DATA
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from seq2seq.engine import Engine
from seq2seq.models import EncoderDecoderModel
from seq2seq.tokenizers import BertGenerationTokenizer
from seq2seq.training.evaluate import measure
from seq2seq.training.loop import BEST_FOLDER, LOG_FILE
from seq2seq.training.recipes import RECIPES, Recipe

CARD = """---
license: apache-2.0
language: en
pipeline_tag: text2text-generation
base_model: sentence-transformers/all-MiniLM-L6-v2
tags: [encoder-decoder, bert-generation, summarization, sentence-fusion, sentence-splitting]
---

# {title}

An encoder-decoder of two BertGeneration stacks (6 layers of width 384, {parameters:.1f} M parameters), warm-started
from all-MiniLM-L6-v2 with its vocabulary exchanged for a cased SentencePiece one of {vocab_size:,} pieces. It fuses
sentences, splits one, and writes a one-sentence summary of a paragraph; the piece that a text begins with says which:
{prompts}. It reads up to {limit} tokens.

## How well it does

Measured by `make eval` on {pairs} dev pairs a task, drawn with a fixed seed; in brackets the baseline that needs no
model (fusing and splitting: the source copied; summaries: the first two sentences).

{table}

## Where it fails

It was trained for about an hour on one processor core: {steps:,} steps of some 33 pairs. It copies well and connects
simply. It can misspell rare names, lose a detail of a long sentence, or join sentences that do not belong together.
Summaries are of news in British English by habit; of other texts they are often the opening sentence, shortened, and
may claim what the text does not say. English only. Do not rely on it where a mistake would matter.

## What it was trained on

{data}

Rows whose target has a number or too many words that the source lacks were left out. No text of these sets is in this
folder. Recipe: `make train` (seq2seq/training/recipes.py, "{name}").
"""

SOURCES = {
    "fusion/wikisplit": "WikiSplit (google-research-datasets/wiki-split), CC BY-SA 4.0",
    "fusion/minwiki_matchvp": "MinWiki, MatchVP part (serenayj/DeSSE), MIT",
    "fusion/desse_essays": "DeSSE essays (serenayj/DeSSE), MIT",
    "fusion/rule_discofuse_style": "sentence pairs joined by rule, from AllSides news, the Guardian, OpenStax and "
    "SQuAD's Wikipedia paragraphs, under those sources' terms",
    "summarization/guardian_rss_standfirst": "Guardian standfirsts from public RSS archives; text (c) Guardian News "
    "& Media",
    "summarization/scitldr_abstract": "SciTLDR (allenai/scitldr), Apache-2.0",
    "plaintext/wikipedia_squad_articles": "Wikipedia articles as in SQuAD (rajpurkar/SQuAD-explorer), CC BY-SA 4.0",
}


def pack(recipe: Recipe, run: Path, destination: Path, data: Path, limit: int) -> None:
    model = EncoderDecoderModel.from_pretrained(run / BEST_FOLDER, dtype=torch.bfloat16)
    tokenizer = BertGenerationTokenizer(
        str(run / "spiece.model"),
        sep_token="</s>",  # the usual "<::::>" is not in this vocabulary, and would become an id that the model lacks
        model_max_length=model.config.encoder.max_position_embeddings,
    )
    model.config.task_specific_params = {
        task: {"prefix": f"{prompt} ", **recipe.generation[task]} for task, prompt in recipe.prompts.items()
    }
    model.save_pretrained(destination)
    tokenizer.save_pretrained(destination)
    report = measure(Engine(), str(destination), data, limit)
    (destination / "README.md").write_text(card(recipe, model, run, report), encoding="utf-8")
    print(json.dumps(report, indent=2))


def card(recipe: Recipe, model: EncoderDecoderModel, run: Path, report: dict) -> str:
    steps = json.loads((run / LOG_FILE).read_text(encoding="utf-8").splitlines()[-1])["step"]
    return CARD.format(
        name=recipe.name,
        title=recipe.title,
        parameters=model.num_parameters() / 1e6,
        vocab_size=recipe.vocab_size,
        prompts=", ".join(f"`{prompt}`" for prompt in recipe.prompts.values()),
        limit=model.config.encoder.max_position_embeddings,
        pairs=max(entry["pairs"] for entry in report.values()),
        table=table(report),
        steps=steps,
        data="\n".join(f"- {SOURCES[file]}" for file in dict.fromkeys(i.file for i in recipe.ingredients)),
    )


def table(report: dict) -> str:
    rows = ["| task | set | measures |", "|---|---|---|"]
    for task, entry in report.items():
        pairs = zip(entry["model"].items(), entry["baseline"].values(), strict=True)
        measures = ", ".join(f"{name} {value:.1f} ({baseline:.1f})" for (name, value), baseline in pairs)
        rows.append(f"| {task} | {entry['set']} | {measures} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("run", type=Path)
    parser.add_argument("destination", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=300, help="dev pairs a task to measure on")
    arguments = parser.parse_args()
    pack(RECIPES[arguments.recipe], arguments.run, arguments.destination, arguments.data, arguments.limit)


if __name__ == "__main__":
    main()
