"""Generation against oracles: every sequence, greedy for one beam, alone for a batch, no cache for cache."""

from __future__ import annotations

import itertools

import pytest
import torch

from seq2seq.generation import GenerationConfig, KeyValueCache, generate, generate_steps
from seq2seq.generation.beam import BeamSearch

EOS, PAD = 1, 0


class ToyModel:
    """A NextToken with one attention layer over a KeyValueCache, for `num_sources` different sources."""

    def __init__(self, num_sources: int, vocab_size: int = 12, eos_bias: float = 0.0, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.embedding = 2 * torch.randn(vocab_size, 6, generator=generator)
        self.positions = torch.randn(64, 6, generator=generator)
        self.head = torch.randn(6, vocab_size, generator=generator)
        self.sources = torch.randn(num_sources, 6, generator=generator)
        self.bias = torch.zeros(vocab_size)
        self.bias[EOS] = eos_bias
        self.cache = KeyValueCache(1)
        self.num_calls = 0

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        self.num_calls += 1
        start = self.cache.length
        read = self.embedding[tokens] + self.positions[start : start + tokens.shape[1]]
        keys, values = self.cache.layers[0].self_attention.append(read[:, None], read[:, None])
        beams = tokens.shape[0] // len(self.sources)
        query = read[:, -1:] + self.sources.repeat_interleave(beams, dim=0)[:, None]
        weights = (query @ keys[:, 0].transpose(1, 2)).softmax(dim=-1)
        return ((weights @ values[:, 0])[:, 0] + query[:, 0]) @ self.head + self.bias

    def reorder(self, rows: torch.Tensor) -> None:
        self.cache.reorder(rows)


class ToyModelWithoutCache(ToyModel):
    """The same, reading the whole prefix again at each step."""

    prefix: torch.Tensor | None = None

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        self.prefix = tokens if self.prefix is None else torch.cat((self.prefix, tokens), dim=1)
        self.cache = KeyValueCache(1)
        return super().__call__(self.prefix)

    def reorder(self, rows: torch.Tensor) -> None:
        self.prefix = self.prefix[rows]


def start(num_sources: int) -> torch.Tensor:
    return torch.full((num_sources, 1), 2)


def config(**settings) -> GenerationConfig:
    return GenerationConfig(**{"eos_token_id": EOS, "pad_token_id": PAD, "max_new_tokens": 12} | settings)


@pytest.mark.parametrize("settings", [{}, {"num_beams": 4}, {"num_beams": 3, "num_return_sequences": 3}])
@pytest.mark.parametrize("seed", range(5))
def test_cache_equals_no_cache(seed, settings):
    cached = generate(ToyModel(3, seed=seed), start(3), config(max_new_tokens=30, **settings))
    plain = generate(ToyModelWithoutCache(3, seed=seed), start(3), config(max_new_tokens=30, **settings))
    assert cached.sequences.tolist() == plain.sequences.tolist()


@pytest.mark.parametrize("seed", range(10))
def test_one_beam_equals_greedy(seed):
    settings = config(num_beams=1, early_stopping=True, pad_token_id=EOS)
    model = ToyModel(3, seed=seed, eos_bias=2.0)
    search = BeamSearch(start(3), settings, num_alternatives=None)
    with torch.no_grad():
        search.advance(model(start(3)))
        while not search.done:
            model.reorder(search.rows)
            search.advance(model(search.next_tokens))
    greedy = generate(ToyModel(3, seed=seed, eos_bias=2.0), start(3), settings)
    assert search.output().sequences.tolist() == greedy.sequences.tolist()


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_enough_beams_find_the_best_of_all_sequences(length_penalty):
    vocab_size, length = 4, 3
    settings = config(
        num_beams=16,
        num_return_sequences=5,
        eos_token_id=None,
        max_new_tokens=length,
        length_penalty=length_penalty,
    )
    output = generate(ToyModel(1, vocab_size), start(1), settings)
    totals = {}
    for new in itertools.product(range(vocab_size), repeat=length):
        model, tokens, total = ToyModelWithoutCache(1, vocab_size), start(1), 0.0
        for id in new:
            with torch.no_grad():
                total += float(model(tokens).log_softmax(dim=-1)[0, id])
            tokens = torch.tensor([[id]])
        totals[new] = total / length**length_penalty
    best = sorted(totals, key=totals.get, reverse=True)[:5]
    assert [tuple(row[1:]) for row in output.sequences.tolist()] == best
    assert output.sequences_scores.tolist() == pytest.approx([totals[new] for new in best], rel=1e-5)


@pytest.mark.parametrize("num_beams", [1, 4])
def test_rows_of_a_batch_do_not_know_of_each_other(num_beams):
    settings = config(num_beams=num_beams, max_new_tokens=20)
    model = ToyModel(4, eos_bias=3.0, seed=3)
    together = generate(model, start(4), settings).sequences.tolist()
    lengths = set()
    for index, row in enumerate(together):
        alone_model = ToyModel(4, eos_bias=3.0, seed=3)
        alone_model.sources = alone_model.sources[index : index + 1]
        alone = generate(alone_model, start(1), settings).sequences[0].tolist()
        assert row[: len(alone)] == alone
        assert set(row[len(alone) :]) <= {PAD, EOS}
        lengths.add(len(alone))
    assert len(lengths) > 1


@pytest.mark.parametrize("settings", [{}, {"num_beams": 3}, {"do_sample": True, "num_return_sequences": 2}])
def test_steps_grow_to_the_output(settings):
    settings = config(min_new_tokens=4, **settings)
    seeded = [torch.Generator().manual_seed(7) for _ in range(2)]
    steps = list(generate_steps(ToyModel(2), start(2), settings, generator=seeded[0], num_alternatives=3))
    output = generate(ToyModel(2), start(2), settings, generator=seeded[1])
    assert [step.tokens.shape[1] for step in steps] == list(range(2, len(steps) + 2))
    assert [step.output is None for step in steps] == [True] * (len(steps) - 1) + [False]
    last = steps[-1]
    assert last.output.sequences.tolist() == output.sequences.tolist()
    assert last.finished.all()
    own = [row[:length].tolist() for row, length in zip(last.tokens, last.lengths, strict=True)]
    assert own == [row[: len(row_own)] for row, row_own in zip(output.sequences.tolist(), own, strict=True)]
    for step in steps:
        new = step.tokens.shape[1] - 1
        assert step.log_probabilities.shape == (len(step.tokens), new)
        assert step.alternatives.ids.shape == (len(step.tokens), new, 3)
        assert (step.log_probabilities <= 0).all()


def test_steps_that_were_handed_out_do_not_change():
    steps = list(generate_steps(ToyModel(2), start(2), config(num_beams=3), num_alternatives=2))
    again = generate_steps(ToyModel(2), start(2), config(num_beams=3), num_alternatives=2)
    for kept, fresh in zip(steps, again, strict=True):
        assert torch.equal(kept.tokens, fresh.tokens)
        assert torch.equal(kept.log_probabilities, fresh.log_probabilities)
        assert torch.equal(kept.finished, fresh.finished)


def test_greedy_takes_the_first_alternative_unless_a_rule_forbids_it():
    *_, free = generate_steps(ToyModel(2), start(2), config(eos_token_id=None), num_alternatives=1)
    assert torch.equal(free.alternatives.ids[..., 0], free.tokens[:, 1:])
    assert torch.equal(free.alternatives.log_probabilities[..., 0], free.log_probabilities)
    ruled = config(eos_token_id=None, no_repeat_ngram_size=1)
    *_, last = generate_steps(ToyModel(2), start(2), ruled, num_alternatives=1)
    assert (last.alternatives.log_probabilities[..., 0] >= last.log_probabilities).all()
    assert not torch.equal(last.alternatives.ids[..., 0], last.tokens[:, 1:])


@pytest.mark.parametrize("num_beams", [1, 3])
def test_nothing_is_recorded_that_was_not_asked_for(num_beams):
    settings = config(num_beams=num_beams)
    bare = next(generate_steps(ToyModel(1), start(1), settings, num_alternatives=None))
    assert bare.log_probabilities is None
    assert bare.alternatives is None
    plain = next(generate_steps(ToyModel(1), start(1), settings))
    assert plain.log_probabilities.shape == (1, 1)
    assert plain.alternatives is None


@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_caller_may_stop_at_any_step(num_beams):
    model = ToyModel(1, eos_bias=-20.0)
    steps = generate_steps(model, start(1), config(num_beams=num_beams, max_new_tokens=30))
    for _ in range(3):
        next(steps)
    steps.close()
    assert model.num_calls == 3


def test_gradients_are_off_inside_a_step_only():
    steps = generate_steps(ToyModel(1), start(1), config())
    assert not next(steps).log_probabilities.requires_grad
    assert torch.is_grad_enabled()


def test_draws_follow_their_generator_alone():
    settings = config(do_sample=True, num_return_sequences=4, temperature=2.0, eos_token_id=None)
    before = torch.random.get_rng_state()
    first, same, other = (
        generate(ToyModel(2), start(2), settings, generator=torch.Generator().manual_seed(seed)).sequences
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert first.shape[0] == 8
    assert len(set(map(tuple, first[:4].tolist()))) > 1
    assert torch.equal(torch.random.get_rng_state(), before)


def test_lengths_are_counted_with_and_without_the_start_tokens():
    prompt = torch.tensor([[2, 5, 6]])
    no_end = {"eos_token_id": None, "pad_token_id": None}
    for settings, length in (
        ({"max_length": 7}, 7),
        ({"max_new_tokens": 7}, 10),
        ({"max_new_tokens": 2, "max_length": 9}, 5),
        ({}, 23),
    ):
        output = generate(ToyModel(1), prompt, GenerationConfig(**no_end, **settings))
        assert output.sequences.shape == (1, length)


@pytest.mark.parametrize("num_beams", [1, 2])
def test_an_end_token_ends_and_not_before_the_minimum(num_beams):
    settings = {"num_beams": num_beams, "early_stopping": True}
    output = generate(ToyModel(1, eos_bias=50.0), start(1), config(**settings))
    assert output.sequences.tolist() == [[2, EOS]]
    later = generate(ToyModel(1, eos_bias=50.0), start(1), config(min_new_tokens=4, **settings))
    assert later.sequences[0].tolist().index(EOS) >= 5
    any_of_two = generate(ToyModel(1, eos_bias=50.0), start(1), config(eos_token_id=[7, EOS], **settings))
    assert any_of_two.sequences.tolist() == [[2, EOS]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_beams": 0}, "num_beams must be a whole number, at least 1; it is 0"),
        ({"num_beams": 2.0}, "num_beams must be a whole number"),
        ({"max_new_tokens": 0}, "max_new_tokens must be a whole number, at least 1, or None"),
        ({"temperature": 0.0, "do_sample": True}, "temperature must be a number above 0; it is 0.0"),
        ({"temperature": float("nan")}, "temperature must be"),
        ({"top_p": 1.2}, "top_p must be a number from 0 to 1; it is 1.2"),
        ({"top_k": -1}, "top_k must be"),
        ({"repetition_penalty": "high"}, "repetition_penalty must be a number above 0; it is 'high'"),
        ({"no_repeat_ngram_size": -2}, "no_repeat_ngram_size must be"),
        ({"early_stopping": "always"}, "early_stopping must be True, False or \"never\"; it is 'always'"),
        ({"eos_token_id": [1, "</s>"]}, "eos_token_id must be a token id, a list of them, or None"),
        ({"num_return_sequences": 3}, "num_return_sequences must be 1 without beams or sampling"),
        (
            {"num_beams": 2, "num_return_sequences": 3},
            "num_return_sequences must be at most num_beams, which is 2",
        ),
        ({"max_new_tokens": None, "max_length": 1}, "max_length is 1 and the start tokens alone are 1"),
    ],
)
def test_impossible_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        generate(ToyModel(1), start(1), config(**settings))


def test_start_tokens_must_be_there():
    with pytest.raises(ValueError, match=r"they are \(2, 0\)"):
        generate(ToyModel(2), torch.empty((2, 0), dtype=torch.long), config())


def test_settings_read_files_and_overrides():
    read = GenerationConfig.from_dict({"num_beams": 4, "top_k": None, "transformers_version": "4.57.6"})
    assert read == GenerationConfig(num_beams=4)
    merged = read.merged(num_beams=None, max_new_tokens=9, eos_token_id=[3, 4])
    assert merged == GenerationConfig(num_beams=4, max_new_tokens=9, eos_token_id=[3, 4])
    assert merged.merged(eos_token_id=None).eos_ids == ()
    assert GenerationConfig.from_dict(merged.to_dict()) == merged
    with pytest.raises(ValueError, match="does not know beams"):
        read.merged(beams=4)
