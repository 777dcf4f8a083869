"""A visitor's text as a model reads it: cleaned, behind the task's prompt, cut to the model's window."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq.tasks.output import LINE_BREAK, line_break_id, special_token
from seq2seq.tasks.results import InputError
from seq2seq.tokenizers import Tokenizer
from seq2seq.trace import Token

KEPT_CONTROLS = "\n\t"
LINE_END = re.compile(r"(?<!\s)\s*\n")
PARAGRAPH_END = re.compile(r"(?<!\s)\s*\n\s*\n")


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


def read_source(text: str, prompt: str, tokenizer: Tokenizer, limit: int) -> Source:
    """`text` is clean; `prompt` is what the checkpoint was taught to find before a text of this task, or empty."""
    sent, origins = as_sent(prompt + text, tokenizer)
    encoded = tokenizer(sent, truncation=True, max_length=limit, return_offsets_mapping=True)
    special = set(tokenizer.all_special_ids)
    ahead = len(prompt)
    tokens = tuple(
        source_token(token_id, origins[start] - ahead, origins[end] - ahead, text, tokenizer, token_id in special)
        for token_id, (start, end) in zip(encoded.input_ids, encoded.offset_mapping, strict=True)
    )
    return Source(text, tuple(encoded.input_ids), tokens, num_tokens(text, prompt, tokenizer) - len(tokens))


def num_tokens(text: str, prompt: str, tokenizer: Tokenizer) -> int:
    """Of the whole text behind the prompt, whether or not a model reads as many."""
    return len(tokenizer(as_sent(prompt + text, tokenizer)[0]).input_ids)


def as_sent(text: str, tokenizer: Tokenizer) -> tuple[str, Sequence[int]]:
    """With line breaks where the vocabulary has them, and where each of its characters, and its end, is from."""
    return (text, range(len(text) + 1)) if line_break_id(tokenizer) is None else with_line_breaks(text)


def with_line_breaks(text: str) -> tuple[str, list[int]]:
    """The text with a piece at the end of each paragraph, and where each of its characters, and its end, is from.

    Paragraphs end at blank lines or, in a text that has none, at every line's end. So did those that PEGASUS and
    BigBird-Pegasus were trained on: google-research/bigbird, summarization/pegasus_large.sh, substitute_newline.
    """
    ends = PARAGRAPH_END if PARAGRAPH_END.search(text) else LINE_END
    sent: list[str] = []
    origins: list[int] = []
    position = 0
    for match in ends.finditer(text):
        sent += [text[position : match.start()], LINE_BREAK]
        origins += [*range(position, match.start()), *[match.start()] * len(LINE_BREAK)]
        position = match.end()
    return "".join([*sent, text[position:]]), [*origins, *range(position, len(text) + 1)]


def source_token(token_id: int, start: int, end: int, text: str, tokenizer: Tokenizer, special: bool) -> Token:
    if special or end <= 0:
        return special_token(tokenizer, token_id)
    return Token(text[max(0, start) : end], max(0, start), end)
