"""A visitor's text as a model reads it: cleaned, behind the task's prompt, cut to the model's window."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from seq2seq.tasks.output import special_token
from seq2seq.tasks.results import InputError
from seq2seq.tokenizers import Tokenizer
from seq2seq.trace import Token

KEPT_CONTROLS = "\n\t"


@dataclass(frozen=True)
class Source:
    text: str  # cleaned
    input_ids: tuple[int, ...]  # the prompt's and as many of the text's as fit
    tokens: tuple[Token, ...]  # of input_ids, with spans in `text`
    num_cut_tokens: int


def clean(text: str) -> str:
    """Without control characters, lone surrogates and white space around it.

    Raises: InputError if nothing is left, or if what is left has no letter or digit to work on.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(c for c in text if c in KEPT_CONTROLS or unicodedata.category(c) not in {"Cc", "Cs"}).strip()
    if not text:
        raise InputError("There is no text yet. Type or paste some, or choose an example.")
    if not any(character.isalnum() for character in text):
        raise InputError("This text has no words in it. Type or paste a sentence or more.")
    return text


def read_source(text: str, prompt: str, tokenizer: Tokenizer, limit: int) -> Source:
    """`text` is clean; `prompt` is what the checkpoint was taught to find before a text of this task, or empty."""
    encoded = tokenizer(prompt + text, return_offsets_mapping=True)
    input_ids, spans = encoded.input_ids, encoded.offset_mapping
    special = set(tokenizer.all_special_ids)
    tokens = tuple(
        source_token(token_id, start - len(prompt), end - len(prompt), text, tokenizer, token_id in special)
        for token_id, (start, end) in zip(input_ids[:limit], spans[:limit], strict=True)
    )
    return Source(text, tuple(input_ids[:limit]), tokens, max(0, len(input_ids) - limit))


def source_token(token_id: int, start: int, end: int, text: str, tokenizer: Tokenizer, special: bool) -> Token:
    if special or end <= 0:
        return special_token(tokenizer, token_id)
    return Token(text[max(0, start) : end], max(0, start), end)
