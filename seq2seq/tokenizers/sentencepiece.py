"""Tokenizers on a SentencePiece model (Kudo and Richardson 2018, arXiv 1808.06226), which reads raw text.

Special tokens that occur literally in a text are split off first and never cut; what lies between goes to
SentencePiece, each stretch by itself. Knows no models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from sentencepiece import SentencePieceProcessor
from tokenizers import AddedToken

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.tokenizers.base import Tokenizer
from seq2seq.tokenizers.encoding import Tokens
from seq2seq.tokenizers.offsets import SPACE_MARK, piece_spans
from seq2seq.tokenizers.settings import token_entry

_SPACE = re.compile(r"\s*")


class Stretch(NamedTuple):
    """Part of a text: one literal special token, or what lies between two of them."""

    text: str
    start: int
    is_added_token: bool


class SentencePieceTokenizer(Tokenizer):
    """What the families on SentencePiece share."""

    vocab_files_names: ClassVar[dict[str, str]] = {"vocab_file": "spiece.model"}

    def __init__(
        self, vocab_file: str | Path, sp_model_kwargs: Mapping[str, Any] | None = None, **settings: Any
    ):
        """CheckpointError if `vocab_file` is not a SentencePiece model. For the settings see `Tokenizer`."""
        self.vocab_file = str(vocab_file)
        self.sp_model_kwargs = dict(sp_model_kwargs or {})
        self.sp_model = _load(vocab_file, self.sp_model_kwargs)
        self._byte_pieces = _byte_pieces(self.sp_model)
        super().__init__(**settings)

    @property
    def vocab_size(self) -> int:
        return self.sp_model.get_piece_size()

    def __len__(self) -> int:
        return self.vocab_size + sum(token_id >= self.vocab_size for token_id in self._added)

    def get_vocab(self) -> dict[str, int]:
        pieces = {self.sp_model.id_to_piece(token_id): token_id for token_id in range(self.vocab_size)}
        return {**pieces, **self._added_ids}

    def _register(self, added: dict[int, AddedToken], special: list[AddedToken]) -> None:
        self._added = dict(added)
        self._added_ids = {token.content: token_id for token_id, token in added.items()}
        for token in special:
            if token.content not in self._added_ids:
                token_id = self.sp_model.piece_to_id(token.content)
                if self.sp_model.id_to_piece(token_id) != token.content:
                    token_id = max([self.vocab_size, *(known + 1 for known in self._added)])
                self._added[token_id] = token
                self._added_ids[token.content] = token_id
        longest_first = sorted(self._added_ids, key=len, reverse=True)
        self._added_token = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")

    def _stretches(self, text: str) -> Iterator[Stretch]:
        """The text in parts, without the white space that an added token takes with it (lstrip, rstrip)."""
        position = 0
        for match in self._added_token.finditer(text):
            token = self._added[self._added_ids[match.group()]]
            before = text[position : match.start()]
            before = before.rstrip() if token.lstrip else before
            if before:
                yield Stretch(before, position, False)
            yield Stretch(match.group(), match.start(), True)
            position = _SPACE.match(text, match.end()).end() if token.rstrip else match.end()
        if position < len(text):
            yield Stretch(text[position:], position, False)

    def tokenize(self, text: str) -> list[str]:
        return [
            piece
            for stretch in self._stretches(text)
            for piece in ([stretch.text] if stretch.is_added_token else self._pieces(stretch.text))
        ]

    def _pieces(self, text: str) -> list[str]:
        return self.sp_model.encode(text, out_type=str, emit_unk_piece=False)

    def _tokens_of(self, texts: list[str], with_spans: bool) -> list[Tokens]:
        return [self._with_spans(text) if with_spans else self._without_spans(text) for text in texts]

    def _without_spans(self, text: str) -> Tokens:
        ids: list[int] = []
        for stretch in self._stretches(text):
            if stretch.is_added_token:
                ids.append(self._added_ids[stretch.text])
            else:
                ids += self.sp_model.encode(stretch.text, out_type=int)
        return Tokens(ids)

    def _with_spans(self, text: str) -> Tokens:
        tokens = Tokens([], [])
        for stretch in self._stretches(text):
            if stretch.is_added_token:
                tokens.ids.append(self._added_ids[stretch.text])
                tokens.spans.append((stretch.start, stretch.start + len(stretch.text)))
            else:
                pieces = self._pieces(stretch.text)
                normalized, starts = self.sp_model.normalize(stretch.text, with_offsets=True)
                spans = piece_spans(pieces, self._byte_pieces, stretch.text, normalized, starts)
                tokens.ids.extend(map(self.sp_model.piece_to_id, pieces))
                tokens.spans.extend((stretch.start + start, stretch.start + end) for start, end in spans)
        return tokens

    def _token_to_id(self, token: str) -> int:
        return self._added_ids[token] if token in self._added_ids else self.sp_model.piece_to_id(token)

    def _id_to_token(self, token_id: int) -> str:
        if token_id in self._added:
            return self._added[token_id].content
        if not 0 <= token_id < self.vocab_size:
            raise ValueError(
                f"{token_id} is not the id of a token: expected 0 to {len(self) - 1}. These ids may come from a model "
                "with another vocabulary."
            )
        return self.sp_model.id_to_piece(token_id)

    def _decode(self, token_ids: list[int], skip_special_tokens: bool) -> str:
        return self.convert_tokens_to_string(self.convert_ids_to_tokens(token_ids, skip_special_tokens))

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """The text that these tokens stand for. Byte pieces become the characters that they spell, U+FFFD where they
        spell none (the reference library of 5.x leaves "<0xF0>" and so on in the text)."""
        parts = groupby(tokens, key=self._byte_pieces.__contains__)
        text = "".join(
            self.sp_model.decode_pieces(list(run)) if are_bytes else "".join(run) for are_bytes, run in parts
        )
        return text.replace(SPACE_MARK, " ").strip()

    def save_vocabulary(
        self, save_directory: str | Path, filename_prefix: str | None = None
    ) -> tuple[str, ...]:
        name = self.vocab_files_names["vocab_file"]
        path = Path(save_directory) / (f"{filename_prefix}-{name}" if filename_prefix else name)
        path.write_bytes(self.sp_model.serialized_model_proto())
        return (str(path),)

    def _own_settings(self) -> dict[str, Any]:
        added = {str(token_id): token_entry(token) for token_id, token in sorted(self._added.items())}
        return {"sp_model_kwargs": self.sp_model_kwargs, "added_tokens_decoder": added}


class BertGenerationTokenizer(SentencePieceTokenizer):
    """The tokenizer of BertGeneration checkpoints (Rothe et al. 2020, arXiv 1907.12461). Adds no special tokens."""

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
        """`sp_model_kwargs` go to SentencePieceProcessor: enable_sampling, nbest_size and alpha turn on subword
        regularization (Kudo 2018, arXiv 1804.10959). For further settings see `Tokenizer`."""
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


def _load(vocab_file: str | Path, sp_model_kwargs: Mapping[str, Any]) -> SentencePieceProcessor:
    processor = SentencePieceProcessor(**sp_model_kwargs)
    try:
        processor.LoadFromSerializedProto(Path(vocab_file).read_bytes())
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f"{vocab_file} cannot be read as a SentencePiece model ({error}). Fetch the file again, or give the path of "
            "the checkpoint's spiece.model."
        ) from error
    return processor


def _byte_pieces(processor: SentencePieceProcessor) -> frozenset[str]:
    """The pieces that stand for one byte of UTF-8 each; none, if the model was trained without byte fallback."""
    names = (f"<0x{byte:02X}>" for byte in range(256))
    return frozenset(name for name in names if processor.is_byte(processor.piece_to_id(name)))
