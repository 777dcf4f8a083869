"""Our search against the reference library's `generate`, token by token, on small random models.

The model on both sides is the reference library's own, without a cache on our side: what is compared is the search.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
import torch
from transformers import BertGenerationConfig, EncoderDecoderConfig, EncoderDecoderModel
from transformers.generation import logits_process as reference_rules

from seq2seq.generation import GenerationConfig, generate, generate_steps
from seq2seq.generation.sampling import (
    ScoreRules,
    forbid_repeated_ngrams,
    keep_top_k,
    keep_top_p,
    penalize_repetition,
)

START, EOS = 2, 1


def make_model(seed: int, vocab_size: int, eos_bias: float, sharpness: float) -> EncoderDecoderModel:
    """A random pair whose logits are not flat, and which says the end token (1) more often with `eos_bias`."""
    torch.manual_seed(seed)
    shape = {
        "vocab_size": vocab_size,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "max_position_embeddings": 64,
        "initializer_range": sharpness,
    }
    encoder = BertGenerationConfig(**shape)
    decoder = BertGenerationConfig(**shape, is_decoder=True, add_cross_attention=True)
    model = EncoderDecoderModel(EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder))
    with torch.no_grad():
        model.decoder.lm_head.bias[EOS] += eos_bias
    # Nothing from the default generation_config may leak into what is asked for.
    model.generation_config.eos_token_id = model.generation_config.pad_token_id = None
    model.generation_config.bos_token_id = None
    return model.eval()


class WholePrefix:
    """A NextToken that reads everything again at each step: slow, and without a cache that could be wrong."""

    def __init__(self, model: EncoderDecoderModel, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> None:
        self.model = model
        self.mask = attention_mask
        self.states = model.encoder(input_ids, attention_mask=attention_mask).last_hidden_state
        self.prefix = torch.empty((len(input_ids), 0), dtype=torch.long)

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        self.prefix = torch.cat((self.prefix, tokens), dim=1)
        output = self.model.decoder(
            self.prefix,
            encoder_hidden_states=self.states,
            encoder_attention_mask=self.mask,
            use_cache=False,
        )
        return output.logits[:, -1]

    def reorder(self, rows: torch.Tensor) -> None:
        self.prefix, self.states, self.mask = self.prefix[rows], self.states[rows], self.mask[rows]


@dataclass(frozen=True)
class Case:
    model: EncoderDecoderModel
    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    start_ids: torch.Tensor
    settings: dict

    def ours(self) -> WholePrefix:
        return WholePrefix(self.model, self.input_ids, self.attention_mask)

    def reference(self):
        return self.model.generate(
            self.input_ids,
            attention_mask=self.attention_mask,
            decoder_input_ids=self.start_ids,
            decoder_start_token_id=START,
            use_cache=False,
            return_dict_in_generate=True,
            output_scores=True,
            **self.settings,
        )


def make_case(seed: int, **fixed) -> Case:
    draw = random.Random(seed)
    vocab_size = draw.randint(30, 60)
    model = make_model(seed, vocab_size, draw.uniform(-2, 5), draw.choice((0.5, 0.7, 1.0)))
    lengths = [draw.randint(1, 9) for _ in range(draw.randint(1, 4))]
    input_ids = torch.randint(3, vocab_size, (len(lengths), max(lengths)))
    attention_mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    extra = torch.randint(3, vocab_size, (len(lengths), draw.choice((0, 0, 0, 2))))
    start_ids = torch.cat((torch.full((len(lengths), 1), START), extra), dim=1)
    return Case(model, input_ids, attention_mask, start_ids, draw_settings(draw, vocab_size) | fixed)


def draw_settings(draw: random.Random, vocab_size: int) -> dict:
    eos_ids = [EOS, *draw.sample(range(3, vocab_size), 2)]
    settings = {
        "eos_token_id": draw.choice((EOS, EOS, EOS, [EOS], eos_ids[:2], eos_ids, None)),
        "pad_token_id": draw.choice((0, 0, EOS, 7)),
        "repetition_penalty": draw.choice((1.0, 1.0, 1.0, 1.3, 0.8, 2.5)),
        "no_repeat_ngram_size": draw.choice((0, 0, 0, 1, 2, 3)),
    }
    settings |= draw.choice(({"max_new_tokens": draw.randint(1, 24)}, {"max_length": draw.randint(4, 20)}, {}))
    settings |= draw.choice(({}, {}, {"min_length": draw.randint(1, 10)}, {"min_new_tokens": draw.randint(1, 9)}))
    settings |= draw.choice(({},) * 8 + ({"forced_eos_token_id": EOS}, {"forced_bos_token_id": 5}))
    if draw.random() < 0.3:
        return settings
    num_beams = draw.randint(2, 6)
    return settings | {
        "num_beams": num_beams,
        "num_return_sequences": draw.randint(1, num_beams),
        "length_penalty": draw.choice((-1.0, 0.0, 0.5, 1.0, 2.0, draw.uniform(-1, 2))),
        "early_stopping": draw.choice((False, True, "never")),
    }


@pytest.mark.parametrize("seed", range(240))
def test_tokens_equal_those_of_the_reference(seed):
    case = make_case(seed)
    expected = case.reference()
    config = GenerationConfig(**case.settings)
    output = generate(case.ours(), case.start_ids, config)
    assert output.sequences.tolist() == expected.sequences.tolist()
    if config.num_beams > 1:
        torch.testing.assert_close(output.sequences_scores, expected.sequences_scores)
        assert output.beam_indices.tolist() == expected.beam_indices.tolist()
