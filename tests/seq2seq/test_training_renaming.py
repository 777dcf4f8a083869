"""Pairs told of somebody else: what is exchanged, what stays, and what the made-up names look like."""

import random

import pytest

from seq2seq.training.data import Ingredient, Pair, told_of_others
from seq2seq.training.renaming import digits_like, exchanged, made_up, renamed

SOURCE = "In 1932 Anna Lind moved to Oslo. She wrote of Oslo and of 12 towns."
TARGET = "In 1932 Anna Lind moved to Oslo and wrote of Oslo and of 12 towns."


def test_names_and_numbers_that_both_sides_have_are_exchanged_in_both():
    chance = random.Random(0)
    for _ in range(50):
        source, target = renamed(SOURCE, TARGET, chance)
        assert (source, target) != (SOURCE, TARGET)
        assert source.replace(". She wrote", " and wrote") == target


def test_names_that_one_side_lacks_stay():
    assert renamed("She met Ray.", "She left.", random.Random(0)) == ("She met Ray.", "She left.")


def test_the_first_word_of_a_sentence_stays():
    for seed in range(20):
        source, _ = renamed("Rain fell in Oslo. Nobody left Oslo.", "Rain fell in Oslo and nobody left Oslo.",
                            random.Random(seed))  # fmt: skip
        assert source.startswith("Rain fell in ")
        assert ". Nobody left " in source


def test_only_whole_words_are_exchanged():
    assert exchanged("Ray", r"\1", "Ray and Rayner, Ray") == r"\1 and Rayner, \1"


def test_a_number_keeps_its_form():
    number = digits_like("1,932.50", random.Random(0))
    assert [character.isdigit() for character in number] == [character.isdigit() for character in "1,932.50"]
    assert "0" not in number


def test_made_up_names_have_letters_of_many_scripts_and_no_white_space():
    chance = random.Random(0)
    names = [made_up(chance) for _ in range(500)]
    assert len(set(names)) > 450
    assert all(name and not any(map(str.isspace, name)) for name in names)
    letters = set("".join(names))
    assert {"ễ", "_", "ß"} < letters
    assert letters & set("中文国人")
    assert letters & set("אבגד")
    assert letters & set("😀🚀🔥")


@pytest.mark.parametrize("task", ["fuse", "split"])
def test_a_pair_keeps_its_task(task):
    pair = told_of_others(Pair(task, SOURCE, TARGET), random.Random(0))
    assert pair.task == task
    assert pair.source != SOURCE


def test_no_pair_is_renamed_unless_its_ingredient_says_so():
    assert Ingredient("fuse", "fusion/wikisplit").renamed == 0
