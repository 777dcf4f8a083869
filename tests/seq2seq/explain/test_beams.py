"""The tree of a beam search against plain forward passes, and against what the search is said to keep."""

from __future__ import annotations

from collections import defaultdict

import pytest
import torch

from seq2seq.explain.beams import beam_tree
from seq2seq.tasks import GenerationSettings, InputError, Written
from seq2seq.trace import BeamTree
from tests.seq2seq.explain.conftest import TEXT, finished, pair

WRITERS = pytest.mark.parametrize(("fixture", "task"), [("writer", "fuse"), ("summarizing", "summarize")])


def tree_of(writer, task="fuse", most_branches=10_000, **settings) -> BeamTree:
    return beam_tree(writer, Written(task, TEXT, ()), GenerationSettings(**settings), most_branches)


def paths(writer, tree) -> list[list[int]]:
    """Of each branch the tokens that lead to it, itself included."""
    found: list[list[int]] = []
    for branch in tree.branches:
        before = [] if branch.parent is None else found[branch.parent]
        found.append([*before, writer.tokenizer.convert_tokens_to_ids(branch.text)])
    return found


def steps_of(writer, tree):
    """The branches of each step."""
    steps = defaultdict(list)
    for branch, path in zip(tree.branches, paths(writer, tree), strict=True):
        steps[len(path)].append((branch, path))
    return steps


def written_path(writer, tree) -> list[int]:
    return max((path for branch, path in zip(tree.branches, paths(writer, tree), strict=True)
                if branch.fate == "written"), key=len)  # fmt: skip


@pytest.mark.parametrize("num_beams", [2, 3])
@WRITERS
def test_scores_are_sums_of_what_plain_passes_give(request, fixture, task, num_beams):
    writer = request.getfixturevalue(fixture)
    tree = tree_of(writer, task, num_beams=num_beams)
    source = pair(writer, task=task)
    for branch, path in zip(tree.branches, paths(writer, tree), strict=True):
        if len(path) in (1, 2, 7):
            ids = torch.tensor([[source.start_id, *path]])
            with torch.no_grad():
                logits = writer.model(input_ids=source.input_ids, decoder_input_ids=ids[:, :-1], use_cache=False).logits
            expected = logits.log_softmax(-1)[0].gather(1, ids[0, 1:, None]).sum().item()
            assert branch.score == pytest.approx(expected, abs=1e-3)


@WRITERS
def test_all_continuations_of_a_step_are_the_best_there_are(request, fixture, task):
    writer = request.getfixturevalue(fixture)
    source = pair(writer, task=task)
    steps = steps_of(writer, tree_of(writer, task, num_beams=3))
    for depth in (1, 2, 5):
        running = [[]] if depth == 1 else [path for branch, path in steps[depth - 1] if went_on(branch, path, writer)]
        ids = torch.tensor([[source.start_id, *path] for path in running])
        with torch.no_grad():
            logits = writer.model(
                input_ids=source.input_ids.expand(len(ids), -1), decoder_input_ids=ids, use_cache=False
            ).logits.log_softmax(-1)
        before = logits[:, :-1].gather(2, ids[:, 1:, None]).sum(dim=(1, 2))
        best = (before[:, None] + logits[:, -1]).flatten().topk(6).values
        assert [branch.score for branch, _ in steps[depth]] == pytest.approx(best.tolist(), abs=1e-3)


def went_on(branch, path, writer) -> bool:
    return branch.fate in ("kept", "written") and path[-1] != writer.tokenizer.eos_token_id and len(path) < 12


@pytest.mark.parametrize("settings", [{"num_beams": 2}, {"num_beams": 4}, {"num_beams": 3, "do_sample": True}])
@WRITERS
def test_fates(request, fixture, task, settings):
    writer = request.getfixturevalue(fixture)
    tree = tree_of(writer, task, **settings)
    steps = steps_of(writer, tree)
    assert tree.num_beams == settings["num_beams"]
    assert tree.branches[0].parent is None
    assert all(branch.parent is None or branch.parent < place for place, branch in enumerate(tree.branches))
    parents = {branch.parent for branch in tree.branches}
    for place, branch in enumerate(tree.branches):
        assert place not in parents or branch.fate in ("kept", "written")
    for depth, step in steps.items():
        assert len(step) == 2 * tree.num_beams
        going = [branch.score for branch, path in step if went_on(branch, path, writer)]
        assert len(going) == (tree.num_beams if depth < 12 else 0)
        pruned = [branch.score for branch, path in step if branch.fate == "pruned" and went_on_alike(path, writer)]
        assert not going or not pruned or min(going) >= max(pruned)
        assert sum(branch.fate == "written" for branch, _ in step) <= 1
        for branch, path in step:
            ended = path[-1] == writer.tokenizer.eos_token_id or len(path) == 12
            assert branch.fate != "finished" or ended
            assert branch.fate != "kept" or not ended


def went_on_alike(path, writer) -> bool:
    return path[-1] != writer.tokenizer.eos_token_id


@WRITERS
def test_what_is_written_spells_the_output(request, fixture, task):
    writer = request.getfixturevalue(fixture)
    result = finished(writer, TEXT, task, num_beams=3)
    tree = tree_of(writer, task, num_beams=3)
    assert tuple(written_path(writer, tree)) == result.target_ids
    assert sum(branch.fate == "written" for branch in tree.branches) == len(result.target_ids)


def test_the_search_repeats_with_its_seed(writer):
    result = finished(writer, TEXT, num_beams=3, do_sample=True, seed=5)
    assert tuple(written_path(writer, tree_of(writer, num_beams=3, do_sample=True, seed=5))) == result.target_ids


def test_one_beam_is_no_tree_and_four_are_taken(writer):
    assert tree_of(writer).num_beams == tree_of(writer, num_beams=1).num_beams == 4


@pytest.mark.parametrize("most", [0, 20, 40, 70])
def test_a_tree_that_is_too_large_loses_what_was_pruned_first(writer, most):
    whole, cut = tree_of(writer, num_beams=3), tree_of(writer, most_branches=most, num_beams=3)
    written = written_path(writer, whole)
    assert len(whole.branches) > 70
    assert len(cut.branches) == max(most, len(written))
    assert written_path(writer, cut) == written
    kept = list(zip(paths(writer, cut), [branch.score for branch in cut.branches], strict=True))
    assert [each for each in zip(paths(writer, whole), [branch.score for branch in whole.branches], strict=True)
            if each in kept] == kept  # fmt: skip
    if any(branch.fate == "pruned" for branch in cut.branches):
        counts = [sum(branch.fate != "pruned" for branch in tree.branches) for tree in (whole, cut)]
        assert counts[0] == counts[1]


def test_rules_hold_in_the_tree_and_what_they_forbid_is_no_branch(writer, monkeypatch):
    parameters = {"fuse": {"prefix": "<fuse> ", "max_new_tokens": 12, "words_from_source": True}}
    monkeypatch.setattr(writer.model.config, "task_specific_params", parameters)
    result, tree = finished(writer, TEXT, num_beams=4), tree_of(writer)
    assert tuple(written_path(writer, tree)) == result.target_ids
    assert all(branch.score > -1e6 for branch in tree.branches)


def test_a_text_without_words_has_no_tree(writer):
    with pytest.raises(InputError, match="no words"):
        beam_tree(writer, Written("fuse", "...", ()))


def test_nothing_is_told_of_a_search_that_was_not_asked_to(writer):
    source = pair(writer)
    for told, num_beams in ((False, 3), (True, 1)):
        steps = writer.model.generate_steps(source.input_ids, num_beams=num_beams, max_new_tokens=3, with_weighed=told)
        assert [step.weighed for step in steps] == [None] * 3
