"""Small attention records for the tests of the views."""

from __future__ import annotations

import numpy as np

from seq2seq.trace import AttentionRecord, Token


def spaced(text: str) -> tuple[Token, ...]:
    """A token for each word of a text whose words are one space apart."""
    tokens, start = [], 0
    for word in text.split(" "):
        tokens.append(Token(word, start, start + len(word)))
        start += len(word) + 1
    return tuple(tokens)


def record(target_text: str, source_text: str, num_heads: int = 2, seed: int = 0) -> AttentionRecord:
    """Random weights between the words of two texts; the source ends with a special token."""
    targets = spaced(target_text)
    sources = (*spaced(source_text), Token("</s>", 0, 0, special=True))
    weights = np.random.default_rng(seed).random((num_heads, len(targets), len(sources))).astype(np.float32)
    weights /= weights.sum(axis=-1, keepdims=True)
    return AttentionRecord("cross", 0, weights, targets, sources, target_text, source_text)


def long_record(num_targets: int, num_sources: int) -> AttentionRecord:
    def words(count: int) -> str:
        return " ".join(f"w{index}" for index in range(count))

    return record(words(num_targets), words(num_sources - 1))
