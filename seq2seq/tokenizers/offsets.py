"""Where the pieces of a normalized text lie in the original one.

SentencePiece normalizes before it cuts: it may drop, merge and expand characters (accents, ligatures,
fractions), collapses white space and marks it with U+2581. Knows no vocabulary.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from seq2seq.tokenizers.encoding import Span

SPACE_MARK = "\u2581"
_CONTINUATION_BYTES = frozenset(f"<0x{byte:02X}>" for byte in range(0x80, 0xC0))  # UTF-8: not a character's first


def piece_spans(
    pieces: Iterable[str],
    byte_pieces: Collection[str],
    text: str,
    starts: Sequence[int],
    ends: Sequence[int],
) -> list[Span]:
    """For each piece its [start, end) in `text`, without white space at either end.

    `starts[i]` and `ends[i]` are those of what character i of the normalized text comes from. The pieces are
    its, in order: its characters, or the names of the UTF-8 bytes of one of them ("<0xF0>"), which all get that
    character's span. Pieces of nothing but white space have empty spans.
    """
    spans = []
    begin = position = 0  # in the normalized text
    for piece in pieces:
        if piece not in byte_pieces:
            begin, position = position, position + len(piece)
        elif piece not in _CONTINUATION_BYTES:
            begin, position = position, position + 1
        spans.append(without_space(text, starts[begin], ends[position - 1]))
    return spans


def ends_of(normalized: str, starts: Sequence[int]) -> list[int]:
    """Where each character of `normalized` ends in the original: where the next from elsewhere starts.

    `starts` has one entry more, for the end. So all characters that one original character was expanded to end with
    it. A space mark ends where its neighbour starts, so that the mark put before the first word is empty.
    """
    ends = list(starts[1:])
    for index in range(len(ends) - 2, -1, -1):
        if starts[index + 1] == starts[index] and normalized[index] != SPACE_MARK:
            ends[index] = ends[index + 1]
    return ends


def without_space(text: str, start: int, end: int) -> Span:
    """The span without the white space at either end."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
