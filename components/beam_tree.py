"""What a beam search weighed, as a tree: here is the record -> data half.

The half that runs in the browser is assets/js/beam_tree.js. Tokens that follow each other without a side branch are
joined into one run. Runs are sent flat and nested there, as a tree may be deeper than JSON and Python like.
"""

from __future__ import annotations

import re
from collections import Counter

from components.choices_view import plain
from seq2seq.trace import BeamTree, Branch

START = -1  # the run that all others go on from; it has no text
MARK = re.compile(r"<[^<>]+>|\[[^\[\]]+\]")  # a token that stands for no text, as the vocabularies write it
BEST_FIRST = ("written", "finished", "kept", "pruned")


def beam_tree(tree: BeamTree) -> dict:
    """What the browser needs to show `tree`.

    Keys: `says`, what was weighed, in numbers; `runs`, parents before their children and the likeliest child of each
    first, each with `after` (the run it goes on from, or -1), `text`, `score` at its end as a reader should see it, in
    nats, `fate`, and whether it `ends` there: then the mark of the end is left out, unless it is all there is.
    """
    children = _children(tree.branches)
    runs: list[dict] = []
    open_ = [(START, first) for first in reversed(children[START])]
    while open_:
        after, first = open_.pop()
        path = _path(first, children)
        open_ += [(len(runs), branch) for branch in reversed(children[path[-1]])]
        runs.append(_run(after, [tree.branches[place] for place in path], bool(children[path[-1]])))
    return {"says": _told(tree), "runs": runs}


def _children(branches: tuple[Branch, ...]) -> dict[int, list[int]]:
    """Of each branch and of the start, the places of those that go on from it, the likeliest first."""
    children: dict[int, list[int]] = {place: [] for place in range(START, len(branches))}
    for place, branch in enumerate(branches):
        children[START if branch.parent is None else branch.parent].append(place)
    for siblings in children.values():
        siblings.sort(key=lambda place: (BEST_FIRST.index(branches[place].fate), -branches[place].score))
    return children


def _path(first: int, children: dict[int, list[int]]) -> list[int]:
    """`first` and all that follow it, up to where the tree forks or ends."""
    path = [first]
    while len(children[path[-1]]) == 1:
        path += children[path[-1]]
    return path


def _run(after: int, path: list[Branch], goes_on: bool) -> dict:
    first, last = path[0], path[-1]
    inside_word = first.parent is not None and first.text[:1].isalnum()
    ends = last.fate == "finished" or (last.fate == "written" and not goes_on)
    says_so = ends and len(path) > 1 and MARK.fullmatch(last.text)
    text = plain("".join(branch.text for branch in (path[:-1] if says_so else path))).strip()
    return {
        "after": after,
        "text": "…" + text if inside_word else text,
        "score": f"{last.score:.2f}".replace("-", "−"),
        "fate": last.fate,
        "ends": ends,
    }


def _told(tree: BeamTree) -> str:
    fates = Counter(branch.fate for branch in tree.branches)
    kept = len(tree.branches) - fates["pruned"]
    return (
        f"{len(tree.branches):,} continuations weighed with {tree.num_beams} beams: {kept:,} kept, "
        f"{fates['pruned']:,} pruned. Scores are log-probabilities in nats: the nearer to 0, the likelier."
    )
