from __future__ import annotations

import re

import numpy as np
import pytest

from components.answer_scores import (
    GAP,
    MAX_WORDS,
    MIN_COLUMNS,
    NUM_ROWS,
    answer_figure,
    answer_table,
    columns_of,
    stretches,
)
from components.palette import percent
from tests.components.answers import answer, long_answer

TEXT = "Ada Lovelace wrote the notes. Charles Babbage paid for them."


def rows_of(table: str) -> list[list[str]]:
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", table)][1:]


def test_a_word_has_what_its_tokens_have():
    columns = columns_of(answer(TEXT, ("Ada Lovelace", 0.6), ("Charles Babbage", 0.25)))
    assert [(column.words[0].text, column.start, column.end) for column in columns] == [
        ("Ada", 0.6, 0),
        ("Lovelace", 0, 0.6),
        ("wrote", 0, 0),
        ("the", 0, 0),
        ("notes.", 0, 0),
        ("Charles", 0.25, 0),
        ("Babbage", 0, 0.25),
        ("paid", 0, 0),
        ("for", 0, 0),
        ("them.", 0, 0),
    ]


@pytest.mark.parametrize("peaks", [{5000: 0.6}, {0: 0.3, 9999: 0.3}, {10: 0.2, 12: 0.2, 7000: 0.1}, {}])
def test_of_a_long_text_the_likely_places_are_drawn_and_nothing_is_lost(peaks):
    some = long_answer(10_000, peaks)
    columns = columns_of(some)
    alone = [column.words[0].text for column in columns if len(column.words) == 1]
    assert {f"w{number}" for number in peaks} <= set(alone)
    assert len(alone) <= MAX_WORDS
    assert sum((column.words for column in columns), ()) == some.tokens
    assert [column.first for column in columns] == list(np.cumsum([1] + [len(each.words) for each in columns[:-1]]))
    assert sum(column.start for column in columns) == pytest.approx(sum(some.start_scores))
    assert sum(column.end for column in columns) == pytest.approx(sum(some.end_scores))


def test_many_likely_places_are_not_all_drawn_but_the_likeliest_is():
    likeliest = 777
    scores = dict.fromkeys(range(0, 10_000, 50), 0.004) | {likeliest: 0.1}
    columns = columns_of(long_answer(10_000, scores))
    assert f"w{likeliest}" in {column.words[0].text for column in columns if len(column.words) == 1}
    assert len(columns) <= 2 * MAX_WORDS + 1


def test_stretches_are_cut_around_what_stands_alone():
    assert stretches(8, {0, 3, 4}) == [range(0, 1), range(1, 3), range(3, 4), range(4, 5), range(5, 8)]
    assert stretches(3, set()) == [range(0, 3)]
    assert stretches(2, {0, 1}) == [range(0, 1), range(1, 2)]


def test_starts_go_up_and_ends_go_down_on_one_scale():
    figure = answer_figure(answer(TEXT, ("Ada Lovelace", 0.6), ("Charles Babbage", 0.25)))
    starts, ends = figure.data
    assert list(starts.y) == [0.6, 0, 0, 0, 0, 0.25, 0, 0, 0, 0]
    assert list(ends.y) == [0, -0.6, 0, 0, 0, 0, -0.25, 0, 0, 0]
    assert list(figure.layout.yaxis.ticktext) == ["60%", "0%", "60%"]
    assert starts.marker.pattern.shape != ends.marker.pattern.shape, "told apart without colour"
    assert starts.customdata[0] == "word 1<br>starts here: 60.0%"
    assert ends.customdata[1] == "ends here: 60.0%"


def test_the_answer_is_set_in_bold():
    names = answer_figure(answer(TEXT, ("Charles Babbage", 0.6))).layout.xaxis.ticktext
    assert [name for name in names if "<b>" in name] == ["<b>Charles</b>", "<b>Babbage</b>"]
    assert not any(
        "<b>" in name for name in answer_figure(answer(TEXT, ("Ada", 0.1), found=False)).layout.xaxis.ticktext
    )


def test_what_is_left_out_says_so():
    figure = answer_figure(long_answer(1000, {500: 0.5}))
    assert figure.layout.xaxis.ticktext[0] == figure.layout.xaxis.ticktext[-1] == GAP
    assert figure.data[0].customdata[0].startswith("495 words in between, together")


def test_little_is_not_made_to_look_like_much():
    figure = answer_figure(answer(TEXT, ("Ada", 0.001), found=False))
    assert figure.layout.yaxis.range[1] > 0.05
    few = answer_figure(answer("Ada wrote.", ("Ada", 0.9)))
    assert few.layout.xaxis.range[1] == MIN_COLUMNS - 0.5


def test_markup_in_a_word_stays_text():
    hostile = answer("<b>x</b> <script>alert(1)</script> y", ("y", 0.5), pieces=r"\S+")
    assert answer_figure(hostile).layout.xaxis.ticktext[0] == "&lt;b&gt;x&lt;/b&gt;"
    assert "<script>" not in answer_table(hostile)


def test_the_table_has_the_likeliest_words_in_the_order_of_the_text():
    table = answer_table(long_answer(1000, {500: 0.6, 3: 0.2}))
    rows = rows_of(table)
    assert len(rows) == NUM_ROWS
    assert ["w3 <small>word 4</small>", "20%", "20%"] in rows
    assert ["w500 <small>word 501</small>", "60%", "60%"] in rows
    numbers = [int(re.search(r"word ([\d,]+)", row[0]).group(1)) for row in rows]
    assert numbers == sorted(numbers)


def test_the_largest_picture_is_small_enough_to_send():
    scattered = dict.fromkeys(range(0, 20_000, 300), 0.014)
    assert len(answer_figure(long_answer(20_000, scattered)).to_json()) < 50_000


@pytest.mark.parametrize(
    ("share", "said"), [(0, "0%"), (0.004, "<1%"), (0.014, "1%"), (0.5, "50%"), (0.996, ">99%"), (1, "100%")]
)
def test_a_share_is_never_rounded_to_nothing_or_to_certainty(share, said):
    assert percent(share) == said
