"""A text longer than a model's window, in sections: as few as fit, of like size, cut at the text's own seams.

The best seam is before a heading, then at a blank line, then after a sentence. A sentence is cut only if it alone is
too long: at a line end, else between words, else between characters. Knows no models; how long a text is to one, a
function tells.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from seq2seq.tasks.patience import go_on

ABBREVIATIONS = ("Mr", "Mrs", "Ms", "Dr", "Prof", "St", "No", "vs", "cf", "Fig", "e.g", "i.e", "al")
NO_ABBREVIATION = "".join(rf"(?<!\b{re.escape(short)}\.)" for short in ABBREVIATIONS)
HEADING = re.compile(r"#{1,6}\s[^\n]*|[^\n]{0,79}[^\n.!?:;,…]")  # Markdown's, or a short line that ends in no stop
HEADING_MARK = re.compile(r"#{1,6}\s")


@dataclass(frozen=True)
class Seam:
    """A kind of place to cut a text, behind each match of `pattern`."""

    pattern: re.Pattern[str]
    cost: float  # of a cut there, in the unit of a section that is off its size by its whole size


PARAGRAPH = Seam(re.compile(r"\n(?:[^\S\n]*\n)+"), 0.1)
SENTENCE = Seam(
    re.compile(rf"[.!?…](?<!\b[A-Z]\.){NO_ABBREVIATION}[\"'”’»)\]]*\s+(?=[^a-z\s])|[。！？][”’」』）]*\s*"), 0.25
)
WITHIN_SENTENCE = (
    Seam(re.compile(r"\n"), 0.4),
    Seam(re.compile(r"\s+"), 0.6),
    Seam(re.compile(r".{8}", re.DOTALL), 1.0),
    Seam(re.compile(r".", re.DOTALL), 1.0),
)
NARROWEST = 30  # characters to which anybody wraps
WRAPPED = 0.75  # of the longest line: one that is as long has been wrapped
OPEN_ENDS = ",;–—-(\"'“‘"
BEFORE_HEADING = 0.0
AFTER_HEADING = 0.9  # it would stand alone at a section's end


@dataclass(frozen=True)
class Piece:
    """What is not cut any further."""

    text: str
    cost: float  # of a cut behind it


def sections(text: str, limit: int, count_tokens: Callable[[str], int]) -> list[str]:
    """The text as it is, if it fits; else in sections, each of at most `limit` tokens by `count_tokens`.

    Put one behind the other, they are the text. Only a character that alone is longer than `limit` makes one that is.
    Raises: ValueError if what `count_tokens` finds in an empty text leaves no room for any other.
    """
    frame = count_tokens("")
    if limit <= frame:
        raise ValueError(f"The limit of {limit} tokens leaves no room for a text: {frame} of them are always there.")
    if count_tokens(text) <= limit:
        return [text]

    @cache  # each piece is asked about twice, and many a text says the same again and again
    def size(part: str) -> int:
        return count_tokens(part) - frame

    room = limit - frame
    pieces = list(pieces_of(text, room, size))
    sizes = [size(piece.text) for piece in pieces]
    while True:
        go_on()
        parts = pack(pieces, sizes, room)
        excess = max(map(count_tokens, parts)) - limit
        if excess <= 0 or len(parts) == len(pieces):
            return parts
        room -= excess  # pieces can be longer together than apart, by a token here and there


def joined(outputs: Iterable[str]) -> str:
    """What was written for each section, as one text: a paragraph each."""
    return "\n\n".join(output for output in outputs if output)


def pack(pieces: list[Piece], sizes: list[int], room: int) -> list[str]:
    """Pieces side by side in as few sections as `room` allows, cut where size and seam are best together."""
    before = [0, *accumulate(sizes)]  # sizes of all pieces before each, and of all
    ends = [max(i + 1, bisect_right(before, before[i] + room) - 1) for i in range(len(pieces))]
    needed = fewest(ends)
    parts, start = [], 0
    while start < len(pieces):
        possible = [end for end in range(start + 1, ends[start] + 1) if needed[end] < needed[start]]
        size = (before[-1] - before[start]) / needed[start]
        end = best_cut(possible, before, before[start] + size, size, pieces)
        parts.append("".join(piece.text for piece in pieces[start:end]))
        start = end
    return parts


def best_cut(possible: list[int], before: list[int], target: float, size: float, pieces: list[Piece]) -> int:
    """Of the cuts that are `possible`, the one nearest to `target`, in sections of `size`, at the best seam."""
    return min(possible, key=lambda end: abs(before[end] - target) / max(size, 1) + pieces[end - 1].cost)


def fewest(ends: list[int]) -> list[int]:
    """How many sections the pieces from each on need, and 0 behind the last. One that starts at i ends by ends[i]."""
    needed = [0] * (len(ends) + 1)
    for start in reversed(range(len(ends))):
        needed[start] = 1 + needed[ends[start]]
    return needed


def pieces_of(text: str, room: int, size: Callable[[str], int]) -> Iterator[Piece]:
    """The text's sentences in order, and parts of those that have no room in a section."""
    paragraphs = cut_behind(PARAGRAPH.pattern, text)
    for paragraph, following in zip(paragraphs, [*paragraphs[1:], ""], strict=True):
        sentences = [Piece(each, SENTENCE.cost) for each in cut_behind(SENTENCE.pattern, paragraph)]
        sentences[-1] = Piece(sentences[-1].text, cost_between(paragraph, following))
        for sentence in sentences:
            go_on()
            yield from cut_to_fit(sentence, room, size)


@dataclass(frozen=True)
class Sentence:
    """One sentence of a text, and where it stands there."""

    text: str  # in one line
    start: int  # characters of the text it is from
    end: int


def sentences_of(text: str) -> list[Sentence]:
    """In order, each with words or signs in it."""
    found = []
    for start, end in unwrapped(text):
        for part in cut_behind(SENTENCE.pattern, text[start:end]):
            if part.strip():
                found.append(Sentence(" ".join(part.split()), start, start + len(part)))
            start += len(part)
    return found


def unwrapped(text: str) -> Iterator[tuple[int, int]]:
    """Where the lines stand that whoever wrote the text saw: one that was only wrapped goes on where it left off.

    That is one that ends in no stop and fills its paragraph's width, or before one that begins with a small letter.
    """
    start = 0
    for paragraph in cut_behind(PARAGRAPH.pattern, text):
        lines = paragraph.splitlines(keepends=True)
        full = max(NARROWEST, WRAPPED * max(map(len, lines), default=0))
        end = start
        for line, following in zip(lines, [*lines[1:], ""], strict=False):
            end += len(line)
            last, first = line.rstrip()[-1:], following.lstrip()[:1]
            is_open = last.isalnum() or (last and last in OPEN_ENDS)
            if first and is_open and len(line) >= (NARROWEST if first.islower() else full):
                continue
            yield start, end
            start = end
        start = end


def cost_between(paragraph: str, following: str) -> float:
    """The cost of a cut between two paragraphs."""
    if HEADING.fullmatch(paragraph.strip()):
        return AFTER_HEADING
    opens_with_heading = HEADING_MARK.match(following) or HEADING.fullmatch(following.strip())
    return BEFORE_HEADING if opens_with_heading else PARAGRAPH.cost


def cut_to_fit(
    piece: Piece, room: int, size: Callable[[str], int], seams: tuple[Seam, ...] = WITHIN_SENTENCE
) -> Iterator[Piece]:
    if not seams or size(piece.text) <= room:
        yield piece
        return
    go_on()
    parts = cut_behind(seams[0].pattern, piece.text)
    costs = [seams[0].cost] * (len(parts) - 1) + [piece.cost]
    for part, cost in zip(parts, costs, strict=True):
        yield from cut_to_fit(Piece(part, cost), room, size, seams[1:])


def cut_behind(pattern: re.Pattern[str], text: str) -> list[str]:
    """The text in parts, each but the last with a match at its end."""
    cuts = [0, *(match.end() for match in pattern.finditer(text) if match.end() < len(text)), len(text)]
    return [text[start:end] for start, end in zip(cuts, cuts[1:], strict=False)]
