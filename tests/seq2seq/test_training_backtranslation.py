"""Pairs from back-translation: which sentences are drawn, which splits are kept, and that they join the data."""

import gzip
import json
import sys

import pytest

from seq2seq.training import backtranslation
from seq2seq.training.backtranslation import is_faithful, sentences
from seq2seq.training.data import Ingredient, read_pairs

LONG = "The bridge over the river at Holm, which was built by the county in 1932, closed for a year after the flood."
SPLIT = "The bridge over the river at Holm was built by the county in 1932. It closed for a year after the flood."


@pytest.fixture
def data(tmp_path):
    (tmp_path / "plaintext").mkdir()
    (tmp_path / "fusion").mkdir()
    rows = [{"text": f"The bridge\n{LONG} It was rebuilt.\n{LONG}"}, {"text": LONG.replace("1932", "1933")}]
    with gzip.open(tmp_path / "plaintext" / "wikipedia_squad_articles.train.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return tmp_path


def test_sentences_of_middling_length_are_drawn_once_each(data):
    assert sorted(sentences(data, most=10, seed=0)) == [LONG, LONG.replace("1932", "1933")]
    assert len(sentences(data, most=1, seed=0)) == 1


@pytest.mark.parametrize(
    ("split", "kept"),
    [
        (SPLIT, True),
        (LONG, False),  # one sentence
        (SPLIT.replace("1932", "1923"), False),
        (SPLIT.replace("Holm", "Helm"), False),
        (SPLIT.replace(" by the county", "").replace(" at Holm", "").replace(" in 1932", ""), False),  # too little
        (SPLIT.replace("flood", "storm and fire and thunder"), False),  # made up
    ],
)
def test_a_split_is_kept_that_says_what_the_sentence_does_and_no_more(split, kept):
    assert is_faithful(split, LONG) is kept


def test_what_is_kept_joins_the_data(data, monkeypatch):
    answers = {LONG: SPLIT, LONG.replace("1932", "1933"): SPLIT}  # the second has another year
    monkeypatch.setattr(
        backtranslation, "split_all", lambda writer, drawn: [(answers[sentence], sentence) for sentence in drawn]
    )
    monkeypatch.setattr(backtranslation.Engine, "load", lambda self, task, model: None)
    monkeypatch.setattr(sys, "argv", ["backtranslation", "model", "--data", str(data)])
    backtranslation.main()
    (pair,) = read_pairs(data, Ingredient("fuse", "fusion/rejoined"))
    assert (pair.source, pair.target) == (SPLIT, LONG)


def test_texts_are_split_by_the_model_in_order(engine):
    writer = engine.load("split", "taught")
    texts = ["Rain fell all night and the river rose.", "The bridge was closed."]
    made = list(backtranslation.split_all(writer, texts))
    assert [sentence for _, sentence in made] == texts
    assert all(isinstance(split, str) for split, _ in made)
