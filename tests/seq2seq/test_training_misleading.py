"""Questions made wrong, so that their text no longer answers them."""

import random

import pytest

from seq2seq.training.misleading import NAME, NUMBER, exchanged, misled, negated, opposed

CONTEXT = "In 1932 the old bridge was built by Anna Nowak, the first woman to do so."
OTHERS = [CONTEXT, "The mill is of 1871; Jan Kos built it. Yesterday Anna Nowak slept."]


@pytest.mark.parametrize(
    ("kind", "question", "possible"),
    [
        (NAME, "What did Anna Nowak build?", {"What did Jan Kos build?"}),
        (NUMBER, "What was built in 1932?", {"What was built in 1871?"}),
        (NAME, "What did Ola Maj build?", {None}),  # not in the text
        (NUMBER, "What was built?", {None}),
    ],
)
def test_a_name_or_number_becomes_one_that_the_text_lacks(kind, question, possible):
    assert {exchanged(kind, question, CONTEXT, OTHERS, random.Random(seed)) for seed in range(9)} == possible


def test_a_word_becomes_its_opposite():
    assert opposed("Who was the first woman?", random.Random(0)) == "Who was the last woman?"
    assert opposed("Who came last?", random.Random(0)) == "Who came first?"
    assert opposed("Who came?", random.Random(0)) is None


def test_a_negation_is_rare_and_never_doubled():
    made = [negated("When did Anna build it?", random.Random(seed)) for seed in range(200)]
    assert set(made) == {None, "When didn't Anna build it?"}
    assert 0.15 < sum(question is not None for question in made) / 200 < 0.45
    assert negated("Who builds?", random.Random(1)) is None
    assert {negated("Who is not here?", random.Random(seed)) for seed in range(20)} == {None}


def test_a_question_is_misled_in_one_place_or_not_at_all():
    made = {misled("When was Anna Nowak the first to build?", CONTEXT, OTHERS, random.Random(n)) for n in range(50)}
    assert made == {"When was Jan Kos the first to build?", "When was Anna Nowak the last to build?"}
    assert misled("Why?", CONTEXT, OTHERS, random.Random(0)) is None
