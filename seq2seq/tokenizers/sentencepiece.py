"""Tokenizers on a SentencePiece model (Kudo and Richardson 2018, arXiv 1808.06226), which reads raw text.

Special tokens that occur literally in a text are split off first and never cut; each stretch between them
goes to SentencePiece by itself. Knows no models.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, partial
from itertools import groupby
from math import inf
from os.path import commonprefix
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from sentencepiece import SentencePieceProcessor
from tokenizers import AddedToken

from seq2seq.checkpoints.errors import CheckpointError, DamagedError, listed
from seq2seq.checkpoints.hub import read_whole
from seq2seq.tokenizers.backend import SAMPLE, blaming_the_vocabulary
from seq2seq.tokenizers.base import Tokenizer
from seq2seq.tokenizers.encoding import Span, Tokens
from seq2seq.tokenizers.offsets import SPACE_MARK, ends_of, piece_spans
from seq2seq.tokenizers.seams import Seams

SAMPLING = ("enable_sampling", "nbest_size", "alpha")
AT_ONCE = 2**15  # normalized characters that go to SentencePiece: a token takes 100 bytes there
CHARACTERS_OF_A_TOKEN = 8  # more than most have: of a text that is to be cut, so many are read at first
MOST_FOR_ONE = 64  # characters that are normalized together
AS_IT_IS = b"\x1a\x08\x12\x00\x18\x00\x20\x00\x28\x00"  # ends a model's message: its NormalizerSpec, all switched off
_SPACES = re.compile(r"\s*")


class Stretch(NamedTuple):
    """Part of a text: a literal special token, which has an id, or what lies between two of them."""

    text: str
    start: int
    token_id: int | None = None


class SentencePieceTokenizer(Tokenizer):
    """What the families on SentencePiece share."""

    vocab_files_names: ClassVar[dict[str, str]] = {"vocab_file": "spiece.model"}
    saved_settings: ClassVar[tuple[str, ...]] = (*Tokenizer.saved_settings, "sp_model_kwargs")

    def __init__(self, vocab_file: str | Path, sp_model_kwargs: Mapping[str, Any] | None = None, **settings: Any):
        """`vocab_file` is a SentencePiece model, CheckpointError if not, or if it fails at a sample of text.

        For the settings see `Tokenizer`.
        """
        self.vocab_file = str(vocab_file)
        self.sp_model_kwargs = dict(sp_model_kwargs or {})
        self.sp_model = load_sentencepiece(vocab_file, self.sp_model_kwargs)
        self._byte_pieces = _byte_pieces(self.sp_model)
        super().__init__(**settings)
        self._tokens_of([SAMPLE], with_spans=True)
        self._tokens_of([SAMPLE], with_spans=False)

    @property
    def vocab_size(self) -> int:
        return self.sp_model.get_piece_size()

    def __len__(self) -> int:
        return self.vocab_size + sum(token_id >= self.vocab_size for token_id in self._added)

    def get_vocab(self) -> dict[str, int]:
        return {token: token_id for token_id, token in self._token_by_id.items()}

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        return dict(sorted(self._added.items()))

    def tokenize(self, text: str) -> list[str]:
        return [
            piece
            for stretch in self._stretches(text)
            for piece in (self._encoded(stretch.text, str) if stretch.token_id is None else [stretch.text])
        ]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """The text that these tokens stand for.

        Byte pieces become the characters that they spell, U+FFFD where they spell none. (The reference
        library of 5.x leaves them in the text as "<0xF0>" and so on; that of 4.x decodes them.)
        """
        if self._byte_pieces:
            runs = groupby(tokens, key=self._byte_pieces.__contains__)
            parts = (self.sp_model.decode_pieces([*run]) if are_bytes else "".join(run) for are_bytes, run in runs)
            return "".join(parts).replace(SPACE_MARK, " ").strip()
        return "".join(tokens).replace(SPACE_MARK, " ").strip()

    def save_vocabulary(self, save_directory: str | Path, filename_prefix: str | None = None) -> tuple[str, ...]:
        name = self.vocab_files_names["vocab_file"]
        path = Path(save_directory, f"{filename_prefix}-{name}" if filename_prefix else name)
        path.write_bytes(self.sp_model.serialized_model_proto())
        return (str(path),)

    def _register(self, added: dict[int, AddedToken], special: list[AddedToken]) -> None:
        self._added = added
        self._added_ids = {token.content: token_id for token_id, token in added.items()}
        for token in special:
            if token.content not in self._added_ids:
                token_id = self.sp_model.piece_to_id(token.content)
                if self.sp_model.id_to_piece(token_id) != token.content:
                    token_id = max([self.vocab_size, *(known + 1 for known in self._added)])
                self._added[token_id] = token
                self._added_ids[token.content] = token_id
        self._literal = re.compile(longest_of(filter(None, self._added_ids)) or "(?!)")  # or: matches nothing

    def _stretches(self, text: str) -> Iterator[Stretch]:
        """The text in parts, without the white space that an added token takes with it (lstrip, rstrip)."""
        position = 0
        for match in self._literal.finditer(text):
            token_id = self._added_ids[match.group()]
            token = self._added[token_id]
            between = text[position : match.start()]
            if token.lstrip:
                between = between.rstrip()
            if between:
                yield Stretch(between, position)
            yield Stretch(match.group(), match.start(), token_id)
            position = _SPACES.match(text, match.end()).end() if token.rstrip else match.end()
        if position < len(text):
            yield Stretch(text[position:], position)

    def _tokens_of(self, texts: list[str], with_spans: bool, enough: float = inf) -> list[Tokens]:
        with blaming_the_vocabulary():
            return [self._with_spans(text, enough) if with_spans else self._without_spans(text) for text in texts]

    def _without_spans(self, text: str) -> Tokens:
        ids: list[int] = []
        for stretch in self._stretches(text):
            if stretch.token_id is None:
                ids += self._encoded(stretch.text, int)
            else:
                ids.append(stretch.token_id)
        return Tokens(ids)

    def _encoded(self, text: str, kind: type) -> Iterator[Any]:
        """The ids or pieces of a stretch."""
        normalized = self.sp_model.normalize(text)
        for part in self._seams.parts(normalized, AT_ONCE):
            yield from self._model_of_normalized.encode(normalized[part], out_type=kind, emit_unk_piece=False)

    def _with_spans(self, text: str, enough: float) -> Tokens:
        ids: list[int] = []
        spans: list[Span] = []
        for stretch in self._stretches(text):
            if len(ids) >= enough:
                break
            if stretch.token_id is None:
                pieces, inside = self._beginning(stretch.text, enough - len(ids))
                ids += map(self.sp_model.piece_to_id, pieces)
                spans += [(stretch.start + start, stretch.start + end) for start, end in inside]
            else:
                ids.append(stretch.token_id)
                spans.append((stretch.start, stretch.start + len(stretch.text)))
        return Tokens(ids, spans)

    def _beginning(self, text: str, enough: float) -> tuple[list[str], list[Span]]:
        """The first pieces of a stretch and their spans: all, or at least `enough`."""
        size = CHARACTERS_OF_A_TOKEN * enough
        while size < len(text):
            pieces, spans = self._first_pieces(text, enough, size)
            if len(pieces) >= enough:
                return pieces, spans
            size *= 2
        return self._first_pieces(text, enough, len(text))

    def _first_pieces(self, text: str, enough: float, size: int) -> tuple[list[str], list[Span]]:
        """As many as there are surely in the first `size` characters, and no more than it takes to be enough."""
        normalized, starts = self.sp_model.normalize(text[:size], with_offsets=True)
        ends = ends_of(normalized, starts)
        if size < len(text):
            sure = min(bisect_left(starts, size - MOST_FOR_ONE), len(normalized) - 1)
            normalized = normalized[: self._seams.last(normalized, sure)]
        pieces: list[str] = []
        spans: list[Span] = []
        for part in self._seams.parts(normalized, AT_ONCE):
            found = self._model_of_normalized.encode(normalized[part], out_type=str, emit_unk_piece=False)
            pieces += found
            spans += piece_spans(found, self._byte_pieces, text, starts[part], ends[part])
            if len(pieces) >= enough:
                break
        return pieces, spans

    @cached_property
    def _model_of_normalized(self) -> SentencePieceProcessor:
        """The same model, for text that is normalized already and may be any part of one."""
        processor = SentencePieceProcessor(**self.sp_model_kwargs)
        processor.LoadFromSerializedProto(self.sp_model.serialized_model_proto() + AS_IT_IS)
        return processor

    @cached_property
    def _seams(self) -> Seams:
        return Seams(map(self.sp_model.id_to_piece, range(self.vocab_size)), bool(self._byte_pieces))

    def _token_to_id(self, token: str) -> int:
        return self._added_ids[token] if token in self._added_ids else self.sp_model.piece_to_id(token)

    def _id_to_token(self, token_id: int) -> str | None:
        return self._token_by_id.get(token_id)

    @cached_property
    def _token_by_id(self) -> dict[int, str]:
        pieces = {token_id: self.sp_model.id_to_piece(token_id) for token_id in range(self.vocab_size)}
        return {**pieces, **{token_id: token.content for token_id, token in self._added.items()}}

    def _decode(self, token_ids: list[int], skip_special_tokens: bool) -> str:
        tokens = self.convert_ids_to_tokens(token_ids, skip_special_tokens)
        return self.convert_tokens_to_string([token for token in tokens if token is not None])


class BertGenerationTokenizer(SentencePieceTokenizer):
    """BertGeneration's tokenizer (Rothe et al. 2020, arXiv 1907.12461). Adds no special tokens."""

    def __init__(
        self,
        vocab_file: str | Path,
        bos_token: str | AddedToken | None = "<s>",
        eos_token: str | AddedToken | None = "</s>",
        unk_token: str | AddedToken | None = "<unk>",
        pad_token: str | AddedToken | None = "<pad>",
        sep_token: str | AddedToken | None = "<::::>",
        sp_model_kwargs: Mapping[str, Any] | None = None,
        **settings: Any,
    ):
        """`sp_model_kwargs` go to SentencePieceProcessor: enable_sampling, nbest_size and alpha turn on
        subword regularization (Kudo 2018, arXiv 1804.10959). For further settings see `Tokenizer`.
        """
        super().__init__(
            vocab_file,
            sp_model_kwargs,
            bos_token=bos_token,
            eos_token=eos_token,
            unk_token=unk_token,
            pad_token=pad_token,
            sep_token=sep_token,
            **settings,
        )


def longest_of(texts: Iterable[str]) -> str:
    """A pattern of the longest of them that stands at a place: no letter there is looked at for each of them."""
    texts = sorted(texts)
    shared = commonprefix(texts)
    rests = [text[len(shared) :] for text in texts]
    ways = [longest_of(alike) for letter, alike in groupby(rests, key=lambda rest: rest[:1]) if letter]
    may_end = "?" * ("" in rests)
    return re.escape(shared) + (f"(?:{'|'.join(ways)}){may_end}" if ways else "")


def load_sentencepiece(
    vocab_file: str | Path, sp_model_kwargs: Mapping[str, Any] | None = None
) -> SentencePieceProcessor:
    """The model in a file. CheckpointError if there is none, or for settings not of sampling: others open files."""
    settings = dict(sp_model_kwargs or {})
    if strange := sorted(settings.keys() - SAMPLING):
        raise CheckpointError(
            f"sp_model_kwargs may hold {', '.join(SAMPLING)}, and holds {listed(strange)}. Leave that out, or get the "
            "checkpoint from a source that you trust."
        )
    processor = SentencePieceProcessor(**settings)
    read_whole(partial(_fill, processor), Path(vocab_file))
    return processor


def _fill(processor: SentencePieceProcessor, vocab_file: Path) -> None:
    try:
        processor.LoadFromSerializedProto(vocab_file.read_bytes())
        processor.id_to_piece(list(range(processor.get_piece_size())))  # fails where one is no text
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        raise DamagedError(
            f"{vocab_file} cannot be read as a SentencePiece model ({error}). Fetch the file again, or give "
            "the path of the checkpoint's spiece.model."
        ) from error


def _byte_pieces(processor: SentencePieceProcessor) -> frozenset[str]:
    """The pieces that stand for one byte of UTF-8 each; none in a model trained without byte fallback."""
    names = (f"<0x{byte:02X}>" for byte in range(256))
    return frozenset(name for name in names if processor.is_byte(processor.piece_to_id(name)))
