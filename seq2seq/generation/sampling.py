"""Rules that change the scores of the next token, before one is chosen.

Each is a pure function of scores (N V: logits, or log-probabilities under beam search) and, where it looks
back, of the tokens so far (N t). A token that is ruled out scores -inf. The order in which they apply is that
of the reference library, and part of the result: the temperature comes before top-k and top-p. Knows no
models and no search.

Sources: top-k, Fan et al. 2018; nucleus sampling (top_p), Holtzman et al. 2020; repetition penalty, Keskar et
al. 2019 (CTRL, section 4.1); no repeated n-grams, Paulus et al. 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import LongTensor, Tensor

from seq2seq.generation.settings import GenerationConfig

RULED_OUT = -float("inf")

LogitsProcessor = Callable[[LongTensor, Tensor], Tensor]  # tokens (N t) and scores (N V) -> scores (N V)


@dataclass(frozen=True)
class ScoreRules:
    """All rules that a config asks for, in order, for sequences that began with `start_length` tokens."""

    config: GenerationConfig
    start_length: int
    processors: Sequence[LogitsProcessor] = ()  # rules from outside

    def __call__(self, tokens: LongTensor, scores: Tensor) -> Tensor:
        """N V: the scores of the token after `tokens` (N t, on any device), under every rule."""
        config = self.config
        length = tokens.shape[1]
        if config.repetition_penalty != 1.0:
            scores = penalize_repetition(scores, tokens.to(scores.device), config.repetition_penalty)
        if config.no_repeat_ngram_size:
            scores = forbid_repeated_ngrams(scores, tokens.to(scores.device), config.no_repeat_ngram_size)
        if config.eos_ids and length < config.length_floor(self.start_length):
            scores = forbid(scores, config.eos_ids)
        for processor in self.processors:
            scores = processor(tokens, scores)
        if config.forced_bos_token_id is not None and length == 1:
            scores = force(scores, (config.forced_bos_token_id,))
        if config.forced_eos_ids and length == config.length_limit(self.start_length) - 1:
            scores = force(scores, config.forced_eos_ids)
        return self._narrowed(scores) if config.do_sample else scores

    def _narrowed(self, scores: Tensor) -> Tensor:
        """The rules that only a draw needs."""
        config = self.config
        # Beams that all end would leave nothing to go on with: keep one token more than there are ends.
        keep = 1 if config.num_beams == 1 else 1 + max(1, len(config.eos_ids))
        candidates = scores.shape[-1]
        if config.temperature != 1.0:
            scores = scores / config.temperature
        if config.top_k:
            candidates = min(max(config.top_k, keep), candidates)
            scores = keep_top_k(scores, candidates)
        if config.top_p < 1.0:
            scores = keep_top_p(scores, config.top_p, keep=keep, candidates=candidates)
        return scores


def keep_top_k(scores: Tensor, k: int) -> Tensor:
    """N V: rule out all but the k best, and what scores as well as the last of those."""
    k = min(k, scores.shape[-1])
    return scores.masked_fill(scores < scores.topk(k).values[:, -1:], RULED_OUT)


def keep_top_p(scores: Tensor, p: float, *, keep: int = 1, candidates: int | None = None) -> Tensor:
    """N V: rule out all but the fewest best tokens that together have a probability of at least p.

    At least `keep` stay. If only the best `candidates` are not ruled out yet, saying so saves sorting them
    all.
    """
    best_first, indices = scores.topk(candidates or scores.shape[-1])
    probability_of_rest = best_first.softmax(dim=-1).flip(-1).cumsum(dim=-1).flip(-1)  # own and all worse
    dropped = probability_of_rest <= 1 - p
    dropped[:, :keep] = False
    return torch.full_like(scores, RULED_OUT).scatter(1, indices, best_first.masked_fill(dropped, RULED_OUT))


def penalize_repetition(scores: Tensor, tokens: LongTensor, penalty: float) -> Tensor:
    """N V: make every token that is in the row's `tokens` (N t) less likely, for a penalty above 1."""
    seen = scores.gather(1, tokens)
    seen = torch.where(seen < 0, seen * penalty, seen / penalty)
    return scores.scatter(1, tokens, seen)


def forbid_repeated_ngrams(scores: Tensor, tokens: LongTensor, size: int) -> Tensor:
    """N V: rule out every token that would repeat an n-gram of this size from the row's `tokens` (N t).

    An n-gram can only come again if it begins with the last size - 1 tokens: each place where those stood
    before forbids the token that followed there.
    """
    length = tokens.shape[1]
    if length < size:
        return scores
    windows = tokens.unfold(1, size, 1)  # N t-size+1 size
    ending = tokens[:, length - size + 1 :]  # N size-1
    repeats = (windows[..., :-1] == ending[:, None]).all(dim=-1)
    spare = scores.shape[-1]  # a column of its own for the windows that forbid nothing
    forbidden = scores.new_zeros((scores.shape[0], spare + 1), dtype=torch.bool)
    forbidden.scatter_(1, torch.where(repeats, windows[..., -1], spare), True)
    return scores.masked_fill(forbidden[:, :spare], RULED_OUT)


def forbid(scores: Tensor, ids: Sequence[int]) -> Tensor:
    """N V: rule these tokens out."""
    return scores.index_fill(1, torch.tensor(ids, device=scores.device), RULED_OUT)


def force(scores: Tensor, ids: Sequence[int]) -> Tensor:
    """N V: rule out all tokens but these."""
    return torch.full_like(scores, RULED_OUT).index_fill(1, torch.tensor(ids, device=scores.device), 0.0)
