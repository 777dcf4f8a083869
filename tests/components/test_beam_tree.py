from __future__ import annotations

import json

from components.beam_tree import beam_tree
from seq2seq.trace import BeamTree, Branch

TREE = BeamTree(
    2,
    (
        Branch(None, "▁A", -1.2, "kept"),
        Branch(None, "▁The", -0.5, "written"),
        Branch(1, "▁cat", -0.9, "written"),
        Branch(2, "s", -1.0, "written"),
        Branch(2, "▁sat", -2.0, "pruned"),
        Branch(3, "</s>", -1.1, "written"),
        Branch(0, "▁dog", -1.5, "kept"),
        Branch(6, "</s>", -1.6, "finished"),
    ),
)


def told(tree: BeamTree) -> list[tuple]:
    return [(run["after"], run["text"], run["score"], run["fate"], run["ends"]) for run in beam_tree(tree)["runs"]]


def test_chains_are_one_run_and_the_likeliest_child_comes_first():
    assert told(TREE) == [
        (-1, "The cat", "−0.90", "written", False),
        (0, "…s", "−1.10", "written", True),
        (0, "sat", "−2.00", "pruned", False),
        (-1, "A dog", "−1.60", "finished", True),
    ]


def test_the_numbers_are_told():
    assert beam_tree(TREE)["says"].startswith("8 continuations weighed with 2 beams: 7 kept, 1 pruned.")


def test_a_written_path_comes_first_though_another_scores_better():
    tree = BeamTree(1, (Branch(None, "▁A", -0.1, "finished"), Branch(None, "▁B", -3.0, "written")))
    assert [run["text"] for run in beam_tree(tree)["runs"]] == ["B", "A"]


def test_a_tree_deeper_than_python_recurses_is_sent_flat():
    branches = []
    for depth in range(2000):
        parent = None if depth == 0 else 2 * depth - 2
        branches += [Branch(parent, "▁a", -depth, "written"), Branch(parent, "▁b", -depth - 1, "pruned")]
    view = beam_tree(BeamTree(4, tuple(branches)))
    assert len(view["runs"]) == 4000
    assert json.loads(json.dumps(view)) == view


def test_parents_come_before_children():
    assert all(run["after"] < place for place, run in enumerate(beam_tree(TREE)["runs"]))


def test_nothing_weighed_is_an_empty_tree():
    assert beam_tree(BeamTree(1, ()))["runs"] == []
