"""What an output depends on: how far a stretch of it falls in log-probability without a part of the source.

Leaving out, or "occlusion" (Zeiler and Fergus 2014, section 4.2; of text, Li, Monroe and Jurafsky 2016, 1612.08220).
Unlike a gradient it says what happens when a part is gone, and unlike attention it counts every way through the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import LongTensor, Tensor

from seq2seq.explain.choices import of_targets
from seq2seq.explain.pair import Pair
from seq2seq.explain.saliency import check_stretch, of_stretch
from seq2seq.tasks.quoting import NOWHERE, places_of_tokens
from seq2seq.tasks.sections import sentences_of
from seq2seq.trace import Attribution, Token

MOST_STRETCHES = 24
ROWS_AT_ONCE = 4  # hidden one beside the other: so many times the logits of an output are held


@dataclass(frozen=True)
class AblationStep:
    """A pass is about to begin."""

    done: int
    of: int  # passes in all


def ablation(pair: Pair, first: int, last: int) -> Iterator[AblationStep | Attribution]:
    """Target tokens `first` to `last`, without the latter, read again without each stretch of the source.

    A stretch is a sentence, or neighbouring ones where there are more than MOST_STRETCHES. What is left moves together;
    special tokens and prompt always stay. The last item is the result; stop iterating to cancel.
    Raises: ValueError for a stretch that is not there.
    """
    check_stretch(pair, first, last)
    pieces, places = source_stretches(pair)
    num_passes = len(pieces) + 1
    yield AblationStep(0, num_passes)
    whole = log_probability_from(pair, pair.source.input_ids, first, last)
    without = []
    for number in range(len(pieces)):
        yield AblationStep(number + 1, num_passes)
        kept = [token_id for token_id, at in zip(pair.source.input_ids, places.tolist(), strict=True) if at != number]
        without.append(log_probability_from(pair, kept, first, last))
    yield attribution(pair, first, last, pieces, whole - np.array(without, dtype=np.float32), whole)


def masked_ablation(pair: Pair, first: int, last: int) -> Attribution:
    """The cheaper question: the source is read once, and the decoder sees all of it but a stretch.

    What the encoder carried from it to other tokens still counts. Where no token would be left to see, all are looked
    at evenly.
    Raises: ValueError for a stretch that is not there.
    """
    check_stretch(pair, first, last)
    pieces, places = source_stretches(pair)
    whole, without = masked(pair, places == torch.arange(len(pieces))[:, None], last)
    whole, without = whole[first:].sum(), without[:, first:].sum(dim=1)
    return attribution(pair, first, last, pieces, (whole - without).numpy(), whole.item())


def source_stretches(pair: Pair) -> tuple[tuple[Token, ...], LongTensor]:
    """N pieces of the text that was read, each a sentence or more; and in which of them each token stands (S)."""
    known = sentences_of(pair.source.text)
    places = places_of_tokens(pair.source, known).tolist()
    met = sorted(set(places) - {NOWHERE})  # without those that were cut off
    count = min(MOST_STRETCHES, len(met))
    number_of = {place: index * count // len(met) for index, place in enumerate(met)} | {NOWHERE: NOWHERE}
    groups = [[known[place] for place in met if number_of[place] == number] for number in range(count)]
    pieces = (Token(" ".join(part.text for part in group), group[0].start, group[-1].end) for group in groups)
    return tuple(pieces), torch.tensor([number_of[place] for place in places])


@torch.no_grad()
def log_probability_from(pair: Pair, input_ids: Sequence[int], first: int, last: int) -> float:
    """Of the stretch, for another source; padding, where there is none."""
    input_ids = torch.tensor([input_ids or [pair.model.get_encoder().config.pad_token_id]], device=pair.model.device)
    decoder_input_ids = pair.decoder_input_ids[:, :last]
    logits = pair.model(input_ids=input_ids, decoder_input_ids=decoder_input_ids, use_cache=False).logits
    return of_stretch(logits, pair, first, last).item()


@torch.no_grad()
def masked(pair: Pair, hidden: Tensor, last: int) -> tuple[Tensor, Tensor]:
    """N S, bool -> T and N T, float32: log-probabilities of the targets before `last`, and without sight of the hidden.

    Rows of the decoder share one source, so its keys and values are made once a group of rows.
    """
    visible = torch.cat([torch.ones(1, hidden.shape[1]), ~hidden]).to(pair.model.device)
    rows = []
    for group in visible.split(ROWS_AT_ONCE):
        logits = pair.model(
            encoder_outputs=pair.encoded,
            attention_mask=group.repeat_interleave(last, dim=0)[None],  # 1 K*T S
            decoder_input_ids=pair.decoder_input_ids[:, :last].expand(len(group), -1),
            use_cache=False,
        ).logits
        rows += [of_targets(row.float().log_softmax(dim=-1), pair.target_ids[:last]).cpu() for row in logits]
    return rows[0], torch.stack(rows[1:])


def attribution(
    pair: Pair, first: int, last: int, pieces: tuple[Token, ...], scores: np.ndarray, log_probability: float
) -> Attribution:
    target = pair.stretch(first, last)
    return Attribution("ablation", scores, pieces, pair.source.text, target, pair.target_text, log_probability)
