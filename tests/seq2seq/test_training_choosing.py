"""Learning to choose sentences: what an example holds, what its loss says, and that it falls."""

from dataclasses import replace

import pytest
import torch

from seq2seq.models import BertGenerationConfig, EncoderDecoderConfig, EncoderDecoderModel
from seq2seq.tasks.quoting import NOWHERE, first_glance, shares_of
from seq2seq.training.batches import batches
from seq2seq.training.choosing import ChoiceExample, loss_of_glance, to_choose
from seq2seq.training.data import Selection
from seq2seq.training.loop import TrainingSettings, train, validation_losses
from seq2seq.training.writing import PairExample

SENTENCES = (
    "The weather was fine on that day in the harbour town.",
    "The council closed the old bridge because engineers found cracks.",
    "Ships may pass below the bridge until the end of June.",
)
SELECTION = Selection.of("summarize", "A heading\n" + " ".join(SENTENCES), SENTENCES[1:])
PROMPT = "<summarize> "


@pytest.fixture
def model() -> EncoderDecoderModel:
    torch.manual_seed(0)
    half = BertGenerationConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32, initializer_range=0.3, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    special = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 2}
    return EncoderDecoderModel(EncoderDecoderConfig.from_encoder_decoder_configs(half, half, **special))


def example(seed: int, num_sentences: int = 4) -> ChoiceExample:
    """Sentences of three tokens; the one that has token 5 is chosen."""
    chance = torch.Generator().manual_seed(seed)
    source_ids = torch.randint(6, 40, (3 * num_sentences,), generator=chance)
    chosen = int(torch.randint(num_sentences, (1,), generator=chance))
    source_ids[3 * chosen + 1] = 5
    places = [place for place in range(num_sentences) for _ in range(3)]
    return ChoiceExample("summarize", source_ids.tolist(), places, num_sentences, [chosen], [1.0])


def shares(model: EncoderDecoderModel, example: ChoiceExample) -> torch.Tensor:
    """Each sentence's share of the glance at this source alone."""
    glance = first_glance(model, [example.source_ids], model.config.decoder_start_token_id)[0]
    return shares_of(glance, torch.tensor(example.places), example.num_sentences)


def test_a_selection_becomes_the_place_of_each_token_and_the_places_to_look_at(models, engine):
    tokenizer = engine.load("summarize", "taught").tokenizer
    made = to_choose(SELECTION, PROMPT, tokenizer, limit=1000)
    texts = [tokenizer.decode([i for i, at in zip(made.source_ids, made.places, strict=True) if at == place])
             for place in range(made.num_sentences)]  # fmt: skip
    assert texts == list(SENTENCES)
    assert made.places[0] == NOWHERE
    assert (made.chosen, made.weights, made.num_targets) == ([1, 2], [1.0, 1.0], 2)
    assert made.cost == len(made.source_ids)


def test_sentences_that_are_cut_off_are_not_chosen(engine):
    tokenizer = engine.load("summarize", "taught").tokenizer
    whole = to_choose(SELECTION, PROMPT, tokenizer, limit=1000)
    cut = to_choose(SELECTION, PROMPT, tokenizer, limit=whole.places.index(2))
    assert (cut.num_sentences, cut.chosen) == (2, [1])
    assert to_choose(SELECTION, PROMPT, tokenizer, limit=whole.places.index(1)).num_targets == 0


def test_the_loss_is_that_of_a_choice_among_the_sentences(model):
    both = [example(1), example(2, num_sentences=6)]
    expected = [shares(model, each)[each.chosen].log().sum() for each in both]
    assert [shares(model, each).sum().item() for each in both] == pytest.approx([1, 1])
    assert ChoiceExample.loss(model, both).item() == pytest.approx(-sum(expected).item() / 2, rel=1e-4)


def test_sentences_count_by_their_weights(model):
    weighed = replace(example(1), chosen=[0, 2], weights=[0.75, 0.25])
    glance = first_glance(model, [weighed.source_ids], model.config.decoder_start_token_id)[0]
    logs = shares(model, weighed).log()
    assert loss_of_glance(glance, weighed).item() == pytest.approx(-(0.75 * logs[0] + 0.25 * logs[2]).item(), rel=1e-4)
    assert weighed.num_targets == 1


def test_tokens_outside_of_all_sentences_have_no_share(model):
    inside = example(1)
    outside = replace(inside, places=[NOWHERE if place == 0 else place for place in inside.places])
    assert shares(model, outside)[0].item() == 0
    assert shares(model, outside).sum().item() == pytest.approx(1)


def test_choosing_is_learnt(model, tmp_path):
    settings = TrainingSettings(
        num_steps=150, warmup_steps=5, batch_cost=100, validate_every=150, learning_rate=1e-2, weight_decay=0.0
    )
    examples, unseen = [example(seed) for seed in range(400)], [example(seed) for seed in range(1000, 1040)]
    before = validation_losses(model, unseen, 400)["summarize"]
    train(model, examples, unseen, settings, tmp_path)
    assert validation_losses(model, unseen, 400)["summarize"] < 0.5 * before


def test_choices_and_pairs_are_never_in_one_batch():
    examples = [example(seed) for seed in range(30)] + [PairExample("summarize", [5] * 6, [6] * 9)] * 30
    groups = batches(examples, batch_cost=200, seed=0)
    assert all(len({type(each) for each in group}) == 1 for group in groups)
    assert sum(map(len, groups)) == 60
