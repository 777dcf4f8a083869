from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from components.export import DIGITS, MAX_LABELS, as_csv, as_html, as_json, as_svg, title_of
from seq2seq.trace import Token
from tests.components.records import long_record, record

ASSETS = Path(__file__).parents[2] / "assets"
SCRIPT = (ASSETS / "js/token_view.js").read_text(encoding="utf-8")
CSS = (ASSETS / "css/token_view.css").read_text(encoding="utf-8")
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</script><b>&\x00"


def hostile():
    some = record("a b", "c d e")
    return replace(some, sources=(Token(HOSTILE, 0, 1), *some.sources[1:]), source_text=HOSTILE + some.source_text)


@pytest.mark.parametrize("head", [None, 1])
def test_csv_can_be_read_back(head):
    some = record("a a b", 'c, "d" c')
    first, *rows = csv.reader(io.StringIO(as_csv(some, head)))
    assert first == ["", "1 c,", '2 "d"', "3 c", "4 </s>"]
    assert [row[0] for row in rows] == ["1 a", "2 a", "3 b"]
    weights = np.array([row[1:] for row in rows], dtype=float)
    assert np.abs(weights - some.head(head)).max() <= 10**-DIGITS


def test_no_cell_of_a_csv_is_a_formula():
    cells = [cell for row in csv.reader(io.StringIO(as_csv(record("=1+1", "@a -b +c"), None))) for cell in row]
    assert not any(cell.startswith(("=", "@", "-", "+")) for cell in cells)


@pytest.mark.parametrize("head", [None, 0])
def test_json_can_be_read_back(head):
    some = record("a b", "c d é")
    read = json.loads(as_json(some, head))
    assert (read["kind"], read["layer"], read["head"]) == ("cross", 0, head)
    assert (read["target_text"], read["source_text"]) == ("a b", "c d é")
    assert tuple(Token(**token) for token in read["sources"]) == some.sources
    assert np.abs(np.array(read["weights"]) - some.head(head)).max() <= 10**-DIGITS


def test_svg_names_all_tokens_and_inks_the_strongest_most():
    weights = np.array([[[0.0, 0.0, 0.5, 0.5], [1.0, 0.0, 0.0, 0.0]]], dtype=np.float32)
    root = ElementTree.fromstring(as_svg(replace(record("a b", "c d e"), weights=weights), 0))
    assert [text.text for text in root.iter(f"{SVG}text")] == ["a", "b", "c", "d", "e", "</s>"]
    cells = [cell.attrib for cell in root.iter(f"{SVG}rect") if "fill-opacity" in cell.attrib]
    assert [(cell["x"], cell["y"], cell["width"], cell["fill-opacity"]) for cell in cells] == [
        ("2", "0", "2", "0.5"),
        ("0", "1", "1", "1"),
    ]


def test_svg_of_a_long_pair_is_small():
    svg = as_svg(long_record(700, 1000), None)
    labels = list(ElementTree.fromstring(svg).iter(f"{SVG}text"))
    assert len(labels) <= 2 * MAX_LABELS
    assert len(svg) < 2_000_000


def test_svg_of_a_hostile_text_is_xml():
    root = ElementTree.fromstring(as_svg(hostile(), None))
    assert "</script><b>&�" in [text.text for text in root.iter(f"{SVG}text")]


def test_the_title_says_what_it_is():
    some = record("a", "b")
    assert title_of(some, 2) == "Cross-attention, layer 1, head 3"
    assert title_of(replace(some, layer="rollout"), None) == "Cross-attention, rollout, mean over heads"


def test_a_page_asks_for_nothing_from_elsewhere():
    page = as_html(record("a", "b"), None, SCRIPT, CSS).replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|src=|href=|@import|url\(", page)
