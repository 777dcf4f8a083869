"""What weights are called in published checkpoints, by the reference library, and what we call them: tables.

A table is data: one row a name, with `{i}` for the number of a layer. It knows no tensors and no files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_LAYER_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")
_OLD_SPELLINGS = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}


@dataclass(frozen=True)
class NameTable:
    """Foreign names and ours, both ways.

    Where several foreign names lead to one of ours, all of them are written, and the first wins in reading.
    """

    rows: Mapping[str, str]  # foreign name -> ours: read and written
    also_read: Mapping[str, str | None] = field(default_factory=dict)  # -> ours, or None: dropped on purpose
    optional: frozenset[str] = frozenset()  # ours: dropped on purpose by models that have no such parameter
    copies: frozenset[str] = frozenset()  # ours: need not be written where tied, any reader ties them again

    def to_ours(self, foreign: str) -> str | None:
        """Our name, or None for a tensor to drop on purpose; KeyError for a name that no row knows."""
        foreign = _modern(foreign)
        pattern, number = _without_number(foreign)
        ours = self.rows[pattern] if pattern in self.rows else self.also_read[pattern]
        return None if ours is None else ours.replace("{i}", number)

    def to_foreign(self, ours: str) -> tuple[str, ...]:
        """Every name that a tensor is written under, the most authoritative one first; never empty."""
        pattern, number = _without_number(ours)
        names = tuple(row.replace("{i}", number) for row, name in self.rows.items() if name == pattern)
        if not names:
            raise ValueError(f"{ours} has no name in checkpoints: add a row for it to its table of names.")
        return names

    def under(self, foreign: str, ours: str) -> NameTable:
        """The same table for a part of a larger model: a prefix before every name."""
        return NameTable(
            rows=_prefixed(self.rows, foreign, ours),
            also_read=_prefixed(self.also_read, foreign, ours),
            optional=frozenset(ours + name for name in self.optional),
            copies=frozenset(ours + name for name in self.copies),
        )

    def __or__(self, other: NameTable) -> NameTable:
        """Both tables' rows. What only `other` drops is still read if this table has a place for it."""
        return NameTable(
            rows={**self.rows, **other.rows},
            also_read={**other.also_read, **self.also_read},
            optional=self.optional | other.optional,
            copies=self.copies | other.copies,
        )


def _modern(foreign: str) -> str:
    for old, new in _OLD_SPELLINGS.items():
        if foreign.endswith(old):
            return foreign.removesuffix(old) + new
    return foreign


def _without_number(name: str) -> tuple[str, str]:
    """layers.7.key -> layers.{i}.key and 7"""
    found = _LAYER_NUMBER.search(name)
    return (_LAYER_NUMBER.sub("{i}", name, count=1), found.group()) if found else (name, "")


def _prefixed(rows: Mapping[str, str | None], foreign: str, ours: str) -> dict[str, str | None]:
    return {foreign + name: None if to is None else ours + to for name, to in rows.items()}


def _weights_and_biases(modules: Mapping[str, str]) -> dict[str, str]:
    return {f"{name}.{kind}": f"{ours}.{kind}" for name, ours in modules.items() for kind in ("weight", "bias")}


_STACK_ROWS = {
    "embeddings.word_embeddings.weight": "embeddings.word.weight",
    "embeddings.position_embeddings.weight": "embeddings.position.weight",
    "embeddings.token_type_embeddings.weight": "embeddings.token_type.weight",
    "encoder.layer.{i}.attention.self.distance_embedding.weight": "layers.{i}.self_attention.distance.weight",
    **_weights_and_biases(
        {
            "embeddings.LayerNorm": "embeddings.norm",
            "encoder.layer.{i}.attention.self.query": "layers.{i}.self_attention.query",
            "encoder.layer.{i}.attention.self.key": "layers.{i}.self_attention.key",
            "encoder.layer.{i}.attention.self.value": "layers.{i}.self_attention.value",
            "encoder.layer.{i}.attention.output.dense": "layers.{i}.self_attention.output",
            "encoder.layer.{i}.attention.output.LayerNorm": "layers.{i}.self_attention_norm",
            "encoder.layer.{i}.crossattention.self.query": "layers.{i}.cross_attention.query",
            "encoder.layer.{i}.crossattention.self.key": "layers.{i}.cross_attention.key",
            "encoder.layer.{i}.crossattention.self.value": "layers.{i}.cross_attention.value",
            "encoder.layer.{i}.crossattention.output.dense": "layers.{i}.cross_attention.output",
            "encoder.layer.{i}.crossattention.output.LayerNorm": "layers.{i}.cross_attention_norm",
            "encoder.layer.{i}.intermediate.dense": "layers.{i}.feed_forward.up",
            "encoder.layer.{i}.output.dense": "layers.{i}.feed_forward.down",
            "encoder.layer.{i}.output.LayerNorm": "layers.{i}.feed_forward_norm",
            "pooler.dense": "pooler",
        }
    ),
}

# Buffers that older releases of the reference library saved: counting from 0, and zeros.
_OLD_BUFFERS = {"embeddings.position_ids": None, "embeddings.token_type_ids": None}

# A model that has them may start one that has not: BertGeneration starts from BERT.
_OPTIONAL = frozenset({"embeddings.token_type.weight", "pooler.weight", "pooler.bias"})

# The reference library keeps a head's one bias under two names. Where they differ, the first is in use.
_GENERATION_HEAD_ROWS = {
    "lm_head.decoder.weight": "lm_head.weight",
    "lm_head.decoder.bias": "lm_head.bias",
    "lm_head.bias": "lm_head.bias",
}
_BERT_HEAD_ROWS = {
    "cls.predictions.decoder.weight": "lm_head.weight",
    "cls.predictions.decoder.bias": "lm_head.bias",
    "cls.predictions.bias": "lm_head.bias",
    **_weights_and_biases(
        {
            "cls.predictions.transform.dense": "lm_transform.dense",
            "cls.predictions.transform.LayerNorm": "lm_transform.norm",
        }
    ),
}

_ANY_HEAD_DROPPED = dict.fromkeys(
    (*_GENERATION_HEAD_ROWS, *_BERT_HEAD_ROWS, "cls.seq_relationship.weight", "cls.seq_relationship.bias")
)

# The bare stack. In a checkpoint of a model with a head its names begin with `bert.`; the head is dropped.
BERT_STACK = NameTable(
    rows=_STACK_ROWS,
    also_read={
        **_OLD_BUFFERS,
        **_prefixed(_STACK_ROWS | _OLD_BUFFERS, "bert.", ""),
        **_ANY_HEAD_DROPPED,
    },
    optional=_OPTIONAL,
)


def _with_head(head: Mapping[str, str]) -> NameTable:
    """The stack and a head. In a checkpoint of a bare stack the names lack their `bert.`, and a head."""
    return NameTable(
        rows={**_prefixed(_STACK_ROWS, "bert.", "stack."), **head},
        also_read={
            **_prefixed(_OLD_BUFFERS, "bert.", "stack."),
            **_prefixed(_STACK_ROWS | _OLD_BUFFERS, "", "stack."),
            **_ANY_HEAD_DROPPED,
        },
        optional=frozenset(f"stack.{name}" for name in _OPTIONAL),
        copies=frozenset({"lm_head.weight"}),
    )


BERT_GENERATION_DECODER = _with_head(_GENERATION_HEAD_ROWS)
BERT_LM_HEAD = _with_head(_BERT_HEAD_ROWS)

_PROJECTION = NameTable(rows=_weights_and_biases({"enc_to_dec_proj": "enc_to_dec_proj"}))


def encoder_decoder(encoder: NameTable, decoder: NameTable) -> NameTable:
    """The pair's table from its halves'."""
    return encoder.under("encoder.", "encoder.") | decoder.under("decoder.", "decoder.") | _PROJECTION


# BigBird is BERT by other names for the pooler and the heads.
_BIG_BIRD_ROWS = {
    **{name: ours for name, ours in _STACK_ROWS.items() if not name.startswith("pooler.")},
    **_weights_and_biases({"pooler": "pooler"}),
}
_BIG_BIRD_QA_ROWS = _weights_and_biases(
    {
        "qa_classifier.intermediate.dense": "feed_forward.up",
        "qa_classifier.output.dense": "feed_forward.down",
        "qa_classifier.output.LayerNorm": "norm",
        "qa_classifier.qa_outputs": "spans",
    }
)
_BIG_BIRD_OTHER_HEADS = dict.fromkeys((*_ANY_HEAD_DROPPED, *_weights_and_biases(
    {"classifier": "", "classifier.dense": "", "classifier.out_proj": ""}
)))  # fmt: skip

BIG_BIRD_STACK = NameTable(
    rows=_BIG_BIRD_ROWS,
    also_read={
        **_OLD_BUFFERS,
        **_prefixed(_BIG_BIRD_ROWS | _OLD_BUFFERS, "bert.", ""),
        **_BIG_BIRD_OTHER_HEADS,
        **dict.fromkeys(_BIG_BIRD_QA_ROWS),
    },
    optional=_OPTIONAL,
)
BIG_BIRD_QA = NameTable(
    rows={**_prefixed(_BIG_BIRD_ROWS, "bert.", "stack."), **_BIG_BIRD_QA_ROWS},
    also_read={
        **_prefixed(_OLD_BUFFERS, "bert.", "stack."),
        **_prefixed(_BIG_BIRD_ROWS | _OLD_BUFFERS, "", "stack."),
        **_BIG_BIRD_OTHER_HEADS,
    },
    optional=frozenset(f"stack.{name}" for name in _OPTIONAL),
)

_BIGBIRD_PEGASUS_ROWS = {
    **{f"{half}.embed_positions.weight": f"{half}.embeddings.position.weight" for half in ("encoder", "decoder")},
    "decoder.embed_tokens.weight": "decoder.embeddings.word.weight",
    **_weights_and_biases(
        {
            f"{half}.{name}": f"{half}.{ours}"
            for half in ("encoder", "decoder")
            for name, ours in {
                "layers.{i}.self_attn_layer_norm": "layers.{i}.self_attention_norm",
                "layers.{i}.fc1": "layers.{i}.feed_forward.up",
                "layers.{i}.fc2": "layers.{i}.feed_forward.down",
                "layers.{i}.final_layer_norm": "layers.{i}.feed_forward_norm",
                "layernorm_embedding": "last_norm",
            }.items()
        }
    ),
    **_weights_and_biases(
        {
            "encoder.layers.{i}.self_attn.self.query": "encoder.layers.{i}.self_attention.query",
            "encoder.layers.{i}.self_attn.self.key": "encoder.layers.{i}.self_attention.key",
            "encoder.layers.{i}.self_attn.self.value": "encoder.layers.{i}.self_attention.value",
            "encoder.layers.{i}.self_attn.output": "encoder.layers.{i}.self_attention.output",
            "decoder.layers.{i}.self_attn.q_proj": "decoder.layers.{i}.self_attention.query",
            "decoder.layers.{i}.self_attn.k_proj": "decoder.layers.{i}.self_attention.key",
            "decoder.layers.{i}.self_attn.v_proj": "decoder.layers.{i}.self_attention.value",
            "decoder.layers.{i}.self_attn.out_proj": "decoder.layers.{i}.self_attention.output",
            "decoder.layers.{i}.encoder_attn.q_proj": "decoder.layers.{i}.cross_attention.query",
            "decoder.layers.{i}.encoder_attn.k_proj": "decoder.layers.{i}.cross_attention.key",
            "decoder.layers.{i}.encoder_attn.v_proj": "decoder.layers.{i}.cross_attention.value",
            "decoder.layers.{i}.encoder_attn.out_proj": "decoder.layers.{i}.cross_attention.output",
            "decoder.layers.{i}.encoder_attn_layer_norm": "decoder.layers.{i}.cross_attention_norm",
        }
    ),
}
_SHARED_WORDS = {"shared.weight": "encoder.embeddings.word.weight"}
_ENCODER_WORDS = {"encoder.embed_tokens.weight": "encoder.embeddings.word.weight"}
_LM_HEAD_ROWS = {"lm_head.weight": "lm_head.weight", "final_logits_bias": "final_logits_bias"}
_CLASSIFIER_ROWS = _weights_and_biases(
    {"classification_head.dense": "dense", "classification_head.out_proj": "classes"}
)
_SPANS_ROWS = _weights_and_biases({"qa_outputs": "spans"})
_BIGBIRD_PEGASUS_HEADS = {**_LM_HEAD_ROWS, **_CLASSIFIER_ROWS, **_SPANS_ROWS}


def bigbird_pegasus(head: Mapping[str, str] | None = None, tied: bool = True) -> NameTable:
    """Both stacks, and a head. Checkpoints of the bare stacks lack the head, and the `model.` before their names.

    Where the words' vectors are tied, one table is on file, `shared`; else each stack's own is, and the encoder's
    under that name too.
    """
    words = (_SHARED_WORDS if tied else _ENCODER_WORDS | _SHARED_WORDS) | _BIGBIRD_PEGASUS_ROWS
    also_read = {} if not tied else _ENCODER_WORDS
    dropped = dict.fromkeys(_BIGBIRD_PEGASUS_HEADS)
    if head is None:
        return NameTable(
            rows=words,
            also_read={**also_read, **_prefixed(words | also_read, "model.", ""), **dropped},
            copies=frozenset({"decoder.embeddings.word.weight"}),
        )
    return NameTable(
        rows={**_prefixed(words, "model.", "model."), **head},
        also_read={
            **_prefixed(also_read, "model.", "model."),
            **_prefixed(words | also_read, "", "model."),
            **dropped,
        },
        copies=frozenset({"model.decoder.embeddings.word.weight", "lm_head.weight"}),
    )


def bigbird_pegasus_with_lm_head(tied: bool) -> NameTable:
    return bigbird_pegasus(_LM_HEAD_ROWS, tied)


def bigbird_pegasus_with_classifier(tied: bool) -> NameTable:
    return bigbird_pegasus(_CLASSIFIER_ROWS, tied)


def bigbird_pegasus_with_spans(tied: bool) -> NameTable:
    return bigbird_pegasus(_SPANS_ROWS, tied)


_LONE_DECODER_ROWS = {
    name.removeprefix("decoder."): ours.removeprefix("decoder.")
    for name, ours in _BIGBIRD_PEGASUS_ROWS.items()
    if name.startswith("decoder.")
}
_LONE_DECODER_DROPPED = {
    **{name: None for name in _BIGBIRD_PEGASUS_ROWS | _ENCODER_WORDS if name.startswith("encoder.")},
    "shared.weight": "stack.embeddings.word.weight",
}

BIGBIRD_PEGASUS_DECODER = NameTable(
    rows={**_prefixed(_LONE_DECODER_ROWS, "model.decoder.", "stack."), "lm_head.weight": "lm_head.weight"},
    also_read={
        **_prefixed(_LONE_DECODER_ROWS, "decoder.", "stack."),
        **_prefixed(_LONE_DECODER_DROPPED, "model.", ""),
        **_LONE_DECODER_DROPPED,
        **dict.fromkeys(_BIGBIRD_PEGASUS_HEADS),
    },
)
