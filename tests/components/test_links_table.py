from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from components.links_table import LONGEST, NUM_LINKS, links_table
from seq2seq.trace import Token
from tests.components.records import record


def test_each_written_word_has_a_row_with_its_strongest_links_in_order():
    some = record("a b", "c d e")
    weights = np.array([[[0.1, 0.2, 0.3, 0.4], [0.7, 0.0, 0.2, 0.1]]] * 2, dtype=np.float32)
    table = links_table(replace(some, weights=weights))
    rows = re.findall(r"<tr><th scope='row'.*?</tr>", table)
    assert [re.sub(r"<[^>]*>", " ", row).split() for row in rows] == [
        ["a", "&lt;/s&gt;", "40%", "e", "30%", "d", "20%"],
        ["b", "c", "70%", "e", "20%", "&lt;/s&gt;", "10%"],
    ]
    assert NUM_LINKS == 3


def test_markup_in_a_word_stays_text():
    some = record("a b", "c d e")
    hostile = Token("<script>alert(1)</script>", 0, 25)
    table = links_table(replace(some, targets=(hostile, some.targets[1]), sources=(hostile, *some.sources[1:])))
    assert "<script>" not in table


def test_a_word_without_end_is_not_repeated_in_every_row():
    one = record("a b", "c d e")
    long = replace(one, sources=(Token("x" * 1_000_000, 0, 1_000_000), *one.sources[1:]))
    assert len(links_table(long)) < len(links_table(one)) + len(one.targets) * (LONGEST + 1)
