"""Names and numbers only as the source has them: a rule for the search.

A small model that copies "65,536" may write "655536", and of a letter that its vocabulary lacks half of the bytes. But
what it means stands in the source. So a word that a reader would take for a fact (it has a digit, a letter beyond
ASCII, or a capital that opens no sentence) may only go on as some word of the source goes on, and only end as one ends.
All is in UTF-8, since a piece may be a single byte of it. Knows no models.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import BoolTensor, LongTensor, Tensor

from seq2seq.generation.sampling import RULED_OUT
from seq2seq.tasks.novelty import CONNECTIVES
from seq2seq.tasks.output import SPACE_MARK
from seq2seq.tokenizers import Tokenizer

LETTER = rb"[0-9A-Za-z_\x80-\xff]"
RUN = re.compile(rb"(?:" + LETTER + rb"|(?<=[0-9])[.,:](?=[0-9]))+")  # a word, or a number with its marks
ENDING_RUN = re.compile(rb"(?:" + LETTER + rb"|(?<=[0-9])[.,:](?=[0-9]|$))*$")  # "65," may go on as a number
HEAD = re.compile(LETTER + rb"+")
NUMBER_MARKS = (b".", b",", b":")
SENTENCE_BEFORE = re.compile(rb"(?:^|[.!?:\"])\s*$")
FOREIGN = re.compile(rb"[0-9\x80-\xff]")  # what no word of English has: it has to be copied
BEYOND_ASCII_PUNCTUATION = re.compile("[\u2000-\u206f]")
BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")
PIECES_BEFORE = 4  # a word: enough to see whether it opens a sentence


class Pieces:
    """A vocabulary by the bytes of its pieces, and by how they begin: inside a word or not."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        special = set(tokenizer.all_special_ids)
        tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        self.contents = [b"" if index in special else bytes_of(token) for index, token in enumerate(tokens)]
        heads = [HEAD.match(content) for content in self.contents]
        self.is_inside = torch.tensor([head is not None for head in heads])  # V
        self.is_plain = torch.tensor([FOREIGN.search(content) is None for content in self.contents])
        self.is_capital = torch.tensor([content[:1].isupper() for content in self.contents])
        self.inside: dict[bytes, list[int]] = defaultdict(list)  # those that only make a word longer
        self.closing: dict[bytes, list[int]] = defaultdict(list)  # by their head, those that also end it
        for index, (content, head) in enumerate(zip(self.contents, heads, strict=True)):
            if content in NUMBER_MARKS or (head and head.group() == content):
                self.inside[content].append(index)
            elif head and not HEAD.search(content, head.end()):
                self.closing[head.group()].append(index)
        openings = {index: RUN.findall(self.contents[index]) for index, head in enumerate(heads) if head is None}
        self.facts_in_openings = {  # of pieces that do not begin inside a word, the words in them that are facts
            opens: {index: facts for index, runs in openings.items() if (facts := facts_in(runs, opens))}
            for opens in (False, True)
        }

    def end_of(self, tokens: Sequence[int]) -> bytes:
        """What the tokens end with: the word that is being written, and a little before it."""
        start = len(tokens)
        while start and self._goes_on(self.contents[tokens[start - 1]]):
            start -= 1
        return b"".join(self.contents[token] for token in tokens[max(0, start - PIECES_BEFORE) :])

    @staticmethod
    def _goes_on(content: bytes) -> bool:
        return not content or content in NUMBER_MARKS or HEAD.match(content) is not None


def bytes_of(token: str) -> bytes:
    byte = BYTE_PIECE.fullmatch(token)
    return bytes([int(byte.group(1), 16)]) if byte else token.replace(SPACE_MARK, " ").encode()


def is_fact(run: bytes, opens_sentence: bool) -> bool:
    """Whether a word, or the beginning of one, must be the source's."""
    return FOREIGN.search(run) is not None or (run[:1].isupper() and not opens_sentence)


def facts_in(runs: Sequence[bytes], opens_sentence: bool) -> list[bytes]:
    """Which of a piece's words are; only the first may open a sentence."""
    return [run for place, run in enumerate(runs) if is_fact(run, opens_sentence and place == 0)]


class SourceNames:
    """What may be written next, for one source."""

    def __init__(self, pieces: Pieces, text: str) -> None:
        self._pieces = pieces
        self._known = set(known_runs(text))
        self._sorted = sorted(self._known)
        self._beginnings = {word[:end] for word in self._known for end in range(1, len(word) + 1)}
        self._allowed: dict[tuple[bytes, bool, bool], BoolTensor] = {}
        self._openings = {opens: self._allowed_openings(opens) for opens in (False, True)}

    def allowed(self, written: bytes) -> BoolTensor:
        """V: the pieces that may follow what ends with `written`."""
        run = ENDING_RUN.search(written).group()
        opens_sentence = SENTENCE_BEFORE.search(written[: len(written) - len(run)]) is not None
        opens_next = SENTENCE_BEFORE.search(written) is not None
        state = run, opens_sentence, opens_next
        if state not in self._allowed:
            self._allowed[state] = self._allowed_after(*state)
        return self._allowed[state]

    def _allowed_after(self, run: bytes, opens_sentence: bool, opens_next: bool) -> BoolTensor:
        pieces = self._pieces
        fact = is_fact(run, opens_sentence)
        may_end = not fact or run in self._known or run.rstrip(b".,:") in self._known
        ending = self._openings[opens_next] & may_end
        inside = pieces.is_inside & pieces.is_plain & (not fact)
        if not run and not opens_sentence:
            inside &= ~pieces.is_capital
        inside[torch.tensor(list(self._continuations(run)), dtype=torch.long)] = True
        return ending | inside

    def _continuations(self, run: bytes) -> Iterator[int]:
        """The pieces that make `run` a longer beginning of a known word, or all of one."""
        start, stop = bisect_left(self._sorted, run), bisect_left(self._sorted, run + b"\xff")  # UTF-8 has no 0xff
        for word in self._sorted[start:stop]:
            rest = word[len(run) :]
            for end in range(1, len(rest) + 1):
                yield from self._pieces.inside.get(rest[:end], ())
            yield from self._pieces.closing.get(rest, ())

    def _allowed_openings(self, opens_sentence: bool) -> BoolTensor:
        """V: the pieces that do not begin inside a word, but those with a fact that begins no known word."""
        allowed = ~self._pieces.is_inside
        facts = self._pieces.facts_in_openings[opens_sentence]
        unknown = [index for index, runs in facts.items() if not self._beginnings.issuperset(runs)]
        allowed[torch.tensor(unknown, dtype=torch.long)] = False
        return allowed


def known_runs(text: str) -> Iterator[bytes]:
    """The words of a text, with and without the quotes and dashes that touch them, in every case; and connectives."""
    for variant in (text, BEYOND_ASCII_PUNCTUATION.sub(" ", text), " ".join(CONNECTIVES)):
        for run in RUN.findall(variant.encode()):
            word = run.decode()
            for cased in (word, word.lower(), word[:1].upper() + word[1:], word.upper()):
                yield cased.encode()


class NamesFromSource:
    """The rule, for the sources that are written for side by side (B texts)."""

    def __init__(self, pieces: Pieces, texts: Iterable[str]) -> None:
        self._pieces = pieces
        self._sources = [SourceNames(pieces, text) for text in texts]

    def __call__(self, tokens: LongTensor, scores: Tensor) -> Tensor:
        """N V -> N V: the scores of the tokens that may follow `tokens` (N t); N is B, or B times the beams.

        Where other rules left none of those, all stay as they are.
        """
        beams = len(tokens) // len(self._sources)
        ends = [self._pieces.end_of(row) for row in tokens.tolist()]
        allowed = torch.stack([self._sources[row // beams].allowed(end) for row, end in enumerate(ends)])
        kept = scores.masked_fill(~allowed.to(scores.device), RULED_OUT)
        is_dead = kept.amax(dim=1, keepdim=True) == RULED_OUT
        return torch.where(is_dead, scores, kept)
