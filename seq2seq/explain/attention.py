"""Attention over a finished pair of texts: one teacher-forced pass that keeps one layer, or a combination of all.

What is kept is summed up by pieces of the text while the layer runs, some rows at a time: a block-sparse layer of 4,096
tokens is looked at by sentences in linear time, and no map of all its tokens is ever made.

Source: attention rollout, Abnar and Zuidema 2020, section 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seq2seq.attention.block_sparse import BlockSparse
from seq2seq.attention.kernel import Dense
from seq2seq.attention.tape import recording
from seq2seq.explain.grain import Axis, Grain, axis_of, coarser
from seq2seq.explain.pair import Pair
from seq2seq.trace import AttentionKind, AttentionRecord, Combination, Token


@dataclass(frozen=True)
class View:
    """What of an attention to look at, and how finely."""

    kind: AttentionKind = "cross"
    layer: int | Combination = 0
    rows: Grain = "tokens"  # who looks
    columns: Grain = "tokens"  # at what
    rows_within: Token | None = None  # a stretch; None: the whole text
    columns_within: Token | None = None


@torch.no_grad()
def attention(pair: Pair, view: View) -> AttentionRecord:
    """What one layer, or all together, looked at while it wrote.

    Row t is the attention from which token t was predicted: that of the token before it, or of the start token. Where
    only a stretch of the text is looked at, a row sums to the share that the stretch got. Of a combination there is one
    head; its rows sum to 1.
    Raises: ValueError for a layer that the model does not have.
    """
    targets, sources, target_text, source_text = sides(pair, view.kind)
    rows = axis_of(targets, target_text, view.rows, view.rows_within)
    columns = axis_of(sources, source_text, view.columns, view.columns_within)
    looked = {"rollout": rolled_out, "all layers": of_all_layers}.get(view.layer, of_layer)(pair, view, columns)
    weights = rows.means(looked.float().cpu()).numpy()  # H R C
    return AttentionRecord(view.kind, view.layer, weights, rows.pieces, columns.pieces, target_text, source_text)


def is_whole(view: View) -> bool:
    """Whether its record has all that any other view of the same layer shows."""
    return view == View(view.kind, view.layer) and isinstance(view.layer, int)


def regrouped(whole: AttentionRecord, view: View) -> AttentionRecord:
    """Another view of a layer that was looked at whole, without a pass: as `attention`."""
    rows = axis_of(whole.targets, whole.target_text, view.rows, view.rows_within)
    columns = axis_of(whole.sources, whole.source_text, view.columns, view.columns_within)
    looked = columns.sums(torch.from_numpy(whole.weights)[None], columns.places[None])[0]
    return replace(whole, weights=rows.means(looked).numpy(), targets=rows.pieces, sources=columns.pieces)


def fitting(pair: Pair, view: View, most_cells: int) -> View:
    """The view, by words or by sentences where its map would have more cells: what is looked at first, then who looks.

    The coarsest one, where none fits.
    """
    targets, sources, target_text, source_text = sides(pair, view.kind)
    for rows, columns in coarser(view.rows, view.columns):
        height = len(axis_of(targets, target_text, rows, view.rows_within).pieces)
        width = len(axis_of(sources, source_text, columns, view.columns_within).pieces)
        if height * width <= most_cells:
            break
    return replace(view, rows=rows, columns=columns)


def read(pair: Pair, kind: AttentionKind) -> None:
    """The half of a pass that has this kind of attention."""
    if kind == "encoder":
        pair.model.encode(pair.input_ids, None)
    else:
        decode(pair)


def decode(pair: Pair) -> Tensor:
    """1 T V: the logits of each target token, from the source as it was read once."""
    cache = pair.writer.cache(pair.source)
    inputs = {"decoder_input_ids": pair.decoder_input_ids, "past_key_values": cache, "use_cache": True}
    return pair.model(encoder_outputs=pair.encoded, **inputs).logits


def of_layer(pair: Pair, view: View, columns: Axis) -> Tensor:
    """H T C"""
    check_layer(pair, view.kind, view.layer)
    summed_up = SummedUp(columns)

    def keep(*seen) -> Tensor:
        raise Enough(summed_up(*seen))

    try:
        with recording(lambda *address: address == (view.kind, view.layer), keep=keep):
            read(pair, view.kind)
    except Enough as enough:
        return enough.looked[0]
    raise AssertionError(f"layer {view.layer} has no {view.kind} attention")


def of_all_layers(pair: Pair, view: View, columns: Axis) -> Tensor:
    """1 T C: the mean of all heads of all layers."""
    summed_up = SummedUp(columns)
    with recording(lambda kind, _: kind == view.kind, keep=lambda *seen: mean_of_heads(summed_up(*seen))) as tape:
        read(pair, view.kind)
    return torch.stack(tape.of_kind(view.kind)).mean(dim=0)[0]


def rolled_out(pair: Pair, view: View, columns: Axis) -> Tensor:
    """1 T C: how much of each place's state comes from each piece, when every layer adds to a state half of its own.

    Heads are averaged. Across, what the decoder reads of itself is rolled out along, and each row is shared out
    among what came from the source. It is made with all pieces of the text, of which a stretch takes its part.
    """
    member = columns.member()
    rest = 1 - member.sum(dim=1, keepdim=True)  # what is in no piece is one of its own
    everything = torch.cat([member, rest], dim=1)
    rollout = Rollout(view.kind, everything, len(pair.target_ids))
    with recording(rollout.wants, keep=rollout):
        for kind in ("encoder", "cross") if view.kind == "cross" else (view.kind,):
            read(pair, kind)
    reached = rollout.reached
    return (reached / reached.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(reached.dtype).tiny))[None, :, :-1]


@dataclass
class Enough(Exception):
    """Ends a pass at the layer that was to be seen: what comes after it is not needed."""

    looked: Tensor  # B H T C


@dataclass(frozen=True)
class SummedUp:
    """What a tape keeps: the attention to each piece of a text."""

    columns: Axis

    def __call__(self, query: Tensor, key: Tensor, pattern: Dense | BlockSparse) -> Tensor:
        """query (B H T d), key (B H S d) -> B H T C, float32"""
        places = self.columns.places.to(query.device)
        pieces = pattern.pieces(query.float(), key.float())
        return torch.cat([self.columns.sums(piece.weights, places[piece.columns]) for piece in pieces], dim=2)


@dataclass(frozen=True)
class Mixed:
    """What a tape keeps: the values, one row for each token, in the shares of the attention to it."""

    values: Tensor  # S C

    def __call__(self, query: Tensor, key: Tensor, pattern: Dense | BlockSparse) -> Tensor:
        """query (B H T d), key (B H S d) -> B H T C, float32"""
        values = self.values.to(query.device).expand(*key.shape[:2], *self.values.shape)
        return pattern.attend(query.float(), key.float(), values)


class Rollout:
    """Follows a pass, as what a tape wants and keeps: what each state is made of, piece by piece."""

    def __init__(self, kind: AttentionKind, pieces: Tensor, num_targets: int):
        self.kind = kind
        self.read: AttentionKind | None = None  # whose weights come next
        self.states = {"encoder": pieces}  # S C, or of a decoder T C
        self.states["decoder"] = pieces if kind == "decoder" else torch.zeros(num_targets, pieces.shape[1])

    @property
    def reached(self) -> Tensor:
        """T C, or of an encoder S C"""
        return self.states["encoder" if self.kind == "encoder" else "decoder"]

    def wants(self, kind: AttentionKind, layer: int) -> bool:
        self.read = kind
        return self.kind in ("cross", kind)

    def __call__(self, query: Tensor, key: Tensor, pattern: Dense | BlockSparse) -> Tensor:
        """Half of a state stays, half comes from what it looked at."""
        looks, seen = {"cross": ("decoder", "encoder")}.get(self.read, (self.read, self.read))
        (came,) = mean_of_heads(Mixed(self.states[seen])(query, key, pattern)).cpu().squeeze(1)
        self.states[looks] = (self.states[looks] + came) / 2
        return came


def mean_of_heads(looked: Tensor) -> Tensor:
    """B H T C -> B 1 T C"""
    return looked.mean(dim=1, keepdim=True)


def num_layers(pair: Pair, kind: AttentionKind) -> int:
    config = pair.model.config
    return (config.encoder if kind == "encoder" else config.decoder).num_hidden_layers


def check_layer(pair: Pair, kind: AttentionKind, layer: int) -> None:
    count = num_layers(pair, kind)
    if not 0 <= layer < count:
        raise ValueError(f"layer must be from 0 to {count - 1}; got {layer}.")


def sides(pair: Pair, kind: AttentionKind) -> tuple[tuple[Token, ...], tuple[Token, ...], str, str]:
    """Who looks (T), at whom (S), and the texts that both belong to."""
    source, text = pair.source, pair.target_text
    return {
        "cross": (pair.targets, source.tokens, text, source.text),
        "encoder": (source.tokens, source.tokens, source.text, source.text),
        "decoder": (pair.targets, pair.read_back, text, text),
    }[kind]
