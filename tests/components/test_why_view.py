from __future__ import annotations

import json

import numpy as np

from components.why_view import why_view
from seq2seq.trace import Attribution, Token
from tests.components.records import spaced

TEXT = "Rain fell all night"
SOURCES = (*spaced(TEXT), Token("</s>", 0, 0, special=True))


def attribution(method: str, *scores: float, sources: tuple[Token, ...] = SOURCES, **others) -> Attribution:
    target = Token("rained", 3, 9)
    return Attribution(method, np.array(scores, np.float32), sources, TEXT, target, "It rained", -0.25, **others)


def only(some: Attribution) -> dict:
    [view] = why_view([some], {})["methods"]
    return view


def test_what_is_explained_is_told():
    assert why_view([attribution("attention", 1, 0, 0, 0, 0)], {})["says"] == (
        "Why “rained” was written (78%, −0.25 nats)."
    )


def test_each_method_has_its_title_and_note():
    some = [attribution("attention", 1, 0, 0, 0, 0), attribution("ablation", 1, 0, 0, 0, 0)]
    views = why_view(some, {"ablation": "Reads again without it."})["methods"]
    assert [(view["title"], view["note"]) for view in views] == [
        ("Attention", ""),
        ("Leaving out", "Reads again without it."),
    ]


def test_ink_is_relative_to_the_largest_of_a_real_word_and_has_its_sign():
    view = only(attribution("gradient", 0.5, -1.0, 0.25, 0.0, 4.0))
    assert [ink for _, _, _, ink, _ in view["pieces"]] == [0.5, -1.0, 0.25, 0.0, 1.0]


def test_the_strongest_are_told_with_their_numbers():
    view = only(attribution("gradient", 0.5, -1.0, 0.25, 0.0, 4.0))
    assert view["strongest"] == 1
    assert view["told"] == "Strongest: “fell” −1.00, “Rain” +0.50, “all” +0.25."


def test_attention_is_in_shares_and_the_others_in_nats():
    assert only(attribution("attention", 0.5, 0.3, 0.1, 0.1, 0.0))["pieces"][0][-1] == "50%"
    assert only(attribution("ablation", 0.5, 0.3, 0.1, 0.1, 0.0))["pieces"][0][-1] == "+0.50"


def test_what_integrated_gradients_leave_unexplained_is_told():
    view = only(attribution("integrated_gradients", 0.5, 0.3, 0.1, 0.1, 0.0, residue=-0.02))
    assert view["told"].endswith("Left unexplained: −0.02 nats.")


def test_the_text_can_be_put_together_again():
    pieces = only(attribution("attention", 1, 0, 0, 0, 0))["pieces"]
    assert "".join(before + text for before, text, special, *_ in pieces if not special) == TEXT


def test_sentences_are_named_shortly():
    view = only(attribution("ablation", 1.0, sources=(Token("word " * 40, 0, 19),)))
    assert view["told"] == "Strongest: “Rain fell all night” +1.00."
    long = Attribution("ablation", np.ones(1), (Token("a" * 99, 0, 99),), "a" * 99, Token("b", 0, 1), "b", -1.0)
    assert only(long)["told"] == f"Strongest: “{'a' * 59}…” +1.00."


def test_scores_of_zero_are_no_division_by_zero():
    assert all(ink == 0 for _, _, _, ink, _ in only(attribution("gradient", 0, 0, 0, 0, 0))["pieces"])


def test_nothing_to_explain_is_an_empty_view_and_all_is_json():
    assert why_view([], {}) == {"says": "", "methods": []}
    assert json.dumps(why_view([attribution("attention", 1, 0, 0, 0, 0)], {}))
