"""Model cards: what a checkpoint is, how well it does, where it fails, and what it was trained on."""

from __future__ import annotations

from collections.abc import Iterable

from seq2seq.models import BigBirdForQuestionAnswering, EncoderDecoderModel
from seq2seq.training.recipes import AnsweringRecipe, WritingRecipe

WRITING = """---
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

ANSWERING = """---
license: apache-2.0
language: en
pipeline_tag: question-answering
base_model: sentence-transformers/all-MiniLM-L6-v2
tags: [big_bird, block-sparse-attention, extractive-question-answering]
---

# {title}

A BigBird encoder with a head for spans (6 layers of width 384, {parameters:.1f} M parameters), warm-started from
all-MiniLM-L6-v2: its uncased WordPiece vocabulary pruned to the {vocab_size:,} most frequent pieces, its 512 positions
repeated to {limit:,}, its attention block-sparse beyond {longest_dense} tokens. It finds the stretch of a text that
answers a question, or says that there is none. It reads up to {limit:,} tokens at once.

## How well it does

Measured by `make eval` through the answer task, on up to {pairs:,} dev questions a set, drawn with a fixed seed: exact
match and F1 by SQuAD's own normalisation. In brackets the baseline that needs no model: the sentence with most of the
question's words, and where half of the questions have no answer, no answer to any. "Decline" is to answer only up to
a doubt of {threshold:.2f}, which was found on one half of the dev set of SQuAD 2.0, with the questions that have an
answer counted three times, and is measured on the other.

{table}

## Where it fails

It was trained for {minutes:.0f} minutes on one processor core: {steps:,} steps of {batch_cost:,} tokens. It never saw a
question that was written to mislead, and is easily led to a phrase of the right kind near the question's words where
the text has no answer but looks as if it had. It copies a stretch of the text, and so does not count, compare or join
what stands in several places. English only. Do not rely on it where a mistake would matter.

## What it was trained on

{data}

Questions whose answer stands in several places of its paragraph were left out. Some were put to another paragraph of
the same article, or to their own without the sentence that answers them, to teach that there may be no answer; some to
several paragraphs, to teach looking far. No dev set was used in training, and no text of these sets is in this folder.
Recipe: `make train-qa` (seq2seq/training/recipes.py, "{name}").
"""

SOURCES = {
    "fusion/wikisplit": "WikiSplit (google-research-datasets/wiki-split), CC BY-SA 4.0",
    "fusion/minwiki_matchvp": "MinWiki, MatchVP part (serenayj/DeSSE), MIT",
    "fusion/desse_essays": "DeSSE essays (serenayj/DeSSE), MIT",
    "fusion/rule_discofuse_style": "sentence pairs joined by rule, from AllSides news, the Guardian, OpenStax and "
    "SQuAD's Wikipedia paragraphs, under those sources' terms",
    "qa/squad_v1.1": "SQuAD 1.1 (Rajpurkar et al. 2016), from rajpurkar/SQuAD-explorer, CC BY-SA 4.0",
    "qa/fairytaleqa_explicit": "FairytaleQA, its explicit questions (uci-soe/FairytaleQAData), Apache-2.0",
    "summarization/guardian_rss_standfirst": "Guardian standfirsts from public RSS archives; text (c) Guardian News "
    "& Media",
    "summarization/scitldr_abstract": "SciTLDR (allenai/scitldr), Apache-2.0",
    "plaintext/wikipedia_squad_articles": "Wikipedia articles as in SQuAD (rajpurkar/SQuAD-explorer), CC BY-SA 4.0",
}


def writing_card(recipe: WritingRecipe, model: EncoderDecoderModel, steps: int, report: dict) -> str:
    return WRITING.format(
        name=recipe.name,
        title=recipe.title,
        parameters=model.num_parameters() / 1e6,
        vocab_size=recipe.vocab_size,
        prompts=", ".join(f"`{prompt}`" for prompt in recipe.prompts.values()),
        limit=model.config.encoder.max_position_embeddings,
        pairs=max(entry["pairs"] for entry in report.values()),
        table=table(report),
        steps=steps,
        data=sources(ingredient.file for ingredient in recipe.ingredients),
    )


def answering_card(
    recipe: AnsweringRecipe, model: BigBirdForQuestionAnswering, steps: int, minutes: float, report: dict
) -> str:
    return ANSWERING.format(
        name=recipe.name,
        title=recipe.title,
        parameters=model.num_parameters() / 1e6,
        vocab_size=recipe.vocab_size,
        longest_dense=model.config.block_sparsity.longest_dense,
        limit=model.config.max_position_embeddings,
        pairs=max(entry["pairs"] for entry in report.values()),
        threshold=model.config.task_specific_params["answer"]["no_answer_threshold"],
        table=table(report),
        steps=steps,
        minutes=minutes,
        batch_cost=recipe.settings.batch_cost,
        data=sources(recipe.files),
    )


def sources(files: Iterable[str]) -> str:
    return "\n".join(f"- {SOURCES[file]}" for file in dict.fromkeys(files))


def table(report: dict) -> str:
    rows = ["| task | set | measures |", "|---|---|---|"]
    for task, entry in report.items():
        pairs = zip(entry["model"].items(), entry["baseline"].values(), strict=True)
        measures = ", ".join(f"{name} {value:.1f} ({baseline:.1f})" for (name, value), baseline in pairs)
        rows.append(f"| {task} | {entry['set']} | {measures} |")
    return "\n".join(rows)
