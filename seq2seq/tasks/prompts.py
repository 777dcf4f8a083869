"""A text as a checkpoint was taught to find it: rewritten by rules, each character with its place in the visitor's own.

Knows no tokenizers and no models.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LINE_BREAK = "<n>"  # how PEGASUS writes the end of a line, for which SentencePiece has no place
LINE_END = re.compile(r"(?<!\s)\s*\n")
PARAGRAPH_END = re.compile(r"(?<!\s)\s*\n\s*\n")


@dataclass(frozen=True)
class Rule:
    """What is written otherwise, and how."""

    pattern: re.Pattern[str]  # never matches nothing
    rewrite: Callable[[str], str]


RULES: dict[str, Rule] = {  # by the names that config.json has for them
    "quotes as backticks": Rule(re.compile('"'), lambda _: "`"),
    "quotes as apostrophes": Rule(re.compile('"'), lambda _: "''"),
    "lower case": Rule(re.compile(r"\S"), str.lower),  # character by character: some become two
    "digits as #": Rule(re.compile(r"\d"), lambda _: "#"),
}


@dataclass(frozen=True)
class Prompt:
    """What a checkpoint was taught to find around a text of a task, and in it."""

    prefix: str = ""
    suffix: str = ""  # special tokens: there also where the text is cut
    rules: Sequence[str] = ()  # names of RULES, in the order in which they are followed


@dataclass(frozen=True)
class Sent:
    """A text as it is sent to a model. Each of its characters stands for characters of the visitor's."""

    text: str
    starts: Sequence[int]  # in the visitor's text, of each character
    ends: Sequence[int]

    @classmethod
    def as_it_is(cls, text: str) -> Sent:
        return cls(text, range(len(text)), range(1, len(text) + 1))

    def rewritten(self, rule: Rule) -> Sent:
        texts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        position = 0
        for match in rule.pattern.finditer(self.text):
            first, last = match.start(), match.end() - 1
            new = rule.rewrite(match.group())
            texts += [self.text[position:first], new]
            starts += [*self.starts[position:first], *[self.starts[first]] * len(new)]
            ends += [*self.ends[position:first], *[self.ends[last]] * len(new)]
            position = match.end()
        return Sent(
            "".join([*texts, self.text[position:]]),
            [*starts, *self.starts[position:]],
            [*ends, *self.ends[position:]],
        )

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where in the visitor's text the characters from `start` to `end` are from."""
        if start < end:
            return self.starts[start], self.ends[end - 1]
        place = self.ends[start - 1] if start else 0
        return place, place


def prepared(text: str, prompt: Prompt) -> Sent:
    """By the prompt's rules."""
    sent = Sent.as_it_is(text)
    for name in prompt.rules:
        sent = sent.rewritten(RULES[name])
    return sent


def with_line_breaks(sent: Sent) -> Sent:
    """The text with a piece at the end of each paragraph.

    Paragraphs end at blank lines or, in a text that has none, at every line's end. So did those that PEGASUS and
    BigBird-Pegasus were trained on: google-research/bigbird, summarization/pegasus_large.sh, substitute_newline.
    """
    ends = PARAGRAPH_END if PARAGRAPH_END.search(sent.text) else LINE_END
    return sent.rewritten(Rule(ends, lambda _: LINE_BREAK))
