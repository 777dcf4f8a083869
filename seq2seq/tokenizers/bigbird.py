"""BigBird's tokenizer (Zaheer et al. 2020, arXiv 2007.14062): GPT-2's pieces in a SentencePiece model.

Its pieces are of Latin script: line breaks, tabs and what else they lack become the unknown token. Knows no models.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from tokenizers import AddedToken, Regex, normalizers

from seq2seq.tokenizers.encoding import Frame
from seq2seq.tokenizers.offsets import SPACE_MARK
from seq2seq.tokenizers.unigram import Pieces, UnigramTokenizer, read_unigram


class BigBirdTokenizer(UnigramTokenizer):
    """The tokenizer of BigBird checkpoints: [CLS] text [SEP], or [CLS] text [SEP] text [SEP]."""

    saved_settings: ClassVar[tuple[str, ...]] = (*UnigramTokenizer.saved_settings, "add_prefix_space")

    def __init__(
        self,
        vocab: str | Path | Pieces | None = None,
        unk_token: str | AddedToken = "<unk>",
        bos_token: str | AddedToken = "<s>",
        eos_token: str | AddedToken = "</s>",
        pad_token: str | AddedToken = "<pad>",
        sep_token: str | AddedToken = "[SEP]",
        mask_token: str | AddedToken = "[MASK]",
        cls_token: str | AddedToken = "[CLS]",
        add_prefix_space: bool = True,
        *,
        vocab_file: str | Path | None = None,
        tokenizer_file: str | Path | None = None,
        **settings: Any,
    ):
        """The vocabulary is `vocab_file` (a SentencePiece model), `tokenizer_file` (a tokenizer.json, of which nothing
        else is read) or `vocab`: one of these two, or a list of tokens and their scores.

        A `mask_token` given by its name takes the white space before it. `add_prefix_space` cuts a text's first word
        like any other. For further settings see `Tokenizer`. CheckpointError for a vocabulary that is missing or
        damaged.
        """
        if isinstance(mask_token, str):
            mask_token = AddedToken(mask_token, lstrip=True, special=True)
        self.add_prefix_space = add_prefix_space
        super().__init__(
            read_unigram(self._chosen(vocab, vocab_file, tokenizer_file)),
            [normalizers.Replace(Regex(" {2,}"), SPACE_MARK)],
            add_prefix_space,
            unk_token=unk_token,
            bos_token=bos_token,
            eos_token=eos_token,
            pad_token=pad_token,
            sep_token=sep_token,
            mask_token=mask_token,
            cls_token=cls_token,
            **settings,
        )

    def _frame(self, pair: bool) -> Frame:
        return Frame.of_bert(self.cls_token_id, self.sep_token_id, pair)
