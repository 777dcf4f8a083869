"""Measures a checkpoint on dev sets, beside the baseline that needs no model.

    python -m seq2seq.training.evaluate FOLDER --data DATA [--limit 300]

Fusing and splitting: BLEU (sacrebleu, cased, 13a), exact matches, and the share of output words that the source lacks;
their baseline copies the source. Summaries: ROUGE-1, -2 and -Lsum F1 (rouge-score, stemmed); their baseline is the
first two sentences. Answers: see `evaluate_answers`.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean

import sacrebleu
from rouge_score import rouge_scorer
from tqdm import tqdm

from seq2seq.engine import Engine
from seq2seq.engine.local import read_card
from seq2seq.training.data import SENTENCE_END, WORD, Pair, read_pairs
from seq2seq.training.evaluate_answers import measure_answers
from seq2seq.training.recipes import SMALL
from seq2seq.training.squad import Scores

ROUGE = ("rouge1", "rouge2", "rougeLsum")


def rewriting_scores(pairs: Sequence[Pair], outputs: Sequence[str]) -> Scores:
    targets = [pair.target for pair in pairs]
    return {
        "BLEU": sacrebleu.corpus_bleu(list(outputs), [targets]).score,
        "exact %": 100 * mean(output == target for output, target in zip(outputs, targets, strict=True)),
        "new words %": 100 * mean(new_words(pair.source, output) for pair, output in zip(pairs, outputs, strict=True)),
    }


def new_words(source: str, output: str) -> float:
    """The share of the output's words that do not occur in the source, case aside."""
    known = set(WORD.findall(source.lower()))
    words = WORD.findall(output.lower())
    return sum(word not in known for word in words) / max(1, len(words))


def summary_scores(pairs: Sequence[Pair], outputs: Sequence[str]) -> Scores:
    scorer = rouge_scorer.RougeScorer(ROUGE, use_stemmer=True)
    scores = [
        scorer.score(on_lines(pair.target), on_lines(output)) for pair, output in zip(pairs, outputs, strict=True)
    ]
    return {name: 100 * mean(score[name].fmeasure for score in scores) for name in ROUGE}


def on_lines(text: str) -> str:
    """A sentence a line, as ROUGE-Lsum expects."""
    return "\n".join(SENTENCE_END.split(text))


def copied(source: str) -> str:
    return source


def lead(source: str) -> str:
    """The first two sentences."""
    return " ".join(SENTENCE_END.split(source)[:2])


MEASURES: dict[str, tuple[Callable[[Sequence[Pair], Sequence[str]], Scores], Callable[[str], str]]] = {
    "fuse": (rewriting_scores, copied),
    "split": (rewriting_scores, copied),
    "summarize": (summary_scores, lead),
}


def measure(engine: Engine, model: str, data: Path, limit: int) -> dict[str, dict[str, Scores | int | str]]:
    """What `measure_writing` or `measure_answers` says of it, by what it was made for."""
    answers = "answer" in read_card(model, model).tasks
    return (measure_answers if answers else measure_writing)(engine, model, data, limit)


def measure_writing(engine: Engine, model: str, data: Path, limit: int) -> dict[str, dict[str, Scores | int | str]]:
    """By task: the dev set, how many of its pairs, the model's scores and the baseline's."""
    report = {}
    for ingredient in SMALL.dev:
        pairs = read_pairs(data, ingredient, "dev")
        pairs = random.Random(0).sample(pairs, min(limit, len(pairs)))
        score, baseline = MEASURES[ingredient.task]
        report[ingredient.task] = {
            "set": f"{ingredient.file} dev",
            "pairs": len(pairs),
            "model": score(pairs, written(engine, model, ingredient.task, pairs)),
            "baseline": score(pairs, [baseline(pair.source) for pair in pairs]),
        }
    return report


def written(engine: Engine, model: str, task: str, pairs: Sequence[Pair]) -> list[str]:
    """Outputs in the order of the pairs; texts of like length are written together."""
    order = sorted(range(len(pairs)), key=lambda index: len(pairs[index].source))
    texts = [pairs[index].source for index in order]
    outputs = tqdm(engine.run_many(task, texts, model), total=len(texts), desc=task)
    by_index = dict(zip(order, map(str, outputs), strict=True))
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
