"""Unigram vocabularies (Kudo 2018, arXiv 1804.10959) read without SentencePiece, as the reference library does it.

A text is normalized, cut at white space into words that begin with U+2581, and each word into the pieces whose
scores add up to the most. Pieces, scores and the table of normalized characters come from a SentencePiece model or a
tokenizer.json. Knows no models.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, ClassVar

import tokenizers
from tokenizers import AddedToken, decoders, normalizers, pre_tokenizers
from tokenizers.models import Unigram

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.tokenizers.backend import BackendTokenizer, read_tokenizer_file
from seq2seq.tokenizers.base import refuse_too_many
from seq2seq.tokenizers.encoding import Span, Tokens
from seq2seq.tokenizers.offsets import SPACE_MARK, without_space
from seq2seq.tokenizers.sentencepiece import load_sentencepiece

# Fields of SentencePiece's protocol buffer, sentencepiece_model.proto
_PIECES, _NORMALIZER = 1, 3  # of ModelProto
_TYPE, _USER_DEFINED = 3, 4  # of a piece, and a value of it
_CHARACTERS = 2  # of NormalizerSpec: precompiled_charsmap

Pieces = Sequence[tuple[str, float]]  # a token and its score, at the place of its id

LONGEST_PIECE = 1000  # characters: the library goes through a piece letter by letter, each inside the last


@dataclass(frozen=True)
class UnigramVocabulary:
    pieces: Pieces
    characters: bytes | None = None  # SentencePiece's compiled table of normalized characters, if it has one
    user_defined: tuple[str, ...] = ()  # pieces that are never cut where a text has them
    spiece: bytes | None = None  # the SentencePiece model that it comes from
    name: str = "this vocabulary"


class UnigramTokenizer(BackendTokenizer):
    """What the families share that the reference library cuts by its own Unigram."""

    vocab_files_names: ClassVar[dict[str, str]] = {
        **BackendTokenizer.vocab_files_names,
        "vocab_file": "spiece.model",
    }

    def __init__(
        self,
        vocabulary: UnigramVocabulary,
        normalizer: Sequence[normalizers.Normalizer],
        add_prefix_space: bool = True,
        *,
        unk_token: str | AddedToken,
        **settings: Any,
    ):
        """For the settings see `Tokenizer`. CheckpointError if the vocabulary lacks the `unk_token`."""
        refuse_too_many(len(vocabulary.user_defined))
        self._spiece = vocabulary.spiece
        space = {"replacement": SPACE_MARK, "prepend_scheme": "always" if add_prefix_space else "never"}
        backend = tokenizers.Tokenizer(_unigram(vocabulary, str(unk_token)))
        backend.normalizer = normalizers.Sequence(normalizer)
        backend.pre_tokenizer = pre_tokenizers.Metaspace(**space)
        backend.decoder = decoders.Metaspace(**space)
        backend.add_tokens([AddedToken(piece, normalized=False) for piece in vocabulary.user_defined])
        super().__init__(backend, unk_token=unk_token, **settings)

    def _tokens_of(self, texts: list[str], with_spans: bool, enough: float = inf) -> list[Tokens]:
        """Spans are without white space, and empty for the mark that is put before a first word.

        The reference library counts the space to the token after it, and the word's first character to that mark.
        """
        rows = super()._tokens_of(texts, with_spans, enough)
        if not with_spans:
            return rows
        mark = self._backend.token_to_id(SPACE_MARK)
        return [
            Tokens(
                row.ids,
                [_span(text, *span, token_id == mark) for token_id, span in zip(row.ids, row.spans, strict=True)],
            )
            for text, row in zip(texts, rows, strict=True)
        ]

    def _vocabulary_file(self) -> bytes | None:
        return self._spiece


def _span(text: str, start: int, end: int, is_mark: bool) -> Span:
    if is_mark and text[start:end] != SPACE_MARK:
        return start, start
    return without_space(text, start, end)


def read_unigram(source: str | Path | Pieces) -> UnigramVocabulary:
    """Pieces as they are, or those in a tokenizer.json or a SentencePiece model (CheckpointError for neither)."""
    if not isinstance(source, str | Path):
        return UnigramVocabulary(source)
    return _from_json(Path(source)) if Path(source).suffix == ".json" else _from_sentencepiece(Path(source))


def _from_json(path: Path) -> UnigramVocabulary:
    content = read_tokenizer_file(path, "Unigram")
    steps = content.get("normalizer") or {}
    compiled = (step.get("precompiled_charsmap") for step in steps.get("normalizers", [steps]))
    characters = next(filter(None, compiled), None)
    try:
        pieces = [(str(piece), float(score)) for piece, score in content["model"]["vocab"]]
        return UnigramVocabulary(pieces, b64decode(characters) if characters else None, name=str(path))
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read: expected tokens with their scores ({error}). Fetch the file again."
        ) from error


def _from_sentencepiece(path: Path) -> UnigramVocabulary:
    processor = load_sentencepiece(path)
    ids = list(range(processor.get_piece_size()))
    names = processor.id_to_piece(ids)
    spiece = processor.serialized_model_proto()
    fields = list(_fields(memoryview(spiece)))
    specs = (dict(_fields(value)) for number, value in fields if number == _NORMALIZER)
    types = (dict(_fields(value)).get(_TYPE) for number, value in fields if number == _PIECES)
    return UnigramVocabulary(
        list(zip(names, processor.get_score(ids), strict=True)),
        next((bytes(spec[_CHARACTERS]) for spec in specs if spec.get(_CHARACTERS)), None),
        tuple(name for name, kind in zip(names, types, strict=True) if kind == _USER_DEFINED),
        spiece,
        str(path),
    )


def _fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """The number and value of each field of a protocol buffer: int, or the bytes of what is longer."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, wire_type = key >> 3, key & 7
        if wire_type == 0:
            value, position = _varint(message, position)
        else:
            size, position = _varint(message, position) if wire_type == 2 else ({1: 8, 5: 4}[wire_type], position)
            value, position = message[position : position + size], position + size
        yield number, value


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7


def _unigram(vocabulary: UnigramVocabulary, unk_token: str) -> Unigram:
    names = [piece for piece, _ in vocabulary.pieces]
    if unk_token not in names:
        raise CheckpointError(
            f"There is no {unk_token!r} in {vocabulary.name}, and characters that it lacks have to become something. "
            "Pass the unk_token that it has, or fetch the file again."
        )
    longest = max(map(len, names))
    if longest > LONGEST_PIECE:
        raise CheckpointError(
            f"{vocabulary.name} has a token of {longest:,} characters, and {LONGEST_PIECE:,} are the most that can be "
            "read. Get the checkpoint from a source that you trust."
        )
    return Unigram(list(vocabulary.pieces), unk_id=names.index(unk_token))
