"""Our search against the reference library's `generate`, token by token, on small random models.

The model on both sides is the reference library's own, without a cache: what is compared is the search.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
import torch
from transformers import BertGenerationConfig, EncoderDecoderConfig, EncoderDecoderModel
from transformers import GenerationConfig as ReferenceConfig
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


def make_model(
    seed: int, vocab_size: int, sharpness: float, eos_ids: list[int], eos_bias: float
) -> EncoderDecoderModel:
    """A random pair whose logits are not flat, and which says the end tokens more often with `eos_bias`."""
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
        model.decoder.lm_head.bias[eos_ids] += eos_bias
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
    eos_ids = [EOS, *draw.sample(range(3, vocab_size), draw.choice((0, 0, 1, 2)))]
    model = make_model(seed, vocab_size, draw.choice((0.5, 0.7, 1.0)), eos_ids, eos_bias=draw.uniform(-2, 5))
    lengths = [draw.randint(1, 9) for _ in range(draw.randint(1, 4))]
    input_ids = torch.randint(3, vocab_size, (len(lengths), max(lengths)))
    attention_mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    extra = torch.randint(3, vocab_size, (len(lengths), draw.choice((0, 0, 0, 2))))
    start_ids = torch.cat((torch.full((len(lengths), 1), START), extra), dim=1)
    return Case(model, input_ids, attention_mask, start_ids, draw_settings(draw, eos_ids) | fixed)


def draw_settings(draw: random.Random, eos_ids: list[int]) -> dict:
    settings = {
        "eos_token_id": draw.choice((EOS, eos_ids, eos_ids, eos_ids, None)),
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


@pytest.mark.filterwarnings("ignore:.*length.*:UserWarning")
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


@pytest.mark.parametrize("num_beams", [1, 3])
def test_scores_equal_those_of_the_reference(num_beams):
    settings = {
        "num_beams": num_beams,
        "num_return_sequences": 1,
        "max_new_tokens": 6,
        "repetition_penalty": 1.3,
    }
    case = make_case(1, eos_token_id=EOS, **settings)
    expected = case.reference().scores
    config = GenerationConfig(**case.settings, output_scores=True)
    scores = generate(case.ours(), case.start_ids, config).scores
    assert len(scores) == len(expected) > 1
    for step, expected_step in zip(scores, expected, strict=True):
        torch.testing.assert_close(step, expected_step, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("num_beams", [1, 3])
@pytest.mark.parametrize("seed", range(8))
def test_draws_equal_those_of_the_reference(seed, num_beams):
    settings = {
        "do_sample": True,
        "num_beams": num_beams,
        "num_return_sequences": 2,
        "max_new_tokens": 12,
        "temperature": 1.4,
        "top_k": (50, 12, 0)[seed % 3],
        "top_p": (1.0, 0.8)[seed % 2],
        "repetition_penalty": 1.0,
        "no_repeat_ngram_size": 0,
    }
    case = make_case(seed, **settings)
    torch.manual_seed(seed)
    expected = case.reference().sequences
    generator = torch.Generator().manual_seed(seed)
    output = generate(case.ours(), case.start_ids, GenerationConfig(**case.settings), generator=generator)
    assert output.sequences.tolist() == expected.tolist()


def test_recorded_log_probabilities_are_those_of_a_teacher_forced_pass():
    case = make_case(5, num_beams=4, num_return_sequences=1, max_new_tokens=12, eos_token_id=EOS, pad_token_id=0)
    steps = list(generate_steps(case.ours(), case.start_ids, GenerationConfig(**case.settings), num_alternatives=3))
    for step in steps:
        expected = teacher_forced(case, step.tokens)[:, case.start_ids.shape[1] - 1 : -1]
        new_tokens = step.tokens[:, case.start_ids.shape[1] :]
        chosen = expected.gather(2, new_tokens[..., None])[..., 0]
        best = expected.topk(3)
        is_own = torch.arange(step.tokens.shape[1]) < step.lengths[:, None]
        is_own = is_own[:, case.start_ids.shape[1] :]
        torch.testing.assert_close(step.log_probabilities[is_own], chosen[is_own], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(
            step.alternatives.log_probabilities[is_own], best.values[is_own], rtol=1e-4, atol=1e-4
        )
        assert step.alternatives.ids[is_own].tolist() == best.indices[is_own].tolist()
    assert len(steps) > 3


def teacher_forced(case: Case, tokens: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        output = case.model(case.input_ids, attention_mask=case.attention_mask, decoder_input_ids=tokens)
    return output.logits.log_softmax(dim=-1)


@pytest.fixture
def scores() -> torch.Tensor:
    return 3 * torch.randn(4, 50, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randint(0, 9, (4, 30), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("k", [1, 7, 50, 80])
def test_keep_top_k(scores, k):
    assert torch.equal(keep_top_k(scores, k), reference_rules.TopKLogitsWarper(k)(None, scores))


@pytest.mark.parametrize("keep", [1, 3])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.95, 0.999])
def test_keep_top_p(scores, p, keep):
    expected = reference_rules.TopPLogitsWarper(p, min_tokens_to_keep=keep)(None, scores)
    assert torch.equal(keep_top_p(scores, p, keep=keep), expected)


@pytest.mark.parametrize("p", [0.1, 0.7, 0.95])
def test_keep_top_p_of_a_few_candidates_equals_that_of_all(scores, p):
    scores = keep_top_k(scores, 10)
    assert torch.equal(keep_top_p(scores, p, candidates=10), reference_rules.TopPLogitsWarper(p)(None, scores))


@pytest.mark.parametrize("penalty", [0.5, 1.2, 3.0])
def test_penalize_repetition(scores, tokens, penalty):
    expected = reference_rules.RepetitionPenaltyLogitsProcessor(penalty)(tokens, scores)
    assert torch.equal(penalize_repetition(scores, tokens, penalty), expected)


@pytest.mark.parametrize("size", [1, 2, 3, 31, 40])
@pytest.mark.parametrize("length", [1, 2, 30])
def test_forbid_repeated_ngrams(scores, tokens, size, length):
    tokens = tokens[:, :length]
    expected = reference_rules.NoRepeatNGramLogitsProcessor(size)(tokens, scores)
    assert torch.equal(forbid_repeated_ngrams(scores, tokens, size), expected)


@pytest.mark.parametrize("length", [3, 4, 9])
@pytest.mark.parametrize("eos_token_id", [1, [1, 4]])
def test_an_end_token_is_forbidden_before_the_minimum_length(scores, tokens, length, eos_token_id):
    config = GenerationConfig(min_length=4, eos_token_id=eos_token_id)
    expected = reference_rules.MinLengthLogitsProcessor(4, eos_token_id)(tokens[:, :length], scores)
    assert torch.equal(ScoreRules(config, start_length=1)(tokens[:, :length], scores), expected)


def test_defaults_are_those_of_the_reference():
    documented = ReferenceConfig._get_default_generation_params()
    ours = GenerationConfig().to_dict()
    shared = ours.keys() & documented.keys() - {"max_length"}  # the reference adds its 20 to the start tokens too
    assert {name: ours[name] for name in shared} == {name: documented[name] for name in shared}
    assert len(shared) > 10
    assert GenerationConfig().length_limit(start_length=1) == 1 + documented["max_length"]
