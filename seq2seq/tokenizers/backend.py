"""What the tokenizers share whose work is done by the `tokenizers` library. Knows no vocabulary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any, ClassVar

import tokenizers
from tokenizers import AddedToken, processors

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.checkpoints.hub import read_json
from seq2seq.tokenizers.base import Tokenizer
from seq2seq.tokenizers.encoding import Tokens
from seq2seq.tokenizers.settings import TOKENIZER_FILE

SAMPLE = "".join(map(chr, range(1, 0x3100))) + "\ufb01\ufdfa\uff21\U0001f600 Rain fell."  # of many scripts
PANIC = "PanicException"  # of pyo3, and no Exception


@contextmanager
def blaming_the_vocabulary() -> Iterator[None]:
    """For the library's work. Raises: CheckpointError where it fails; without its words, which might be a visitor's."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, MemoryError) or not (isinstance(error, Exception) or type(error).__name__ == PANIC):
            raise
        raise CheckpointError(
            "The tokenizer of this checkpoint fails: its vocabulary, its table of normalized characters, or one of its "
            "settings is damaged. Get the checkpoint anew, or choose another."
        ) from None


class BackendTokenizer(Tokenizer):
    """A family hands over its vocabulary, and the way that it cuts text, as a `tokenizers.Tokenizer`.

    It names its older `vocab_file` beside `tokenizer_file`.
    """

    vocab_files_names: ClassVar[dict[str, str]] = {"tokenizer_file": TOKENIZER_FILE}

    def __init__(self, backend: tokenizers.Tokenizer, **settings: Any):
        """For the settings see `Tokenizer`. CheckpointError if it fails at a sample of text."""
        self._backend = backend
        super().__init__(**settings)
        self._tokens_of([SAMPLE], with_spans=True)

    @classmethod
    def _chosen(cls, *sources: Any) -> Any:
        """The one that was given of several ways to give a vocabulary."""
        source = next((source for source in sources if source is not None), None)
        if source is None:
            file = cls.vocab_files_names["vocab_file"]
            raise ValueError(f"A {cls.__name__} needs a vocabulary. Pass vocab_file, the path of a {file}.")
        return source

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
        with blaming_the_vocabulary():
            return self._backend.encode(text, add_special_tokens=False).tokens

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return self._backend.decoder.decode(tokens)

    def save_vocabulary(self, save_directory: str | Path, filename_prefix: str | None = None) -> tuple[str, ...]:
        """Writes tokenizer.json, and the older file that can stand in for it, if the vocabulary is known as one."""
        prefix = f"{filename_prefix}-" if filename_prefix else ""
        tokenizer_path, vocab_path = (
            Path(save_directory, prefix + self.vocab_files_names[name]) for name in ("tokenizer_file", "vocab_file")
        )
        self._backend.post_processor = self._post_processor()
        self._backend.save(str(tokenizer_path))
        content = self._vocabulary_file()
        if content is None:
            return (str(tokenizer_path),)
        vocab_path.write_bytes(content)
        return str(vocab_path), str(tokenizer_path)

    def _vocabulary_file(self) -> bytes | None:
        """What the older file holds; None if that is not known."""
        return None

    def _post_processor(self) -> processors.TemplateProcessing:
        """What `_frame` says, for other readers of tokenizer.json."""
        one, two = self._frame(pair=False), self._frame(pair=True)
        around = {*one.before, *one.after, *two.before, *two.between, *two.after}
        return processors.TemplateProcessing(
            single=self._template((one.before, 0), "$A:0", (one.after, 0)),
            pair=self._template((two.before, 0), "$A:0", (two.between, 0), "$B:1", (two.after, 1)),
            special_tokens=[(self._id_to_token(token_id), token_id) for token_id in sorted(around)],
        )

    def _template(self, *parts: str | tuple[Iterable[int], int]) -> list[str]:
        """Texts, and ids of special tokens with their type, in the words of TemplateProcessing."""
        words: list[str] = []
        for part in parts:
            words += [part] if isinstance(part, str) else [f"{self._id_to_token(one)}:{part[1]}" for one in part[0]]
        return words

    def _register(self, added: dict[int, AddedToken], special: list[AddedToken]) -> None:
        known = {token.content for token in added.values()}
        self._backend.add_tokens(list(added.values()))
        self._backend.add_special_tokens([token for token in special if token.content not in known])

    def _tokens_of(self, texts: list[str], with_spans: bool, enough: float = inf) -> list[Tokens]:
        encode = self._backend.encode_batch if with_spans else self._backend.encode_batch_fast
        with blaming_the_vocabulary():
            encodings = encode(texts, add_special_tokens=False)
        return [Tokens(encoding.ids, encoding.offsets if with_spans else None) for encoding in encodings]

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


def read_tokenizer_file(path: Path, kind: str) -> dict[str, Any]:
    """What a tokenizer.json says. CheckpointError if its model is not of this kind ("WordPiece", "Unigram")."""
    content = read_json(path)
    model = content.get("model", {})
    if model.get("type", kind) != kind or not model.get("vocab"):
        raise CheckpointError(
            f"{path} holds a tokenizer of type {model.get('type')}; expected {kind}. Choose a checkpoint whose "
            "tokenizer is of that type."
        )
    return content
