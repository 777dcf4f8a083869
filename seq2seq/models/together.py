"""One step of several runs of a decoder at once: the matrices are read once for all of them.

Runs join and leave between steps, as each keeps its own cache: nothing is copied or padded to one length. Attention
is computed for each by itself, all else for all rows.

What a run writes does not depend on who shares its steps. On a CPU, oneDNN multiplies two rows or more in the same way
however many they are, so a single one is given company, which costs 7 % of a step in bfloat16. In float32 it would
cost 36 %, for a difference of 1e-5 in a logit; a single row is multiplied by itself there.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from seq2seq.attention.kernel import groups_of
from seq2seq.generation.cache import SharedCache
from seq2seq.models.generating import CachedDecoding


def can_share(decoding: CachedDecoding, tokens: Tensor) -> bool:
    """Whether the next step is one token a row behind others, over a source without padding, with every head on."""
    plain = (decoding.source_mask, decoding.prompt_mask, decoding.head_mask, decoding.cross_attn_head_mask)
    return (
        type(decoding) is CachedDecoding
        and decoding.source is not None
        and all(each is None for each in plain)
        and tokens.shape[1] == 1
        and decoding.cache.length > 0
    )


@torch.no_grad()
def next_logits(decodings: Sequence[CachedDecoding], tokens: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """For runs of one model and their next tokens (N 1 each): the logits (N V each) after them."""
    caches = [decoding.cache for decoding in decodings]
    first = decodings[0]
    num_rows = [len(each) for each in tokens]
    if sum(num_rows) == 1 and first.source.dtype != torch.float32:
        tokens = [*tokens, *tokens]  # the second looks at nothing, and nobody looks at what comes of it
    positions = [cache.length for cache, count in zip(caches, num_rows, strict=True) for _ in range(count)]
    batch = torch.cat(list(tokens))
    positions += [0] * (len(batch) - len(positions))
    hidden_states = first.stack.hidden_states(
        first.stack.embeddings.words(batch),
        position_ids=torch.tensor(positions, device=batch.device)[:, None],
        encoder_hidden_states=first.source,  # its keys and values, like those of the others, are in the caches
        cache=SharedCache(caches),
    )
    return groups_of(first.logits(hidden_states[:, -1]), num_rows)[:-1]
