"""Measures a checkpoint that answers: exact match and F1 on SQuAD's dev sets, beside what needs no model.

Answers come from the answer task, so what is measured is what a visitor gets. Every question is answered once; what
a threshold for "no answer" makes of that is a matter of counting.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from seq2seq.engine import Engine
from seq2seq.tasks import InputError
from seq2seq.tasks.answer import doubt
from seq2seq.training.data import SENTENCE_END, WORD, read_rows
from seq2seq.training.questions import articles, is_sound, make_question
from seq2seq.training.squad import Outcome, Scores, answer_scores

ANSWERABLE = "qa/squad_v1.1"
WITH_UNANSWERABLE = "qa/squad_v2.0_with_unanswerable"
ALWAYS, NEVER = 1.0, -1.0  # thresholds

Row = tuple[str, str, tuple[str, ...]]  # question, context, gold answers


def measure_answers(engine: Engine, model: str, data: Path, limit: int) -> dict[str, dict[str, int | str | Scores]]:
    """By name of a measure: the dev set, how many of its questions, the model's scores and the baseline's.

    The checkpoint's own settings may have been fitted to a half of the set with unanswerable questions (`calibration`):
    it is measured on the other.
    """
    threshold = engine.load("answer", model).settings.no_answer_threshold
    plain = drawn(rows_of(data, ANSWERABLE), limit)
    both = drawn(halves(rows_of(data, WITH_UNANSWERABLE))[1], limit)
    long = drawn(long_rows(data), max(1, limit // 10))
    said = {name: outcomes(engine, model, rows) for name, rows in (("plain", plain), ("both", both), ("long", long))}
    return {
        "answer": entry(ANSWERABLE, said["plain"], ALWAYS, sentences(plain), ALWAYS),
        "answer or decline": entry(ANSWERABLE, said["plain"], threshold, sentences(plain), ALWAYS),
        "answer from several paragraphs": entry(ANSWERABLE, said["long"], ALWAYS, sentences(long), ALWAYS),
        "answer or decline, half unanswerable": entry(WITH_UNANSWERABLE, said["both"], threshold, said["both"], NEVER),
    }


def fitting_rows(data: Path, limit: int) -> list[Row]:
    """Of the half of the dev set that `measure_answers` leaves alone."""
    return drawn(halves(rows_of(data, WITH_UNANSWERABLE))[0], limit)


def entry(
    file: str, said: Sequence[Outcome], threshold: float, trivial: Sequence[Outcome], trivial_threshold: float
) -> dict[str, int | str | Scores]:
    return {
        "set": f"{file} dev",
        "pairs": len(said),
        "model": answer_scores(said, threshold),
        "baseline": answer_scores(trivial, trivial_threshold),
    }


def rows_of(data: Path, file: str) -> list[Row]:
    rows = read_rows(data / f"{file}.dev.jsonl.gz")
    return [(row["question"], row["context"], tuple(row["answers"]["text"])) for row in rows]


def halves(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Every other paragraph, and the others, each with all of its questions."""
    first = set(list(dict.fromkeys(context for _, context, _ in rows))[::2])
    return [row for row in rows if row[1] in first], [row for row in rows if row[1] not in first]


def long_rows(data: Path) -> list[Row]:
    """Questions on their own paragraph among neighbours, as in training."""
    rows = list(read_rows(data / f"{ANSWERABLE}.dev.jsonl.gz"))
    by_title = articles(rows)
    chance = random.Random(0)
    long = []
    for row in filter(is_sound, rows):
        question = make_question(row, by_title[row["title"]], {"long": 1}, chance)
        long.append((question.text, question.context, tuple(row["answers"]["text"])))
    return long


def drawn(rows: Sequence[Row], limit: int) -> list[Row]:
    return random.Random(0).sample(rows, min(limit, len(rows)))


def outcomes(engine: Engine, model: str, rows: Sequence[Row]) -> list[Outcome]:
    """What the model says to every question. Those of like length are read together, in no order."""
    ordered = sorted(rows, key=lambda row: len(row[1]))
    answers = engine.answer_many([(question, context) for question, context, _ in ordered], model)
    said = []
    for (_, _, golds), answer in zip(ordered, tqdm(answers, total=len(rows), desc="answer"), strict=True):
        if isinstance(answer, InputError):
            raise answer
        best = answer.spans[0]
        said.append(Outcome(golds, best.text, doubt(best, answer.no_answer_score)))
    return said


def sentences(rows: Sequence[Row]) -> list[Outcome]:
    """The baseline that needs no model: the sentence of the context with most of the question's words."""
    return [Outcome(golds, likeliest_sentence(question, context), 0.0) for question, context, golds in rows]


def likeliest_sentence(question: str, context: str) -> str:
    words = set(WORD.findall(question.lower()))
    return max(SENTENCE_END.split(context), key=lambda text: len(words.intersection(WORD.findall(text.lower()))))
