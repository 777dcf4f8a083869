"""A WordPiece vocabulary without its rarer pieces; those that stay keep their vectors. Knows no models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from torch import Tensor

from seq2seq.tokenizers import BertTokenizer

FIRST_OTHER_LETTER = "\u0531"  # Armenian A: the first letter beyond Latin, Greek and Cyrillic


def piece_counts(tokenizer: BertTokenizer, texts: Iterable[str]) -> Counter[str]:
    """How often each of the tokenizer's pieces occurs."""
    counts: Counter[int] = Counter()
    for text in texts:
        counts.update(tokenizer.encode(text, add_special_tokens=False))
    return Counter({tokenizer.convert_ids_to_tokens(token_id): count for token_id, count in counts.items()})


def pruned(tokenizer: BertTokenizer, counts: Mapping[str, int], size: int) -> list[str]:
    """At most `size` of its pieces, in their order: special tokens, single characters, and the most frequent others.

    Of characters, those that occur, and all of the Latin, Greek and Cyrillic alphabets: a word whose longer pieces
    are left out is then cut into smaller ones, and does not become unknown.
    """
    special = set(tokenizer.all_special_tokens)
    always = {piece for piece in tokenizer.get_vocab() if piece in special or is_kept_character(piece, counts)}
    others = sorted((piece for piece in counts if piece not in always), key=lambda piece: -counts[piece])
    kept = always.union(others[: size - len(always)])
    return [piece for piece in in_order(tokenizer) if piece in kept]


def is_kept_character(piece: str, counts: Mapping[str, int]) -> bool:
    character = piece.removeprefix("##")
    return len(character) == 1 and (character < FIRST_OTHER_LETTER or counts.get(piece, 0) > 0)


def carried_over(tokenizer: BertTokenizer, old_tokenizer: BertTokenizer, old: Tensor) -> Tensor:
    """Vectors (new V, D) for a vocabulary's pieces, all of which are in the old one (old V, D)."""
    return old[old_tokenizer.convert_tokens_to_ids(in_order(tokenizer))].clone()


def in_order(tokenizer: BertTokenizer) -> list[str]:
    """Its pieces by their ids."""
    ids = tokenizer.get_vocab()
    return sorted(ids, key=ids.__getitem__)
