"""One layer's attention over a finished pair of texts, against the model's own and against writing step by step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seq2seq.attention.tape import recording
from seq2seq.explain.attention import attention
from seq2seq.explain.pair import pair_of
from seq2seq.generation.generate import generate_steps
from seq2seq.tasks import GenerationSettings, Written
from seq2seq.trace import by_words
from tests.seq2seq.explain.conftest import TEXT, finished


def looked(writer, task, text, target_ids, kind, layer):
    return attention(pair_of(writer, Written(task, text, target_ids)), kind, layer)


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
