"""A bare stack as a public model: embeddings and blocks, seen whole (an encoder) or from the left only (a decoder)."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from seq2seq.attention import masks
from seq2seq.attention.block_sparse import BlockSparse
from seq2seq.attention.block_table import BlockSparsity
from seq2seq.attention.kernel import Dense
from seq2seq.attention.multihead import SEES_ALL
from seq2seq.attention.tape import Tape, recording, running_tape
from seq2seq.config import StackConfig
from seq2seq.generation.cache import KeyValueCache
from seq2seq.models.layers import Block, Embeddings, block_of
from seq2seq.models.outputs import BaseModelOutputWithPastAndCrossAttentions
from seq2seq.models.pretrained import PreTrainedModel


class Stack(PreTrainedModel):
    """L blocks over embeddings. `run` is the forward pass that the families' documented signatures lead to."""

    gradient_checkpointing = False  # training computes each block twice and remembers only what goes between them

    def __init__(self, config: StackConfig):
        super().__init__(config)
        if config.add_cross_attention and not config.is_decoder:
            raise ValueError("Cross-attention belongs to a decoder: set is_decoder=True too, or drop it.")
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList(block_of(config, layer) for layer in range(config.num_hidden_layers))
        norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps) if config.norms_first else nn.Identity()
        self.last_norm = norm

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embeddings.word

    def is_new_in_warm_start(self, name: str) -> bool:
        return ".cross_attention" in name

    def run(
        self,
        *,
        input_ids: Tensor | None = None,  # B T
        inputs_embeds: Tensor | None = None,  # B T D
        past_key_values: KeyValueCache | tuple | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        **inputs: Any,
    ) -> BaseModelOutputWithPastAndCrossAttentions:
        """Settles what is left to the configuration, watches if asked to, and runs the blocks."""
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("Give either input_ids or inputs_embeds, and not both.")
        words = self.embeddings.words(input_ids) if inputs_embeds is None else inputs_embeds
        wants_cache = self.config.use_cache if use_cache is None else use_cache
        cache = self.cache(past_key_values, wants_cache)
        with self.watching(output_attentions, output_hidden_states) as tape:
            last_hidden_state = self.hidden_states(words, cache=cache, **inputs)
        return BaseModelOutputWithPastAndCrossAttentions(
            last_hidden_state=last_hidden_state,
            past_key_values=cache if wants_cache else None,
            hidden_states=tuple(tape.hidden_states) or None,
            attentions=tape.of_kind("decoder" if self.config.is_decoder else "encoder") or None,
            cross_attentions=tape.of_kind("cross") or None,
        )

    def cache(self, past: KeyValueCache | tuple | None, wanted: bool) -> KeyValueCache | None:
        """The cache to read and fill: the caller's, or a new one if it is wanted. Encoders have none.

        Nor have blocks that are computed twice, as they would fill it twice.
        """
        if past is not None and self.computes_twice:
            raise ValueError("Gradient checkpointing takes no past_key_values: switch it off, or give the whole text.")
        if not self.config.is_decoder or self.computes_twice or not (wanted or past is not None):
            return None
        if past is None:
            return KeyValueCache(len(self.layers))
        return past if isinstance(past, KeyValueCache) else KeyValueCache.from_legacy(past)

    def watching(self, output_attentions: bool | None, output_hidden_states: bool | None) -> Any:
        """A recording of every layer if the call or the configuration asks for one, else an empty tape."""
        attentions = self.config.output_attentions if output_attentions is None else output_attentions
        states = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        if not (attentions or states):
            return nullcontext(Tape(wanted=never))
        return recording(always if attentions else never, hidden_states=states)

    def hidden_states(
        self,
        words: Tensor,  # B T D
        attention_mask: Tensor | None = None,  # B S, or B T S
        position_ids: Tensor | None = None,  # B T
        token_type_ids: Tensor | None = None,  # B T
        head_mask: Tensor | None = None,  # H, or L H
        cross_attn_head_mask: Tensor | None = None,  # H, or L H
        encoder_hidden_states: Tensor | None = None,  # B S D
        encoder_attention_mask: Tensor | None = None,  # B S
        cache: KeyValueCache | None = None,
    ) -> Tensor:  # B T D
        past, length = (cache.length if cache is not None else 0), words.shape[1]
        if position_ids is None:
            self.check_length(past + length)
            position_ids = torch.arange(past, past + length, device=words.device)[None]
        source = self.source(encoder_hidden_states)
        source_pattern = self.source_pattern(source, encoder_attention_mask)
        patterns = self.patterns(words, attention_mask, past)
        head_masks, cross_head_masks = self.head_masks(head_mask), self.head_masks(cross_attn_head_mask)
        tape = running_tape()

        x = self.embeddings(words, position_ids, token_type_ids)
        if tape is None:  # whoever watches sees the tokens of the texts alone
            x = filled(x, patterns[0])
        for layer, block in enumerate(self.layers):
            if tape is not None:
                tape.note_hidden_state(x)
            if self.skips_layer():
                continue
            layer_cache = cache.layers[layer] if cache is not None else None
            x = self.computed(block)(
                x, patterns[layer], source, source_pattern, head_masks[layer], cross_head_masks[layer], layer_cache
            )
        x = self.last_norm(x)[:, :length]
        if tape is not None:
            tape.note_hidden_state(x)
        return x

    @property
    def computes_twice(self) -> bool:
        return self.gradient_checkpointing and self.training and torch.is_grad_enabled()

    def computed(self, block: Block) -> Any:
        """The block, or with gradient checkpointing a call of it that forgets what happens inside."""
        if self.computes_twice:
            return partial(checkpoint, block, use_reentrant=False)
        return block

    def skips_layer(self) -> bool:
        """LayerDrop (Fan et al. 2019), in training."""
        return self.training and self.config.layerdrop > 0 and bool(torch.rand(()) < self.config.layerdrop)

    def check_length(self, length: int) -> None:
        limit = self.config.max_position_embeddings
        if length > limit:
            raise ValueError(
                f"This model reads at most {limit} tokens, and was given {length}. Shorten the text, or cut it to "
                f"{limit} tokens."
            )

    def source(self, encoder_hidden_states: Tensor | None) -> Tensor | None:
        """What a decoder looks at across; an encoder looks at nothing else."""
        if encoder_hidden_states is None or not self.config.is_decoder:
            return None
        if not self.config.add_cross_attention:
            raise ValueError(
                "encoder_hidden_states were given to a decoder without cross-attention. "
                "Make it with add_cross_attention=True in its configuration."
            )
        return encoder_hidden_states

    def source_pattern(self, source: Tensor | None, encoder_attention_mask: Tensor | None) -> Dense:
        if source is None or encoder_attention_mask is None:
            return SEES_ALL
        return Dense(masks.as_bias(masks.padding(encoder_attention_mask), source.dtype))

    def patterns(self, words: Tensor, attention_mask: Tensor | None, past: int) -> list[Dense | BlockSparse]:
        """For each layer, what each token may see of its own sequence: by this call's length, sparse or dense."""
        sparsity = None if self.config.is_decoder else self.config.block_sparsity
        if sparsity is None or words.shape[1] <= sparsity.longest_dense:
            return [self.dense_pattern(words, attention_mask, past)] * len(self.layers)
        return self.sparse_patterns(sparsity, words, attention_mask)

    def sparse_patterns(
        self, sparsity: BlockSparsity, words: Tensor, attention_mask: Tensor | None
    ) -> list[BlockSparse]:
        if attention_mask is not None and attention_mask.dim() != 2:
            raise ValueError(
                "Block-sparse attention takes an attention_mask of shape (batch, tokens), one number a token; got "
                f"{tuple(attention_mask.shape)}."
            )
        length = words.shape[1]
        shape = length, self.config.num_attention_heads, self.config.max_position_embeddings
        tables = [sparsity.table(*shape, layer, self.training) for layer in range(len(self.layers))]
        made = {
            id(table): BlockSparse(table, sparsity.block_size, length, words.dtype, words.device, attention_mask)
            for table in tables
        }
        return [made[id(table)] for table in tables]

    def dense_pattern(self, words: Tensor, attention_mask: Tensor | None, past: int) -> Dense:
        """A mask with a row a query says it all: a decoder that is given one need not look left only."""
        length = words.shape[1]
        visible = None
        if self.config.is_decoder and length > 1 and (attention_mask is None or attention_mask.dim() == 2):
            visible = masks.causal(length, past + length, words.device)
        if attention_mask is not None:
            padded = masks.padding(attention_mask)
            visible = padded if visible is None else visible & padded
        return SEES_ALL if visible is None else Dense(masks.as_bias(visible, words.dtype))

    def head_masks(self, head_mask: Tensor | None) -> list[Tensor | None]:
        """H or L H -> for each layer H 1 1, which scales the heads' weights."""
        num_layers = len(self.layers)
        if head_mask is None:
            return [None] * num_layers
        num_heads = self.config.num_attention_heads
        if tuple(head_mask.shape) not in {(num_heads,), (num_layers, num_heads)}:
            raise ValueError(
                f"head_mask must have the shape ({num_heads},) or ({num_layers}, {num_heads}), one number a head; "
                f"got {tuple(head_mask.shape)}."
            )
        return list(head_mask.to(self.dtype).expand(num_layers, num_heads)[..., None, None])


def filled(x: Tensor, pattern: Dense | BlockSparse) -> Tensor:
    """B T D, where blocks are attended to, up to whole ones: once, and not in every layer anew."""
    if isinstance(pattern, Dense) or not pattern.filling:
        return x
    return F.pad(x, (0, 0, 0, pattern.filling))


def always(kind: str, layer: int) -> bool:
    return True


def never(kind: str, layer: int) -> bool:
    return False
