"""Measures a checkpoint on dev sets, beside the baseline that needs no model.

    python -m seq2seq.training.evaluate FOLDER --data DATA [--limit 300]

Fusing and splitting: BLEU (sacrebleu, cased, 13a), SARI and exact matches; their baseline copies the source. Summaries:
ROUGE-1, -2 and -Lsum F1 (rouge-score, stemmed); their baseline is the first sentences. All of them: how much of the
output its source does not have, which is told of the references too. Answers: see `evaluate_answers`.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import sacrebleu
from rouge_score import rouge_scorer
from tqdm import tqdm

from seq2seq.engine import Engine
from seq2seq.engine.local import read_card
from seq2seq.tasks import InputError
from seq2seq.tasks.novelty import novel_facts, novel_words
from seq2seq.training.data import SENTENCE_END, WORD, Ingredient, Pair, read_pairs
from seq2seq.training.evaluate_answers import measure_answers
from seq2seq.training.sari import sari
from seq2seq.training.squad import Scores

ROUGE = ("rouge1", "rouge2", "rougeLsum")


@dataclass(frozen=True)
class DevSet:
    """What a task is measured on, how, and what it is compared with."""

    name: str
    ingredient: Ingredient
    scores: Callable[[Sequence[Pair], Sequence[str]], Scores]
    baseline: Callable[[str], str]


def rewriting_scores(pairs: Sequence[Pair], outputs: Sequence[str]) -> Scores:
    targets = [pair.target for pair in pairs]
    return {
        "BLEU": sacrebleu.corpus_bleu(list(outputs), [targets]).score,
        "SARI": mean(sari(pair.source, output, [pair.target]) for pair, output in zip(pairs, outputs, strict=True)),
        "exact %": 100 * mean(output == target for output, target in zip(outputs, targets, strict=True)),
    }


def summary_scores(pairs: Sequence[Pair], outputs: Sequence[str]) -> Scores:
    scorer = rouge_scorer.RougeScorer(ROUGE, use_stemmer=True)
    scores = [
        scorer.score(on_lines(pair.target), on_lines(output)) for pair, output in zip(pairs, outputs, strict=True)
    ]
    return {name: 100 * mean(score[name].fmeasure for score in scores) for name in ROUGE}


def novelty(sources: Sequence[str], outputs: Sequence[str]) -> Scores:
    """Words that the source lacks, beyond connectives, in all words; names and numbers that it lacks, an output."""
    pairs = list(zip(sources, outputs, strict=True))
    num_words = sum(len(WORD.findall(output)) for output in outputs)
    return {
        "novel words %": 100 * sum(len(novel_words(*pair)) for pair in pairs) / max(1, num_words),
        "novel names and numbers in 100": 100 * mean(len(novel_facts(*pair)) for pair in pairs),
    }


def on_lines(text: str) -> str:
    """A sentence a line, as ROUGE-Lsum expects."""
    return "\n".join(SENTENCE_END.split(text))


def copied(source: str) -> str:
    return source


def lead(num_sentences: int) -> Callable[[str], str]:
    """The first sentences of a text."""
    return lambda source: " ".join(SENTENCE_END.split(source)[:num_sentences])


DEV_SETS = (
    DevSet("fuse", Ingredient("fuse", "fusion/wikisplit"), rewriting_scores, copied),
    DevSet("split", Ingredient("split", "fusion/wikisplit"), rewriting_scores, copied),
    DevSet("summarize", Ingredient("summarize", "summarization/guardian_rss_standfirst"), summary_scores, lead(2)),
    DevSet(
        "summarize a long text", Ingredient("summarize", "longdoc/openstax_section_summary"), summary_scores, lead(6)
    ),
)


def measure(engine: Engine, model: str, data: Path, limit: int) -> dict[str, dict[str, Scores | int | str]]:
    """What `measure_writing` or `measure_answers` says of it, by what it was made for."""
    answers = "answer" in read_card(model, model).tasks
    return (measure_answers if answers else measure_writing)(engine, model, data, limit)


def measure_writing(engine: Engine, model: str, data: Path, limit: int) -> dict[str, dict[str, Scores | int | str]]:
    """By name of a dev set, of those for the model's tasks: the file, how many of its pairs, and scores.

    Scores of the model, of the baseline, and, as far as they need no reference, of the references.
    """
    tasks = read_card(model, model).tasks
    return {
        dev_set.name: measure_on(dev_set, engine, model, data, limit)
        for dev_set in DEV_SETS
        if dev_set.ingredient.task in tasks
    }


def measure_on(dev_set: DevSet, engine: Engine, model: str, data: Path, limit: int) -> dict[str, Scores | int | str]:
    pairs = read_pairs(data, dev_set.ingredient, "dev")
    pairs = random.Random(0).sample(pairs, min(limit, len(pairs)))
    sources = [pair.source for pair in pairs]
    outputs = written(engine, model, dev_set.ingredient.task, pairs)
    trivial = [dev_set.baseline(source) for source in sources]
    return {
        "set": f"{dev_set.ingredient.file} dev",
        "pairs": len(pairs),
        "model": dev_set.scores(pairs, outputs) | novelty(sources, outputs),
        "baseline": dev_set.scores(pairs, trivial) | novelty(sources, trivial),
        "references": novelty(sources, [pair.target for pair in pairs]),
    }


def written(engine: Engine, model: str, task: str, pairs: Sequence[Pair]) -> list[str]:
    """Outputs in the order of the pairs; texts of like length are written together."""
    order = sorted(range(len(pairs)), key=lambda index: len(pairs[index].source))
    texts = [pairs[index].source for index in order]
    by_index: dict[int, str] = {}
    for index, output in zip(
        order, tqdm(engine.run_many(task, texts, model), total=len(texts), desc=task), strict=True
    ):
        if isinstance(output, InputError):
            raise output
        by_index[index] = output
    return [by_index[index] for index in range(len(pairs))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="folder of the checkpoint")
    parser.add_argument("--data", type=Path, required=True, help="folder of gzipped JSON lines")
    parser.add_argument(
        "--limit", type=int, default=300, help="pairs a task, or questions a set, drawn with a fixed seed"
    )
    arguments = parser.parse_args()
    report = measure(Engine(), arguments.model, arguments.data, arguments.limit)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
