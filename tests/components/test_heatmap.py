from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from components.heatmap import MAX_COLUMNS, heatmap
from seq2seq.trace import Token
from tests.components.records import long_record, record


def test_the_map_shows_the_chosen_head_or_the_mean():
    some = record("a b", "c d e")
    assert np.array_equal(heatmap(some, 1).data[0].z, some.weights[1])
    assert np.allclose(heatmap(some).data[0].z, some.weights.mean(axis=0))


def test_repeated_words_keep_their_own_columns_and_name_themselves():
    trace = heatmap(record("x x", "the cat the")).data[0]
    assert list(trace.x) == ["the (1)", "cat (2)", "the (3)", "&lt;/s&gt; (4)"]
    assert len(set(trace.y)) == 2


def test_axes_are_named_by_words_without_their_places():
    figure = heatmap(record("a b", "c d e"))
    trace, layout = figure.data[0], figure.layout
    assert [layout.xaxis.labelalias[name] for name in trace.x] == ["c", "d", "e", "&lt;/s&gt;"]
    assert [layout.yaxis.labelalias[name] for name in trace.y] == ["a", "b"]


@pytest.mark.parametrize(("num_targets", "num_sources"), [(3, 10), (100, 500), (1, 2), (400, 49)])
def test_the_figure_stays_on_a_screen(num_targets, num_sources):
    figure = heatmap(long_record(num_targets, num_sources))
    assert 150 <= figure.layout.height <= 900
    assert figure.data[0].z.shape == (num_targets, num_sources)


def test_of_more_columns_than_pixels_the_darkest_neighbour_is_shown():
    some = long_record(3, 2 * MAX_COLUMNS + 1)
    trace = heatmap(some, 0).data[0]
    weights = some.weights[0]
    assert trace.z.shape == (3, len(trace.x)) == (3, -(-weights.shape[1] // 3))
    assert np.allclose(trace.z[:, 1], weights[:, 3:6].max(axis=1))
    assert np.allclose(trace.z[:, -1], weights[:, len(trace.x) * 3 - 3 :].max(axis=1))
    assert trace.x[1].endswith("(4 to 6)")
    assert len(set(trace.x)) == len(trace.x)


def test_a_resting_head_does_not_wash_out_the_words():
    some = record("a b", "c d e")
    weights = some.weights.copy()
    weights[:] = [0.1, 0.05, 0.05, 0.8]  # the special token takes most
    assert heatmap(replace(some, weights=weights)).data[0].zmax == pytest.approx(0.1)


def test_markup_in_a_token_stays_text():
    some = record("a b", "c d e")
    some = replace(some, sources=(Token("<b>x</b>", 0, 8), *some.sources[1:]))
    figure = heatmap(some)
    assert figure.data[0].x[0] == "&lt;b&gt;x&lt;/b&gt; (1)"
    assert not any("<b>" in name for name in figure.layout.xaxis.labelalias.values())


def test_the_largest_picture_is_small_enough_to_send():
    assert len(heatmap(long_record(128, 512)).to_json()) < 500_000
