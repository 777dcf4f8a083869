"""The words of an output that its source does not have (See et al. 2017, section 6.2): what a reader should check.

A fusion needs its "and" and a summary its "who": connectives and the like are never novel. Knows no models.
"""

from __future__ import annotations

import re
import unicodedata

WORD = re.compile(r"\w+")
STRETCHES = re.compile(r"\S{1,256}|\s+")  # marks without a letter are sorted, in the square of their number
SENTENCE_BEFORE = re.compile(r"(^|[.!?:“\"]\s*)$")
CONNECTIVES = frozenset(  # with what stands behind an apostrophe
    WORD.findall(
        "a about after against also although among an and are as at be because been before being between both "
        "but by can could d despite did do does during each for from had has have he her here his how however "
        "if in including into is it its itself like ll m many more most of on one or other over re s she "
        "since so some such t than that the their them then there these they this those though through to "
        "under until up upon ve was well were what when where whereas which while who whom whose why will "
        "with within without would you your "
    )
)


def novel_words(source: str, output: str) -> list[tuple[int, int]]:
    """Where the output's novel words stand: first character, and the one after the last.

    Neither case nor the way to write a letter makes a difference: to a SentencePiece model, "ﬁ" and "fi" are one.
    """
    known = set(WORD.findall(folded(source))) | CONNECTIVES
    return [
        match.span() for match in WORD.finditer(output) if not known.issuperset(WORD.findall(folded(match.group())))
    ]


def folded(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", each) for each in STRETCHES.findall(text)).lower()


def novel_facts(source: str, output: str) -> list[tuple[int, int]]:
    """Those of the novel words that are numbers or names: with a digit, or a capital that opens no sentence."""
    return [
        (start, end)
        for start, end in novel_words(source, output)
        if any(character.isdigit() for character in output[start:end])
        or (output[start].isupper() and not SENTENCE_BEFORE.search(output[:start]))
    ]
