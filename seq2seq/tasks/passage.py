"""A question and a text as a model reads them: cleaned, cut into windows, each behind the question."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.tasks.results import AnswerSettings, InputError
from seq2seq.tasks.source import clean
from seq2seq.tasks.spans import Window, windows_over
from seq2seq.tokenizers import Tokenizer
from seq2seq.trace import Token

WHITE_SPACE = re.compile(r"\s")  # all that is not a space is unknown to some vocabularies
OVERLAP = 128  # tokens that two windows share, if there is room: each then sees 64 on either side of its own


@dataclass(frozen=True)
class Row:
    """What the model reads at once: question, a window of the text, and special tokens where they belong."""

    input_ids: tuple[int, ...]
    context: slice  # the window's tokens among them


@dataclass(frozen=True)
class Passage:
    question: str  # cleaned
    context: str  # cleaned
    head: tuple[int, ...]  # ids of the question and of the special tokens that stand before the text
    tail: tuple[int, ...]  # ids of the special tokens that stand after it
    context_ids: tuple[int, ...]
    tokens: tuple[Token, ...]  # of context_ids
    windows: tuple[Window, ...]

    def row(self, window: Window) -> Row:
        ids = (*self.head, *self.context_ids[window.start : window.end], *self.tail)
        return Row(ids, slice(len(self.head), len(ids) - len(self.tail)))


def read_passage(question: str, context: str, tokenizer: Tokenizer, limit: int, settings: AnswerSettings) -> Passage:
    """For a model that reads `limit` tokens at once.

    Raises: InputError for a question or a text that cannot be worked on.
    """
    question, context = clean_question(question), clean(context)
    head, tail = frame(question, tokenizer)
    encoded = tokenizer(WHITE_SPACE.sub(" ", context), add_special_tokens=False, return_offsets_mapping=True)
    room = limit - len(head) - len(tail)
    if room < limit // 2:
        raise InputError(
            f"This question has {len(head)} tokens, which is too long: the model reads {limit} at once, and half of "
            "them have to be left for the text. Ask in fewer words."
        )
    overlap = min(max(OVERLAP, 2 * settings.max_answer_tokens), room // 2)
    return Passage(
        question=question,
        context=context,
        head=head,
        tail=tail,
        context_ids=tuple(encoded.input_ids),
        tokens=tuple(Token(context[start:end], start, end) for start, end in encoded.offset_mapping),
        windows=windows_over(len(encoded.input_ids), room, overlap),
    )


def clean_question(question: str) -> str:
    try:
        return clean(question)
    except InputError as error:
        raise InputError("There is no question yet. Type what you want to know from the text.") from error


def frame(question: str, tokenizer: Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids before a text, which are those of the question and special tokens, and the ids after it."""
    around = tokenizer(question, "", return_token_type_ids=True)
    size = around.token_type_ids.count(0)
    return tuple(around.input_ids[:size]), tuple(around.input_ids[size:])


def words_of(tokens: Sequence[Token], text: str) -> np.ndarray:
    """T: which word each token is of, counted from 0. Punctuation is not part of a word.

    A word is what an answer never takes a part of. In scripts that do not mark words each token is one.
    """
    begins = [not joins(before, token, text) for before, token in zip(tokens, tokens[1:], strict=False)]
    return np.cumsum([0, *begins])


def joins(before: Token, token: Token, text: str) -> bool:
    """Whether two neighbouring tokens are of the same word, or even of the same character."""
    if token.start < before.end:
        return True
    return token.start == before.end > 0 and all(
        is_of_marked_word(character) for character in text[token.start - 1 : token.start + 1]
    )


def is_of_marked_word(character: str) -> bool:
    """A letter, a digit or a mark on one, but for letters without case ("Lo"), among them those of Chinese and Thai."""
    category = unicodedata.category(character)
    return category[0] in "LNM" and category != "Lo"
