"""Where a model's full attention goes in a text, block by block, whatever pattern the model itself follows.

Never holds a map of all tokens: the queries of one block after another look at all keys, and only sums are kept.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue

import torch
from torch import Tensor
from torch.nn import functional as F

from seq2seq.attention.block_sparse import BlockSparse
from seq2seq.attention.kernel import Dense, scores
from seq2seq.attention.tape import recording
from seq2seq.models.pretrained import PreTrainedModel
from seq2seq.models.stack import Stack
from seq2seq.tasks.results import InputError
from seq2seq.tasks.source import Source
from seq2seq.trace import AttentionKind, BlockMass

MAX_BLOCKS_READ = 256  # of a text: what is kept is 64,000 numbers a head


def read_mass(
    model: PreTrainedModel, source: Source, name: str, layer: int, block_size: int
) -> Iterator[LayersRead | BlockMass]:
    """A snapshot before each layer of the model's encoder, then the attention of `layer`; stop iterating to stop.

    Raises: InputError for a layer that the encoder does not have, or for blocks that are too small.
    """
    encoder = encoder_stack(model)
    check(encoder, source, layer, block_size)
    following = Following(layer)
    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(mass_of_layer, encoder, source, block_size, following)
        reading.add_done_callback(lambda _: following.steps.put(None))
        try:
            for step in iter(following.steps.get, None):
                yield step
                following.may_go_on.release()
            yield BlockMass(
                model=name,
                layer=layer,
                block_size=block_size,
                mass=reading.result()[0].cpu().numpy(),
                tokens=source.tokens,
                text=source.text,
                num_cut_tokens=source.num_cut_tokens,
                head_dim=encoder.config.hidden_size // encoder.config.num_attention_heads,
                max_length=encoder.config.max_position_embeddings,
            )
        finally:
            following.is_left.set()
            following.may_go_on.release()


def encoder_stack(model: PreTrainedModel) -> Stack:
    """The stack that reads, whatever stands on it or beside it."""
    return next(part for part in model.modules() if isinstance(part, Stack) and not part.config.is_decoder)


def check(encoder: Stack, source: Source, layer: int, block_size: int) -> None:
    num_layers, length = encoder.config.num_hidden_layers, len(source.input_ids)
    if not 0 <= layer < num_layers:
        raise InputError(
            f"This model reads with {num_layers} layers; there is no layer {layer + 1}. Choose one of them."
        )
    if math.ceil(length / block_size) > MAX_BLOCKS_READ:
        raise InputError(
            f"Blocks of {block_size} are too small for a text of {length:,} tokens. Choose a block size of "
            f"{math.ceil(length / MAX_BLOCKS_READ)} or more, or a shorter text."
        )


@dataclass(frozen=True)
class LayersRead:
    """A snapshot of a text being read."""

    layers_read: int
    num_layers: int  # that need to be read


class Enough(Exception):
    """No further layer is needed."""


@dataclass(frozen=True)
class Following:
    """Follows an encoder from layer to layer, as what a tape wants: tells how far it is, and has it wait or stop there.

    So it computes only while the next snapshot is asked for.
    """

    layer: int
    steps: SimpleQueue[LayersRead | None] = field(default_factory=SimpleQueue)
    may_go_on: threading.Semaphore = field(default_factory=partial(threading.Semaphore, 0))
    is_left: threading.Event = field(default_factory=threading.Event)

    def __call__(self, kind: AttentionKind, number: int) -> bool:
        if number > self.layer:
            raise Enough
        self.steps.put(LayersRead(number, self.layer + 1))
        self.may_go_on.acquire()
        if self.is_left.is_set():
            raise Enough
        return number == self.layer


@torch.no_grad()
def mass_of_layer(encoder: Stack, source: Source, block_size: int, following: Following) -> Tensor:
    """1 H N N. KeyError where nobody waits for it any more."""
    with recording(following, keep=partial(block_mass, block_size=block_size)) as tape, suppress(Enough):
        encoder(input_ids=torch.tensor([source.input_ids], device=encoder.device))
    return tape.weights["encoder", following.layer]


def block_mass(query: Tensor, key: Tensor, pattern: Dense | BlockSparse, block_size: int) -> Tensor:
    """B H N N, float32: the attention from each block of queries, on average, to each block of keys. Rows sum to 1.

    Args: query and key (B H T d), pattern: who would see whom; of it, only what full attention would not see either.
    """
    bias = pattern.bias
    starts = range(0, query.shape[2], block_size)
    filling = -query.shape[2] % block_size
    rows = []
    for start in starts:
        part = slice(start, start + block_size)
        own_bias = bias if bias is None or bias.shape[2] == 1 else bias[:, :, part]
        weights = torch.softmax(scores(query[:, :, part], key, own_bias).float(), dim=-1).mean(dim=2)  # B H T
        rows.append(F.pad(weights, (0, filling)).unflatten(2, (-1, block_size)).sum(dim=3))
    return torch.stack(rows, dim=2)
