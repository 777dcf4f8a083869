from __future__ import annotations

from dataclasses import replace

import numpy as np

from components.selection import readable
from seq2seq.trace import Token
from tests.components.records import record


def test_only_what_stands_for_text_is_kept_with_its_weights():
    some = record("a b", "c d e")
    blank = Token("", 1, 1)
    some = replace(some, targets=(some.targets[0], Token("</s>", 0, 0, special=True)))
    shown = readable(replace(some, sources=(some.sources[0], blank, *some.sources[2:])))
    assert [token.text for token in shown.targets] == ["a"]
    assert [token.text for token in shown.sources] == ["c", "e"]
    assert np.array_equal(shown.weights, some.weights[:, :1][:, :, [0, 2]])


def test_a_space_is_no_text():
    some = record("a b", "c d e")
    space = Token(" ", 1, 2)
    assert len(readable(replace(some, sources=(some.sources[0], space, *some.sources[2:]))).sources) == 2


def test_a_record_of_marks_alone_is_shown_as_it_is():
    some = record("a", "b c")
    marks = tuple(Token("</s>", 0, 0, special=True) for _ in some.targets)
    some = replace(some, targets=marks)
    assert readable(some) is some
