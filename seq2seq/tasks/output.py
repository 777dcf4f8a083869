"""Generated ids as a reader sees them: the text, each token's place in it, and what might have stood there."""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq.tasks.prompts import LINE_BREAK
from seq2seq.tokenizers import Tokenizer
from seq2seq.trace import Alternative, Token

SPACE_MARK = "▁"  # how a SentencePiece vocabulary writes a leading space


def plain_text(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """The text, where a line ends at every piece that says so."""
    end_of_line = line_break_id(tokenizer)
    lines: list[list[int]] = [[]]
    for token_id in ids:
        if token_id == end_of_line:
            lines.append([])
        else:
            lines[-1].append(token_id)
    return "\n".join(tokenizer.decode(line, skip_special_tokens=True).strip() for line in lines).strip()


def line_break_id(tokenizer: Tokenizer) -> int | None:
    """The piece that stands for the end of a line; None where the vocabulary has none."""
    token_id = tokenizer.convert_tokens_to_ids(LINE_BREAK)
    return None if token_id == tokenizer.unk_token_id else token_id


def target_tokens(tokenizer: Tokenizer, ids: Sequence[int], text: str) -> tuple[Token, ...]:
    """Every generated token with its span in `text`, which is what all of them decode to.

    A token ends where the text of all tokens up to it ends. While a character is still incomplete, as one of several
    byte tokens, its end lies beyond what the finished text has, and is held back.
    """
    found = tokens_found(tokenizer, ids, text)
    return tokens_decoded(tokenizer, ids, text) if found is None else found


def tokens_found(tokenizer: Tokenizer, ids: Sequence[int], text: str) -> tuple[Token, ...] | None:
    """The same in linear time, where each token's piece stands in the text, right behind the one before; else None."""
    special, end_of_line = set(tokenizer.all_special_ids), line_break_id(tokenizer)
    tokens: list[Token] = []
    end = 0
    for token_id, name in zip(ids, tokenizer.convert_ids_to_tokens(ids), strict=True):
        if token_id in special:
            tokens.append(special_token(tokenizer, token_id))
            continue
        piece = "" if token_id == end_of_line or name is None else name.replace(SPACE_MARK, " ").strip()
        start = end
        while piece and text[start : start + 1].isspace():
            start += 1
        end = start + len(piece)
        if text[start:end] != piece:
            return None
        tokens.append(Token(piece, start, end))
    return tuple(tokens) if end == len(text) else None


def tokens_decoded(tokenizer: Tokenizer, ids: Sequence[int], text: str) -> tuple[Token, ...]:
    special = set(tokenizer.all_special_ids)
    tokens: list[Token] = []
    end = 0
    for count, token_id in enumerate(ids, start=1):
        if token_id in special:
            tokens.append(special_token(tokenizer, token_id))
            continue
        so_far = plain_text(tokenizer, ids[:count])
        start, end = end, max(end, len(so_far) if text.startswith(so_far) else end)
        while start < end and text[start].isspace():
            start += 1
        tokens.append(Token(text[start:end], start, end))
    return tuple(tokens)


def special_token(tokenizer: Tokenizer, token_id: int) -> Token:
    """A token that stands for no text of the reader's, by its name in the vocabulary, without SentencePiece's space."""
    return Token(name_of(tokenizer, token_id).lstrip(SPACE_MARK), 0, 0, special=True)


def name_of(tokenizer: Tokenizer, token_id: int) -> str:
    """In the vocabulary; the unknown token's where a model has more ids than its tokenizer."""
    return tokenizer.convert_ids_to_tokens(token_id) or tokenizer.unk_token or ""


def alternatives_of(
    tokenizer: Tokenizer, ids: Sequence[int], probabilities: Sequence[float]
) -> tuple[Alternative, ...]:
    texts = [name_of(tokenizer, token_id) for token_id in ids]
    return tuple(Alternative(*alternative) for alternative in zip(texts, ids, probabilities, strict=True))
