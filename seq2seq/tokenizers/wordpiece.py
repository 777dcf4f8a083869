"""BERT's tokenizer: words and punctuation first, then WordPiece (Devlin et al. 2018, arXiv 1810.04805).

Knows no models.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import tokenizers
from tokenizers import AddedToken, decoders, normalizers, pre_tokenizers
from tokenizers.models import WordPiece

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.tokenizers.backend import BackendTokenizer, read_tokenizer_file
from seq2seq.tokenizers.encoding import Frame


class BertTokenizer(BackendTokenizer):
    """The tokenizer of BERT checkpoints: [CLS] text [SEP], or [CLS] text [SEP] text [SEP]."""

    vocab_files_names: ClassVar[dict[str, str]] = {
        **BackendTokenizer.vocab_files_names,
        "vocab_file": "vocab.txt",
    }
    model_input_names: ClassVar[tuple[str, ...]] = ("input_ids", "token_type_ids", "attention_mask")
    saved_settings: ClassVar[tuple[str, ...]] = (
        *BackendTokenizer.saved_settings,
        "do_lower_case",
        "tokenize_chinese_chars",
        "strip_accents",
    )

    def __init__(
        self,
        vocab: str | Path | Mapping[str, int] | None = None,
        do_lower_case: bool = True,
        unk_token: str | AddedToken = "[UNK]",
        sep_token: str | AddedToken = "[SEP]",
        pad_token: str | AddedToken = "[PAD]",
        cls_token: str | AddedToken = "[CLS]",
        mask_token: str | AddedToken = "[MASK]",
        tokenize_chinese_chars: bool = True,
        strip_accents: bool | None = None,
        *,
        vocab_file: str | Path | None = None,
        tokenizer_file: str | Path | None = None,
        **settings: Any,
    ):
        """The vocabulary is `vocab` (the id of every token, or a vocab.txt), `vocab_file` (a vocab.txt) or
        `tokenizer_file` (a tokenizer.json, of which nothing else is read).

        `strip_accents=None` strips them if the text is lowercased. For further settings see `Tokenizer`.
        CheckpointError for a vocabulary that is missing or damaged.
        """
        self.do_lower_case = do_lower_case
        self.tokenize_chinese_chars = tokenize_chinese_chars
        self.strip_accents = strip_accents
        source = self._chosen(vocab, vocab_file, tokenizer_file)
        backend = tokenizers.Tokenizer(_word_piece(source, str(unk_token)))
        backend.normalizer = normalizers.BertNormalizer(
            clean_text=True,
            handle_chinese_chars=tokenize_chinese_chars,
            strip_accents=strip_accents,
            lowercase=do_lower_case,
        )
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        backend.decoder = decoders.WordPiece(prefix="##")
        super().__init__(
            backend,
            unk_token=unk_token,
            sep_token=sep_token,
            pad_token=pad_token,
            cls_token=cls_token,
            mask_token=mask_token,
            **settings,
        )

    def _vocabulary_file(self) -> bytes:
        """vocab.txt, which old versions of the reference library read."""
        return ("\n".join(self._vocabulary_lines()) + "\n").encode()

    def _vocabulary_lines(self) -> list[str]:
        """Line i is the token with id i; empty where no token has that id."""
        vocab = self._backend.get_vocab(with_added_tokens=False)
        lines = [""] * (max(vocab.values()) + 1)
        for token, token_id in vocab.items():
            lines[token_id] = token
        return lines

    def _frame(self, pair: bool) -> Frame:
        return Frame.of_bert(self.cls_token_id, self.sep_token_id, pair)


def _word_piece(source: str | Path | Mapping[str, int], unk_token: str) -> WordPiece:
    where = "this vocabulary" if isinstance(source, Mapping) else f"the vocabulary {source}"
    vocab = dict(source) if isinstance(source, Mapping) else _read_vocabulary(Path(source))
    if unk_token not in vocab:
        raise CheckpointError(
            f"There is no {unk_token!r} in {where}, and words that it lacks have to become something. Pass "
            "the unk_token that it has, or fetch the file again."
        )
    return WordPiece(vocab, unk_token=unk_token)


def _read_vocabulary(path: Path) -> dict[str, int]:
    """The id of every token, from a tokenizer.json or a vocab.txt, which has one token a line."""
    if path.suffix == ".json":
        return read_tokenizer_file(path, "WordPiece")["model"]["vocab"]
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a vocabulary, which is a text file in UTF-8 with one token a line "
            f"({error}). Fetch the file again."
        ) from error
    return {line.rstrip(): token_id for token_id, line in enumerate(lines)}
