"""Where a normalized text may be cut so that its parts, each by itself, become the pieces that they are in the whole.

A vocabulary has no piece over most pairs of characters: "m " or two emoji, say. Between such two, no piece is lost.
Where two ways to cut a word are equally likely, which of them it is may hang on the rounding of all that goes before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain


class Seams:
    """Those of a vocabulary. Without pieces for single bytes, all unknown characters in a row are one token."""

    def __init__(self, pieces: Iterable[str], with_bytes: bool) -> None:
        pieces = list(pieces)
        self._pairs = {piece[at : at + 2] for piece in pieces for at in range(len(piece) - 1)}
        self._characters = {piece for piece in pieces if len(piece) == 1}
        self._with_bytes = with_bytes

    def is_at(self, text: str, place: int) -> bool:
        before, after = text[place - 1], text[place]
        may_part = self._with_bytes or before in self._characters or after in self._characters
        return may_part and before + after not in self._pairs

    def last(self, text: str, place: int) -> int:
        """The last one up to `place`; 0 where there is none."""
        return next((at for at in range(place, 0, -1) if self.is_at(text, at)), 0)

    def parts(self, text: str, size: int) -> Iterator[slice]:
        """The text in parts of at most `size` characters, or as many more as it takes to the next seam."""
        start = 0
        while start < len(text):
            wanted = start + size
            nearest = chain(range(min(wanted, len(text) - 1), start, -1), range(wanted + 1, len(text)))
            end = next((at for at in nearest if self.is_at(text, at)), len(text)) if wanted < len(text) else len(text)
            yield slice(start, end)
            start = end
