"""Which sentences an output leans on: by each method against its own definition, and what is named of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from seq2seq.explain import provenance as module
from seq2seq.explain.ablation import masked_ablation
from seq2seq.explain.pair import forced, pair_of
from seq2seq.explain.provenance import BEST_UP_TO, method_for, provenance, provenance_of, strongest
from seq2seq.explain.saliency import saliency
from seq2seq.trace import Leaning, Token

TEXT = "Anna Lind moved to Oslo. She opened a small bakery. Rain fell all night."
SENTENCES = [Token("Anna Lind moved to Oslo.", 0, 25), Token("She opened a small bakery.", 25, 52),
             Token("Rain fell all night.", 52, 72)]  # fmt: skip
OUTPUT = "Anna moved. Rain fell."
TOLD = [Token("Anna moved.", 0, 12), Token("Rain fell.", 12, 22)]


@pytest.fixture(params=["writer", "summarizing"])
def made(request):
    writer = request.getfixturevalue(request.param)
    return pair_of(writer, forced(writer, "summarize", TEXT, OUTPUT))


def inside(tokens, piece):
    return [i for i, token in enumerate(tokens) if not token.special and piece.start <= token.start < piece.end]


def attention_sums(made, told):
    """Of the head that looks most at one sentence, as the model itself reports it."""
    with torch.no_grad():
        output = made.model(
            input_ids=made.input_ids, decoder_input_ids=made.decoder_input_ids, output_attentions=True, use_cache=False
        )
    heads = [
        [head[inside(made.source.tokens, piece)].sum().item() for piece in SENTENCES]
        for layer in output.cross_attentions
        for head in layer[0][:, inside(made.targets, told)].mean(dim=1)
    ]
    return max(heads, key=max)


def gradient_sums(made, told):
    places = inside(made.targets, told)
    scores = saliency(made, places[0], places[-1] + 1).scores
    return [np.abs(scores[inside(made.source.tokens, piece)]).sum() for piece in SENTENCES]


def falls(made, told):
    places = inside(made.targets, told)
    return masked_ablation(made, places[0], places[-1] + 1).scores.clip(min=0)


def test_lines_that_have_no_token_cost_nothing(writer, monkeypatch):
    weighed = []

    def by_attention(pair, groups, member):
        weighed.append(member.shape[1])
        return module.by_attention(pair, groups, member)

    def told(text):
        leanings = provenance(pair_of(writer, forced(writer, "summarize", text, OUTPUT)), "attention")
        return [[(source.text, share) for source, share in leaning.sources] for leaning in leanings]

    plain = told(TEXT)
    monkeypatch.setattr(module, "WEIGHINGS", {"attention": by_attention})
    assert told(TEXT + "\n\u200b" * 500) == plain
    assert weighed == [len(SENTENCES)]


OF_METHOD = {"attention": attention_sums, "gradient": gradient_sums, "ablation": falls}


@pytest.mark.parametrize("method", OF_METHOD)
def test_shares_are_of_what_all_sentences_got(made, method, monkeypatch):
    monkeypatch.setattr(module, "WORTH_NAMING", 0.0)
    leanings = provenance(made, method)
    assert [leaning.sentence for leaning in leanings] == TOLD
    for leaning in leanings:
        weights = np.array(OF_METHOD[method](made, leaning.sentence))
        order = [place for place in np.argsort(-weights) if weights[place] > 0]
        assert [piece for piece, _ in leaning.sources] == [SENTENCES[place] for place in order]
        assert np.allclose([share for _, share in leaning.sources], (weights / weights.sum())[order], atol=2e-3)
    assert any(leaning.sources for leaning in leanings)


def named(*weights):
    pieces = [Token(letter, place, place + 1) for place, letter in enumerate("abcdefg"[: len(weights)])]
    return [(piece.text, pytest.approx(share)) for piece, share in strongest(torch.tensor(weights), pieces)]


def test_three_are_named_at_most_best_first():
    assert named(1.0, 4.0, 2.0, 3.0) == [("b", 0.4), ("d", 0.3), ("c", 0.2)]


def test_what_has_less_than_a_tenth_of_the_best_is_not_named():
    assert named(10.0, 1.1, 0.9) == [("a", 10 / 12), ("b", 1.1 / 12)]


def test_nothing_is_named_where_nothing_weighed():
    assert named(0.0, 0.0) == []


def test_a_text_of_one_sentence_is_leaned_on_alone(writer):
    made = pair_of(writer, forced(writer, "summarize", "Anna Lind moved to Oslo.", OUTPUT))
    assert [leaning.sources for leaning in provenance(made, "attention")] == [
        ((Token(made.source.text, 0, 24), 1.0),)
    ] * 2


def test_an_output_without_text_leans_on_nothing(writer):
    made = pair_of(writer, forced(writer, "summarize", TEXT, OUTPUT))
    silent = replace(made, target_ids=made.target_ids[-1:])
    assert silent.target_text == ""
    assert provenance(silent) == ()


def test_a_method_that_does_not_say_it_is_refused(writer):
    made = pair_of(writer, forced(writer, "summarize", TEXT, OUTPUT))
    with pytest.raises(ValueError, match="by attention, gradient, ablation; got 'integrated_gradients'"):
        provenance(made, "integrated_gradients")


def quoting(writer, text, output):
    return pair_of(writer, forced(writer, "summarize", text, output))


def untold(monkeypatch):
    """Nobody may ask the model."""
    monkeypatch.setattr(module, "WEIGHINGS", {})


@pytest.mark.parametrize("model", ["writer", "summarizing"])
def test_of_a_quote_is_told_where_it_stands_and_no_model_is_asked(request, model, monkeypatch):
    untold(monkeypatch)
    first, _, last = SENTENCES
    found = provenance_of(quoting(request.getfixturevalue(model), TEXT, f"{first.text} {last.text}"), quoted=True)
    assert (found.method, found.sources, found.source_text) == ("quoted", tuple(SENTENCES), TEXT)
    assert found.leanings == (
        Leaning(Token(first.text, 0, 24), ((first, 1.0),)),
        Leaning(Token(last.text, 25, 45), ((last, 1.0),)),
    )


def test_of_equal_sentences_each_is_told_once_in_their_order(writer, monkeypatch):
    untold(monkeypatch)
    text = "Rain fell. Anna moved. Rain fell. Rain fell."
    leanings = provenance_of(quoting(writer, text, "Rain fell. Rain fell. Anna moved."), quoted=True).leanings
    assert [source.start for leaning in leanings for source, _ in leaning.sources] == [0, 23, 11]


def test_a_quote_is_found_where_its_sentences_alone_would_be_read_otherwise(writer, monkeypatch):
    """Two headings, side by side, are one sentence; and the longer of two that fit is meant."""
    untold(monkeypatch)
    text = "The town\n\nThe town of Holm\n\nRain fell."
    leanings = provenance_of(quoting(writer, text, "The town of Holm Rain fell."), quoted=True).leanings
    assert [leaning.sentence.text for leaning in leanings] == ["The town of Holm", "Rain fell."]


@pytest.mark.parametrize("output", ["Anna Lind moved.", "Rain fell all night. And day.", "Rain fell all nights."])
def test_what_is_no_quote_after_all_is_asked_of_the_model(writer, output):
    made = quoting(writer, TEXT, output)
    found = provenance_of(made, quoted=True)
    assert (found.method, found.leanings) == ("ablation", provenance(made))


def test_a_copy_that_the_model_wrote_is_no_quote(writer):
    made = quoting(writer, TEXT, SENTENCES[0].text)
    found = provenance_of(made, quoted=False)
    assert (found.method, found.leanings, found.sources) == ("ablation", provenance(made), tuple(SENTENCES))


def test_the_best_method_is_asked_unless_the_source_is_long(writer, monkeypatch):
    assert [method_for(length) for length in (BEST_UP_TO, BEST_UP_TO + 1)] == ["ablation", "attention"]
    made = quoting(writer, TEXT, OUTPUT)
    monkeypatch.setattr(module, "BEST_UP_TO", len(made.source.input_ids) - 1)
    found = provenance_of(made, quoted=False)
    assert (found.method, found.leanings) == ("attention", provenance(made, "attention"))
