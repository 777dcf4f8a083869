"""The tokenizer of PEGASUS (Zhang et al. 2019, arXiv 1912.08777) and of BigBird-Pegasus. Knows no models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any, ClassVar

from tokenizers import AddedToken, Regex, normalizers

from seq2seq.tokenizers.backend import blaming_the_vocabulary
from seq2seq.tokenizers.base import refuse_too_many
from seq2seq.tokenizers.encoding import Frame
from seq2seq.tokenizers.unigram import Pieces, UnigramTokenizer, read_unigram

_UNUSED_SCORE = -100.0  # so low that no text is cut into <unk_2>, <unk_3> ...


class PegasusTokenizer(UnigramTokenizer):
    """text </s>, or text text </s>.

    Padding is 0 and the end 1. PEGASUS reserves `offset` ids after them, for its two masks and for <unk_2>, <unk_3>
    and so on, and all pieces of the SentencePiece model come so much later. BigBird-Pegasus has offset=0: its ids
    are the model's own, its mask_token is "[MASK]", and mask_token_sent is None.
    """

    saved_settings: ClassVar[tuple[str, ...]] = (*UnigramTokenizer.saved_settings, "mask_token_sent", "offset")

    def __init__(
        self,
        vocab: str | Path | Pieces | None = None,
        pad_token: str | AddedToken = "<pad>",
        eos_token: str | AddedToken = "</s>",
        unk_token: str | AddedToken = "<unk>",
        mask_token: str | AddedToken = "<mask_2>",
        mask_token_sent: str | AddedToken | None = "<mask_1>",
        additional_special_tokens: Sequence[str | AddedToken] | None = None,
        offset: int = 103,
        *,
        vocab_file: str | Path | None = None,
        tokenizer_file: str | Path | None = None,
        **settings: Any,
    ):
        """The vocabulary is `vocab_file` (a SentencePiece model), `tokenizer_file` (a tokenizer.json, of which nothing
        else is read) or `vocab`: one of these two, or the finished list of tokens and their scores.

        `mask_token` stands for a word and `mask_token_sent` for a sentence; None if there is none.
        `additional_special_tokens` take the places of the first <unk_2>, <unk_3> ... For further settings see
        `Tokenizer`. CheckpointError for a vocabulary that is missing or damaged.
        """
        refuse_too_many(offset)
        self.offset = offset
        self.mask_token_sent = None if mask_token_sent is None else str(mask_token_sent)
        sentence = [] if mask_token_sent is None else [mask_token_sent]
        additional = _additional([*sentence, *(additional_special_tokens or ())], offset)
        vocabulary = read_unigram(self._chosen(vocab, vocab_file, tokenizer_file))
        if vocabulary.spiece is not None:
            reserved = [(str(token), 0.0) for token in (pad_token, eos_token, *sentence, mask_token)]
            reserved += [(str(token), _UNUSED_SCORE) for token in additional[len(sentence) :]]
            vocabulary = replace(vocabulary, pieces=[*reserved[: 2 + offset], *vocabulary.pieces[2:]])
        super().__init__(
            replace(vocabulary, user_defined=()),  # their scores do it, and the word after <n> gets no space
            _normalizer(vocabulary.characters),
            pad_token=pad_token,
            eos_token=eos_token,
            unk_token=unk_token,
            mask_token=mask_token,
            additional_special_tokens=additional,
            **settings,
        )

    def _frame(self, pair: bool) -> Frame:
        return Frame(after=(self.eos_token_id,))


def _additional(given: Sequence[str | AddedToken], offset: int) -> list[str | AddedToken]:
    """Each of those given, once, and as many <unk_...> as the reserved ids leave, of which one is for `mask_token`."""
    tokens = {str(token): token for token in given}
    unused = (name for name in map("<unk_{}>".format, count(2)) if name not in tokens)
    return [*tokens.values(), *islice(unused, max(0, offset - 1 - len(tokens)))]


def _normalizer(characters: bytes | None) -> list[normalizers.Normalizer]:
    """SentencePiece's table, in which a line break becomes a space, or just that; and never two spaces."""
    with blaming_the_vocabulary():
        line_break = normalizers.Replace("\n", " ") if characters is None else normalizers.Precompiled(characters)
    return [line_break, normalizers.Replace(Regex(" {2,}"), " ")]
