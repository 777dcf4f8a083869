"""Fitting how scores become probabilities: what is found on made-up scores whose best settings are known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from seq2seq.tasks import AnswerSettings
from seq2seq.tasks.answer import Scores, join_scores
from seq2seq.tasks.passage import Passage
from seq2seq.tasks.spans import Window
from seq2seq.trace import Token
from seq2seq.training.calibration import Read, likeliest, outcomes, right, write

WORDS = ["Anna", "Lind", "moved", "to", "Oslo", "in", "2011"]
CONTEXT = " ".join(WORDS)
STARTS = [CONTEXT.index(word) for word in WORDS]


def read(golds: tuple[str, ...], starts: list[float], ends: list[float], no_answer: float = 0.0) -> Read:
    tokens = tuple(Token(word, start, start + len(word)) for word, start in zip(WORDS, STARTS, strict=True))
    passage = Passage("Where?", CONTEXT, (), (), tuple(range(7)), tokens, (Window(0, 7, 0, 7),))
    return Read(golds, passage, [Scores(np.array(starts), np.array(ends), no_answer)])


def scores_of(one: Read) -> np.ndarray:
    return join_scores(one.passage, one.scores, AnswerSettings().max_answer_tokens)


def test_right_spans_are_those_whose_text_is_an_answer_after_normalisation():
    one = read(("oslo", "the Oslo in 2011"), [0.0] * 7, [0.0] * 7)
    assert np.argwhere(right(one, scores_of(one))).tolist() == [[4, 0], [4, 2]]


def test_a_model_that_is_too_sure_gets_a_temperature_above_one():
    """Three times in four it is right, and it gives the answer odds of e^12."""
    sure = read(("Oslo",), [0, 0, 0, 0, 6, 0, 0], [0, 0, 0, 0, 6, 0, 0])
    wrong = read(("2011",), [0, 0, 0, 0, 6, 0, 0], [0, 0, 0, 0, 6, 0, 0])
    none = read((), [-9.0] * 7, [-9.0] * 7)
    temperature, _ = likeliest([sure] * 3 + [wrong] + [none] * 2, AnswerSettings())
    assert temperature > 2


def test_the_bias_makes_no_answer_as_likely_as_it_is():
    """The same scores, with an answer in three of four weighed questions: p(no answer) should be a quarter."""
    flat = [-9.0, -9.0, -9.0, -9.0, 2.0, -9.0, -9.0]
    settings = AnswerSettings()
    reads = [read(("Oslo",), flat, flat), read((), flat, flat)]
    temperature, bias = likeliest(reads, settings)
    fitted = replace(settings, temperature=temperature, no_answer_bias=bias)
    assert [outcome.doubt for outcome in outcomes(reads, fitted)] == pytest.approx([0.25, 0.25], abs=0.02)


def test_what_is_fitted_is_written_beside_what_a_checkpoint_says_of_answering(tmp_path):
    config = {"model_type": "big_bird", "task_specific_params": {"answer": {"num_spans": 3, "length_penalty": 1.0}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    write(tmp_path, AnswerSettings(length_penalty=0.1, temperature=1.5, no_answer_bias=-0.5, no_answer_threshold=0.4))
    assert json.loads((tmp_path / "config.json").read_text())["task_specific_params"]["answer"] == {
        "num_spans": 3,
        "length_penalty": 0.1,
        "temperature": 1.5,
        "no_answer_bias": -0.5,
        "no_answer_threshold": 0.4,
    }
