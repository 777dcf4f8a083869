"""Learning to choose sentences: what an example holds, what its loss says, and that it falls."""

import pytest
import torch

from seq2seq.models import BertGenerationConfig, EncoderDecoderConfig, EncoderDecoderModel
from seq2seq.training.batches import batches
from seq2seq.training.choosing import ChoiceExample, likelihoods, to_choose
from seq2seq.training.data import Selection
from seq2seq.training.loop import TrainingSettings, train, validation_losses
from seq2seq.training.writing import PairExample

SENTENCES = (
    "The weather was fine on that day in the harbour town.",
    "The council closed the old bridge because engineers found cracks.",
    "Ships may pass below the bridge until the end of June.",
)


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
    """The sentence that opens as its source does is chosen."""
    chance = torch.Generator().manual_seed(seed)
    openings = [torch.randint(4, 40, (3,), generator=chance).tolist() for _ in range(num_sentences)]
    chosen = int(torch.randint(num_sentences, (1,), generator=chance))
    return ChoiceExample("summarize", openings[chosen] * 2, openings, [chosen])


def test_a_selection_becomes_the_openings_of_all_sentences_and_the_places_of_the_chosen():
    selection = Selection.of("summarize", " ".join(SENTENCES), SENTENCES[1:])
    made = to_choose(selection, [7, 8], lambda text: [ord(character) for character in text])
    assert made.source_ids == [7, 8]
    assert [bytes(opening).decode() for opening in made.openings] == [sentence[:8] for sentence in SENTENCES]
    assert (made.chosen, made.num_targets, made.cost) == ([1, 2], 2, 2 + 2 * 24)


def test_the_likelihood_of_an_opening_is_what_the_model_says_of_it_alone(model):
    short = ChoiceExample("summarize", [5, 6, 7, 8], [[9, 10, 11], [12], [13, 14]], [0])
    together = likelihoods(model, short)
    for opening, found in zip(short.openings, together, strict=True):
        output = model(input_ids=torch.tensor([short.source_ids]), labels=torch.tensor([opening]))
        assert found.item() == pytest.approx(-output.loss.item() * len(opening), rel=1e-4)


def test_the_loss_is_that_of_a_choice_among_the_sentences(model):
    both = [example(1), example(2, num_sentences=6)]
    expected = [likelihoods(model, each).softmax(dim=0)[each.chosen].log().sum() for each in both]
    assert ChoiceExample.loss(model, both).item() == pytest.approx(-sum(expected).item() / 2, rel=1e-4)


def test_choosing_is_learnt(model, tmp_path):
    settings = TrainingSettings(
        num_steps=120, warmup_steps=5, batch_cost=400, validate_every=120, learning_rate=1e-2, weight_decay=0.0
    )
    examples, unseen = [example(seed) for seed in range(400)], [example(seed) for seed in range(1000, 1040)]
    before = validation_losses(model, unseen, 400)["summarize"]
    train(model, examples, unseen, settings, tmp_path)
    assert validation_losses(model, unseen, 400)["summarize"] < 0.7 * before


def test_choices_and_pairs_are_never_in_one_batch():
    examples = [example(seed) for seed in range(30)] + [PairExample("summarize", [5] * 6, [6] * 9)] * 30
    groups = batches(examples, batch_cost=200, seed=0)
    assert all(len({type(each) for each in group}) == 1 for group in groups)
    assert sum(map(len, groups)) == 60
