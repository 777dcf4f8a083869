from __future__ import annotations

import base64
import json
from dataclasses import replace

import numpy as np

from components.token_view import token_view
from seq2seq.trace import Token
from tests.components.records import long_record, record


def decoded(view: dict) -> np.ndarray:
    rows = np.frombuffer(base64.b64decode(view["weights"]), np.uint8).reshape(len(view["target"]), -1)
    return rows / 255 * np.array(view["row_max"])[:, None]


def test_weights_survive_the_journey():
    some = record("a b c", "d e f g")
    for head in (None, 0, 1):
        assert np.abs(decoded(token_view(some, head)) - some.head(head)).max() < 0.003


def test_the_texts_can_be_put_together_again():
    some = record("one two", "three four five")
    view = token_view(some)
    assert "".join(gap + text for gap, text, special in view["source"] if not special) == some.source_text
    assert view["source"][-1] == ["", "</s>", True]


def test_tokens_of_one_character_show_it_once():
    some = record("a b", "c d e")
    shared = (Token("\U0001f3bb", 0, 1), Token("\U0001f3bb", 0, 1), Token("x", 2, 3), some.sources[-1])
    view = token_view(replace(some, sources=shared, source_text="\U0001f3bb x"))
    assert [piece[:2] for piece in view["source"][:3]] == [["", "\U0001f3bb"], ["", ""], [" ", "x"]]


def test_what_the_model_did_not_read_is_not_sent():
    some = record("a b", "c d e")
    view = token_view(replace(some, source_text=some.source_text + " unread" * 100_000))
    assert len(json.dumps(view)) < 1000


def test_500_by_100_is_light():
    assert len(json.dumps(token_view(long_record(100, 500)))) < 90_000


def test_a_row_of_zeros_is_no_division_by_zero():
    some = record("a b", "c d e")
    assert decoded(token_view(replace(some, weights=np.zeros_like(some.weights)))).max() == 0
