"""SARI: how well a rewriting keeps, deletes and adds what its references keep, delete and add (Xu et al. 2016, 4.1).

With the sums over references of the authors' script: n-grams up to 4, of deletions the precision alone, 0 to 100.
Lower case, and tokens as sacrebleu's 13a cuts them. Nothing to do is done perfectly (0/0 = 1), as in the figures
published for WikiSplit (Rothe et al. 2020): an exact match gets 100, but so copying the source, which
deletes nothing, gets more than it deserves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import mean

from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

LONGEST = 4
Ngrams = Counter[tuple[str, ...]]

tokenized = Tokenizer13a()


def sari(source: str, output: str, references: Sequence[str]) -> float:
    words = [tokenized(text.lower()).split() for text in (source, output, *references)]
    return 100 * mean(
        mean(operations(*(ngrams(text, length) for text in words[:2]), [ngrams(text, length) for text in words[2:]]))
        for length in range(1, LONGEST + 1)
    )


def ngrams(words: list[str], length: int) -> Ngrams:
    return Counter(tuple(words[start : start + length]) for start in range(len(words) - length + 1))


def operations(source: Ngrams, output: Ngrams, references: list[Ngrams]) -> tuple[float, float, float]:
    """F1 of what is kept, precision of what is deleted, F1 of what is added; source and output once a reference."""
    expected = sum(references, Counter())
    source = Counter({ngram: count * len(references) for ngram, count in source.items()})
    output = Counter({ngram: count * len(references) for ngram, count in output.items()})
    kept, to_keep = source & output, source & expected
    well_kept = kept & expected
    deleted = source - output
    well_deleted = deleted - expected
    added, to_add = output.keys() - source.keys(), expected.keys() - source.keys()
    well_added = added & expected.keys()
    return (
        f1(shares(well_kept, kept), ratio(well_kept.total(), to_keep.total())),
        shares(well_deleted, deleted),
        f1(ratio(len(well_added), len(added)), ratio(len(well_added), len(to_add))),
    )


def shares(good: Ngrams, done: Ngrams) -> float:
    """The mean, over the different n-grams done, of the share that was good."""
    return ratio(sum(good[ngram] / done[ngram] for ngram in good), len(done))


def ratio(part: float, whole: int) -> float:
    """1 where there was nothing to do."""
    return part / whole if whole else 1.0


def f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
