"""What the stacks are made from and called with in this folder, by name: every case an awkward one."""

from __future__ import annotations

import torch

from tests.parity.pairs import SMALL, mask_of_lengths, token_ids, vectors

WIDTH, LONGEST = SMALL["hidden_size"], SMALL["max_position_embeddings"]

CONFIGURATIONS = {
    "small": {},
    "one layer": {"num_hidden_layers": 1},
    "one head": {"num_attention_heads": 1},
    "a head a number": {"num_attention_heads": WIDTH},
    "gelu_new": {"hidden_act": "gelu_new"},
    "relu": {"hidden_act": "relu"},
    "silu": {"hidden_act": "silu"},
    "large epsilon": {"layer_norm_eps": 0.01},
    "dropout": {"hidden_dropout_prob": 0.5, "attention_probs_dropout_prob": 0.5},
    "no padding token": {"pad_token_id": None},
    "chunks": {"chunk_size_feed_forward": 1},
    "narrow feed-forward": {"intermediate_size": 1},
}

HOLES = torch.tensor([[1, 0, 1, 1, 0, 1, 0], [0, 0, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1]])

# B T is 3 7 unless the name says otherwise.
ARGUMENTS = {
    "ids alone": lambda: {"input_ids": token_ids(3, 7)},
    "padding right": lambda: {"input_ids": token_ids(3, 7), "attention_mask": mask_of_lengths((7, 4, 1), 7)},
    "padding left": lambda: {
        "input_ids": token_ids(3, 7),
        "attention_mask": mask_of_lengths((1, 7, 4), 7, "left"),
    },
    "holes": lambda: {"input_ids": token_ids(3, 7), "attention_mask": HOLES},
    "a mask of truth": lambda: {"input_ids": token_ids(3, 7), "attention_mask": HOLES.bool()},
    "a mask of floats": lambda: {"input_ids": token_ids(3, 7), "attention_mask": HOLES.float()},
    "all is padding": lambda: {"input_ids": token_ids(2, 5), "attention_mask": mask_of_lengths((5, 0), 5)},
    "padding ids": lambda: {"input_ids": token_ids(3, 7) * HOLES},
    "positions": lambda: {"input_ids": token_ids(3, 7), "position_ids": token_ids(3, 7, vocab_size=LONGEST)},
    "positions of one row": lambda: {
        "input_ids": token_ids(3, 7),
        "position_ids": torch.arange(7)[None] + 20,
    },
    "vectors": lambda: {"inputs_embeds": vectors(3, 7, WIDTH)},
    "vectors, padded": lambda: {"inputs_embeds": vectors(3, 7, WIDTH), "attention_mask": HOLES},
    "one token": lambda: {"input_ids": token_ids(1, 1)},
    "one token, masked": lambda: {"input_ids": token_ids(2, 1), "attention_mask": torch.ones(2, 1)},
    "longest": lambda: {"input_ids": token_ids(1, LONGEST)},
}

# What a decoder looks at across, beside any of the above with three rows.
SOURCES = {
    "a source": lambda: {"encoder_hidden_states": vectors(3, 5, WIDTH, seed=1)},
    "a padded source": lambda: {
        "encoder_hidden_states": vectors(3, 9, WIDTH, seed=1),
        "encoder_attention_mask": mask_of_lengths((2, 9, 5), 9),
    },
    "a source padded left": lambda: {
        "encoder_hidden_states": vectors(3, 4, WIDTH, seed=1),
        "encoder_attention_mask": mask_of_lengths((1, 4, 2), 4, "left"),
    },
    "a source of one token": lambda: {"encoder_hidden_states": vectors(3, 1, WIDTH, seed=1)},
}

WATCHED = {"output_attentions": True, "output_hidden_states": True}


def labels_for(input_ids: torch.Tensor) -> torch.Tensor:
    """The same ids, some of which do not count."""
    labels = input_ids.clone()
    labels[:, 1::3] = -100
    return labels
