"""The checkpoints that come with the project: they do what they are for, and the reference library writes alike."""

import json
import re

import pytest
import torch
import transformers

from seq2seq.engine import Engine, EngineSettings
from seq2seq.engine.settings import EMBEDDED_MODELS
from seq2seq.models import EncoderDecoderModel
from seq2seq.tasks import TASKS
from seq2seq.tokenizers import load_tokenizer

NAME = "gloss-fusion"
EXAMPLES = EMBEDDED_MODELS.parent / "examples"
CASES = [
    (task, text)
    for task in TASKS
    for text in json.loads((EXAMPLES / f"{task}.json").read_text(encoding="utf-8")).values()
]


@pytest.fixture(scope="module")
def engine():
    return Engine(EngineSettings(models=EMBEDDED_MODELS))


@pytest.fixture(scope="module")
def outputs(engine) -> dict[tuple[str, str], str]:
    return {(task, text): next(engine.run_many(task, [text])) for task, text in CASES}


@pytest.mark.parametrize(("task", "text"), CASES)
def test_outputs_are_cased_and_well_spaced(outputs, task, text):
    output = outputs[task, text]
    assert output[:1].isupper()
    assert output[-1] in '.!?”"'
    assert not re.search(r"\s[,.;:!?]|\s\s|,[A-Za-z]", output)


@pytest.mark.parametrize("text", [text for task, text in CASES if task == "fuse"])
def test_a_fusion_is_one_sentence_that_keeps_most_words(outputs, text):
    output = outputs["fuse", text]
    words, kept = set(re.findall(r"\w{4,}", text.lower())), set(re.findall(r"\w{4,}", output.lower()))
    assert len(re.findall(r"[.!?](?:\s|$)", output)) < len(re.findall(r"[.!?](?:\s|$)", text))
    assert len(words & kept) >= 0.7 * len(words)


def test_splits_are_several_sentences(outputs):
    counts = [len(re.findall(r"[.!?](?:\s|$)", output)) for (task, _), output in outputs.items() if task == "split"]
    assert sum(count > 1 for count in counts) >= len(counts) - 1


@pytest.mark.parametrize("text", [text for task, text in CASES if task == "summarize"])
def test_a_summary_is_shorter_than_its_text(outputs, text):
    assert 4 <= len(outputs["summarize", text].split()) <= 0.6 * len(text.split())


@pytest.mark.parametrize("num_beams", [1, 4])
def test_the_reference_library_writes_the_same(num_beams):
    folder = EMBEDDED_MODELS / NAME
    ours = EncoderDecoderModel.from_pretrained(folder, dtype=torch.float32)
    theirs = transformers.EncoderDecoderModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer, their_tokenizer = load_tokenizer(folder), transformers.BertGenerationTokenizer.from_pretrained(folder)
    for task, text in [case for case in CASES if case[0] in ("fuse", "split")][::3]:
        ids = tokenizer(f"<{task}> {text}", return_tensors="pt").input_ids
        assert ids.tolist() == [their_tokenizer(f"<{task}> {text}").input_ids]
        settings = {"num_beams": num_beams, "max_new_tokens": 30, "do_sample": False}
        assert ours.generate(ids, **settings).tolist() == theirs.generate(ids, **settings).tolist()
