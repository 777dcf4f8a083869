"""A visitor's text as a model reads it: cleaned, behind the task's prompt, cut to the model's window."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from seq2seq.tasks.output import line_break_id, special_token
from seq2seq.tasks.prompts import Prompt, Sent, prepared, with_line_breaks
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

    @property
    def text_ids(self) -> list[int]:
        """Those of `input_ids` that stand for text of the visitor's."""
        return [token_id for token_id, token in zip(self.input_ids, self.tokens, strict=True) if not token.special]


def clean(text: str) -> str:
    """Without control characters, lone surrogates and white space around it.

    Raises: InputError if nothing is left, or if what is left has no letter or digit to work on.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(c for c in text if c in KEPT_CONTROLS or unicodedata.category(c) not in {"Cc", "Cs"}).strip()
    if not text:
        raise InputError("There is no text yet. Type or paste some, or choose an example.")
    if not has_words(text):
        raise InputError("This text has no words in it. Type or paste a sentence or more.")
    return text


def places_in(text: str, cleaned: str) -> list[int]:
    """Where each character of `cleaned`, which is what `clean` left of `text`, stands in `text`."""
    text = text.replace("\r", "\n")
    places: list[int] = []
    for character in cleaned:
        places.append(text.index(character, places[-1] + 1 if places else 0))
    return places


def has_words(text: str) -> bool:
    """Whether there is a letter or a digit to work on."""
    return any(character.isalnum() for character in text)


def read_source(text: str, prompt: Prompt, tokenizer: Tokenizer, limit: int) -> Source:
    """`text` is clean, and is sent as the prompt of its task says."""
    sent = as_sent(text, prompt, tokenizer)
    after = tokenizer(prompt.suffix, add_special_tokens=False).input_ids
    encoded = tokenizer(
        prompt.prefix + sent.text, truncation=True, max_length=limit - len(after), return_offsets_mapping=True
    )
    special = set(tokenizer.all_special_ids)
    ahead = len(prompt.prefix)
    tokens = [
        special_token(tokenizer, token_id)
        if token_id in special or end <= ahead
        else source_token(text, *sent.span(max(0, start - ahead), end - ahead))
        for token_id, (start, end) in zip(encoded.input_ids, encoded.offset_mapping, strict=True)
    ]
    tokens += [special_token(tokenizer, token_id) for token_id in after]
    num_cut_tokens = num_tokens(text, prompt, tokenizer) - len(tokens)
    return Source(text, (*encoded.input_ids, *after), tuple(tokens), num_cut_tokens)


def num_tokens(text: str, prompt: Prompt, tokenizer: Tokenizer) -> int:
    """Of the whole text and what the prompt puts around it, whether or not a model reads as many."""
    sent = as_sent(text, prompt, tokenizer)
    return len(tokenizer(prompt.prefix + sent.text + prompt.suffix).input_ids)


def as_sent(text: str, prompt: Prompt, tokenizer: Tokenizer) -> Sent:
    """By the prompt's rules, and with line breaks where the vocabulary has them."""
    sent = prepared(text, prompt)
    return sent if line_break_id(tokenizer) is None else with_line_breaks(sent)


def source_token(text: str, start: int, end: int) -> Token:
    return Token(text[start:end], start, end)
