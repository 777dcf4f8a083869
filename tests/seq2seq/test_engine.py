"""Which models the engine offers, and what it says when one cannot be had."""

import json

import pytest
import torch

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.engine import Engine, EngineSettings
from seq2seq.engine.local import choose_device, choose_dtype
from seq2seq.tasks import InputError


def test_models_are_found_with_what_they_can_do(engine):
    assert [card.name for card in engine.models("fuse")] == ["plain", "taught"]
    card = engine.card("fuse", "taught")
    assert (card.num_layers, card.num_heads, card.max_source_tokens) == (3, 4, 64)


def test_a_model_taught_some_tasks_offers_only_those(models, tmp_path):
    folder = tmp_path / "splitter"
    folder.mkdir()
    for file in (models / "taught").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    config["task_specific_params"] = {"split": {"prefix": "<split> "}}
    (folder / "config.json").write_text(json.dumps(config))
    engine = Engine(EngineSettings(models=tmp_path))
    assert not engine.models("fuse")
    assert [card.tasks for card in engine.models("split")] == [("split",)]


def test_a_model_is_loaded_once(engine):
    assert engine.load("fuse", "taught") is engine.load("split", "taught")


def test_a_folder_by_its_path_is_a_model_too(engine, models):
    path = str(models / "taught")
    *_, by_path = engine.run("fuse", "Rain fell all night.", path)
    *_, by_name = engine.run("fuse", "Rain fell all night.", "taught")
    assert by_path.target_ids == by_name.target_ids


def test_count_tokens_counts_the_whole_text(engine):
    count = engine.count_tokens("fuse", "bakery " * 500, "taught")
    assert count.limit == 64 < count.num_tokens


def test_many_texts_come_back_in_order_and_errors_as_values(engine):
    texts = [f"Rain fell {number} times." if number % 7 else " " for number in range(40)]
    outputs = list(engine.run_many("fuse", texts, "taught"))
    assert [isinstance(output, InputError) for output in outputs] == [number % 7 == 0 for number in range(40)]


def test_no_model_at_all_says_what_to_do(tmp_path):
    with pytest.raises(CheckpointError, match="make train"):
        Engine(EngineSettings(models=tmp_path)).card("fuse")


def test_an_unknown_model_is_an_error_that_names_it(engine):
    with pytest.raises(CheckpointError, match="no/such/folder"):
        engine.load("fuse", "./no/such/folder")


def test_a_model_that_does_not_write_is_refused(engine, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(CheckpointError, match="does not write text"):
        engine.card("fuse", str(tmp_path))


def test_device_and_dtype_follow_the_settings():
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_dtype("float16", torch.device("cpu")) == torch.float16
    assert choose_dtype("auto", torch.device("cuda")) == torch.bfloat16
    assert choose_dtype("auto", torch.device("cpu")) in (torch.float32, torch.bfloat16)


def test_settings_come_from_the_environment(monkeypatch, models):
    monkeypatch.setenv("GLOSS_MODELS", str(models))
    monkeypatch.setenv("GLOSS_EXTRA_MODELS", json.dumps([str(models / "plain")]))
    settings = EngineSettings()
    assert settings.models == models
    assert settings.extra_models == (str(models / "plain"),)
