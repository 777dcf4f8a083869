"""Two runs side by side, with the embedded models and without a browser."""

from __future__ import annotations

import json

import gradio as gr
import numpy as np
import pytest

from demo.comparing import Comparing, keep
from demo.explorer_words import settings_fact
from demo.links import Look
from demo.looking import Looking
from demo.tabs.compare_panel import compare_panel
from seq2seq.engine import Engine, EngineSettings
from seq2seq.tasks import GenerationSettings

TEXT = "Anna Lind moved to Oslo in 2011. She opened a small bakery there."
FORM = ("cross", 5, [], "words", 1, False, "hidden", False)  # of its second sentence


@pytest.fixture(scope="module")
def looking() -> Looking:
    return Looking(Engine(EngineSettings()))


def explored(looking, text, output):
    *_, (_, found, *_) = looking.look("fuse", text, output, None)
    return found


def test_both_are_drawn_as_each_alone_and_told_apart(looking):
    first = explored(looking, TEXT, "Anna Lind opened a bakery.")
    second = explored(looking, TEXT, "Anna Lind opened a small shop.")
    frame, facts, difference, *views = Comparing(looking).compare(first, second, *FORM)
    assert frame["visible"]
    assert facts.count("class='differs'") == 2 * 3  # the output, its log-probability, its perplexity
    assert "<del>bakery.</del> <ins>small shop.</ins>" in difference
    for run, (tokens, figure, _) in zip((first, second), (views[:3], views[3:]), strict=True):
        record = looking.seen(run, Look("cross", 5, part=1)).record
        words = [piece[1] for piece in json.loads(tokens)["source"]]
        assert words == ["She", "opened", "a", "small", "bakery", "there."]
        kept = [place for place, target in enumerate(record.targets) if not target.special]
        assert np.allclose(figure.data[0].z, record.weights.mean(axis=0)[kept], atol=1e-6)


def test_of_another_text_all_is_looked_at_in_layers_that_both_have(looking):
    first = explored(looking, "Rain fell. The river rose. It was cold.", "Rain fell.")
    second = explored(looking, TEXT, "Anna Lind moved.")
    _, _, _, tokens, *_ = Comparing(looking).compare(first, second, "encoder", 99, [70], *FORM[3:])
    assert len(json.loads(tokens)["source"]) == 8


def test_settings_are_told_as_far_as_they_were_chosen():
    assert settings_fact(GenerationSettings(seed=7)) == "the model’s own"
    sampled = GenerationSettings(num_beams=4, do_sample=True, seed=7, wording="own")
    assert settings_fact(sampled) == "num beams 4, do sample True, seed 7, wording own"


@pytest.mark.parametrize("same", [True, False])
def test_one_run_is_nothing_to_compare(looking, same):
    run = explored(looking, TEXT, "Anna Lind moved.")
    kept, note, _ = keep(run)
    assert "Anna Lind moved." in note
    frame, *_ = Comparing(looking).compare(kept if same else None, run, *FORM)
    assert not frame["visible"]
    assert keep(None)[0] is None


def test_a_kept_output_is_a_text_whatever_it_looks_like(looking):
    with gr.Blocks():
        assert isinstance(compare_panel().note, gr.HTML)  # Markdown would fetch a picture
    _, note, _ = keep(explored(looking, TEXT, "<img src=x> ![x](http://127.0.0.1/x)"))
    assert "&lt;img src=x&gt; ![x](" in note
    assert "<img" not in note


def test_a_part_that_the_text_lacks_is_told(looking):
    run = explored(looking, TEXT, "Anna Lind moved.")
    with pytest.raises(Exception, match="no such sentence"):
        looking.seen(run, Look(part=7))
    assert looking.seen(run, Look()).record.num_heads == 12
