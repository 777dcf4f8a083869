"""Repairs to text before it is tokenized and after it is decoded. Knows no tokens."""

from __future__ import annotations

import re

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_TIGHTENED = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)


def without_lone_surrogates(text: str) -> str:
    """The text, as long as before, with halves of surrogate pairs, which are no characters, as U+FFFD."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def clean_up_tokenization(text: str) -> str:
    """The text without the spaces that word-level tokenizers leave before punctuation and contractions."""
    for spaced, tight in _TIGHTENED:
        text = text.replace(spaced, tight)
    return text
