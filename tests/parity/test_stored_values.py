"""Our models against values that version 4 of the reference library computed: see make_stored_values.py."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from seq2seq.models import EncoderDecoderModel
from tests.parity.pairs import assert_close

STORED = Path(__file__).parent / "stored"
CHECKPOINTS = sorted(path.name for path in STORED.iterdir())


def values_of(checkpoint: str) -> dict[str, torch.Tensor]:
    return load_file(STORED / checkpoint / "values.safetensors")


def under(values: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


def runs():
    for checkpoint in CHECKPOINTS:
        for name in sorted({name.partition("/in/")[0] for name in values_of(checkpoint) if "/in/" in name}):
            if name != "steps":
                yield checkpoint, name


@torch.no_grad()
@pytest.mark.parametrize(("checkpoint", "run"), runs())
def test_what_a_part_returns(checkpoint, run):
    model = EncoderDecoderModel.from_pretrained(STORED / checkpoint)
    part = model if run.startswith("model/") else getattr(model, run.partition("/")[0])
    inputs, expected = (under(values_of(checkpoint), f"{run}/{side}/") for side in ("in", "out"))
    output = part(**inputs, use_cache=False, output_attentions=True, output_hidden_states=True)
    assert set(output.keys()) - {"encoder_last_hidden_state"} == set(expected)
    for field, value in expected.items():
        ours = torch.stack(output[field]) if isinstance(output[field], tuple) else output[field]
        assert_close(ours, value, field)


@torch.no_grad()
@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_one_token_at_a_time(checkpoint):
    model = EncoderDecoderModel.from_pretrained(STORED / checkpoint)
    values = under(values_of(checkpoint), "steps/")
    past, logits = None, []
    for token in values["in/decoder_input_ids"].split(1, dim=1):
        output = model(values["in/input_ids"], decoder_input_ids=token, past_key_values=past, use_cache=True)
        past = output.past_key_values
        logits.append(output.logits)
    assert_close(torch.cat(logits, dim=1), values["out/logits"])
    whole = model(values["in/input_ids"], decoder_input_ids=values["in/decoder_input_ids"], use_cache=True)
    assert_close(whole.logits, values["out/logits"])
