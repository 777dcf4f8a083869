"""A summary in the text's own sentences: those that the model looks at when it is about to write one.

Before its first word, the decoder has seen nothing of the summary but that it begins. Where its last cross-attention
then looks is where it would begin to tell: its first glance is its choice. Nothing is written, so nothing can be made
up, and a text is summarized in the time of reading it. Recipes train the glance (`training.choosing`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, log

import torch
from torch import LongTensor, Tensor
from torch.nn.utils.rnn import pad_sequence

from seq2seq.attention.tape import recording
from seq2seq.generation.finite import refuse_nonfinite
from seq2seq.generation.settings import GenerationConfig
from seq2seq.models.generating import first_token
from seq2seq.models.outputs import ModelOutput
from seq2seq.models.source import GeneratesFromSource
from seq2seq.tasks.results import Section
from seq2seq.tasks.sections import Sentence, sentences_of
from seq2seq.tasks.source import Source, has_words
from seq2seq.tokenizers import Tokenizer

LENGTHS = (110, 35), (2150, 180)  # tokens of a text, and of the quotes from it that did best: see fair_length
LENGTH_DISCOUNT = 0.2  # by this power of its length a sentence's share is divided: a long one says more by chance
AS_GOOD = 0.8  # of the best one's share: so good a sentence is quoted beside it,
MOST_OF_AS_GOOD = 90  # as long as both together have no more tokens
WORDS_OF_A_SENTENCE = range(8, 61)
OPENING_MARKS = "\"'“‘«"
SENTENCE_ENDS = (".", *(f".{mark}" for mark in "\"'”’»"))
NOWHERE = -1  # the place of a token that is in no sentence


@dataclass(frozen=True)
class Length:
    """Of what is quoted, in tokens. A sentence is never cut: one alone may be longer than `most`."""

    wanted: float
    most: float = inf


def fair_length(num_tokens: int) -> int:
    """How many tokens a summary of `num_tokens` should have: 80 for 500, 255 for 4,000.

    A power of the text's length, through the lengths that measured best on training pairs of Guardian news and of
    OpenStax textbooks.
    """
    (short, least), (long, most) = LENGTHS
    return round(least * (num_tokens / short) ** (log(most / least) / log(long / short)))


def quote(
    model: GeneratesFromSource,
    tokenizer: Tokenizer,
    source: Source,
    read: Callable[[Source], ModelOutput],
    config: GenerationConfig,
    length: Length,
) -> Section:
    """Of the sentences of the source those that are looked at most, in their order; see `choose`. `read` encodes it."""
    started = time.monotonic()
    sentences = quotable(source.text)
    places = places_of_tokens(source, sentences)
    with torch.no_grad():
        (glance,) = glance_at(model, read(source), None, first_token(config)).cpu()
    refuse_nonfinite(glance, model.dtype)
    shares = shares_of(glance, places, len(sentences))
    lengths = torch.bincount(places[places != NOWHERE], minlength=len(sentences))
    chosen = [sentences[index] for index in choose(shares.tolist(), lengths.tolist(), length)]
    text = " ".join(sentence.text for sentence in chosen)
    room = model.config.decoder.max_position_embeddings - 1
    return Section(
        source_text=source.text,
        text=text,
        target_ids=(*tokenizer(text, add_special_tokens=False).input_ids, *config.eos_ids[:1])[:room],
        num_source_tokens=len(source.input_ids),
        num_cut_tokens=source.num_cut_tokens,
        seconds=time.monotonic() - started,
        quoted=True,
    )


def quotable(text: str) -> list[Sentence]:
    """Its sentences of running text; where there are none, whatever has words."""
    return plain_sentences(text) or [sentence for sentence in sentences_of(text) if has_words(sentence.text)]


def plain_sentences(text: str) -> list[Sentence]:
    """The sentences of running text, each where it stands first."""
    first: dict[str, Sentence] = {}
    for sentence in sentences_of(text):
        if is_plain(sentence.text):
            first.setdefault(sentence.text, sentence)
    return list(first.values())


def is_plain(sentence: str) -> bool:
    """Whether it looks like a sentence of running text, not a heading, a caption, a question or a list."""
    opens_well = sentence.lstrip(OPENING_MARKS)[:1].isupper()
    return len(sentence.split()) in WORDS_OF_A_SENTENCE and opens_well and sentence.endswith(SENTENCE_ENDS)


def places_of_tokens(source: Source, sentences: Sequence[Sentence]) -> LongTensor:
    """S: in which of the sentences, which are in order, each token of the source stands."""
    places, place = [], 0
    for token in source.tokens:
        while place < len(sentences) and sentences[place].end <= token.start:
            place += 1
        inside = not token.special and place < len(sentences) and sentences[place].start <= token.start
        places.append(place if inside else NOWHERE)
    return torch.tensor(places)


def first_glance(model: GeneratesFromSource, rows: Sequence[Sequence[int]], start: int) -> Tensor:
    """B S: how much each token of B sources is looked at for the first word: the mean of the last layer's heads.

    What shorter rows are padded with is looked at by 0.
    """
    tensors = [torch.tensor(row, device=model.device) for row in rows]
    lengths = torch.tensor([[len(row)] for row in rows], device=model.device)
    input_ids = pad_sequence(tensors, batch_first=True, padding_value=model.config.pad_token_id)
    mask = (torch.arange(input_ids.shape[1], device=model.device) < lengths).long()
    mask = None if mask.all() else mask
    return glance_at(model, model.encode(input_ids, mask), mask, start)


def glance_at(
    model: GeneratesFromSource, encoder_outputs: ModelOutput, attention_mask: Tensor | None, start: int
) -> Tensor:
    """B S: as `first_glance`, of sources that are encoded."""
    last = model.config.decoder.num_hidden_layers - 1
    start_ids = torch.full((len(model.source_of(encoder_outputs)), 1), start, device=model.device)
    with recording(lambda kind, layer: (kind, layer) == ("cross", last)) as tape:
        model(
            encoder_outputs=encoder_outputs,
            attention_mask=attention_mask,
            decoder_input_ids=start_ids,
            use_cache=False,
        )
    return tape.weights["cross", last][:, :, 0].float().mean(dim=1)


def shares_of(glance: Tensor, places: LongTensor, num_sentences: int) -> Tensor:
    """N: of what is looked at in sentences, each one's share."""
    inside = places != NOWHERE
    sums = glance.new_zeros(num_sentences).index_add(0, places[inside].to(glance.device), glance[inside])
    return sums / sums.sum().clamp(min=torch.finfo(sums.dtype).tiny)


def choose(shares: Sequence[float], lengths: Sequence[int], length: Length) -> list[int]:
    """Places of the best, in order: one at least, and more as long as each brings their sum nearer to `wanted`.

    Or one more, where it is as good as the best and both together are short.
    """
    scores = [share / tokens**LENGTH_DISCOUNT if tokens else 0.0 for share, tokens in zip(shares, lengths, strict=True)]
    best, *others = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    chosen, so_far = [best], lengths[best]
    for index in others:
        is_wanted = so_far + lengths[index] / 2 <= length.wanted
        is_as_good = scores[index] >= AS_GOOD * scores[best] and so_far + lengths[index] <= MOST_OF_AS_GOOD
        if not (is_wanted or (is_as_good and len(chosen) == 1)) or so_far + lengths[index] > length.most:
            break
        chosen.append(index)
        so_far += lengths[index]
    return sorted(chosen)
