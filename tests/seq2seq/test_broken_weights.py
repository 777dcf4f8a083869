"""A checkpoint with one broken weight: told as such by whatever is made of it, and never a result."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from demo import wording
from demo.handlers import explain
from seq2seq.checkpoints.errors import NotFiniteError
from seq2seq.engine import Engine, EngineSettings, View
from seq2seq.generation import generate
from seq2seq.tasks import GenerationSettings
from tests.seq2seq.test_generation import ToyModel, config, start

TEXT = "Rain fell all night. The river rose, and Anna Lind moved to Oslo in the spring."


@pytest.fixture
def broken(models, tmp_path) -> Callable[..., str]:
    """A copy of a model with one number of one matrix, by a part of its name, replaced."""

    def copy(name: str, part: str, value: float) -> str:
        folder = Path(shutil.copytree(models / name, tmp_path / "broken", dirs_exist_ok=True))
        tensors = load_file(folder / "model.safetensors")
        tensors[next(each for each in tensors if part in each)].view(-1)[0] = value
        save_file(tensors, folder / "model.safetensors")
        return str(folder)

    return copy


def on_cpu(dtype: str, tmp_path: Path) -> Engine:
    return Engine(EngineSettings(models=tmp_path, device="cpu", dtype=dtype))


ENCODER, DECODER = "encoder.encoder.layer.1.attention.self.value", "decoder.bert.encoder.layer.1.attention.self.value"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("value", [float("nan"), 1e30])
@pytest.mark.parametrize("part", [ENCODER, DECODER])
@pytest.mark.parametrize(
    "settings",
    [{}, {"num_beams": 4}, {"do_sample": True}, {"do_sample": True, "num_beams": 3}, {"wording": "quoted"}],
    ids=str,
)
def test_nothing_is_written_with_broken_weights(broken, tmp_path, dtype, value, part, settings):
    engine, model = on_cpu(dtype, tmp_path), broken("taught", part, value)
    with pytest.raises(NotFiniteError, match=f"^{model}: .*no numbers.*Fetch or save the checkpoint anew") as told:
        list(engine.run("summarize", TEXT, model, GenerationSettings(**settings)))
    assert ("float32" in str(told.value)) == (dtype == "bfloat16")
    assert explain(told.value) == wording.NO_NUMBERS


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("value", [float("nan"), 1e30])
def test_nothing_is_answered_with_broken_weights(broken, tmp_path, dtype, value):
    engine, model = on_cpu(dtype, tmp_path), broken("asked", "layer.1.attention.self.value", value)
    with pytest.raises(NotFiniteError, match=model):
        list(engine.answer("who moved?", TEXT.lower(), model))
    with pytest.raises(NotFiniteError, match=model):
        list(engine.answer_many([("who moved?", TEXT.lower())], model))


def test_neither_in_batches_nor_for_a_look(broken, tmp_path):
    engine, model = on_cpu("float32", tmp_path), broken("taught", ENCODER, float("nan"))
    with pytest.raises(NotFiniteError, match=model):
        list(engine.run_many("fuse", [TEXT, "Rain fell."], model))
    with pytest.raises(NotFiniteError, match=model):
        engine.attention(engine.force("fuse", TEXT, "Rain fell.", model), View("cross", 0))


def test_a_folder_that_was_mended_is_read_anew(broken, models, tmp_path):
    engine, model = on_cpu("float32", tmp_path), broken("taught", ENCODER, float("nan"))
    with pytest.raises(NotFiniteError):
        list(engine.run("fuse", TEXT, model))
    shutil.copy(models / "taught" / "model.safetensors", model)
    *_, last = engine.run("fuse", TEXT, model)
    assert last.finished


class Spoiled(ToyModel):
    """Says `value` of some tokens, from its third step on."""

    def __init__(self, value: float, tokens: slice) -> None:
        super().__init__(2)
        self.value, self.tokens = value, tokens

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        logits = super().__call__(tokens)
        if self.num_calls >= 3:
            logits[-1, self.tokens] = self.value
        return logits


WAYS = [{}, {"num_beams": 3}, {"do_sample": True}, {"do_sample": True, "num_beams": 3}]
ALL = slice(None)


@pytest.mark.parametrize("settings", WAYS, ids=str)
@pytest.mark.parametrize(
    ("value", "tokens"),
    [(float("nan"), ALL), (float("nan"), slice(5, 6)), (float("inf"), slice(5, 6)), (-float("inf"), ALL)],
)
def test_a_search_ends_where_logits_are_none(settings, value, tokens):
    with pytest.raises(NotFiniteError):
        generate(Spoiled(value, tokens), start(2), config(**settings, min_new_tokens=4))


@pytest.mark.parametrize("settings", WAYS, ids=str)
@pytest.mark.parametrize("tokens", [slice(0, 1), slice(3, None)])
def test_tokens_that_are_ruled_out_are_no_broken_weights(settings, tokens):
    assert len(generate(Spoiled(-float("inf"), tokens), start(2), config(**settings)).sequences) == 2
