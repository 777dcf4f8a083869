from __future__ import annotations

import json

from components.choices_view import choices_view
from seq2seq.trace import Alternative, Choice, Token

TEXT = "The cat sat"


def choice(token: Token, probability: float, *alternatives: tuple[str, int, float], token_id: int = 7) -> Choice:
    return Choice(token, token_id, probability, tuple(Alternative(*each) for each in alternatives))


CHOICES = (
    choice(Token("The", 0, 3), 0.9, ("▁The", 7, 0.9), ("▁A", 8, 0.05)),
    choice(Token("cat", 4, 7), 0.3, ("▁dog", 9, 0.4), ("▁cat", 7, 0.3), ("▁", 10, 0.004)),
    choice(Token("sat", 8, 11), 0.9),
    choice(Token("</s>", 0, 0, special=True), 0.7),
)


def test_the_text_can_be_put_together_again_and_the_end_is_a_mark():
    tokens = choices_view(CHOICES, TEXT)["tokens"]
    assert "".join(token["before"] + token["text"] for token in tokens if not token["special"]) == TEXT
    assert (tokens[-1]["text"], tokens[-1]["special"]) == ("</s>", True)


def test_how_sure_the_model_was_is_told():
    assert choices_view(CHOICES, TEXT)["says"] == "70% sure on average, least sure of “cat” (30%)."


def test_alternatives_are_as_text_with_the_written_one_marked():
    others = choices_view(CHOICES, TEXT)["tokens"][1]["others"]
    assert [(each["text"], each["id"], each["percent"], each["written"]) for each in others] == [
        (" dog", 9, "40%", False),
        (" cat", 7, "30%", True),
        ("␣", 10, "<1%", False),
    ]


def test_a_token_without_text_is_a_visible_space():
    [token] = choices_view((choice(Token("", 3, 3), 0.5),), "The")["tokens"]
    assert (token["text"], token["special"]) == ("␣", True)


def test_no_choices_are_an_empty_view():
    assert choices_view((), "") == {"says": "", "tokens": []}


def test_it_is_json():
    assert json.loads(json.dumps(choices_view(CHOICES, TEXT)))["tokens"][0]["probability"] == 0.9
