"""BERT's tokenizer: words and punctuation first, then WordPiece (Devlin et al. 2018, arXiv 1810.04805).

The work is done by the `tokenizers` library. Knows no models.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import tokenizers
from tokenizers import AddedToken, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.checkpoints.hub import read_json
from seq2seq.tokenizers.base import Tokenizer
from seq2seq.tokenizers.encoding import Frame, Tokens
from seq2seq.tokenizers.settings import TOKENIZER_FILE


class BertTokenizer(Tokenizer):
    """The tokenizer of BERT checkpoints: [CLS] text [SEP], or [CLS] text [SEP] text [SEP]."""

    vocab_files_names: ClassVar[dict[str, str]] = {
        "tokenizer_file": TOKENIZER_FILE,
        "vocab_file": "vocab.txt",
    }
    model_input_names: ClassVar[tuple[str, ...]] = ("input_ids", "token_type_ids", "attention_mask")
    saved_settings: ClassVar[tuple[str, ...]] = (
        *Tokenizer.saved_settings,
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
        source = next((one for one in (vocab, vocab_file, tokenizer_file) if one is not None), None)
        self._backend = tokenizers.Tokenizer(_word_piece(source, str(unk_token)))
        self._backend.normalizer = normalizers.BertNormalizer(
            clean_text=True,
            handle_chinese_chars=tokenize_chinese_chars,
            strip_accents=strip_accents,
            lowercase=do_lower_case,
        )
        self._backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        self._backend.decoder = decoders.WordPiece(prefix="##")
        super().__init__(
            unk_token=unk_token,
            sep_token=sep_token,
            pad_token=pad_token,
            cls_token=cls_token,
            mask_token=mask_token,
            **settings,
        )

    @property
    def vocab_size(self) -> int:
        return self._backend.get_vocab_size(with_added_tokens=False)

    def __len__(self) -> int:
        return self._backend.get_vocab_size(with_added_tokens=True)

    def get_vocab(self) -> dict[str, int]:
        return self._backend.get_vocab(with_added_tokens=True)

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        return self._backend.get_added_tokens_decoder()

    def tokenize(self, text: str) -> list[str]:
        return self._backend.encode(text, add_special_tokens=False).tokens

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return self._backend.decoder.decode(tokens)

    def save_vocabulary(self, save_directory: str | Path, filename_prefix: str | None = None) -> tuple[str, ...]:
        """Writes vocab.txt, which old versions of the reference library read, and tokenizer.json."""
        prefix = f"{filename_prefix}-" if filename_prefix else ""
        names = (self.vocab_files_names["vocab_file"], self.vocab_files_names["tokenizer_file"])
        vocab_path, tokenizer_path = (Path(save_directory, prefix + name) for name in names)
        vocab_path.write_text("\n".join(self._vocabulary_lines()) + "\n", encoding="utf-8")
        self._backend.post_processor = self._post_processor()
        self._backend.save(str(tokenizer_path))
        return str(vocab_path), str(tokenizer_path)

    def _vocabulary_lines(self) -> list[str]:
        """Line i is the token with id i; empty where no token has that id."""
        vocab = self._backend.get_vocab(with_added_tokens=False)
        lines = [""] * (max(vocab.values()) + 1)
        for token, token_id in vocab.items():
            lines[token_id] = token
        return lines

    def _post_processor(self) -> processors.TemplateProcessing:
        """What `_frame` says, for other readers of tokenizer.json."""
        cls, sep = self.cls_token, self.sep_token
        return processors.TemplateProcessing(
            single=f"{cls}:0 $A:0 {sep}:0",
            pair=f"{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1",
            special_tokens=[(cls, self.cls_token_id), (sep, self.sep_token_id)],
        )

    def _register(self, added: dict[int, AddedToken], special: list[AddedToken]) -> None:
        known = {token.content for token in added.values()}
        self._backend.add_tokens(list(added.values()))
        self._backend.add_special_tokens([token for token in special if token.content not in known])

    def _tokens_of(self, texts: list[str], with_spans: bool) -> list[Tokens]:
        encode = self._backend.encode_batch if with_spans else self._backend.encode_batch_fast
        encodings = encode(texts, add_special_tokens=False)
        return [Tokens(encoding.ids, encoding.offsets if with_spans else None) for encoding in encodings]

    def _frame(self, pair: bool) -> Frame:
        sep = (self.sep_token_id,)
        return Frame((self.cls_token_id,), sep if pair else (), sep)

    def _halve(self, room: int, first: int, second: int) -> int:
        """The odd token goes to the longer text, or else to the second."""
        return room - room // 2 if first > second else room // 2

    def _token_to_id(self, token: str) -> int | None:
        token_id = self._backend.token_to_id(token)
        return self._backend.token_to_id(self.unk_token) if token_id is None else token_id

    def _id_to_token(self, token_id: int) -> str | None:
        return self._backend.id_to_token(token_id)

    def _decode(self, token_ids: list[int], skip_special_tokens: bool) -> str:
        return self._backend.decode(token_ids, skip_special_tokens=skip_special_tokens)


def _word_piece(source: str | Path | Mapping[str, int] | None, unk_token: str) -> WordPiece:
    if source is None:
        raise ValueError("A BertTokenizer needs a vocabulary. Pass vocab_file, the path of a vocab.txt.")
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
        model = read_json(path).get("model", {})
        if model.get("type", "WordPiece") != "WordPiece" or not isinstance(model.get("vocab"), dict):
            raise CheckpointError(
                f"{path} holds a tokenizer of type {model.get('type')}; expected WordPiece. Choose a "
                "checkpoint of BERT's family."
            )
        return model["vocab"]
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a vocabulary, which is a text file in UTF-8 with one token a line "
            f"({error}). Fetch the file again."
        ) from error
    return {line.rstrip(): token_id for token_id, line in enumerate(lines)}
