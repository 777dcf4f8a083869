from __future__ import annotations

import time
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.attention.block_table import BlockSparsity
from seq2seq.attention.kernel import Dense
from seq2seq.attention.tape import recording
from seq2seq.engine import Engine
from seq2seq.tasks import InputError, cost, mass
from seq2seq.tasks.cost import cost_curve, measure, num_slots, seen_pairs
from seq2seq.tasks.mass import LayersRead, block_mass, encoder_stack
from seq2seq.tasks.pattern import MAX_BLOCKS, NUM_LAYERS, PatternSettings, pattern, table_of
from seq2seq.tasks.prompts import Prompt
from seq2seq.tasks.source import clean, read_source
from seq2seq.trace import BLOCK_KINDS

TEXT = "The bridge was built in 1932. Rain fell all night; the river rose, and nobody crossed it."


@st.composite
def sparse_settings(draw) -> PatternSettings:
    """Any pattern that is not dense, of at most 40 blocks."""
    block_size = draw(st.sampled_from([1, 2, 3, 8]))
    num_random_blocks = draw(st.integers(0, 3))
    num_blocks = draw(st.integers(6 + 2 * num_random_blocks, 40))
    num_heads = draw(st.integers(1, 3))
    return PatternSettings(
        length=num_blocks * block_size - draw(st.integers(0, block_size - 1)),
        block_size=block_size,
        num_random_blocks=num_random_blocks,
        random_blocks=draw(st.sampled_from(["reference", "original"])),
        layer=draw(st.integers(0, 3)),
        head=draw(st.integers(0, num_heads - 1)),
        num_heads=num_heads,
        max_length=1000,
    )


def seen_by_token(chosen: PatternSettings, head: int) -> np.ndarray:
    """T T: which token sees which, read off the table row by row."""
    table = table_of(chosen)
    head = head % len(table.blocks)
    seen = np.zeros((table.num_blocks,) * 2, dtype=bool)
    seen[[0, -1]] = True
    for row, (blocks, counts) in enumerate(zip(table.blocks[head], table.counts[head], strict=True), start=1):
        for block, count in zip(blocks, counts, strict=True):
            seen[row, block] |= count > 0
    return seen.repeat(chosen.block_size, 0).repeat(chosen.block_size, 1)[: chosen.length, : chosen.length]


@settings(max_examples=60, deadline=None)
@given(sparse_settings())
def test_what_is_said_of_a_pattern_is_true_of_its_tokens(chosen):
    record = pattern(chosen)
    assert record.kept_pairs == pytest.approx(seen_by_token(chosen, chosen.head).mean())
    assert not record.is_dense
    any_head = np.any([seen_by_token(chosen, head) for head in range(chosen.num_heads)], axis=0)
    heard = np.eye(chosen.length, dtype=np.int64)
    for share in record.heard["pattern"]:
        heard = any_head.astype(np.int64) @ heard > 0
        assert share == pytest.approx(heard.mean())
    assert share == 1
    assert len(record.heard["pattern"]) == 2, "over the first block, everyone hears from everyone in two layers"


@settings(max_examples=60, deadline=None)
@given(sparse_settings())
def test_every_block_is_of_the_kind_that_its_place_and_count_say(chosen):
    record = pattern(chosen)
    last = record.num_blocks - 1
    for row in range(record.num_blocks):
        for column in range(record.num_blocks):
            kind = BLOCK_KINDS[record.kinds[row, column]]
            if record.counts[row, column] != 1:
                assert kind == ("repeated" if record.counts[row, column] else "unseen")
            elif {row, column} & {0, last}:
                assert kind == "global"
            else:
                assert kind == ("window" if abs(row - column) <= 1 else "random")


def test_each_part_of_the_pattern_shows_what_it_is_good_for():
    heard = pattern(PatternSettings(length=2048, block_size=32, random_blocks="original")).heard
    assert heard["pattern"][1] == 1
    assert len(heard["window only"]) == NUM_LAYERS
    within_12 = sum(min(63, row + 12) - max(0, row - 12) + 1 for row in range(64))
    assert heard["window only"][-1] == pytest.approx(within_12 / 64**2)
    assert heard["window only"][-1] < heard["without global blocks"][-1] < 1


@pytest.mark.parametrize(("length", "is_dense"), [(1, True), (64, True), (704, True), (705, False)])
def test_a_short_text_is_seen_whole(length, is_dense):
    record = pattern(PatternSettings(length=length))
    assert record.is_dense == is_dense
    assert (record.kept_pairs == 1) == is_dense
    assert (len(record.heard["pattern"]) == 1) == is_dense


def test_without_random_blocks_nothing_is_repeated():
    for plan in ("reference", "original"):
        record = pattern(PatternSettings(num_random_blocks=0, random_blocks=plan))
        assert not record.is_kind("repeated").any()
        assert not record.is_kind("random").any()
    assert pattern(PatternSettings(num_random_blocks=2)).counts.max() == 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"head": 12}, "There is no head 13: the model has 12 heads"),
        ({"length": 16384, "block_size": 8}, "Choose a block size of 16 or more"),
        ({"block_size": 256, "num_random_blocks": 1, "random_blocks": "original"}, "cannot draw 1 random blocks"),
    ],
)
def test_settings_that_do_not_go_together_are_explained(wrong, message):
    with pytest.raises(InputError, match=message):
        pattern(PatternSettings(**wrong))
    assert pattern(PatternSettings(length=MAX_BLOCKS * 2, block_size=2)).num_blocks == MAX_BLOCKS


@pytest.mark.parametrize(
    ("length", "block_size", "num_heads", "max_length", "is_drawn"),
    [
        (4096, 64, 64, 65_536, True),
        (1024, 1, 4, 4096, True),
        (1000, 1, 64, 65_536, True),  # the draw for other lengths is one for the text alone
        (1024, 1, 64, 65_536, False),
        (1024, 1, 1, 65_536, False),
        (4096, 8, 64, 65_536, False),
    ],
)
def test_no_draw_is_begun_that_would_take_long(length, block_size, num_heads, max_length, is_drawn, monkeypatch):
    drawn = []
    monkeypatch.setattr(BlockSparsity, "table", lambda *arguments: drawn.append(arguments))
    chosen = PatternSettings(length, block_size, 16, "original", num_heads=num_heads, max_length=max_length)
    if is_drawn:
        table_of(chosen)
    else:
        with pytest.raises(InputError, match="takes too long"):
            table_of(chosen)
    assert bool(drawn) == is_drawn


@settings(max_examples=60, deadline=None)
@given(sparse_settings())
def test_operations_are_those_of_the_rows_as_the_attention_works_on_them(chosen):
    table = table_of(chosen)
    assert num_slots(chosen) == table.num_slots
    padded = table.num_blocks * chosen.block_size
    rows_between = table.blocks.shape[1] * table.num_slots * chosen.block_size**2
    assert seen_pairs(chosen, chosen.length) == 2 * chosen.block_size * padded + rows_between


def test_costs_grow_as_they_should():
    curve = cost_curve(PatternSettings(num_heads=16, head_dim=64), [512, 4096, 8192, 16384])
    assert curve.full_operations == tuple(2 * 16 * 64 * length**2 for length in curve.lengths)
    assert curve.full_memory == tuple(4 * 16 * length**2 for length in curve.lengths)
    assert curve.sparse_operations[0] == curve.full_operations[0]
    at_4k, at_8k, at_16k = curve.sparse_memory[1:]
    assert at_8k < 2.2 * at_4k
    assert at_16k < 2.2 * at_8k
    assert curve.full_operations[3] / curve.sparse_operations[3] > 25


def test_measuring_goes_on_only_as_long_as_someone_asks(monkeypatch):
    monkeypatch.setattr(cost, "MEASURED_LENGTHS", (64, 200))
    chosen = PatternSettings(block_size=8, num_random_blocks=1, num_heads=2, head_dim=4, random_blocks="original")
    timings = list(measure(chosen, torch.device("cpu"), torch.float32, nullcontext()))
    assert [timing.length for timing in timings] == [64, 200]
    assert all(timing.full_seconds > 0 and timing.sparse_seconds > 0 for timing in timings)
    called = []
    monkeypatch.setattr(cost, "seconds", lambda *_: called.append(1) or 1.0)
    next(measure(chosen, torch.device("cpu"), torch.float32, nullcontext()))
    assert len(called) == 2


def test_full_and_sparse_attention_are_measured_in_a_turn_each(monkeypatch):
    monkeypatch.setattr(cost, "MEASURED_LENGTHS", (64, 200))
    done = []
    monkeypatch.setattr(cost, "seconds", lambda *_: done.append("measured") or 1.0)

    class Turns:
        def __enter__(self):
            done.append("turn")

        def __exit__(self, *error):
            pass

    list(measure(PatternSettings(block_size=8, num_random_blocks=1), torch.device("cpu"), torch.float32, Turns()))
    assert done == ["turn", "measured"] * 4


def test_what_takes_a_second_is_not_repeated(monkeypatch):
    monkeypatch.setattr(cost.time, "perf_counter", iter(range(100)).__next__)
    runs = []
    assert cost.seconds(lambda: runs.append(1), torch.device("cpu")) == 1
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("num_heads", "head_dim", "block_size", "longest"),
    [
        (12, 64, 64, 8192),
        (16, 64, 64, 4096),
        (64, 64, 64, 2048),
        (64, 512, 64, 512),
        (64, 64, 1, 1024),
        (1, 1, 1, 8192),
    ],
)
def test_only_so_much_is_measured_as_others_can_wait_for(num_heads, head_dim, block_size, longest, monkeypatch):
    chosen = PatternSettings(block_size=block_size, num_heads=num_heads, head_dim=head_dim)
    assert cost.measured_lengths(chosen)[-1] == longest
    monkeypatch.setattr(cost, "MEASURED_LENGTHS", (longest * 2,) if longest < 8192 else (longest * 16,))
    with pytest.raises(InputError, match="too long to measure here. Choose fewer"):
        cost.measured_lengths(chosen)


def dense_mass(query, key, bias, block_size) -> np.ndarray:
    """B H N N, by the definition, over whole maps."""
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    weights = torch.softmax(scores if bias is None else scores + bias, -1).numpy()
    starts = range(0, query.shape[2], block_size)
    rows = np.stack([weights[:, :, start : start + block_size].mean(axis=2) for start in starts], axis=2)
    return np.stack([rows[..., start : start + block_size].sum(axis=3) for start in starts], axis=3)


@pytest.mark.parametrize("length", [1, 7, 8, 29])
@pytest.mark.parametrize("with_bias", ["no", "of keys", "of pairs"])
def test_mass_by_blocks_is_that_of_the_whole_map(length, with_bias):
    generator = torch.Generator().manual_seed(length)
    query, key = torch.randn(2, 2, 3, length, 4, generator=generator)
    shapes = {"no": None, "of keys": (2, 1, 1, length), "of pairs": (2, 3, length, length)}
    bias = None if with_bias == "no" else torch.randn(shapes[with_bias], generator=generator)
    found = block_mass(query, key, Dense(bias), block_size=8)
    assert np.allclose(found, dense_mass(query, key, bias, 8), atol=1e-6)
    assert torch.allclose(found.sum(-1), torch.ones(found.shape[:3]))


def test_no_map_of_all_tokens_is_ever_made(monkeypatch):
    shapes, plain = [], mass.scores
    monkeypatch.setattr(mass, "scores", lambda *inputs: shapes.append(plain(*inputs).shape) or plain(*inputs))
    query = torch.randn(1, 1, 100, 4)
    block_mass(query, query, Dense(), block_size=16)
    assert {shape[2] for shape in shapes} == {16, 4}


def test_reading_tells_each_layer_and_ends_with_the_attention_of_the_wanted_one(engine: Engine):
    *steps, read = engine.read_blocks("plain", TEXT, layer=1, block_size=5)
    assert steps == [LayersRead(0, 2), LayersRead(1, 2)]
    worker = engine.load("fuse", "plain")
    source = read_source(clean(TEXT), Prompt(), worker.tokenizer, 64)
    with recording(lambda kind, layer: kind == "encoder" and layer == 1) as tape:
        encoder_stack(worker.model)(input_ids=torch.tensor([source.input_ids]))
    weights = tape.weights["encoder", 1][0].detach().numpy()
    starts = np.arange(0, len(source.input_ids), 5)
    sizes = np.minimum(5, len(source.input_ids) - starts)
    expected = np.add.reduceat(np.add.reduceat(weights, starts, axis=2), starts, axis=1) / sizes[:, None]
    assert np.allclose(read.mass, expected, atol=1e-6)
    assert (read.num_heads, read.head_dim, read.max_length, read.num_cut_tokens) == (4, 8, 64, source.num_cut_tokens)
    assert len(read.tokens) == len(source.input_ids)


def test_what_a_pattern_keeps_of_a_text(engine: Engine):
    *_, read = engine.read_blocks("plain", TEXT * 2, layer=0, block_size=4)
    chosen = PatternSettings(length=len(read.tokens), block_size=4, num_random_blocks=1, num_heads=4, max_length=64)
    assert chosen.carries(read)
    assert read.num_cut_tokens > 0
    record = pattern(chosen, read)
    sizes = np.array([len(record.tokens_of(block)) for block in range(record.num_blocks)])
    for head, kept in enumerate(record.kept_mass):
        by_hand = (
            sum(size * read.mass[head, row][record.counts[row] > 0].sum() for row, size in enumerate(sizes))
            / sizes.sum()
        )
        assert kept == pytest.approx(by_hand)
        assert 0 < kept < 1
    assert not PatternSettings(length=len(read.tokens), block_size=8, num_heads=4).carries(read)


def test_who_leaves_stops_the_reading_at_the_next_layer(engine: Engine):
    seen, encoder = [], encoder_stack(engine.load("fuse", "plain").model)

    def slowly(number: int) -> None:
        time.sleep(0.3)
        seen.append(number)

    hooks = [
        layer.register_forward_hook(lambda *_, number=number: slowly(number))
        for number, layer in enumerate(encoder.layers)
    ]
    reading = engine.read_blocks("plain", TEXT, layer=2, block_size=4)
    next(reading)
    next(reading)
    time.sleep(0.5)
    assert seen == [0], "no layer is computed between two turns"
    reading.close()
    assert seen == [0]
    list(engine.read_blocks("plain", TEXT, layer=0, block_size=4))
    for hook in hooks:
        hook.remove()
    assert seen == [0, 0], "no layer beyond the wanted one is computed"


@pytest.mark.parametrize(
    ("text", "layer", "block_size", "message"),
    [("", 0, 8, "There is no text yet"), (TEXT, 3, 8, "This model reads with 3 layers; there is no layer 4")],
)
def test_what_cannot_be_read_is_explained(engine: Engine, text, layer, block_size, message):
    with pytest.raises(InputError, match=message):
        list(engine.read_blocks("plain", text, layer, block_size))


def test_blocks_that_are_too_small_for_a_text_are_refused(engine: Engine, monkeypatch):
    monkeypatch.setattr(mass, "MAX_BLOCKS_READ", 4)
    with pytest.raises(InputError, match="Choose a block size of [0-9]+ or more"):
        list(engine.read_blocks("plain", TEXT, 0, 2))


def test_an_error_inside_the_model_reaches_who_asked(engine: Engine, monkeypatch):
    monkeypatch.setattr(mass, "block_mass", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(engine.read_blocks("plain", TEXT, 0, 8))
