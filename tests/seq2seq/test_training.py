"""Training a model that writes: pairs, vocabulary, warm start, batches, the loop and its resuming, measures."""

import copy
import gzip
import json
from dataclasses import replace

import pytest
import sentencepiece
import torch

from seq2seq.engine import EngineSettings
from seq2seq.models import BertConfig, BertModel, EncoderDecoderModel
from seq2seq.training.batches import batches
from seq2seq.training.data import (
    Ingredient,
    OracleSentences,
    Pair,
    PrincipalDigest,
    PrincipalSentences,
    SentencesByWorth,
    is_sound,
    mix,
    oracle,
    principal_sentence,
    read_pairs,
)
from seq2seq.training.evaluate import lead, novelty, rewriting_scores, summary_scores
from seq2seq.training.loop import TrainingSettings, freeze, grouped, learning_rate, train, update
from seq2seq.training.prepare import prepare
from seq2seq.training.recipes import FUSION
from seq2seq.training.sari import sari
from seq2seq.training.vocabulary import old_pieces, transfer_embeddings
from seq2seq.training.warm_start import spread, warm_start, warm_start_pegasus, with_long_encoder
from seq2seq.training.writing import PairExample, encode

OLD_WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "rain", "fell", "the", "bridge", "##s", "##ell", "f", ".", "o"]
OLD_IDS = {word: index for index, word in enumerate(OLD_WORDS)}


@pytest.fixture
def data(tmp_path):
    rows = [{"source": f"Rain fell. The bridge {n} closed.", "target": f"Rain fell and the bridge {n} closed."}
            for n in range(20)]  # fmt: skip
    (tmp_path / "fusion").mkdir()
    with gzip.open(tmp_path / "fusion" / "toy.train.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return tmp_path


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    bert = BertModel(BertConfig(vocab_size=len(OLD_WORDS), hidden_size=16, num_hidden_layers=2,
                                num_attention_heads=2, intermediate_size=32, max_position_embeddings=32))  # fmt: skip
    return bert, warm_start(bert, torch.randn(40, 16), dropout=0.0)


def test_splitting_reads_fusion_pairs_backwards(data):
    fused = read_pairs(data, Ingredient("fuse", "fusion/toy"))
    split = read_pairs(data, Ingredient("split", "fusion/toy"))
    assert [(pair.source, pair.target) for pair in split] == [(pair.target, pair.source) for pair in fused]


def test_the_principal_sentence_shares_most_with_the_others():
    sentences = ["It was cold.", "The bridge over the river closed.", "The river rose.", "The bridge was old."]
    assert principal_sentence(sentences) == sentences[1]


def test_a_plain_text_gives_a_pair_for_each_paragraph_that_has_a_principal_sentence():
    paragraph = "The old bridge over the river was closed to all cars in spring. The river rose. The bridge was old. "
    rows = {"text": f"A heading\n{paragraph * 2}\nToo short. It is."}
    (pair,) = PrincipalSentences("summarize", "x", min_source_words=30).pairs(rows)
    assert pair.source == paragraph * 2
    assert pair.target == "The old bridge over the river was closed to all cars in spring."


def test_a_long_text_gives_its_principal_sentences_in_their_order():
    paragraphs = [f"The old bridge number {n} over the river was closed to all cars. It is." for n in range(30)]
    (pair,) = PrincipalDigest("summarize", "x", min_source_words=100, most=4).pairs({"text": "\n".join(paragraphs)})
    assert pair.source == "\n".join(paragraphs[:20])  # of 300 words
    assert pair.target.count(".") == 2
    assert pair.target.split(". ")[0] in pair.source
    assert list(PrincipalDigest("summarize", "x").pairs({"text": "Too short."})) == []


def test_the_oracle_chooses_what_says_most_of_the_summary_and_no_more():
    sentences = [
        "The weather was fine on that day in the harbour town.",
        "The council closed the old bridge because engineers found cracks.",
        "Ships may pass below the bridge until the end of June.",
        "Nobody knows who built the first of the harbour's three mills.",
    ]
    summary = "Cracks were found, so the council closed the old bridge. Ships may pass until June."
    assert oracle(sentences, summary, most=8) == [1, 2]
    assert oracle(sentences, summary, most=1) == [1]
    assert oracle(sentences, "Xylophones!", most=8) == []
    row = {"source": " ".join(sentences), "target": summary}
    (pair,) = OracleSentences("summarize", "x").pairs(row)
    assert (pair.source, pair.chosen) == (row["source"], (sentences[1], sentences[2]))
    assert pair.target == f"{sentences[1]} {sentences[2]}"
    assert list(OracleSentences("summarize", "x").pairs(row | {"target": "Xylophones!"})) == []


def test_sentences_of_a_short_text_weigh_by_how_much_of_the_summary_each_says():
    sentences = [
        "The weather was fine on that day in the harbour town.",
        "The council closed the old bridge because engineers found cracks.",
    ]
    row = {"source": " ".join(sentences), "target": "The council closed the old bridge because of cracks."}
    (pair,) = SentencesByWorth("summarize", "x").pairs(row)
    assert pair.chosen == tuple(sentences)
    assert sum(pair.weights) == pytest.approx(1)
    assert pair.weights[1] > 0.9
    (even,) = SentencesByWorth("summarize", "x", sharpness=0).pairs(row)
    assert even.weights == (0.5, 0.5)
    assert list(SentencesByWorth("summarize", "x").pairs(row | {"source": sentences[0]})) == []


def test_a_mix_takes_each_ingredient_as_often_as_asked_and_repeats_with_its_seed(data):
    ingredients = (Ingredient("fuse", "fusion/toy", times=1.5), Ingredient("split", "fusion/toy", times=2))
    pairs = mix(data, ingredients, seed=1)
    assert sorted(pair.task for pair in pairs) == ["fuse"] * 30 + ["split"] * 40
    assert pairs == mix(data, ingredients, seed=1) != mix(data, ingredients, seed=2)


@pytest.mark.parametrize(
    ("source", "target", "sound"),
    [
        ("Rain fell. We left.", "Rain fell and we left.", True),
        ("Rain fell. We left.", "In 1932 rain fell.", False),
        ("Rain fell. We left.", "Completely different matters entirely occurred.", False),
        ("Rain fell.", "", False),
        ("rain " * 40, "rain", False),
    ],
)
def test_pairs_that_teach_invention_or_are_too_long_are_left_out(source, target, sound):
    ingredient = Ingredient("fuse", "x", max_new_words=0.25, max_source_words=30)
    assert is_sound(Pair("fuse", source, target), ingredient) is sound


@pytest.mark.parametrize(
    ("piece", "expected"),
    [("▁Rain", ["rain"]), ("▁fell", ["fell"]), ("s", ["##s"]), (".", ["."]), ("ell", ["##ell"]),
     ("▁bridges", ["bridge", "##s"]), ("▁żółw", [])],
)  # fmt: skip
def test_a_new_piece_knows_its_old_pieces(piece, expected):
    assert [OLD_WORDS[index] for index in old_pieces(piece, OLD_IDS)] == expected


def test_twins_differ_by_the_same_direction(models):
    processor = sentencepiece.SentencePieceProcessor(model_file=str(models / "spiece.model"))
    vectors = transfer_embeddings(processor, OLD_IDS, torch.randn(len(OLD_WORDS), 64))
    assert vectors.shape == (processor.get_piece_size(), 64)
    ids = {processor.id_to_piece(index): index for index in range(processor.get_piece_size())}
    letters = [letter for letter in "abcdefghijklmnopqrstuvwxyz" if letter in ids and letter.upper() in ids]
    differences = torch.stack([vectors[ids[letter.upper()]] - vectors[ids[letter]] for letter in letters])
    alike = torch.nn.functional.cosine_similarity(differences[:1], differences[1:])
    assert len(letters) > 3
    assert alike.min() > 0.5
    assert differences.norm(dim=-1).min() > 0.3 * vectors.norm(dim=-1).mean()


def test_a_warm_start_reads_like_the_bert_it_came_from(model):
    bert, pair = model
    words = torch.randn(2, 7, 16)
    read = pair.encoder(inputs_embeds=words).last_hidden_state
    assert torch.allclose(read, bert.eval()(inputs_embeds=words).last_hidden_state, atol=1e-5)
    block = pair.decoder.stack.layers[1]
    assert torch.equal(block.cross_attention.query.weight, block.self_attention.query.weight)
    assert block.cross_attention.query.weight is not block.self_attention.query.weight


def test_a_long_encoder_reads_short_texts_as_before_and_long_ones_too(model, tmp_path):
    pair = model[1].eval()
    longer = with_long_encoder(pair, 100)
    inputs = {"input_ids": torch.randint(4, 40, (2, 30)), "labels": torch.randint(4, 40, (2, 5))}
    assert longer.config.encoder.attention_type == "block_sparse"
    assert torch.allclose(longer.eval()(**inputs).logits, pair(**inputs).logits, atol=1e-5)
    positions = longer.encoder.embeddings.position.weight
    assert torch.equal(positions[:32], positions[32:64])
    assert longer(input_ids=torch.randint(4, 40, (1, 100)), labels=inputs["labels"][:1]).loss.isfinite()
    longer.save_pretrained(tmp_path)
    loaded = EncoderDecoderModel.from_pretrained(tmp_path)
    assert loaded.config.decoder_start_token_id == pair.config.decoder_start_token_id
    assert torch.equal(loaded(**inputs).logits, longer(**inputs).logits)


def test_a_pegasus_begins_with_a_pairs_parts_each_behind_the_norm_before_it(model):
    pair = with_long_encoder(model[1], 64).eval()
    pegasus = warm_start_pegasus(pair, 96, num_layers=(2, 1)).eval()
    ours, theirs = pegasus.model.encoder.layers, pair.encoder.layers
    normed = pair.encoder.embeddings.norm(torch.randn(2, 5, 16))
    assert torch.equal(ours[0].self_attention.query(normed), theirs[0].self_attention.query(normed))
    assert torch.equal(ours[0].self_attention_norm.weight, pair.encoder.embeddings.norm.weight)
    assert torch.equal(ours[1].self_attention_norm.weight, theirs[0].feed_forward_norm.weight)
    assert torch.equal(ours[1].feed_forward_norm.weight, theirs[1].self_attention_norm.weight)
    assert torch.equal(pegasus.model.encoder.last_norm.bias, theirs[1].feed_forward_norm.bias)
    (writes,), (wrote, _) = pegasus.model.decoder.layers, pair.decoder.stack.layers
    assert torch.equal(writes.cross_attention.key.weight, wrote.cross_attention.key.weight)
    assert torch.equal(writes.cross_attention_norm.weight, wrote.self_attention_norm.weight)
    assert torch.equal(writes.feed_forward_norm.weight, wrote.cross_attention_norm.weight)
    assert pegasus(input_ids=torch.randint(4, 40, (1, 90)), labels=torch.randint(4, 40, (1, 5))).loss < 20


def test_a_pegasus_begins_with_states_as_large_as_the_pairs_and_reads_words_off_them_alike(model):
    pair = with_long_encoder(model[1], 64).eval()
    pegasus = warm_start_pegasus(pair, 96, num_layers=(1, 2)).eval()
    old, new = pair.decoder.stack, pegasus.model.decoder
    assert new.config.embedding_scale == 4
    before = old.embeddings.word.weight + old.embeddings.position.weight[0]
    after = new.config.embedding_scale * new.embeddings.word.weight + new.embeddings.position.weight[0]
    normed = old.embeddings.norm(before)
    assert torch.allclose(old.embeddings.norm(after), normed, atol=1e-4)
    assert after.std(dim=-1).mean().item() == pytest.approx(normed.std(dim=-1).mean().item(), rel=1e-2)
    states = torch.randn(1, 3, 16)
    plain = pair.decoder.lm_head(old.layers[1].feed_forward_norm(states))
    assert torch.allclose(pegasus.lm_head(new.last_norm(states)), plain, atol=1e-4)


@pytest.mark.parametrize(("count", "layers"), [(1, [0]), (2, [0, 5]), (4, [0, 2, 3, 5]), (6, [0, 1, 2, 3, 4, 5])])
def test_layers_are_spread_over_those_that_there_are(count, layers):
    assert spread(count, 6) == layers


def test_a_run_goes_on_from_a_checkpoint_with_its_vocabulary(data, tmp_path):
    toy = replace(
        FUSION,
        ingredients=(Ingredient("fuse", "fusion/toy"),),
        dev=(Ingredient("fuse", "fusion/toy"),),
        max_position_embeddings=600,
    )
    (data / "fusion" / "toy.dev.jsonl.gz").write_bytes((data / "fusion" / "toy.train.jsonl.gz").read_bytes())
    start = EngineSettings().models / "gloss-fusion"
    pair, training, dev = prepare(toy, data, start, tmp_path / "run")
    assert (tmp_path / "run" / "spiece.model").read_bytes() == (start / "spiece.model").read_bytes()
    assert pair.config.encoder.max_position_embeddings >= 600
    assert {example.task for example in training} == {"fuse"}
    assert {example.task for example in dev} == {"fuse fusion/toy"}


def examples(count: int) -> list[PairExample]:
    chance = torch.Generator().manual_seed(0)
    lengths = torch.randint(2, 12, (count,), generator=chance).tolist()
    rows = [torch.randint(4, 40, (length,), generator=chance).tolist() for length in lengths]
    return [PairExample("fuse", row, [*row, 1]) for row in rows]


def test_a_pair_is_encoded_behind_its_prompt_and_cut():
    example = encode(Pair("fuse", "abcdef", "abc"), lambda text: [ord(c) for c in text], "#", eos=1, limit=4)
    assert bytes(example.source_ids) == b"# ab"
    assert example.target_ids == [*b"abc", 1]


def test_batches_hold_every_example_once_within_their_budget():
    given = examples(300)
    groups = batches(given, batch_cost=120, seed=0)
    assert sorted(map(id, sum(groups, []))) == sorted(map(id, given))
    assert all(len(group) * max(example.cost for example in group) <= 120 or len(group) == 1 for group in groups)
    assert groups == batches(given, 120, seed=0) != batches(given, 120, seed=1)


def test_what_is_frozen_stays_as_it_is_and_the_rest_is_trained(model):
    pair = copy.deepcopy(model[1])
    before = copy.deepcopy(dict(pair.named_parameters()))
    freeze(pair, ["encoder.embeddings", "decoder.stack.layers.0."])
    settings = TrainingSettings(num_steps=1, warmup_steps=1)
    update(pair, torch.optim.AdamW(grouped(pair, 0.01), lr=1e-2), [examples(8)], settings, step=0)
    same = {name for name, value in pair.named_parameters() if torch.equal(value, before[name])}
    assert same == {name for name in before if name.startswith(("encoder.embeddings", "decoder.stack.layers.0."))}
    with pytest.raises(ValueError, match="No parameter's name begins with 'head'"):
        freeze(pair, ["head"])


def test_the_learning_rate_rises_and_falls():
    settings = TrainingSettings(num_steps=100, learning_rate=1.0, warmup_steps=10)
    rates = [learning_rate(settings, step) for step in range(101)]
    assert max(rates) == pytest.approx(1.0, abs=0.02)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == 0


def test_batches_of_one_step_are_as_one_batch(model):
    given = examples(12)
    settings = TrainingSettings(num_steps=10, warmup_steps=1, max_grad_norm=1e9)
    gradients, losses = [], []
    for groups in ([given], [given[:3], given[3:]]):
        pair = copy.deepcopy(model[1])
        optimizer = torch.optim.SGD(pair.parameters(), lr=0.0)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(optimizer, "zero_grad", lambda set_to_none: None)
            losses.append(update(pair, optimizer, groups, settings, step=0))
        gradients.append(torch.cat([p.grad.flatten() for p in pair.parameters() if p.grad is not None]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.999
    assert gradients[0].norm().item() == pytest.approx(gradients[1].norm().item(), rel=0.01)


@pytest.mark.parametrize("batches_a_step", [1, 2])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(model, tmp_path, batches_a_step):
    settings = TrainingSettings(
        num_steps=12,
        warmup_steps=2,
        batch_cost=120,
        validate_every=4,
        learning_rate=3e-3,
        batches_a_step=batches_a_step,
    )
    start = {name: value.clone() for name, value in model[1].state_dict().items()}

    def run(folder, num_steps=12):
        model[1].load_state_dict(start)
        train(model[1], examples(60), examples(8), replace(settings, num_steps=num_steps), folder)
        return {name: value.clone() for name, value in model[1].state_dict().items()}

    whole = run(tmp_path / "whole")

    killed = tmp_path / "killed"
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 10)
        with pytest.raises(KeyboardInterrupt):
            run(killed)
    resumed = run(killed)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    log = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [4, 8, 12]
    assert log[-1]["dev"]["fuse"] < log[0]["dev"]["fuse"]
    assert (tmp_path / "whole" / "best" / "config.json").exists()


def stop_after(patch, count: int) -> None:
    """Raises KeyboardInterrupt at the loop's update number `count`."""
    from seq2seq.training import loop

    plain, calls = loop.update, []

    def counted(*arguments):
        calls.append(1)
        if len(calls) > count:
            raise KeyboardInterrupt
        return plain(*arguments)

    patch.setattr(loop, "update", counted)


def test_scores_of_rewriting():
    pairs = [Pair("fuse", "Rain fell. We left.", "Rain fell and we left.")] * 2
    perfect = rewriting_scores(pairs, [pair.target for pair in pairs])  # SARI asks for both full stops to be deleted
    assert perfect == {"BLEU": pytest.approx(100), "SARI": pytest.approx(1100 / 12), "exact %": 100}
    assert rewriting_scores(pairs, [pair.source for pair in pairs])["exact %"] == 0


def test_novelty_counts_words_over_all_outputs_and_facts_by_output():
    counted = novelty(["Rain fell.", "We left."], ["rain FELL hard on Monday", "We left and left"])
    assert counted == {"novel words %": pytest.approx(100 * 2 / 9), "novel names and numbers in 100": 50}


@pytest.mark.parametrize(
    ("output", "expected"),  # of the authors' script with 0/0 = 1
    [
        ("About 95 you now get in.", 26.953601953601954),
        ("About 95 species are now agreed.", 61.70965608465608),
        ("About 95 species are currently agreed.", 50.88681849551415),
    ],
)
def test_sari_of_the_authors_example(output, expected):
    references = [
        "About 95 species are currently known.",
        "About 95 species are now accepted.",
        "95 species are now accepted.",
    ]
    assert sari("About 95 species are currently accepted.", output, references) == pytest.approx(expected)


def test_scores_of_summaries():
    pairs = [Pair("summarize", "a", "The bridges were closed. Rain fell.")]
    assert summary_scores(pairs, [pairs[0].target])["rougeLsum"] == pytest.approx(100)
    assert 0 < summary_scores(pairs, ["The bridge closed."])["rouge1"] < 100


def test_the_lead_is_the_first_sentences():
    assert lead(2)("One. Two! Three? Four.") == "One. Two!"
    assert lead(6)("One. Two!") == "One. Two!"
