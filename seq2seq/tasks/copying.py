"""Words as the source has them, or ones from a lexicon: a rule for the search.

A small model that copies "65,536" may write "655536", "pondss" for "ponds", and of a letter that its vocabulary lacks
half of the bytes. So a word may only go on as some word of the source or of the lexicon (English; to fuse and to split,
its connectives) goes on, and only end as one ends. One that a reader would take for a fact (it has a digit, a letter
beyond ASCII, or a capital that opens no sentence) must be the source's; and what is no name there, but opened a
sentence, is written small inside one. A hyphen parts two words; an apostrophe between letters does not, and `'s` and
its like may follow any word. All is in UTF-8, since a piece may be a single byte of it. Knows no models.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import BoolTensor, LongTensor, Tensor

from seq2seq.generation.sampling import RULED_OUT
from seq2seq.tasks.output import SPACE_MARK
from seq2seq.tasks.words import Words, english, without_tail
from seq2seq.tokenizers import Tokenizer

LETTER = rb"[0-9A-Za-z_\x80-\xff]"
NUMBER_MARK, APOSTROPHE = rb"(?<=[0-9])[.,:]", rb"(?<=" + LETTER + rb")'"
RUN = re.compile(  # a word, or a number with its marks
    rb"(?:" + LETTER + rb"|" + NUMBER_MARK + rb"(?=[0-9])|" + APOSTROPHE + rb"(?=" + LETTER + rb"))+"
)
ENDING_RUN = re.compile(  # "65," may go on as a number, "don'" as a word
    rb"(?:" + LETTER + rb"|" + NUMBER_MARK + rb"(?=[0-9]|\Z)|" + APOSTROPHE + rb"(?=" + LETTER + rb"|\Z))*\Z"
)
HEAD = re.compile(LETTER + rb"+")
MARKS = (b".", b",", b":", b"'")  # that may stand inside a word or number
SENTENCE_BEFORE = re.compile(rb"(?:^|[.!?:\"])\s*\Z")
FOREIGN = re.compile(rb"[0-9\x80-\xff]")  # what no word of English has: it has to be copied
BEYOND_ASCII_PUNCTUATION = re.compile("[\u2000-\u206f]")
BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")
BYTES_BEFORE = 8  # a word of the source: the same
MOST_TAILS = 8  # that are taken off a word, one after the other: "I'd've" has two
PIECES_BEFORE = 4  # a word: enough to see whether it opens a sentence


class Pieces:
    """A vocabulary by the bytes of its pieces, and by how they begin: inside a word or not."""

    def __init__(self, tokenizer: Tokenizer, num_ids: int) -> None:
        """Of the ids that the model writes, those that no token has are nothing, as special ones are."""
        special = set(tokenizer.all_special_ids)
        tokens = tokenizer.convert_ids_to_tokens(list(range(num_ids)))
        self.contents = [
            b"" if token is None or index in special else bytes_of(token) for index, token in enumerate(tokens)
        ]
        heads = [HEAD.match(content) for content in self.contents]
        self.is_inside = torch.tensor([head is not None for head in heads])  # V
        self.longest = max(map(len, self.contents), default=0)  # bytes: no piece makes more of a word at once
        self.inside: dict[bytes, list[int]] = defaultdict(list)  # those that only make a word longer
        self.closing: dict[bytes, list[int]] = defaultdict(list)  # by their head, those that also end it
        self.opening: dict[bytes, list[int]] = defaultdict(list)  # by the word that they begin, those with no other
        self.others: dict[int, list[bytes]] = {}  # the words in others
        for index, (content, head) in enumerate(zip(self.contents, heads, strict=True)):
            if content in MARKS or (head and head.group() == content):
                self.inside[content].append(index)
            elif head and not HEAD.search(content, head.end()):
                self.closing[head.group()].append(index)
            runs = RUN.findall(content)
            if len(runs) == 1 and content.endswith(runs[0]):
                self.opening[runs[0]].append(index)
            elif runs:
                self.others[index] = runs

    def end_of(self, tokens: Sequence[int]) -> bytes:
        """What the tokens end with: the word that is being written, and a little before it."""
        start = len(tokens)
        while start and self._goes_on(self.contents[tokens[start - 1]]):
            start -= 1
        return b"".join(self.contents[token] for token in tokens[max(0, start - PIECES_BEFORE) :])

    @staticmethod
    def _goes_on(content: bytes) -> bool:
        return not content or content in MARKS or HEAD.match(content) is not None

    def beginnings(self, run: bytes) -> Iterator[bytes]:
        """Those that a piece could write, and so no more for a word of 40,000 letters than for one of forty."""
        return (run[:end] for end in range(1, min(len(run), self.longest) + 1))

    def after(self, run: bytes, words: Words) -> LongTensor:
        """The pieces that make `run` a longer beginning of one of the words, or all of one."""
        rests = [word[len(run) :] for word in words.beginning_with(run)]
        longer = {beginning for rest in rests for beginning in self.beginnings(rest)}
        ids = [index for rest in longer for index in self.inside.get(rest, ())]
        ids += [index for rest in rests for index in self.closing.get(rest, ())]
        return torch.tensor(ids, dtype=torch.long)


class Lexicon:
    """The words that may be written beside a source's, by the pieces that begin them and that go on with them."""

    def __init__(self, pieces: Pieces, words: Words) -> None:
        self.pieces, self.words = pieces, words
        self.opening = {opens: self._opening(opens) for opens in (False, True)}
        self._after: dict[bytes, LongTensor] = {}

    def after(self, run: bytes) -> LongTensor:
        """The pieces that may follow, remembered for every text: there are only so many beginnings."""
        if run not in self._after:
            found = self.pieces.after(run, self.words)
            if not len(found):
                return found
            self._after[run] = found
        return self._after[run]

    def begin(self, runs: Sequence[bytes], opens_sentence: bool) -> bool:
        """Whether the words of a piece are, or begin, words of it; only the first may open a sentence."""
        return all(
            not is_fact(run, opens_sentence and place == 0) and self.words.begins(uncapitalized(run))
            for place, run in enumerate(runs)
        )

    def _opening(self, opens_sentence: bool) -> BoolTensor:
        """V: the pieces that, behind nothing of a word, begin none that is not here."""
        pieces = self.pieces
        runs_of = {index: [run] for run, indices in pieces.opening.items() for index in indices} | pieces.others
        unknown = [index for index, runs in runs_of.items() if not self.begin(runs, opens_sentence)]
        allowed = torch.ones(len(pieces.contents), dtype=torch.bool)
        allowed[torch.tensor(unknown, dtype=torch.long)] = False
        return allowed


def bytes_of(token: str) -> bytes:
    byte = BYTE_PIECE.fullmatch(token)
    return bytes([int(byte.group(1), 16)]) if byte else token.replace(SPACE_MARK, " ").encode()


def is_fact(run: bytes, opens_sentence: bool) -> bool:
    """Whether a word, or the beginning of one, must be the source's."""
    return FOREIGN.search(run) is not None or (run[:1].isupper() and not opens_sentence)


def uncapitalized(run: bytes) -> bytes:
    return run[:1].lower() + run[1:]


class SourceNames:
    """What may be written next, for one source."""

    def __init__(self, lexicon: Lexicon, text: str) -> None:
        self._lexicon = lexicon
        self._words = Words(known_runs(text))
        self._allowed: dict[tuple[bytes, bool, bool], BoolTensor] = {}
        beginnings = {beginning for word in self._words for beginning in lexicon.pieces.beginnings(word)}
        self._starts = {opens: self._allowed_starts(beginnings, opens) for opens in (False, True)}
        self._ends = {opens: starts & ~lexicon.pieces.is_inside for opens, starts in self._starts.items()}

    def allowed(self, written: bytes) -> BoolTensor:
        """V: the pieces that may follow what ends with `written`."""
        run = ENDING_RUN.search(written).group()
        opens_sentence = SENTENCE_BEFORE.search(written[: len(written) - len(run)]) is not None
        opens_next = SENTENCE_BEFORE.search(written) is not None
        if not run:
            return self._starts[opens_next]
        state = run, opens_sentence, opens_next
        if state not in self._allowed:
            self._allowed[state] = self._allowed_after(*state)
        return self._allowed[state]

    def _allowed_after(self, run: bytes, opens_sentence: bool, opens_next: bool) -> BoolTensor:
        lexicon, pieces = self._lexicon, self._lexicon.pieces
        word = None if is_fact(run, opens_sentence) else uncapitalized(run)
        forms = {run, uncapitalized(run)} if opens_sentence else {run}
        may_end = any(form in self._words for form in forms) or (word is not None and word in lexicon.words)
        allowed = self._ends[opens_next].clone() if may_end else torch.zeros_like(pieces.is_inside)
        for form in forms:
            allowed[pieces.after(form, self._words)] = True
        if word is not None:
            allowed[lexicon.after(word)] = True
        return allowed

    def _allowed_starts(self, beginnings: set[bytes], opens_sentence: bool) -> BoolTensor:
        """V: the pieces that may stand behind nothing of a word."""
        pieces = self._lexicon.pieces
        if opens_sentence:
            beginnings = beginnings | {run[:1].upper() + run[1:] for run in beginnings}
        known = [index for run in beginnings for index in pieces.opening.get(run, ())]
        known += [index for index, runs in pieces.others.items() if beginnings.issuperset(runs)]
        allowed = self._lexicon.opening[opens_sentence].clone()
        allowed[torch.tensor(known, dtype=torch.long)] = True
        return allowed


def known_runs(text: str) -> Iterator[bytes]:
    """The words of a text, with and without the quotes and dashes that touch them, as they may stand in a sentence."""
    plain = BEYOND_ASCII_PUNCTUATION.sub(" ", text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    for variant in (text, plain):
        encoded = variant.encode()
        for match in RUN.finditer(encoded):
            before = encoded[max(0, match.start() - BYTES_BEFORE) : match.start()]
            for part in parts(match.group()):
                yield from cases(part, SENTENCE_BEFORE.search(before) is not None)


def parts(run: bytes) -> Iterator[bytes]:
    """The word, and those between its apostrophes: "O'Brien" and "Brien", but "don't" alone."""
    yield run
    for _ in range(MOST_TAILS):
        stem = without_tail(run)
        if stem is None:
            break
        yield (run := stem)
    if run.lower() not in english():
        yield from filter(None, run.split(b"'"))


def cases(run: bytes, opens_sentence: bool) -> Iterator[bytes]:
    """A name in every case; a word of English small, and as it stands inside a sentence."""
    word = run.decode()
    if run.lower() in english():
        yield from {run.lower(), run.lower() if opens_sentence else run}
        return
    for cased in (word, word.lower(), word[:1].upper() + word[1:], word.upper()):
        yield cased.encode()


class NamesFromSource:
    """The rule, for the sources that are written for side by side (B texts)."""

    def __init__(self, lexicon: Lexicon, texts: Iterable[str]) -> None:
        self._pieces = lexicon.pieces
        self._sources = [SourceNames(lexicon, text) for text in texts]

    def __call__(self, tokens: LongTensor, scores: Tensor) -> Tensor:
        """N V -> N V: the scores of the tokens that may follow `tokens` (N t); N is B, or B times the beams.

        Where other rules left none of those, all stay as they are.
        """
        beams = len(tokens) // len(self._sources)
        ends = [self._pieces.end_of(row) for row in tokens.tolist()]
        allowed = torch.stack([self._sources[row // beams].allowed(end) for row, end in enumerate(ends)])
        kept = torch.where(allowed.to(scores.device), scores, RULED_OUT)  # thrice as fast as masked_fill
        is_dead = kept.amax(dim=1, keepdim=True) == RULED_OUT
        return torch.where(is_dead, scores, kept)
