"""Where two versions of a text differ, word by word, for showing them as one. Knows no models."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

WORD = re.compile(r"\S+\s*")
MOST_WORDS = 1_024  # of either: no output has more, but for words that are no tokens, and it takes the square of them


def differing(before: str, after: str) -> list[list[str]]:
    """Pieces [kept, removed, added] in order, each word in one of them with the white space behind it.

    A piece is either kept, or what was removed with what was added in its place; what does not apply is empty. Kept
    words are `after`'s, so that all that is kept or added is that text. Of texts of too many words, nothing is kept.
    """
    old, new = WORD.findall(before), WORD.findall(after)
    if max(len(old), len(new)) > MOST_WORDS:
        return [["", before, after]]
    matcher = SequenceMatcher(None, *([word.rstrip() for word in words] for words in (old, new)), autojunk=False)
    pieces: list[list[str]] = []
    for tag, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        removed, added = "".join(old[old_start:old_end]), "".join(new[new_start:new_end])
        pieces.append([added, "", ""] if tag == "equal" else ["", removed, added])
    return pieces
