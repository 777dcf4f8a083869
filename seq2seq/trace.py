"""What a run left behind, for whoever wants to look at it: frozen records in numpy and plain Python.

This file is the only one that the views in `components` read. It knows no torch, no models and no page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

AttentionKind = Literal["cross", "encoder", "decoder"]
ATTENTION_KINDS: tuple[AttentionKind, ...] = AttentionKind.__args__
Combination = Literal["rollout", "all layers"]  # what is made of all layers: their product, or their mean
COMBINATIONS: tuple[Combination, ...] = Combination.__args__
Method = Literal["attention", "gradient", "integrated_gradients", "ablation"]  # of saying why a word was chosen
METHODS: tuple[Method, ...] = Method.__args__


@dataclass(frozen=True)
class Token:
    """One token as a reader sees it.

    `text` is its surface; `start` and `end` are character offsets into the text it belongs to. Special tokens, and
    those a task adds around the visitor's text, have `special=True` and an empty span.
    """

    text: str
    start: int
    end: int
    special: bool = False


@dataclass(frozen=True)
class AttentionRecord:
    """Every head of one layer's attention, for one finished (source, target) pair.

    `weights[h, t, s]` is how much head h looked at source token s while the model produced target token t: each row
    sums to 1. For encoder self-attention the targets are the source tokens themselves.
    """

    kind: AttentionKind
    layer: int | Combination
    weights: np.ndarray  # H T S, float32; of a combination, H is 1
    targets: tuple[Token, ...]  # T
    sources: tuple[Token, ...]  # S
    target_text: str
    source_text: str

    @property
    def num_heads(self) -> int:
        return self.weights.shape[0]

    def head(self, head: int | None) -> np.ndarray:
        """T S: one head's weights, or the mean over all heads for None."""
        return self.weights.mean(axis=0) if head is None else self.weights[head]


@dataclass(frozen=True)
class Alternative:
    """A token that the model might have written at a place, and how likely it was, 0 to 1."""

    text: str  # as the vocabulary has it, with "▁" for a leading space
    token_id: int
    probability: float


@dataclass(frozen=True)
class Choice:
    """One token of an output: where it stands in it, how sure the model was, and what else it weighed.

    Probabilities are the model's own, before any rule of the search.
    """

    token: Token
    token_id: int
    probability: float  # 0 to 1
    alternatives: tuple[Alternative, ...]  # the likeliest at this place, best first, itself included if it is one


Fate = Literal["kept", "pruned", "finished", "written"]  # of a branch; "written" are those that lead to the output


@dataclass(frozen=True)
class Branch:
    """One continuation that a beam search weighed."""

    parent: int | None  # its place in the tree's branches; None: it goes on from the start
    text: str  # of its token, as the vocabulary has it
    score: float  # log-probability of the whole sequence up to it, in nats
    fate: Fate


@dataclass(frozen=True)
class BeamTree:
    """What a beam search weighed, kept and dropped. Parents stand before their children."""

    num_beams: int
    branches: tuple[Branch, ...]


@dataclass(frozen=True)
class HeadFacts:
    """One head at a glance, over a finished pair of texts."""

    layer: int
    head: int
    entropy: float  # of a row, on average, as a share of the largest possible: 0 looks at one token, 1 at all evenly
    distance: float  # how far away it looks, on average, as a share of the text's length, 0 to 1
    special: float  # share of its attention on tokens that stand for no text, 0 to 1
    diagonality: float  # correlation of where it looks with where it stands, -1 to 1
    agreement: float | None = None  # rank correlation with gradient saliency, -1 to 1; None where it was not computed


@dataclass(frozen=True)
class HeadsRecord:
    """Every head of every layer, small: maps pooled to at most R rows and C columns, and its facts."""

    kind: AttentionKind
    maps: np.ndarray  # L H R C, float32: means of the weights, each map divided by its largest
    facts: tuple[HeadFacts, ...]  # L*H of them, layer by layer


Head = tuple[AttentionKind, int, int]  # kind, layer, head


@dataclass(frozen=True)
class Attribution:
    """How much each piece of a source weighed for one stretch of an output, by one method.

    Units: attention in shares; the others in nats of the stretch's log-probability. Gradients may be negative: what
    makes it less likely. An ablation's score is how far the log-probability falls without the piece.
    """

    method: Method
    scores: np.ndarray  # S, float32
    sources: tuple[Token, ...]  # S: tokens; of an ablation sentences or stretches of them
    source_text: str
    target: Token  # the stretch
    target_text: str
    log_probability: float  # of the stretch, in nats
    residue: float | None = None  # of integrated gradients: what their sum leaves unexplained, in nats


@dataclass(frozen=True)
class Leaning:
    """A sentence of an output, and the sentences of the source that it leans on most, best first, with their shares."""

    sentence: Token
    sources: tuple[tuple[Token, float], ...]


FoundBy = Literal["quoted", "ablation", "attention"]  # "quoted": a sentence of the output is one of the source


@dataclass(frozen=True)
class Provenance:
    """What each sentence of an output leans on, how that was found, and all that it might have leaned on."""

    method: FoundBy
    leanings: tuple[Leaning, ...]
    sources: tuple[Token, ...]  # every sentence of the source, in order
    source_text: str


@dataclass(frozen=True)
class Rewriting:
    """What a model writes with some heads switched off, beside what it wrote with all."""

    muted: tuple[Head, ...]
    before: str
    after: str
    log_probability_before: float  # of `before`, in nats, with all heads
    log_probability_after: float  # of `before`, in nats, without the muted ones


@dataclass(frozen=True)
class Span:
    """A stretch of the context that may answer the question."""

    text: str
    start: int  # characters into the context
    end: int
    score: float  # its probability, 0 to 1, among all spans and "no answer"


@dataclass(frozen=True)
class Answer:
    """What a text says to a question, or that it says nothing."""

    question: str  # cleaned
    context: str  # cleaned; every offset is into it
    best: Span | None  # None: there is no answer in this text
    spans: tuple[Span, ...]  # the likeliest that do not overlap, best first; also where `best` is None
    no_answer_score: float  # the probability that there is no answer, 0 to 1
    tokens: tuple[Token, ...]  # of the context, in order, each once
    start_scores: tuple[float, ...]  # of each token: the probability that the answer starts there
    end_scores: tuple[float, ...]
    num_windows: int
    seconds: float


@dataclass(frozen=True)
class BlockMass:
    """Where the full attention of one layer goes in a text of T tokens cut into N blocks.

    `mass[h, i, j]` is the share of its attention that head h gives, from the queries of block i, to all keys of block
    j together: each row sums to 1.
    """

    model: str
    layer: int
    block_size: int
    mass: np.ndarray  # H N N, float32
    tokens: tuple[Token, ...]  # T
    text: str
    num_cut_tokens: int  # that did not fit and were left out
    head_dim: int
    max_length: int  # tokens that the model reads

    @property
    def num_heads(self) -> int:
        return self.mass.shape[0]


BlockKind = Literal["unseen", "global", "window", "random", "repeated", "full"]
BLOCK_KINDS: tuple[BlockKind, ...] = BlockKind.__args__


@dataclass(frozen=True)
class PatternRecord:
    """Which of N blocks of keys each block of queries sees, for one head of one layer.

    A block that is there more than once is "repeated", whatever else it is; where a text is so short that attention
    is dense, every block is "full". With a text, the record carries its attention.
    """

    length: int  # tokens; the last block may be filled up beyond them
    block_size: int
    head: int
    kinds: np.ndarray  # N N, int8: places in BLOCK_KINDS
    counts: np.ndarray  # N N, int16: how often each block is there
    kept_pairs: float  # share of the pairs of tokens that see each other, 0 to 1
    heard: Mapping[str, tuple[float, ...]]  # by part of the pattern: share of pairs that heard, after each layer
    read: BlockMass | None = None
    kept_mass: tuple[float, ...] = ()  # with a text: of each head, the share of the full attention that is kept

    @property
    def num_blocks(self) -> int:
        return self.kinds.shape[0]

    @property
    def is_dense(self) -> bool:
        return bool((self.kinds == BLOCK_KINDS.index("full")).all())

    def tokens_of(self, block: int) -> range:
        """The tokens of a block, counted from 0."""
        return range(block * self.block_size, min(self.length, (block + 1) * self.block_size))

    def is_kind(self, kind: BlockKind) -> np.ndarray:
        """N N, bool."""
        return self.kinds == BLOCK_KINDS.index(kind)


@dataclass(frozen=True)
class CostCurve:
    """What one layer's attention costs over the length of the text, full and block-sparse, for a batch of one."""

    lengths: tuple[int, ...]  # tokens
    full_operations: tuple[int, ...]  # multiplications with their additions, of QK^T and of the weights with V
    sparse_operations: tuple[int, ...]
    full_memory: tuple[int, ...]  # bytes of the scores of all heads, in float32, held at once
    sparse_memory: tuple[int, ...]


@dataclass(frozen=True)
class Timing:
    """How long one layer's attention took on this machine, for a batch of one."""

    length: int  # tokens
    full_seconds: float
    sparse_seconds: float


def by_words(record: AttentionRecord) -> AttentionRecord:
    """The same record with tokens grouped into the words of their texts.

    Attention to a word is the sum over its tokens; attention from a word is the mean over its tokens, so rows still
    sum to 1.
    """
    targets, target_groups = group_into_words(record.targets, record.target_text)
    sources, source_groups = group_into_words(record.sources, record.source_text)
    summed = np.add.reduceat(record.weights, [group.start for group in source_groups], axis=2)
    starts = [group.start for group in target_groups]
    sizes = np.array([len(group) for group in target_groups], dtype=np.float32)
    mean = np.add.reduceat(summed, starts, axis=1) / sizes[None, :, None]
    return replace(record, weights=mean, targets=targets, sources=sources)


def group_into_words(tokens: tuple[Token, ...], text: str) -> tuple[tuple[Token, ...], list[range]]:
    """Words, and the range of token indices behind each. A word ends where white space or a special token begins."""
    words: list[Token] = []
    groups: list[range] = []
    for index, token in enumerate(tokens):
        joins = (
            words
            and not token.special
            and not words[-1].special
            and not any(character.isspace() for character in text[words[-1].end : token.start])
            and not text[token.start : token.start + 1].isspace()
        )
        if joins:
            end = max(words[-1].end, token.end)
            words[-1] = Token(text[words[-1].start : end], words[-1].start, end)
            groups[-1] = range(groups[-1].start, index + 1)
        else:
            words.append(token)
            groups.append(range(index, index + 1))
    return tuple(words), groups
