"""A summary in the text's own sentences: those that the model would most likely open a summary with.

Nothing is written, so nothing can be made up, and all sentences are weighed side by side. What weighs is how likely
the decoder finds a sentence's first tokens: they say which sentence it is, the rest is copying.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import torch

from seq2seq.generation.settings import GenerationConfig
from seq2seq.models.source import GeneratesFromSource
from seq2seq.tasks.results import Section
from seq2seq.tasks.sections import sentences_of
from seq2seq.tasks.source import Source, has_words
from seq2seq.tokenizers import Tokenizer

OPENING_TOKENS = 8
AT_ONCE = 128  # sentences that are read side by side; a matter of memory only
TOKENS_PER_ROOT = 14  # see fair_length
WORDS_OF_A_SENTENCE = range(8, 41)


@dataclass(frozen=True)
class Quotable:
    """A sentence of the source."""

    text: str
    token_ids: tuple[int, ...]


@dataclass(frozen=True)
class Length:
    """Of what is quoted, in tokens. A sentence is never cut: one alone may be longer than `most`."""

    wanted: float
    most: float = inf


def fair_length(num_tokens: int) -> int:
    """How many tokens a summary of `num_tokens` should have: 111 for 500, 222 for 4,000.

    Those that people write grow with the cube root (OpenStax: with the power 0.36), and quotes are wordier than they.
    """
    return round(TOKENS_PER_ROOT * num_tokens ** (1 / 3))


def quote(
    model: GeneratesFromSource, tokenizer: Tokenizer, source: Source, config: GenerationConfig, length: Length
) -> Section:
    """The likeliest sentences of the source in their order: see `choose`."""
    started = time.monotonic()
    sentences = quotable(source.text, tokenizer)
    chosen = choose(sentences, opening_scores(model, source, sentences, config), length)
    target_ids = [token_id for sentence in chosen for token_id in sentence.token_ids]
    room = model.config.decoder.max_position_embeddings - 1
    return Section(
        source_text=source.text,
        text=" ".join(sentence.text for sentence in chosen),
        target_ids=(*target_ids, *config.eos_ids[:1])[:room],
        num_source_tokens=len(source.input_ids),
        num_cut_tokens=source.num_cut_tokens,
        seconds=time.monotonic() - started,
        quoted=True,
    )


def quotable(text: str, tokenizer: Tokenizer) -> list[Quotable]:
    """Its sentences of running text; where there are none, whatever has words."""
    kept = plain_sentences(text) or list(filter(has_words, dict.fromkeys(sentences_of(text))))
    rows = tokenizer(kept, add_special_tokens=False).input_ids
    return [Quotable(sentence, tuple(row)) for sentence, row in zip(kept, rows, strict=True)]


def plain_sentences(text: str) -> list[str]:
    """The sentences of running text, each once."""
    return [sentence for sentence in dict.fromkeys(sentences_of(text)) if is_plain(sentence)]


def is_plain(sentence: str) -> bool:
    """Whether it looks like a sentence of running text, not a heading, a caption, a question or a list."""
    return len(sentence.split()) in WORDS_OF_A_SENTENCE and sentence[:1].isupper() and sentence.endswith(".")


def opening_scores(
    model: GeneratesFromSource, source: Source, sentences: Sequence[Quotable], config: GenerationConfig
) -> list[float]:
    """The mean log-probability of each sentence's first tokens as those of the source's summary."""
    openings = [torch.tensor(sentence.token_ids[:OPENING_TOKENS]) for sentence in sentences]
    lengths = torch.tensor([len(opening) for opening in openings])
    rows = torch.nn.utils.rnn.pad_sequence(openings, batch_first=True)
    input_ids = torch.tensor([source.input_ids], device=model.device)
    encoder_outputs = model.encode(input_ids, None)
    found = torch.cat(
        [
            model.log_probabilities(input_ids, some, config, encoder_outputs=encoder_outputs).cpu()
            for some in rows.split(AT_ONCE)
        ]
    )
    is_own = torch.arange(rows.shape[1]) < lengths[:, None]
    return ((found * is_own).sum(dim=1) / lengths).tolist()


def choose(sentences: Sequence[Quotable], scores: Sequence[float], length: Length) -> list[Quotable]:
    """The best, one at least, as long as each brings the sum of their tokens nearer to the length wanted."""
    best, *others = sorted(range(len(sentences)), key=scores.__getitem__, reverse=True)
    chosen, so_far = [best], len(sentences[best].token_ids)
    for index in others:
        own = len(sentences[index].token_ids)
        if so_far + own / 2 > length.wanted or so_far + own > length.most:
            break
        chosen.append(index)
        so_far += own
    return [sentences[index] for index in sorted(chosen)]
