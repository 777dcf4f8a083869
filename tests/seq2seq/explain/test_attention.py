"""One layer's attention over a finished pair of texts, against the model's own and against writing step by step."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from seq2seq.attention.tape import recording
from seq2seq.explain.attention import SummedUp, View, attention, decode, fitting, is_whole, regrouped
from seq2seq.explain.grain import Axis, sentences
from seq2seq.explain.pair import pair_of
from seq2seq.generation.generate import generate_steps
from seq2seq.models import BigBirdConfig, BigBirdModel
from seq2seq.tasks import GenerationSettings, Written, writing
from seq2seq.trace import by_words
from tests.seq2seq.explain.conftest import TEXT, finished, pair


def looked(writer, task, text, target_ids, kind, layer):
    return attention(pair_of(writer, Written(task, text, target_ids)), View(kind, layer))


@pytest.mark.parametrize("kind", ["cross", "encoder", "decoder"])
@pytest.mark.parametrize("layer", [0, 2])
def test_attention_is_what_the_model_itself_reports(writer, kind, layer):
    result = finished(writer, TEXT)
    record = looked(writer, "fuse", TEXT, result.target_ids, kind, layer)
    source = torch.tensor([writer.source("fuse", TEXT).input_ids])
    decoder_input = torch.tensor([[2, *result.target_ids[:-1]]])
    with torch.no_grad():
        output = writer.model(input_ids=source, decoder_input_ids=decoder_input, output_attentions=True)
    fields = {"cross": "cross_attentions", "encoder": "encoder_attentions", "decoder": "decoder_attentions"}
    assert np.allclose(record.weights, output[fields[kind]][layer][0].numpy(), atol=1e-4)
    assert record.weights.shape[1:] == (len(record.targets), len(record.sources))
    assert np.allclose(record.weights.sum(-1), 1, atol=1e-5)


def test_attention_equals_what_generating_step_by_step_saw(writer):
    result = finished(writer, TEXT)
    record = looked(writer, "fuse", TEXT, result.target_ids, "cross", 1)
    source = torch.tensor([writer.source("fuse", TEXT).input_ids])
    config = writer.generation_config("fuse", GenerationSettings())
    start_ids, next_token = writer.model.start(source, None, config, {})
    rows = []
    with recording(lambda kind, layer: (kind, layer) == ("cross", 1)) as tape:
        for _ in generate_steps(next_token, start_ids, config):
            rows.append(tape.weights["cross", 1][0, :, -1].numpy())
    assert np.allclose(record.weights, np.stack(rows, axis=1), atol=1e-4)


def plainly_decoded(pair):
    with torch.no_grad():
        return pair.model(pair.input_ids, decoder_input_ids=pair.decoder_input_ids, use_cache=False).logits


@pytest.mark.parametrize("most", [0, 2**27])
def test_outputs_of_one_source_and_of_another_are_read_as_if_alone(writer, summarizing, monkeypatch, most):
    monkeypatch.setattr(writing, "MOST_KEPT_ACROSS", most)
    for writes, task in ((writer, "fuse"), (summarizing, "summarize")):
        for text, target_ids in (
            (TEXT, (5, 6, 7)),
            (TEXT, (8,)),
            ("Rain.", (5, 6, 7)),
            (TEXT, (5, 6, 7)),
            (TEXT, (9, 4)),
        ):
            pair = pair_of(writes, Written(task, text, target_ids))
            with torch.no_grad():
                torch.testing.assert_close(decode(pair), plainly_decoded(pair))


def test_what_is_looked_at_across_is_made_once_for_all_outputs(writer):
    made = []
    key = writer.model.decoder_and_logits()[0].layers[0].cross_attention.key
    watch = key.register_forward_hook(lambda *_: made.append(1))
    text = "Rain fell on the harbour of Holm."
    writer.read_ahead(writer.source("fuse", text))
    for target_ids in ((5, 6, 7), (8, 9)):
        looked(writer, "fuse", text, target_ids, "cross", 2)
    watch.remove()
    assert len(made) == 1


def test_attention_by_words_keeps_rows_that_sum_to_one(writer):
    result = finished(writer, TEXT)
    record = by_words(looked(writer, "fuse", TEXT, result.target_ids, "cross", 1))
    assert np.allclose(record.weights.sum(-1), 1, atol=1e-5)
    words = [token.text for token in record.sources if not token.special]
    assert [word for word in words if word] == TEXT.split()


@pytest.mark.parametrize("layer", [-1, 3])
def test_a_layer_that_is_not_there_is_refused(writer, layer):
    with pytest.raises(ValueError, match="layer must be from 0 to 2"):
        looked(writer, "fuse", TEXT, (5, 6), "cross", layer)


def test_looking_back_needs_an_output(writer):
    with pytest.raises(ValueError, match="Run the model first"):
        looked(writer, "fuse", TEXT, (), "cross", 0)


def all_attentions(pair):
    """By kind: L T S, means of heads, from the model's own report."""
    with torch.no_grad():
        output = pair.model(
            input_ids=pair.input_ids, decoder_input_ids=pair.decoder_input_ids, output_attentions=True, use_cache=False
        )
    fields = {"cross": "cross_attentions", "encoder": "encoder_attentions", "decoder": "decoder_attentions"}
    return {kind: torch.stack(output[field])[:, 0].mean(dim=1).numpy() for kind, field in fields.items()}


def halfway(attention):
    return (attention + np.eye(len(attention))) / 2


@pytest.mark.parametrize("fixture", ["writer", "summarizing"])
def test_rollout_is_the_product_of_what_every_layer_mixes(request, fixture):
    made = pair(request.getfixturevalue(fixture), task="summarize", min_new_tokens=5)
    seen = all_attentions(made)
    for kind in ("encoder", "decoder"):
        expected = np.linalg.multi_dot([*map(halfway, seen[kind][::-1]), np.eye(seen[kind].shape[-1])])
        record = attention(made, View(kind, "rollout"))
        assert record.weights.shape == (1, *expected.shape)
        assert np.allclose(record.weights[0], expected, atol=1e-5)


def test_rollout_across_follows_what_the_decoder_reads_of_itself(writer):
    made = pair(writer, min_new_tokens=5)
    seen = all_attentions(made)
    source = np.linalg.multi_dot([*map(halfway, seen["encoder"][::-1]), np.eye(seen["encoder"].shape[-1])])
    reached = np.zeros(seen["cross"].shape[1:])
    for own, across in zip(seen["decoder"], seen["cross"], strict=True):
        reached = halfway(own) @ reached
        reached = (reached + across @ source) / 2
    record = attention(made, View("cross", "rollout"))
    assert np.allclose(record.weights[0], reached / reached.sum(-1, keepdims=True), atol=1e-5)
    assert np.allclose(record.weights.sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize("kind", ["cross", "encoder", "decoder"])
def test_all_layers_together_are_their_mean(writer, kind):
    made = pair(writer)
    record = attention(made, View(kind, "all layers"))
    assert np.allclose(record.weights[0], all_attentions(made)[kind].mean(axis=0), atol=1e-5)


@pytest.mark.parametrize("kind", ["cross", "encoder"])
def test_words_are_sums_of_what_is_seen_and_means_of_who_looks(writer, kind):
    made = pair(writer)
    expected = by_words(attention(made, View(kind, 1)))
    record = attention(made, View(kind, 1, rows="words", columns="words"))
    assert record.targets == expected.targets
    assert record.sources == expected.sources
    assert np.allclose(record.weights, expected.weights, atol=1e-5)


def test_sentences_are_sums_of_their_tokens(writer):
    made = pair(writer)
    whole, record = attention(made, View("cross", 2)), attention(made, View("cross", 2, columns="sentences"))
    assert [piece.text for piece in record.sources if not piece.special] == TEXT.replace(". ", ".|").split("|")
    for column, piece in enumerate(record.sources):
        inside = [
            token is piece if piece.special else piece.start <= token.start < piece.end and not token.special
            for token in whole.sources
        ]
        if not piece.special:
            assert np.allclose(record.weights[..., column], whole.weights[..., inside].sum(-1), atol=1e-5)
    assert np.allclose(record.weights.sum(-1), 1, atol=1e-5)


def test_a_stretch_is_looked_at_by_its_tokens_alone(writer):
    made = pair(writer)
    second = sentences(TEXT)[1]
    whole = attention(made, View("encoder", 1))
    record = attention(made, View("encoder", 1, rows_within=second, columns_within=second))
    inside = [i for i, token in enumerate(whole.sources) if not token.special and token.end > second.start]
    assert [token.text.strip() for token in record.sources] == [whole.sources[i].text.strip() for i in inside]
    assert np.allclose(record.weights, whole.weights[:, inside][:, :, inside], atol=1e-5)


@pytest.mark.parametrize("kind", ["cross", "encoder"])
@pytest.mark.parametrize(("rows", "columns"), [("tokens", "tokens"), ("words", "words"), ("tokens", "sentences")])
def test_a_layer_that_was_looked_at_whole_has_every_view_of_it(writer, kind, rows, columns):
    made, whole = pair(writer), View(kind, 1)
    second = sentences(TEXT)[1]
    for within in (None, second):
        view = View(kind, 1, rows, columns, within if kind == "encoder" else None, within)
        found, expected = regrouped(attention(made, whole), view), attention(made, view)
        assert np.allclose(found.weights, expected.weights, atol=1e-6)
        assert replace(found, weights=None) == replace(expected, weights=None)
        assert is_whole(view) == (view == whole)


def test_a_sparse_layer_is_summed_up_as_its_own_map():
    """A BigBird of blocks of 4 tokens, which reads 90 of them sparsely."""
    torch.manual_seed(0)
    shape = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
             "intermediate_size": 64, "max_position_embeddings": 128, "block_size": 4, "num_random_blocks": 1,
             "random_blocks": "original"}  # fmt: skip
    model = BigBirdModel(BigBirdConfig(**shape)).eval()
    ids = torch.randint(5, 50, (1, 90))
    tens = Axis((), tuple(range(start, start + 10) for start in range(0, 90, 10)), 90)
    with torch.no_grad(), recording(lambda kind, layer: layer == 1, keep=SummedUp(tens)) as tape:
        expected = model(input_ids=ids, output_attentions=True).attentions[1]
        model(input_ids=ids)
    assert torch.allclose(tape.weights["encoder", 1], expected @ tens.member(), atol=1e-5)


def test_a_map_of_too_many_cells_gets_coarser_step_by_step(writer):
    made = pair(writer, min_new_tokens=6)
    fine = View("encoder", 1)
    cells = {}
    for rows, columns in (("tokens", "tokens"), ("tokens", "words"), ("words", "words"), ("words", "sentences")):
        shape = attention(made, View("encoder", 1, rows, columns)).weights.shape
        cells[rows, columns] = shape[1] * shape[2]
    for grains, count in cells.items():
        found = fitting(made, fine, count)
        assert (found.rows, found.columns) == grains
    assert fitting(made, fine, 1) == View("encoder", 1, "sentences", "sentences")


@pytest.mark.parametrize("layer", [1, "rollout", "all layers"])
@pytest.mark.parametrize("kind", ["cross", "encoder", "decoder"])
def test_a_model_in_half_precision_is_looked_at_in_single(writer, kind, layer):
    half = replace(writer, model=copy.deepcopy(writer.model).to(torch.bfloat16))
    written = finished(writer, TEXT, min_new_tokens=5).written("fuse")
    exact, coarse = (attention(pair_of(each, written), View(kind, layer)) for each in (writer, half))
    assert coarse.weights.dtype == np.float32
    assert np.allclose(coarse.weights.sum(-1), 1, atol=1e-3)
    assert np.abs(coarse.weights - exact.weights).max() < 0.1
