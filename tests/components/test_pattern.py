from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from components.pattern import (
    KIND_COLORS,
    KIND_NAMES,
    MAX_CELLS,
    block_words,
    cells_of,
    pattern_map,
    pattern_table,
)
from components.pattern_curves import cost_lines, heard_lines, time_lines
from seq2seq.tasks.cost import cost_curve
from seq2seq.tasks.pattern import PatternSettings, pattern
from seq2seq.trace import BLOCK_KINDS, BlockMass, PatternRecord, Timing, Token
from tests.components.records import spaced
from tests.components.test_palette import luminance

MAX_BYTES = 1_500_000


def read_of(settings: PatternSettings, words: str = "word") -> BlockMass:
    """A text of as many tokens, and random attention in every head."""
    text = " ".join([words] * settings.length)
    num_blocks = settings.sparsity.num_blocks(settings.length)
    mass = np.random.default_rng(0).random((settings.num_heads, num_blocks, num_blocks)).astype(np.float32)
    return BlockMass(
        model="some",
        layer=settings.layer,
        block_size=settings.block_size,
        mass=mass / mass.sum(axis=-1, keepdims=True),
        tokens=spaced(text)[: settings.length],
        text=text,
        num_cut_tokens=0,
        head_dim=64,
        max_length=4096,
    )


def with_text(settings: PatternSettings, words: str = "word") -> PatternRecord:
    return pattern(settings, read_of(settings, words))


def drawn_kinds(record: PatternRecord) -> np.ndarray:
    """N N: the map as a browser puts it together from the traces, of which later ones lie above earlier ones."""
    figure = pattern_map(record)
    names = list(figure.data[0].x)
    kind_of = {name: kind for kind, name in KIND_NAMES.items()}
    shown = np.zeros((len(names), len(names)), dtype=np.int8)
    for trace in figure.data[1:]:
        assert set(trace.x) == set(trace.y) == set(names), "a trace that lacks a row or a column is drawn stretched"
        cells = {(y, x): z for y, x, z in zip(trace.y, trace.x, trace.z, strict=True)}
        for (row, column), z in cells.items():
            if z is not None:
                shown[names.index(row), names.index(column)] = BLOCK_KINDS.index(kind_of[trace.name])
    return shown


@pytest.mark.parametrize("plan", ["reference", "original"])
def test_the_map_shows_every_block_in_the_colour_of_its_kind(plan):
    record = pattern(PatternSettings(length=1000, block_size=32, random_blocks=plan))
    assert np.array_equal(drawn_kinds(record), record.kinds)
    for trace in pattern_map(record).data[1:]:
        kind = next(kind for kind, name in KIND_NAMES.items() if name == trace.name and kind != "full")
        assert trace.colorscale[-1][1] == f"rgba{(*KIND_COLORS[kind], 1.0)}"


def test_pointing_tells_tokens_kind_and_count():
    record = pattern(PatternSettings(length=1000, block_size=32))
    figure = pattern_map(record)
    assert figure.data[0].x[0] == "tokens 1–32"
    assert figure.data[0].x[-1] == "tokens 993–1,000"
    repeated = next(trace for trace in figure.data if trace.name == "seen more than once")
    assert set(repeated.text[record.num_blocks :]) == {", 4 times"}
    assert "seen more than once%{text}" in repeated.hovertemplate
    assert "not seen" in figure.data[0].hovertemplate


def test_a_short_text_is_one_kind():
    record = pattern(PatternSettings(length=300))
    assert [trace.name for trace in pattern_map(record).data[1:]] == ["full attention"]


@pytest.mark.parametrize("plan", ["reference", "original"])
@pytest.mark.parametrize(("block_size", "num_random_blocks"), [(16, 3), (32, 16), (64, 3), (64, 16)])
def test_the_longest_map_is_small_enough_to_send(plan, block_size, num_random_blocks):
    settings = PatternSettings(16384, block_size, num_random_blocks, plan, max_length=16384)
    assert len(pattern_map(pattern(settings)).to_json()) < MAX_BYTES


def test_so_is_the_longest_map_of_a_text():
    settings = PatternSettings(16384, 64, 3, "original", max_length=16384, num_heads=2)
    assert len(pattern_map(with_text(settings, "Donaudampfschifffahrt")).to_json()) < MAX_BYTES


def test_many_blocks_are_shown_as_squares():
    record = pattern(PatternSettings(16000, 16, random_blocks="original", max_length=16384))
    cells = cells_of(record)
    assert record.num_blocks == 1000
    assert (len(cells), cells.blocks_a_side) == (250, 4)
    for row, column in [(0, 7), (3, 3), (3, 4), (100, 0), (249, 249), (30, 9)]:
        square = record.counts[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        assert cells.counts[row, column] == (square > 0).sum()
        kinds = set(record.kinds[4 * row : 4 * row + 4, 4 * column : 4 * column + 4].ravel())
        first = next((kind for kind in KIND_COLORS if BLOCK_KINDS.index(kind) in kinds), "unseen")
        assert BLOCK_KINDS[cells.kinds[row, column]] == first
    figure = pattern_map(record)
    assert figure.data[0].x[:2] == ("tokens 1–64", "tokens 65–128")
    assert any("of 16 pairs of blocks" in (text or "") for text in figure.data[1].text)
    assert len(cells_of(pattern(PatternSettings(16 * MAX_CELLS, 16)))) == MAX_CELLS


def test_with_a_text_ink_is_attention_also_where_the_pattern_does_not_look():
    settings = PatternSettings(length=600, block_size=16, num_random_blocks=1, num_heads=2, head=1)
    record = with_text(settings)
    lost, *kept = pattern_map(record).data
    unseen = record.is_kind("unseen")
    assert np.allclose(np.array(lost.z)[unseen], record.read.mass[1][unseen])
    assert np.isnan(np.array(lost.z)[~unseen]).all()
    total = np.nansum(lost.z) + sum(z for trace in kept for z in trace.z if z is not None)
    assert total == pytest.approx(record.num_blocks, abs=0.05)
    assert {trace.zmax for trace in (lost, *kept)} == {lost.zmax}
    assert all("of their attention" in trace.hovertemplate for trace in (lost, *kept))


def test_pointing_tells_words_as_text():
    settings = PatternSettings(length=64, block_size=8, num_random_blocks=0, num_heads=1)
    record = with_text(settings, "<b>&")
    assert "<b>" not in pattern_map(record).data[0].x[0]
    assert pattern_map(record).data[0].x[0].startswith("tokens 1–8 “&lt;b&gt;&amp; &lt;b&gt;")
    read = replace(record.read, tokens=(Token("[CLS]", 0, 0, special=True), *record.read.tokens[:-1]))
    assert block_words(replace(record, read=read), range(0, 1)) == ""
    assert block_words(replace(record, read=read), range(0, 2)) == "<b>&"
    assert len(block_words(with_text(settings, "x" * 500), range(0, 8))) < 60


def test_the_table_says_what_the_map_shows():
    plain = pattern_table(pattern(PatternSettings()))
    assert plain.count("<tr>") == 5
    assert "<th scope='row'>seen more than once</th><td>62</td><td>2%</td><td>1 in each of 62 rows</td>" in plain
    assert "Attention" not in plain
    settings = PatternSettings(length=600, block_size=16, num_random_blocks=1, num_heads=2)
    record = with_text(settings)
    told = pattern_table(record)
    lost = 1 - record.kept_mass[0]
    assert f"<td>{lost:.0%}</td></tr><tr><th scope='row'>global" in told
    assert "<td>&lt;1%</td>" in pattern_table(pattern(PatternSettings(16384, 16)))


# Machado, Oliveira and Fernandes 2009, for those who lack one of the three kinds of cone: applied to linear RGB.
VISIONS = {
    "all cones": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(color: tuple[int, int, int], vision: str) -> np.ndarray:
    """CIE L*a*b* of a colour as someone sees it."""
    rgb = np.array(color) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(VISIONS[vision]) @ linear, 0, 1)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = np.array(to_xyz) @ seen / [0.95047, 1, 1.08883]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISIONS)
def test_kinds_are_told_apart_by_any_colour_vision(vision):
    for one, other in combinations(set(KIND_COLORS.values()), 2):
        assert np.linalg.norm(lab(one, vision) - lab(other, vision)) > 30


def test_kinds_stand_out_on_both_pages():
    for page in ((253, 253, 252), (22, 20, 19)):
        for color in KIND_COLORS.values():
            lighter, darker = sorted((luminance(page), luminance(color)), reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) >= 3  # WCAG 1.4.11, graphical objects


def test_hearing_is_drawn_over_the_same_layers_for_every_part():
    figure = heard_lines(pattern(PatternSettings(random_blocks="original")))
    assert [trace.name for trace in figure.data] == ["The pattern", "Without global blocks", "Window only"]
    assert len({tuple(trace.x) for trace in figure.data}) == 1
    assert figure.data[0].y[1:] == (1.0,) * 11
    assert len({(trace.line.dash, trace.line.color) for trace in figure.data}) == 3


def test_costs_are_drawn_over_length_on_logarithmic_axes():
    curve = cost_curve(PatternSettings())
    for counted, full in (("operations", curve.full_operations), ("memory", curve.full_memory)):
        figure = cost_lines(curve, counted)
        assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("log", "log")
        assert figure.data[0].y == full
        assert figure.data[0].x == curve.lengths
    timings = [Timing(512, 0.2, 0.1), Timing(1024, 0.8, 0.2)]
    figure = time_lines(timings)
    assert (figure.data[0].y, figure.data[1].y) == ((0.2, 0.8), (0.1, 0.2))
    assert figure.layout.yaxis.ticksuffix == "s"
