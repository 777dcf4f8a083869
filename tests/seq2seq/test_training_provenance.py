"""The measurement of provenance: which texts and sentences are drawn, and what counts as right."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random

import pytest

from seq2seq.tasks.sections import sentences_of
from seq2seq.trace import Leaning, Token
from seq2seq.training import provenance as module
from seq2seq.training.provenance import Extract, drawn, is_right, joined, measure, single, thinned

NAMES = ("Anna", "Berta", "Clara", "Dora", "Erna", "Frida")
TEXTS = [" ".join(f"{name} opened {count} small shops in the old town." for name in NAMES) for count in range(8)]
SHORT = "Anna opened a small shop in the old town. Nobody came to see it in the first week."
HEADLINES = "One! " * 9


@pytest.fixture
def data(tmp_path) -> Path:
    path = tmp_path / f"{module.DEV_SET}.dev.jsonl.gz"
    path.parent.mkdir()
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps({"source": text}) + "\n" for text in (*TEXTS, SHORT, HEADLINES.strip()))
    return tmp_path


def extracts_of(data: Path, limit: int) -> list[Extract]:
    return list(drawn(single(data), limit, Random(0)))


def test_two_sentences_of_a_text_are_drawn_in_its_order(data):
    extracts = extracts_of(data, 5)
    assert len({extract.text for extract in extracts}) == 5
    for extract in extracts:
        first, second = extract.drawn
        assert first.start < second.start
        assert {first, second} < set(sentences_of(extract.text))
        assert extract.chance == pytest.approx(1 / len(NAMES))


def test_the_same_are_drawn_each_time(data):
    assert extracts_of(data, 4) == extracts_of(data, 4)


def test_texts_of_few_or_no_plain_sentences_are_left_out(data):
    assert {extract.text for extract in extracts_of(data, 99)} == set(TEXTS)


class Counting:
    """A writer to whom each word is a token."""

    def num_tokens(self, task: str, text: str) -> int:
        return len(text.split())


def test_texts_are_joined_until_they_are_as_long_as_they_may_be(data):
    length = len(TEXTS[0].split())
    long = joined(Counting(), single(data), 3, 4 * length + 1, Random(0))
    assert [len(text.split()) for text in long] == [4 * length] * 3
    assert set("\n\n".join(long).split("\n\n")) <= set(TEXTS)
    assert long[0] != long[1]


def test_every_third_word_is_left_out_but_not_the_end():
    assert thinned("a b c d e f g h.") == "a b d e g h."
    assert thinned("a b c d e f.") == "a b d e f."


def test_what_is_right_is_where_the_sentence_stands():
    first, second = sentences_of("It rained. It rained.")
    leaning = Leaning(Token("It rained.", 0, 10), ((Token(first.text, first.start, first.end), 0.8),))
    assert is_right(leaning.sources, first)
    assert not is_right(leaning.sources, second)
    assert not is_right((), first)


def test_methods_are_compared_on_the_same_sentences(data, monkeypatch):
    """One method always names the first sentence of a text, another what is right, but second."""
    monkeypatch.setattr(module, "WEIGHINGS", ("first", "second best"))
    monkeypatch.setattr(module, "forced", lambda writer, task, text, output: (text, output))
    monkeypatch.setattr(module, "pair_of", lambda writer, written: written)
    monkeypatch.setattr(module, "provenance", told)
    report = measure(None, data, limit=6)
    hits = sum(extract.drawn[0].start == 0 for extract in extracts_of(data, 6))
    assert report["texts"] == 6
    assert report["first is right by chance %"] == pytest.approx(100 / len(NAMES))
    for condition in ("as they stand", "every third word left out"):
        first, second = report[condition].values()
        assert first["sentences"] == second["sentences"] == 12
        assert first["first is right %"] == first["one of three is right %"] == pytest.approx(100 * hits / 12)
        assert (second["first is right %"], second["one of three is right %"]) == (0, 100)


def told(pair: tuple[str, str], method: str) -> tuple[Leaning, ...]:
    text, output = pair
    known = [Token(each.text, each.start, each.end) for each in sentences_of(text)]
    leanings = []
    for sentence in sentences_of(output):
        right = next(each for each in known if each.text.split()[0] == sentence.text.split()[0])
        sources = ((known[0], 1.0),) if method == "first" else ((Token("", -1, -1), 0.6), (right, 0.4))
        leanings.append(Leaning(Token(sentence.text, sentence.start, sentence.end), sources))
    return tuple(leanings)


def test_two_that_are_read_as_one_do_not_count(data, monkeypatch):
    monkeypatch.setattr(module, "WEIGHINGS", ("first",))
    monkeypatch.setattr(module, "forced", lambda writer, task, text, output: (text, output))
    monkeypatch.setattr(module, "pair_of", lambda writer, written: written)
    monkeypatch.setattr(
        module, "provenance", lambda pair, method: told(pair, method)[: 1 if pair[0] == TEXTS[0] else 2]
    )
    report = measure(None, data, limit=len(TEXTS))
    assert report["as they stand"]["first"]["sentences"] == 2 * (len(TEXTS) - 1)
