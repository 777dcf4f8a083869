"""`generate` of our models against the reference library's, and against plainer ways to the same tokens."""

import random
from functools import cache

import pytest
import torch
import transformers

from seq2seq.generation import GenerationConfig, generate
from seq2seq.generation.beam import BeamSearch
from seq2seq.models import EncoderDecoderModel
from seq2seq.models.generating import CachedDecoding
from tests.parity.pairs import (
    Pair,
    assert_close,
    config_of,
    load_pair,
    mask_of_lengths,
    pair_config,
    token_ids,
    vectors,
)

START, EOS, PAD = 2, 1, 0
NUM_MODELS = 8


@cache
def pair_of(seed: int) -> Pair:
    """A pair that is sharp enough for results to vary, and ends often enough for lengths to."""
    draw = random.Random(seed)
    families = draw.choices(("bert-generation", "bert"), k=2)
    shape = {"initializer_range": draw.choice((0.5, 0.7, 1.0)), "vocab_size": draw.randint(30, 60)}
    torch.manual_seed(seed)
    encoder = config_of(families[0], **shape)
    decoder = config_of(families[1], **shape, hidden_size=draw.choice((24, 16)), num_hidden_layers=1)
    special = {"decoder_start_token_id": START, "eos_token_id": EOS, "bos_token_id": START}
    model = transformers.EncoderDecoderModel(pair_config(encoder, decoder, **special))
    return load_pair(ending_sometimes(model, draw))


@cache
def decoder_of(seed: int) -> Pair:
    draw = random.Random(seed)
    torch.manual_seed(seed)
    config = config_of(
        "bert-generation",
        is_decoder=True,
        initializer_range=draw.choice((0.5, 0.7)),
        vocab_size=draw.randint(30, 60),
    )
    return load_pair(ending_sometimes(transformers.BertGenerationDecoder(config), draw))


def ending_sometimes(model, draw):
    with torch.no_grad():
        model.get_output_embeddings().bias[EOS] += draw.uniform(-2, 5)
    return model


def draw_settings(draw: random.Random) -> dict:
    settings = {
        "repetition_penalty": draw.choice((1.0, 1.0, 1.3, 2.5)),
        "no_repeat_ngram_size": draw.choice((0, 0, 1, 2, 3)),
    }
    max_new_tokens = draw.randint(1, 15)
    longest = {"max_new_tokens": max_new_tokens}, {"max_length": draw.randint(10, 16)}, {}
    shortest = {}, {}, {"min_length": draw.randint(1, 10)}, {"min_new_tokens": draw.randint(1, max_new_tokens)}
    settings |= draw.choice(longest) | draw.choice(shortest)
    num_beams = draw.choice((1, 1, 2, 3, 4, 5))
    if num_beams > 1:
        settings |= {
            "num_beams": num_beams,
            "num_return_sequences": draw.randint(1, num_beams),
            "length_penalty": draw.choice((0.0, 0.5, 1.0, 2.0)),
            "early_stopping": draw.choice((False, True, "never")),
        }
    return settings


def draw_batch(draw: random.Random, vocab_size: int, side: str) -> dict:
    lengths = [draw.randint(1, 9) for _ in range(draw.randint(1, 4))]
    mask = mask_of_lengths(lengths, max(lengths), side)
    ids = token_ids(len(lengths), max(lengths), seed=draw.randint(0, 999), vocab_size=vocab_size)
    return {"input_ids": ids * mask, "attention_mask": mask}


def check(pair: Pair, **arguments) -> None:
    arguments |= {"return_dict_in_generate": True, "output_scores": True}
    ours = pair.ours.generate(**arguments)
    theirs = pair.theirs.generate(**arguments)
    assert ours.sequences.tolist() == theirs.sequences.tolist()
    if arguments.get("num_beams", 1) > 1:
        torch.testing.assert_close(ours.sequences_scores, theirs.sequences_scores, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("seed", range(240))
def test_pairs(seed):
    draw = random.Random(seed)
    pair = pair_of(seed % NUM_MODELS)
    check(pair, **draw_batch(draw, pair.theirs.config.encoder.vocab_size, "right"), **draw_settings(draw))


@pytest.mark.parametrize("seed", range(60))
def test_lone_decoders_with_prompts_padded_left(seed):
    draw = random.Random(seed)
    pair = decoder_of(seed % NUM_MODELS)
    check(pair, **draw_batch(draw, pair.theirs.config.vocab_size, "left"), **draw_settings(draw))


@pytest.mark.parametrize("seed", range(NUM_MODELS))
@pytest.mark.parametrize("num_beams", [1, 3])
def test_other_ways_to_start(seed, num_beams):
    pair, lone = pair_of(seed), decoder_of(seed)
    vocab_size = pair.theirs.config.encoder.vocab_size
    ids, mask = token_ids(3, 6, seed=seed, vocab_size=vocab_size), mask_of_lengths((6, 3, 2), 6)
    target = token_ids(3, 2, vocab_size=vocab_size)
    started = torch.cat((torch.full((3, 1), START), target), dim=1)
    with torch.no_grad():
        states = pair.theirs.encoder(ids, attention_mask=mask)
    check(pair, input_ids=ids * mask, num_beams=num_beams)
    check(pair, input_ids=ids, decoder_input_ids=started, num_beams=num_beams)
    check(pair, input_ids=ids, decoder_input_ids=target, num_beams=num_beams)
    check(pair, encoder_outputs=states, attention_mask=mask, num_beams=num_beams)
    check(pair, inputs_embeds=vectors(2, 5, 24), num_beams=num_beams)
    prompts = token_ids(3, 6, seed=seed, vocab_size=30) * mask.flip(1)
    check(lone, input_ids=prompts, num_beams=num_beams)
    check(lone, num_beams=num_beams, max_new_tokens=5)


@pytest.mark.parametrize("special", [{}, {"eos_token_id": 7}, {"eos_token_id": 7, "pad_token_id": 7}])
def test_settings_of_an_older_checkpoint_come_from_its_configuration(special, tmp_path):
    """The pair's own before its decoder's, as far as there is no generation_config.json."""
    theirs = transformers.EncoderDecoderModel(
        pair_config(*(config_of("bert-generation", initializer_range=0.7) for _ in range(2)), **special)
    )
    theirs.save_pretrained(tmp_path)
    (tmp_path / "generation_config.json").unlink()
    pair = Pair(*(library.from_pretrained(tmp_path) for library in (EncoderDecoderModel, type(theirs))))
    check(pair, input_ids=token_ids(4, 5), min_new_tokens=3, num_beams=2)


def test_settings_of_a_checkpoint_go_both_ways(tmp_path):
    theirs = transformers.EncoderDecoderModel(pair_config(*(config_of("bert", initializer_range=0.7),) * 2))
    theirs.generation_config = transformers.GenerationConfig(
        num_beams=3,
        max_length=9,
        repetition_penalty=1.7,
        decoder_start_token_id=START,
        pad_token_id=PAD,
        eos_token_id=5,
    )
    pair = load_pair(theirs)
    check(pair, input_ids=token_ids(4, 5))
    pair.ours.save_pretrained(tmp_path)
    check(Pair(pair.ours, type(theirs).from_pretrained(tmp_path)), input_ids=token_ids(4, 5))
    check(Pair(EncoderDecoderModel.from_pretrained(tmp_path), theirs), input_ids=token_ids(4, 5))


class Recomputing:
    """The next token's logits from a whole pass each time: no cache, and a copy of the source for each beam."""

    def __init__(self, model, input_ids, attention_mask):
        self.model, self.mask = model, attention_mask
        self.states = model.encoder(input_ids, attention_mask=attention_mask).last_hidden_state
        self.prefix = torch.empty((len(input_ids), 0), dtype=torch.long)

    def __call__(self, tokens):
        self.prefix = torch.cat((self.prefix, tokens), dim=1)
        output = self.model(
            encoder_outputs=(self.states,),
            attention_mask=self.mask,
            decoder_input_ids=self.prefix,
            use_cache=False,
        )
        return output.logits[:, -1]

    def reorder(self, rows):
        self.prefix, self.states, self.mask = self.prefix[rows], self.states[rows], self.mask[rows]


SEARCHES = {
    "greedy": {},
    "beams": {"num_beams": 4, "num_return_sequences": 2},
    "beams of short texts": {"num_beams": 3, "length_penalty": 0.0, "no_repeat_ngram_size": 2},
}


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("seed", range(NUM_MODELS))
def test_a_cache_changes_nothing(seed, search):
    model = pair_of(seed).ours
    batch = draw_batch(random.Random(seed), model.config.encoder.vocab_size, "right")
    start = torch.full((len(batch["input_ids"]), 1), START)
    config = GenerationConfig(eos_token_id=EOS, pad_token_id=PAD, max_new_tokens=12, **SEARCHES[search])
    with torch.no_grad():
        expected = generate(Recomputing(model, **batch), start, config)
    output = model.generate(**batch, generation_config=config, return_dict_in_generate=True)
    assert output.sequences.tolist() == expected.sequences.tolist()


@pytest.mark.parametrize("seed", range(NUM_MODELS))
def test_a_beam_search_with_one_beam_is_greedy(seed):
    model = pair_of(seed).ours
    batch = draw_batch(random.Random(seed), model.config.encoder.vocab_size, "right")
    config = GenerationConfig(eos_token_id=EOS, pad_token_id=PAD, max_new_tokens=12)
    with torch.no_grad():
        states = model.project(model.encoder(**batch).last_hidden_state)
        search = BeamSearch(torch.full((len(states), 1), START), config)
        next_token = CachedDecoding(*model.decoder_and_logits(), states, batch["attention_mask"])
        while not search.done:
            search.advance(next_token(search.next_tokens))
    greedy = model.generate(**batch, generation_config=config)
    for row, expected in zip(search.output().sequences.tolist(), greedy.tolist(), strict=True):
        assert up_to_the_end(row) == up_to_the_end(expected)


def up_to_the_end(row: list[int]) -> list[int]:
    """Searches differ in what they pad with."""
    return row[: row.index(EOS) + 1] if EOS in row else row


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("seed", range(NUM_MODELS))
def test_steps(seed, search):
    """The last step is what generate gives, and its probabilities are those of one pass over the whole text."""
    model = pair_of(seed).ours
    batch = draw_batch(random.Random(seed), model.config.encoder.vocab_size, "right")
    settings = {"max_new_tokens": 12, **SEARCHES[search]}
    *steps, last = model.generate_steps(**batch, **settings, num_alternatives=3)
    assert all(step.output is None for step in steps)
    assert last.output.sequences.tolist() == model.generate(**batch, **settings).tolist()
    with torch.no_grad():
        logits = model(**batch, decoder_input_ids=last.tokens[:, :-1]).logits
    expected = logits.log_softmax(dim=-1)
    chosen = expected.gather(2, last.tokens[:, 1:, None])[..., 0]
    best = expected.topk(3)
    for row, length in enumerate(last.lengths.tolist()):
        own = slice(0, length - 1)
        assert_close(last.log_probabilities[row, own], chosen[row, own])
        assert_close(last.alternatives.log_probabilities[row, own], best.values[row, own])
        assert last.alternatives.ids[row, own].tolist() == best.indices[row, own].tolist()


@pytest.mark.parametrize("num_beams", [1, 3])
@pytest.mark.parametrize("seed", range(NUM_MODELS))
def test_without_a_cache_the_same_is_generated(seed, num_beams):
    pair, lone = pair_of(seed).ours, decoder_of(seed).ours
    mask = mask_of_lengths((6, 3, 2), 6)
    for model, its_mask in ((pair, mask), (lone, mask.flip(1))):
        ids = token_ids(3, 6, seed=seed, vocab_size=30) * its_mask
        runs = [
            model.generate(ids, attention_mask=its_mask, num_beams=num_beams, max_new_tokens=8, use_cache=use_cache)
            for use_cache in (True, False)
        ]
        assert runs[0].tolist() == runs[1].tolist()
