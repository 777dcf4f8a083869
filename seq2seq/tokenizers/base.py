"""What all tokenizers share: special tokens, calls on one text or many, decoding, loading and saving.

A family adds its vocabulary, in sentencepiece.py and wordpiece.py. Names, arguments and results are those of
the reference library. Knows no models.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any, ClassVar, Literal

from tokenizers import AddedToken

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.checkpoints.hub import find_file
from seq2seq.config import take_hub_options
from seq2seq.tokenizers.encoding import Encoding, Frame, Side, Tokens, as_tensors, join, pad, truncate
from seq2seq.tokenizers.settings import TOKENIZER_CONFIG_FILE, read_settings, token_entry
from seq2seq.tokenizers.text import clean_up_tokenization, without_lone_surrogates

SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
MOST_ADDED = 5000  # tokens on top of a vocabulary; published ones here have up to 110
LONGEST_ADDED = 100  # characters
UNLIMITED = int(1e30)  # the reference library's model_max_length where nothing limits the length

Texts = str | Sequence[str]
Padding = bool | Literal["longest", "max_length", "do_not_pad"]
Truncation = bool | Literal["longest_first", "only_first", "only_second", "do_not_truncate"]


class IdOf:
    """An attribute: the id of a named special token, None where the tokenizer has no such token."""

    def __init__(self, name: str):
        self._name = name

    def __get__(self, tokenizer: Tokenizer | None, owner: type) -> Any:
        if tokenizer is None:
            return self
        token = getattr(tokenizer, self._name)
        return None if token is None else tokenizer.convert_tokens_to_ids(token)


class Tokenizer(ABC):
    """Text to token ids and back, with the character span of every token."""

    vocab_files_names: ClassVar[dict[str, str]]  # constructor argument -> file name; the first that is there is read
    model_input_names: ClassVar[tuple[str, ...]] = ("input_ids", "attention_mask")
    saved_settings: ClassVar[tuple[str, ...]] = (  # constructor arguments that are attributes as well
        *SPECIAL_TOKENS,
        "additional_special_tokens",
        "model_max_length",
        "padding_side",
        "truncation_side",
        "clean_up_tokenization_spaces",
        "added_tokens_decoder",
    )

    bos_token_id = IdOf("bos_token")
    eos_token_id = IdOf("eos_token")
    unk_token_id = IdOf("unk_token")
    sep_token_id = IdOf("sep_token")
    pad_token_id = IdOf("pad_token")
    cls_token_id = IdOf("cls_token")
    mask_token_id = IdOf("mask_token")

    def __init__(
        self,
        *,
        bos_token: str | AddedToken | None = None,
        eos_token: str | AddedToken | None = None,
        unk_token: str | AddedToken | None = None,
        sep_token: str | AddedToken | None = None,
        pad_token: str | AddedToken | None = None,
        cls_token: str | AddedToken | None = None,
        mask_token: str | AddedToken | None = None,
        additional_special_tokens: Sequence[str | AddedToken] = (),
        model_max_length: int | None = None,
        padding_side: Side = "right",
        truncation_side: Side = "right",
        clean_up_tokenization_spaces: bool = False,
        added_tokens_decoder: Mapping[int, AddedToken] | None = None,
    ):
        """Special tokens are never cut where a text has them; those that the vocabulary lacks get new ids.

        `added_tokens_decoder` holds tokens that were added to the vocabulary before, with the ids they got.
        `model_max_length` is in tokens; None where nothing limits the length.
        """
        added = [*(added_tokens_decoder or {}).values(), *additional_special_tokens]
        refuse_too_many(len(added))
        refuse_too_long(map(_content, added))
        named = (bos_token, eos_token, unk_token, sep_token, pad_token, cls_token, mask_token)
        for name, token in zip(SPECIAL_TOKENS, named, strict=True):
            setattr(self, name, _content(token))
        self.additional_special_tokens = [_content(token) for token in additional_special_tokens]
        self.model_max_length = UNLIMITED if model_max_length is None else _checked_length(model_max_length)
        self.padding_side = _checked_side("padding_side", padding_side)
        self.truncation_side = _checked_side("truncation_side", truncation_side)
        self.clean_up_tokenization_spaces = clean_up_tokenization_spaces
        self._register(
            dict(sorted((added_tokens_decoder or {}).items())),
            [_as_special(token) for token in (*named, *additional_special_tokens) if token is not None],
        )

    # What a family has to say

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Number of tokens in the vocabulary file, without those added on top."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of tokens, with those added on top of the vocabulary file."""

    @abstractmethod
    def get_vocab(self) -> dict[str, int]:
        """Every token and its id."""

    @property
    @abstractmethod
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        """The tokens that are never cut, by id: special ones, and those added on top of the vocabulary."""

    @abstractmethod
    def tokenize(self, text: str) -> list[str]:
        """The text as tokens; what the vocabulary lacks may keep its own characters."""

    @abstractmethod
    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """The text that these tokens stand for."""

    @abstractmethod
    def save_vocabulary(self, save_directory: str | Path, filename_prefix: str | None = None) -> tuple[str, ...]:
        """Writes the vocabulary into an existing folder, its file names after "<prefix>-"; the paths."""

    @abstractmethod
    def _register(self, added: dict[int, AddedToken], special: list[AddedToken]) -> None:
        """Makes known what is never cut: tokens with the ids they have, special tokens that may be new."""

    @abstractmethod
    def _tokens_of(self, texts: list[str], with_spans: bool, enough: float = inf) -> list[Tokens]:
        """Each text as ids, without the special tokens that the model expects around it.

        Behind the first `enough` tokens of a text there may be any number of its others, or none.
        """

    @abstractmethod
    def _token_to_id(self, token: str) -> int | None:
        """The id of a token, or of the unknown token."""

    @abstractmethod
    def _id_to_token(self, token_id: int) -> str | None: ...

    @abstractmethod
    def _decode(self, token_ids: list[int], skip_special_tokens: bool) -> str: ...

    def _frame(self, pair: bool) -> Frame:
        """The special tokens around one text or a pair: none, unless the family says otherwise."""
        return Frame()

    def _halve(self, room: int, first: int, second: int) -> int:
        """Room for the first of a pair where both are cut (see `encoding.truncate`): it gets an odd token."""
        return room - room // 2

    # From text to ids

    def __call__(
        self,
        text: Texts,
        text_pair: Texts | None = None,
        *,
        add_special_tokens: bool = True,
        padding: Padding = False,
        truncation: Truncation | None = None,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        return_tensors: Literal["pt", "np"] | None = None,
        return_offsets_mapping: bool = False,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
    ) -> Encoding:
        """A text or a list of texts, or a pair or a list of pairs of them, as the model reads them.

        One text gives flat lists (or arrays of 1 T), a list of texts gives lists of rows (arrays of B T).
        Columns: `input_ids`; `attention_mask`, 0 for padding; `token_type_ids`, 1 for the second text of a
        pair; `offset_mapping`, each token's characters in its own text, (0, 0) for tokens put around it.

        `max_length` alone truncates too, as in the reference library. Without it, truncation and
        padding="max_length" go by `model_max_length`. ValueError for what is no text and what cannot be done.
        """
        texts, pairs = _checked_batch(text, text_pair)
        if truncation is None:
            truncation = max_length is not None and padding is False
        enough = inf if pairs else self._enough(truncation, max_length)
        tokens = self._tokens_of([*texts, *pairs], return_offsets_mapping, enough)
        parts = (tokens[: len(texts)], tokens[len(texts) :]) if pairs else (tokens,)
        frame = self._frame(bool(pairs)) if add_special_tokens else Frame()
        rows = self._truncated(list(zip(*parts, strict=True)), frame, truncation, max_length)
        wanted = {
            "token_type_ids": return_token_type_ids,
            "attention_mask": return_attention_mask,
            "offset_mapping": return_offsets_mapping,
        }
        names = ["input_ids", *(name for name, asked in wanted.items() if self._is_wanted(name, asked))]
        rows = [join(row, frame, names) for row in rows]
        rows = self._padded(rows, padding, max_length, pad_to_multiple_of)
        columns = {name: [row[name] for row in rows] for name in names}
        if return_tensors is not None:
            return Encoding(as_tensors(columns, return_tensors))
        if isinstance(text, str):
            return Encoding({name: column[0] for name, column in columns.items()})
        return Encoding(columns)

    def encode(self, text: str, text_pair: str | None = None, **options: Any) -> Any:
        """The `input_ids` of a call with the same arguments."""
        return self(text, text_pair, **options)["input_ids"]

    def _is_wanted(self, column: str, asked: bool | None) -> bool:
        return column in self.model_input_names if asked is None else asked

    def _limit(self, max_length: int | None) -> int | None:
        if max_length is None:
            return self.model_max_length if self.model_max_length < UNLIMITED else None
        if max_length < 1:
            raise ValueError(f"max_length={max_length} leaves no room for any token. Expected 1 or more.")
        return max_length

    def _enough(self, truncation: Truncation, max_length: int | None) -> float:
        """How many tokens of a text without a partner are kept at most."""
        limit = self._limit(max_length)
        is_cut = truncation not in (False, "do_not_truncate") and self.truncation_side == "right"
        return limit if is_cut and limit is not None else inf

    def _truncated(
        self, rows: list[Sequence[Tokens]], frame: Frame, truncation: Truncation, max_length: int | None
    ) -> list[Sequence[Tokens]]:
        limit = self._limit(max_length)
        if truncation in (False, "do_not_truncate") or limit is None:
            return rows
        if limit < len(frame):
            raise ValueError(
                f"max_length={limit} leaves no room for the text: {len(frame)} special tokens go around it. "
                "Use a larger max_length, or add_special_tokens=False."
            )
        strategy = "longest_first" if truncation is True else truncation
        return [truncate(row, limit - len(frame), strategy, self.truncation_side, self._halve) for row in rows]

    def _padded(
        self, rows: list[dict[str, list]], padding: Padding, max_length: int | None, multiple: int | None
    ) -> list[dict[str, list]]:
        if padding in (False, "do_not_pad"):
            return rows
        if padding not in (True, "longest", "max_length"):
            raise ValueError(f"padding={padding!r} is not known. Expected True, False, 'longest' or 'max_length'.")
        if self.pad_token_id is None:
            raise ValueError(
                "This tokenizer has no padding token. Set one first, e.g. tokenizer.pad_token = "
                "tokenizer.eos_token, or pass padding=False."
            )
        if padding == "max_length":
            width = self._limit(max_length) or 0
        else:
            width = max((len(row["input_ids"]) for row in rows), default=0)
        width += -width % (multiple or 1)
        return [pad(row, width, self.pad_token_id, self.padding_side) for row in rows]

    # From ids to text

    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
    ) -> str | list[str]:
        """The text of a sequence of ids, or the texts of a batch of sequences.

        Ids may come as an int, a list, an array or a tensor. Those that no token has stand for no text, as with the
        reference library's fast tokenizers: a model's embeddings may be padded. `clean_up_tokenization_spaces` takes
        out the space before punctuation and English contractions; None leaves it to the tokenizer's own setting.
        """
        ids = _plain(token_ids)
        if isinstance(ids, int):
            ids = [ids]
        if ids and isinstance(ids[0], list):
            return [self.decode(row, skip_special_tokens, clean_up_tokenization_spaces) for row in ids]
        if min(ids, default=0) < 0:
            raise ValueError(
                f"{min(ids)} is not a token id: expected 0 or more. In labels, replace -100 by the "
                "padding id before decoding."
            )
        text = self._decode(ids, skip_special_tokens)
        if clean_up_tokenization_spaces is None:
            clean_up_tokenization_spaces = self.clean_up_tokenization_spaces
        return clean_up_tokenization(text) if clean_up_tokenization_spaces else text

    def batch_decode(self, sequences: Any, **options: Any) -> list[str]:
        """The texts of a batch of sequences; see `decode`."""
        texts = self.decode(sequences, **options)
        return [texts] if isinstance(texts, str) else texts

    # Tokens and ids

    def convert_tokens_to_ids(self, tokens: str | Iterable[str]) -> Any:
        """The id of a token, or the ids of several; the unknown token's for what the vocabulary lacks."""
        if isinstance(tokens, str):
            return self._token_to_id(tokens)
        return [self._token_to_id(token) for token in tokens]

    def convert_ids_to_tokens(self, ids: int | Iterable[int], skip_special_tokens: bool = False) -> Any:
        """The token of an id, or the tokens of several, without special tokens if so asked; None for an id of none."""
        if isinstance(ids, int):
            return self._id_to_token(ids)
        skipped = set(self.all_special_ids) if skip_special_tokens else ()
        return [self._id_to_token(token_id) for token_id in _plain(ids) if token_id not in skipped]

    @property
    def special_tokens_map(self) -> dict[str, str]:
        """The named special tokens that this tokenizer has, e.g. {"eos_token": "</s>"}."""
        named = {name: getattr(self, name) for name in SPECIAL_TOKENS}
        return {name: token for name, token in named.items() if token is not None}

    @property
    def all_special_tokens(self) -> list[str]:
        """Named and additional special tokens, each once."""
        return list(dict.fromkeys([*self.special_tokens_map.values(), *self.additional_special_tokens]))

    @property
    def all_special_ids(self) -> list[int]:
        """The ids of `all_special_tokens`."""
        return self.convert_tokens_to_ids(self.all_special_tokens)

    # Files

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **kwargs: Any) -> Tokenizer:
        """The tokenizer saved in a folder or a repository on the Hub, here or by the reference library.

        Keyword arguments are Hub options (see `checkpoints.hub.find_file`) or override what was saved.
        CheckpointError if there is no vocabulary file that this class reads, or if a file is damaged.
        """
        hub_options = take_hub_options(kwargs)
        vocabulary = cls._find_vocabulary(pretrained_model_name_or_path, **hub_options)
        saved = read_settings(pretrained_model_name_or_path, **hub_options)
        known = {name: saved[name] for name in cls.saved_settings if name in saved}
        return cls(**{**vocabulary, **known, **kwargs})

    @classmethod
    def _find_vocabulary(cls, name_or_path: str | Path, **hub_options: Any) -> dict[str, Path]:
        for argument, filename in cls.vocab_files_names.items():
            path = find_file(name_or_path, filename, **hub_options)
            if path is not None:
                return {argument: path}
        raise CheckpointError(
            f"{name_or_path} has no vocabulary for a {cls.__name__}: expected "
            f"{' or '.join(cls.vocab_files_names.values())}. Fetch that file, or choose another checkpoint."
        )

    def save_pretrained(self, save_directory: str | Path) -> tuple[str, ...]:
        """Writes vocabulary and settings into a folder, made if need be; the paths of what was written.

        The reference library reads what is written here.
        """
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        settings = {name: getattr(self, name) for name in self.saved_settings}
        added = {str(token_id): token_entry(token) for token_id, token in self.added_tokens_decoder.items()}
        content = {"tokenizer_class": type(self).__name__, **settings, "added_tokens_decoder": added}
        path = folder / TOKENIZER_CONFIG_FILE
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return (str(path), *self.save_vocabulary(folder))


def refuse_too_many(num_added: int) -> None:
    """Raises: CheckpointError. Every text is searched for each of them."""
    if num_added > MOST_ADDED:
        raise CheckpointError(
            f"This checkpoint adds {num_added:,} tokens to its vocabulary, and {MOST_ADDED:,} are the most that can be "
            "read. Get the checkpoint from a source that you trust."
        )


def refuse_too_long(added: Iterable[str]) -> None:
    """Raises: CheckpointError."""
    longest = max(map(len, added), default=0)
    if longest > LONGEST_ADDED:
        raise CheckpointError(
            f"This checkpoint adds a token of {longest:,} characters to its vocabulary, and {LONGEST_ADDED} are the "
            "most that can be read. Get the checkpoint from a source that you trust."
        )


def _content(token: str | AddedToken | None) -> str | None:
    return token.content if isinstance(token, AddedToken) else token


def _as_special(token: str | AddedToken) -> AddedToken:
    return token if isinstance(token, AddedToken) else AddedToken(token, special=True, normalized=False)


def _checked_length(length: Any) -> float:
    if not isinstance(length, int | float):  # files hold 1e30 for none
        raise ValueError(f"model_max_length={length!r} is not a number of tokens.")
    return length


def _checked_side(name: str, side: str) -> Side:
    if side not in ("left", "right"):
        raise ValueError(f"{name}={side!r} is not known. Expected 'left' or 'right'.")
    return side


def _checked_batch(text: Any, text_pair: Any) -> tuple[list[str], list[str]]:
    """Texts, and their partners if there are any, as lists of one length."""
    texts = _checked_texts("text", text)
    if text_pair is None:
        return texts, []
    pairs = _checked_texts("text_pair", text_pair)
    if len(pairs) != len(texts) or isinstance(text, str) != isinstance(text_pair, str):
        raise ValueError(
            f"Got {len(texts)} text(s) and {len(pairs)} for text_pair. Expected two str, or two lists of the "
            "same length."
        )
    return texts, pairs


def _checked_texts(name: str, text: Any) -> list[str]:
    texts = [text] if isinstance(text, str) else text
    if not isinstance(texts, list | tuple):
        raise ValueError(f"{name} is a {type(text).__name__}. Expected a str or a list of str.")
    strange = next((type(one).__name__ for one in texts if not isinstance(one, str)), None)
    if strange is not None:
        raise ValueError(f"{name} is a list with a {strange} in it. Expected a str or a list of str.")
    return [without_lone_surrogates(one) for one in texts]


def _plain(token_ids: Any) -> Any:
    """Ids as an int, or as lists of int as deep as they came, from whatever holds them."""
    if hasattr(token_ids, "tolist"):
        return token_ids.tolist()
    if isinstance(token_ids, int):
        return token_ids
    return [one if isinstance(one, int) else _plain(one) for one in token_ids]
