"""Fits to a checkpoint how its scores become probabilities, and when it declines, and writes that into its config.json.

    python -m seq2seq.training.calibration FOLDER --data DATA [--limit 6000]

On one half of SQuAD 2.0's dev set here, by paragraph; `evaluate` measures on the other. No weight changes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from seq2seq.config import read_config
from seq2seq.engine import Engine
from seq2seq.tasks import AnswerSettings
from seq2seq.tasks.answer import Reader, Scores, conclude, doubt, join_scores, read_all
from seq2seq.tasks.passage import Passage
from seq2seq.tasks.spans import calibrated
from seq2seq.training.evaluate_answers import Row, fitting_rows
from seq2seq.training.squad import WITH_ANSWER, Outcome, best_threshold, exact_match, f1, normalized

PENALTIES = [step / 50 for step in range(16)]  # a token
FITTED = ("length_penalty", "temperature", "no_answer_bias", "no_answer_threshold")


class Read(NamedTuple):
    """One question, as the model scored it."""

    golds: tuple[str, ...]  # none where the text has no answer
    passage: Passage
    scores: list[Scores]  # a window


def calibrate(reader: Reader, rows: Sequence[Row]) -> AnswerSettings:
    """The penalty that gives most exact matches and F1, then the likeliest temperature and bias, then the threshold."""
    plain = replace(reader.settings, length_penalty=0.0, temperature=1.0, no_answer_bias=0.0)
    reads = list(read(reader, rows, plain))
    answerable = [one for one in reads if one.golds]
    penalized = max(
        (replace(plain, length_penalty=penalty) for penalty in PENALTIES),
        key=lambda settings: mean(rightness(outcome) for outcome in outcomes(answerable, settings)),
    )
    temperature, bias = likeliest(reads, penalized)
    settings = replace(penalized, temperature=round(temperature, 3), no_answer_bias=round(bias, 3))
    return replace(settings, no_answer_threshold=best_threshold(outcomes(reads, settings)))


def read(reader: Reader, rows: Sequence[Row], settings: AnswerSettings) -> Iterator[Read]:
    passages = [reader.passage(question, context, settings) for question, context, _ in rows]
    scores = iter(read_all(reader, [passage.row(window) for passage in passages for window in passage.windows]))
    for passage, (_, _, golds) in zip(passages, rows, strict=True):
        yield Read(golds, passage, [next(scores) for _ in passage.windows])


def outcomes(reads: Sequence[Read], settings: AnswerSettings) -> list[Outcome]:
    answers = [conclude(one.passage, one.scores, replace(settings, num_spans=1), seconds=0.0) for one in reads]
    return [
        Outcome(one.golds, answer.spans[0].text, doubt(answer.spans[0], answer.no_answer_score))
        for one, answer in zip(reads, answers, strict=True)
    ]


def rightness(outcome: Outcome) -> float:
    return exact_match(outcome.golds, outcome.text) + f1(outcome.golds, outcome.text)


def likeliest(reads: Sequence[Read], settings: AnswerSettings) -> tuple[float, float]:
    """Temperature and bias under which what is right is likeliest, visitors' questions mostly having an answer."""
    parts = []
    for one in reads:
        joined = join_scores(one.passage, one.scores, settings.max_answer_tokens)
        scores = calibrated(joined, settings.length_penalty, temperature=1.0, no_answer_bias=0.0)
        parts.append((scores.ravel(), scores[right(one, scores)] if one.golds else None))
    share = mean(bool(one.golds) for one in reads)
    weights = [WITH_ANSWER / share if golds is not None else (1 - WITH_ANSWER) / (1 - share) for _, golds in parts]

    def surprise(chosen: np.ndarray) -> float:
        temperature, bias = temperature_of(chosen[0]), chosen[1]
        total = 0.0
        for (scores, golds), weight in zip(parts, weights, strict=True):
            everything = np.logaddexp(0.0, log_sum_exp(scores / temperature - bias))
            wanted = 0.0 if golds is None else log_sum_exp(golds / temperature - bias)
            total += weight * min(everything - wanted, 30.0)  # a gold span that the model cannot give counts once
        return total / len(parts)

    log_temperature, bias = minimize(surprise, np.zeros(2), method="Nelder-Mead").x
    return temperature_of(log_temperature), float(bias)


def temperature_of(logarithm: float) -> float:
    """Within a tenth and ten: a model that knows nothing would want an infinite one."""
    return float(np.exp(np.clip(logarithm, -np.log(10), np.log(10))))


def right(one: Read, scores: np.ndarray) -> np.ndarray:
    """T K: the spans whose text is, normalised, a gold answer."""
    golds = {normalized(gold) for gold in one.golds}
    longest = max(len(gold) for gold in one.golds) + 20
    mask = np.zeros(scores.shape, dtype=bool)
    tokens, context = one.passage.tokens, one.passage.context
    for first, token in enumerate(tokens):
        for more, last in enumerate(tokens[first : first + scores.shape[1]]):
            if last.end - token.start > longest:
                break
            mask[first, more] = normalized(context[token.start : last.end]) in golds
    return mask


def log_sum_exp(values: np.ndarray) -> float:
    highest = values.max(initial=-np.inf)
    return float(highest + np.log(np.exp(values - highest).sum())) if np.isfinite(highest) else -np.inf


def write(folder: Path, settings: AnswerSettings) -> None:
    """Into the checkpoint's config.json, beside what else it says of answering."""
    config = read_config(folder)
    said = (config.task_specific_params or {}).get("answer", {})
    fitted = {name: value for name, value in asdict(settings).items() if name in FITTED}
    config.task_specific_params = {"answer": said | fitted}
    config.save_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path, help="folder of the checkpoint")
    parser.add_argument("--data", type=Path, required=True, help="folder of gzipped JSON lines")
    parser.add_argument("--limit", type=int, default=6000, help="questions, drawn with a fixed seed")
    arguments = parser.parse_args()
    reader = Engine().load("answer", str(arguments.model))
    settings = calibrate(reader, fitting_rows(arguments.data, arguments.limit))
    write(arguments.model, settings)
    print(settings)


if __name__ == "__main__":
    main()
