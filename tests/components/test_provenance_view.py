from __future__ import annotations

import json

from components.provenance_view import provenance_view
from seq2seq.trace import Leaning, Provenance, Token

TEXT = "Anna Lind moved\nto Oslo.  She opened a bakery.\n\nRain fell all night."
SOURCES = (
    Token("Anna Lind moved to Oslo.", 0, 26),
    Token("She opened a bakery.", 26, 48),
    Token("Rain fell all night.", 48, 68),
)
OUTPUT = Token("Anna <b>moved</b>.", 0, 18)


def found(*leaned: tuple[int, float], method: str = "ablation") -> Provenance:
    leaning = Leaning(OUTPUT, tuple((SOURCES[place], share) for place, share in leaned))
    return Provenance(method, (leaning,), SOURCES, TEXT)


def sources_of(view: dict, section: int = 0) -> list[dict]:
    [sentence] = view["sections"][section]["sentences"]
    return sentence["sources"]


def test_a_sentence_has_its_text_as_it_is_and_its_sources_in_order_with_their_shares():
    view = provenance_view([found((2, 0.7149), (0, 0.2))])
    assert view["sections"][0]["sentences"][0]["text"] == "Anna <b>moved</b>."
    first, second = sources_of(view)
    assert (first["number"], first["share"], first["shown"]) == (3, 0.715, "3 · 71%")
    assert (second["number"], second["share"], second["shown"]) == (1, 0.2, "1 · 20%")


def test_a_button_can_be_told_without_the_text_beside_it():
    [source] = sources_of(provenance_view([found((1, 0.5))]))
    assert source["label"] == "Source sentence 2, 50%: She opened a bakery."


def test_a_long_sentence_is_told_by_its_first_words():
    long = Token(TEXT * 3, 0, 26)
    record = Provenance("ablation", (Leaning(OUTPUT, ((long, 1.0),)),), (long,), TEXT * 3)
    [source] = sources_of(provenance_view([record]))
    assert source["label"] == "Source sentence 1, 100%: Anna Lind moved to Oslo. She opened a bakery. Rain fell all…"


def test_of_a_quote_the_share_goes_without_saying():
    [source] = sources_of(provenance_view([found((1, 1.0), method="quoted")]))
    assert (source["share"], source["shown"], source["label"]) == (1, "2", "Source sentence 2: She opened a bakery.")


def test_the_text_can_be_put_together_again_and_no_sentence_has_white_space_around_it():
    [section] = provenance_view([found()])["sections"]
    assert section["source"] == [
        ["", "Anna Lind moved\nto Oslo."],
        ["  ", "She opened a bakery."],
        ["\n\n", "Rain fell all night."],
    ]
    assert "".join(before + sentence for before, sentence in section["source"]) == TEXT


def test_sentences_are_numbered_through_all_sections():
    view = provenance_view([found((0, 1.0)), found((0, 0.6), (2, 0.4)), found((1, 1.0))])
    assert [[source["number"] for source in sources_of(view, section)] for section in range(3)] == [[1], [4, 6], [8]]


def test_a_sentence_may_lean_on_none():
    assert sources_of(provenance_view([found()])) == []


def test_nothing_found_yet_is_an_empty_view_and_all_is_json():
    assert provenance_view([]) == {"sections": []}
    assert json.dumps(provenance_view([found((0, 1.0))]))
