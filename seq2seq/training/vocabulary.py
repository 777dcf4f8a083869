"""From a BERT checkpoint's uncased vocabulary to a cased SentencePiece one, with vectors carried over.

A new piece starts as the mean of the vectors of its old pieces. Pieces that differ only in case or in the space before
them would then start out equal, and a decoder that cannot tell them apart writes "carey" for "Carey". So each of these
traits is a direction of its own, the same for all pieces, added to those that have it: what the model learns of one
capital letter then holds for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import sentencepiece
import torch
from torch import Tensor

SPACE = "▁"
TRAIT_STRENGTH = 0.6  # length of a trait's direction, in lengths of an average vector
OWN_STRENGTH = 0.15  # length of each piece's own offset: two pieces may have the same old pieces
BYTE_STRENGTH = 1.0  # and of a byte's, which has no old pieces at all


def train_sentencepiece(
    texts: Iterable[str], path: Path, vocab_size: int, prompts: Iterable[str], seed: int = 0
) -> None:
    """A cased unigram model with byte fallback: pad 0, eos 1, bos 2, as BertGeneration has them; then the prompts."""
    sentencepiece.set_random_generator_seed(seed)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_prefix=str(path.with_suffix("")),
        vocab_size=vocab_size,
        model_type="unigram",
        byte_fallback=True,
        character_coverage=0.9998,
        split_digits=True,
        max_sentence_length=4000,
        pad_id=0,
        eos_id=1,
        bos_id=2,
        unk_id=3,
        user_defined_symbols=list(prompts),
        num_threads=2,
        minloglevel=2,
    )


def greedy_pieces(word: str, old_ids: dict[str, int], prefix: str) -> list[int]:
    """WordPiece's longest match first: ids of the old pieces of a word that begins with `prefix` ("" or "##")."""
    ids = []
    while word:
        ends = (end for end in range(len(word), 0, -1) if prefix + word[:end] in old_ids)
        end = next(ends, None)
        if end is None:
            return []
        ids.append(old_ids[prefix + word[:end]])
        word, prefix = word[end:], "##"
    return ids


def old_pieces(piece: str, old_ids: dict[str, int]) -> list[int]:
    """Ids of the uncased pieces that make up a new one; empty where there are none."""
    word = piece.removeprefix(SPACE).lower()
    continues = not piece.startswith(SPACE) and word[:1].isalnum()
    return greedy_pieces(word, old_ids, "##" if continues else "") or greedy_pieces(word, old_ids, "")


def transfer_embeddings(
    processor: sentencepiece.SentencePieceProcessor, old_ids: dict[str, int], old: Tensor, seed: int = 0
) -> Tensor:
    """Vectors (new V, D) for every piece, from those of the old vocabulary (old V, D)."""
    generator = torch.Generator().manual_seed(seed)
    length = old.norm(dim=-1).mean()

    def directions(count: int) -> Tensor:
        drawn = torch.randn(count, old.shape[1], generator=generator)
        return length * drawn / drawn.norm(dim=-1, keepdim=True)

    size = processor.get_piece_size()
    capital, capitals, spaceless = TRAIT_STRENGTH * directions(3)
    is_byte = torch.tensor([[processor.is_byte(index)] for index in range(size)])
    vectors = torch.where(is_byte, BYTE_STRENGTH, OWN_STRENGTH) * directions(size)
    unknown = old[old_ids["[UNK]"]]
    same = {"<pad>": "[PAD]", "</s>": "[SEP]", "<s>": "[CLS]", "<unk>": "[UNK]"}
    for index in range(size):
        piece = processor.id_to_piece(index)
        if piece in same:
            vectors[index] += old[old_ids[same[piece]]]
            continue
        ids = [] if is_byte[index] else old_pieces(piece, old_ids)
        vectors[index] += old[ids].mean(dim=0) if ids else unknown
        letters = piece.removeprefix(SPACE)
        if letters[:1].isupper():
            vectors[index] += capitals if len(letters) > 1 and letters.isupper() else capital
        if not piece.startswith(SPACE):
            vectors[index] += spaceless
    return vectors
