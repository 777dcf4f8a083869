"""Which models the engine offers, and what it says when one cannot be had."""

import gc
import json
import os
import platform
import re
import shutil
from pathlib import Path
from weakref import ref

import numpy as np
import pytest
import torch

from seq2seq.checkpoints.errors import CheckpointError
from seq2seq.engine import Engine, EngineSettings, View, explaining
from seq2seq.engine.local import choose_device, choose_dtype, read_card
from seq2seq.engine.memory import SPARING, have_libraries_keep_little, keep_freed_memory
from seq2seq.explain.attention import attention
from seq2seq.explain.saliency import saliency
from seq2seq.tasks import SKILLS, TASKS, GenerationSettings, InputError, writing
from seq2seq.tasks.writing import encode


def test_models_are_found_with_what_they_can_do(engine):
    assert [card.name for card in engine.models("fuse")] == ["plain", "taught"]
    assert [card.name for card in engine.models("summarize")] == ["plain", "summarizing", "taught"]
    assert [card.name for card in engine.models("answer")] == ["asked"]
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
    assert count.num_sections == 1
    *_, summary = engine.run("summarize", "bakery " * 500, "taught")
    assert engine.count_tokens("summarize", "bakery " * 500, "taught").num_sections == summary.num_sections > 1


@pytest.fixture
def read(monkeypatch) -> list[tuple[int, ...]]:
    """The sources that an encoder has read since, without those that it remembered."""
    sources = []

    def noting(model, input_ids):
        sources.append(input_ids)
        return encode(model, input_ids)

    monkeypatch.setattr(writing, "encode", noting)
    return sources


def test_a_text_that_was_read_ahead_is_not_read_again(models, read):
    engine = Engine(EngineSettings(models=models))
    engine.load("fuse", "taught")
    engine.read_ahead("fuse", "Rain fell all night.", "taught")
    assert len(read) == 1
    written = engine.force("fuse", "Rain fell all night.", "Rain fell.", "taught")
    engine.attention(written, View("cross", 0))
    list(engine.run("fuse", "Rain fell all night.", "taught"))
    assert len(read) == 1


def test_nothing_is_read_ahead_that_a_model_must_be_loaded_for_or_others_wait_for(models, read):
    engine = Engine(EngineSettings(models=models))
    engine.read_ahead("fuse", "Rain fell all night.", "taught")
    assert not engine.loaded
    engine.load("fuse", "taught")
    with engine.turns:
        engine.read_ahead("fuse", "Rain fell all night.", "taught")
    assert not read
    with pytest.raises(InputError, match="Type or paste"):
        engine.read_ahead("fuse", " ", "taught")


def test_the_last_look_is_remembered_beside_the_last_layer_that_was_looked_at_whole(models, monkeypatch):
    seen = []
    monkeypatch.setattr(explaining, "attention", lambda pair, view: seen.append(view) or attention(pair, view))
    engine = Engine(EngineSettings(models=models))
    written = engine.force("fuse", "Rain fell all night.", "Rain fell.", "taught")
    by_words, whole, other = View("cross", 0, "words", "words"), View("cross", 0), View("decoder", 0, "words", "words")
    words = engine.attention(written, by_words)
    assert engine.attention(written, by_words) is words
    assert seen == [by_words]
    for view in (whole, other, other, whole):
        engine.attention(written, view)
    regrouped = engine.attention(written, by_words)
    assert seen == [by_words, whole, other]
    np.testing.assert_allclose(regrouped.weights, words.weights, atol=1e-6)
    engine.forget()
    engine.attention(written, whole)
    assert seen == [by_words, whole, other, whole]


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


def config_file(folder, **values) -> str:
    (folder / "config.json").write_text(json.dumps(values))
    return str(folder)


@pytest.mark.parametrize(
    ("model_type", "architectures"),
    [("bert", None), ("big_bird", None), ("bigbird_pegasus", ["BigBirdPegasusForCausalLM"])],
)
def test_a_model_that_neither_writes_nor_answers_is_refused(engine, tmp_path, model_type, architectures):
    path = config_file(tmp_path, model_type=model_type, architectures=architectures)
    with pytest.raises(CheckpointError, match=f"{model_type} model, which does not write text"):
        engine.card("fuse", path)


@pytest.mark.parametrize(
    ("values", "tasks"),
    [
        ({"model_type": "encoder-decoder"}, TASKS),
        ({"model_type": "bigbird_pegasus"}, ("summarize",)),
        ({"model_type": "bigbird_pegasus", "architectures": ["BigBirdPegasusForQuestionAnswering"]}, ("answer",)),
        ({"model_type": "big_bird", "architectures": ["BigBirdForQuestionAnswering"]}, ("answer",)),
    ],
)
def test_the_class_that_a_configuration_names_says_what_a_model_can_do(tmp_path, values, tasks):
    assert read_card("any", config_file(tmp_path, **values)).tasks == tasks


def test_cards_of_every_kind_have_their_sizes(engine):
    assert card_sizes(engine.card("answer")) == (0, 4, 2, 64)
    assert card_sizes(engine.card("summarize", "summarizing")) == (2, 2, 3, 64)


def card_sizes(card) -> tuple[int, int, int, int]:
    return card.num_layers, card.num_heads, card.num_encoder_layers, card.max_source_tokens


@pytest.mark.parametrize(("task", "model"), [("fuse", "asked"), ("answer", "taught"), ("split", "summarizing")])
def test_a_model_is_not_asked_for_what_it_cannot_do(engine, task, model):
    with pytest.raises(CheckpointError, match=f"{model} does not {task}; it was made to"):
        engine.load(task, model)


def test_bigbird_pegasus_writes_and_can_be_looked_at(engine):
    text = "Rain fell all night; the river rose, and nobody crossed it."
    *_, result = engine.run("summarize", text, "summarizing", GenerationSettings(min_new_tokens=3))
    assert 3 <= len(result.target_ids) <= 12
    assert result.finished
    assert list(engine.run_many("summarize", [text], "summarizing")) == [
        list(engine.run("summarize", text, "summarizing"))[-1].text
    ]
    for kind, layer in (("cross", 1), ("encoder", 2), ("decoder", 0)):
        record = engine.attention(result.written("summarize", "summarizing"), View(kind, layer))
        assert record.weights.shape[1:] == (len(record.targets), len(record.sources))
        assert np.allclose(record.weights.sum(-1), 1, atol=1e-5)


def test_a_question_is_answered_and_counted(engine):
    context = "Rain fell all night; the river rose, and nobody crossed it."
    *_, reading = engine.answer("What rose?", context)
    assert reading.answer.best == reading.answer.spans[0]
    assert reading.answer.best.text in context
    assert engine.count_tokens("answer", context).num_tokens == len(reading.answer.tokens)


def test_many_questions_come_back_in_order_and_errors_as_values(engine):
    rows = [("What rose?", f"The river rose {number} times." if number % 7 else "") for number in range(40)]
    answers = list(engine.answer_many(iter(rows)))
    assert [isinstance(each, InputError) for each in answers] == [number % 7 == 0 for number in range(40)]
    assert [each.context for each in answers if not isinstance(each, InputError)] == [row[1] for row in rows if row[1]]


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


def test_freed_memory_is_kept_where_glibc_can_be_told():
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")


def test_libraries_keep_little_unless_the_host_says_otherwise(monkeypatch):
    first, *others = SPARING
    monkeypatch.setenv(first, "1000")
    for name in others:
        monkeypatch.delenv(name, raising=False)
    have_libraries_keep_little()
    assert {name: os.environ[name] for name in SPARING} == SPARING | {first: "1000"}


def test_models_that_do_not_fit_together_take_turns_in_memory(models):
    roomy = Engine(EngineSettings(models=models, dtype="float32"))
    for task, model in (("fuse", "taught"), ("answer", "asked"), ("summarize", "summarizing")):
        roomy.load(task, model)
    room = sum(roomy.loaded.values()) - 1
    engine = Engine(EngineSettings(models=models, dtype="float32", memory=room / 1e9))
    written = engine.force("fuse", "Rain fell. Rivers rose.", "Rain fell.", "taught")
    look = engine.attention(written, View("cross"))
    engine.load("answer", "asked")
    assert engine.loaded.keys() == {"taught", "asked"}
    engine.load("summarize", "summarizing")
    assert engine.loaded.keys() == {"asked", "summarizing"}
    assert np.array_equal(engine.attention(written, View("cross")).weights, look.weights)
    assert "taught" in engine.loaded


def test_a_default_that_cannot_be_loaded_is_told_once_and_the_others_are_loaded(models, tmp_path, caplog):
    shutil.copytree(models, tmp_path, dirs_exist_ok=True)
    broken = Engine(EngineSettings(models=models)).card("fuse").name
    (tmp_path / broken / "model.safetensors").write_bytes(b"none")
    engine = Engine(EngineSettings(models=tmp_path))
    engine.load_defaults()
    assert engine.loaded.keys() == {engine.card(skill).name for skill in SKILLS} - {broken} != set()
    [told] = caplog.records
    assert told.getMessage().startswith(f"{broken} cannot be loaded: ")
    assert told.exc_info is None


@pytest.mark.parametrize(("error", "told"), [(OSError("no such device"), "no such device"), (KeyError(), "KeyError()")])
def test_whatever_a_default_fails_with_the_others_are_loaded(models, monkeypatch, caplog, error, told):
    engine = Engine(EngineSettings(models=models))
    broken = engine.card("fuse").name
    read = engine._read

    def failing(name):
        if name == broken:
            raise error
        return read(name)

    monkeypatch.setattr(engine, "_read", failing)
    engine.load_defaults()
    assert engine.loaded.keys() == {engine.card(skill).name for skill in SKILLS} - {broken} != set()
    assert [record.getMessage() for record in caplog.records] == [f"{broken} cannot be loaded: {told}"]


def test_what_is_remembered_of_a_model_does_not_keep_it_in_memory(models, monkeypatch):
    engine = Engine(EngineSettings(models=models))
    written = engine.force("fuse", "Rain fell. Rivers rose.", "Rain fell.", "taught")
    model = ref(engine.load("fuse", "taught").model)

    def given_up_meanwhile(*args):
        found = saliency(*args)
        engine._shelf.drop("taught")
        return found

    monkeypatch.setattr(explaining, "saliency", given_up_meanwhile)
    engine.heads(written, "cross")
    gc.collect()
    assert model() is None


def test_a_layer_that_was_looked_at_whole_is_not_looked_at_again(models, monkeypatch):
    looks = []

    def noting(pair, view):
        looks.append(view)
        return attention(pair, view)

    monkeypatch.setattr(explaining, "attention", noting)
    engine = Engine(EngineSettings(models=models))
    written = engine.force("fuse", "Rain fell. Rivers rose.", "Rain fell.", "taught")
    whole, words, other = View("cross", 1), View("cross", 1, "words", "words"), View("cross", 0, "words", "words")
    asked = [words, whole, words, other, whole, words]
    records = [engine.attention(written, view) for view in asked]
    assert looks == [words, whole, other]
    assert np.allclose(records[0].weights, records[-1].weights, atol=1e-6)
    engine.attention(engine.force("fuse", "Rain fell. Rivers rose.", "Rivers rose.", "taught"), words)
    assert looks == [words, whole, other, words]


def test_a_model_larger_than_all_memory_is_told_and_another_works(models):
    roomy = Engine(EngineSettings(models=models, dtype="float32"))
    roomy.load("fuse", "taught")
    roomy.load("answer", "asked")
    small, large = sorted(roomy.loaded, key=roomy.loaded.get)
    engine = Engine(EngineSettings(models=models, dtype="float32", memory=roomy.loaded[small] / 1e9))
    task = {"taught": "fuse", "asked": "answer"}
    with pytest.raises(CheckpointError, match="GLOSS_MEMORY"):
        engine.load(task[large], large)
    assert engine.loaded == {}
    assert engine.load(task[small], small)


UNREADABLE = Path("/proc/self/mem")  # to open it is allowed; to read its first byte is an error of the device


@pytest.mark.skipif(not UNREADABLE.exists(), reason="this system has no file that cannot be read")
@pytest.mark.parametrize("filename", ["config.json", "model.safetensors", "spiece.model"])
def test_one_file_that_cannot_be_read_is_named_and_keeps_no_other_model_from_working(models, tmp_path, filename):
    for name in ("good", "other"):
        shutil.copytree(models / "taught", tmp_path / name)
    weights = [path for path in (tmp_path / "other").glob("model*") if path.suffix == ".safetensors"]
    (path,) = weights if filename == "model.safetensors" else [tmp_path / "other" / filename]
    path.unlink()
    path.symlink_to(UNREADABLE)
    engine = Engine(EngineSettings(models=tmp_path, device="cpu"))
    assert all(card.num_bytes is not None or card.name == "other" for card in engine.encoders())
    assert all(card.num_parameters is not None or card.name == "other" for card in engine.encoders())
    assert "good" in [card.name for card in engine.models("fuse")]
    engine.load("fuse", "good")
    with pytest.raises(CheckpointError, match=rf"{re.escape(str(path))} cannot be read \(.*may read it"):
        engine.load("fuse", str(tmp_path / "other"))
