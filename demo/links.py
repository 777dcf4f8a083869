"""A look at a result, or a form, as a link: the page's query parameters, and back. Knows no widgets and no engine.

Layers, heads and parts are counted from 1 in links, as on the page. A long text is named by its hash: the page keeps
the last ones that links were made for, in memory alone.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Literal, TypeVar
from urllib.parse import quote_plus, urlencode

from demo import explorer_words
from seq2seq.explain.grain import GRAINS, Grain
from seq2seq.tasks import TASKS, InputError, Written
from seq2seq.trace import ATTENTION_KINDS, COMBINATIONS, AttentionKind, Combination

Marks = Literal["hidden", "shown", "left out"]
MARKS: tuple[Marks, ...] = Marks.__args__
WHOLE = -1  # the part that is all of the text
LONGEST_IN_LINK = 2_000  # characters of a text, as an address spells it
LONGEST_TEXT = 20_000  # characters in a link that somebody made by hand
TEXTS = ("text", "question")  # that a link may have
HASHED = "_hash"
MOST_IDS = 1_024  # of an output; the page's have half as many
MOST_HEADS = 64
LONGEST_VALUE = 1_000  # characters of any other
MOST_KEPT = 64 * 2**20  # bytes of texts
LEAST_KEPT = 16  # texts

Value = TypeVar("Value")


@dataclass(frozen=True)
class Look:
    """What of a result the map shows: the values of its form, in their order."""

    kind: AttentionKind = "cross"
    layer: int | Combination = 0
    heads: tuple[int, ...] = ()  # none: all
    grain: Grain = "words"
    part: int = WHOLE
    largest: bool = False  # of several heads, rather than their mean
    marks: Marks = "hidden"
    log: bool = False


class KeptTexts:
    """The texts that were kept last, by their hash."""

    def __init__(self, most_bytes: int = MOST_KEPT):
        self.most_bytes = most_bytes
        self._texts: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def keep(self, text: str) -> str:
        """Its hash, by which it is found as long as it is among the last.

        Raises: InputError for one that would take the room of many.
        """
        data = text.encode("utf-8")
        if len(data) > self.most_bytes / LEAST_KEPT:
            raise InputError(explorer_words.TOO_LONG_FOR_A_LINK)
        name = hashlib.sha256(data).hexdigest()
        with self._lock:
            self._texts[name] = data
            self._texts.move_to_end(name)
            while len(self._texts) > 1 and sum(map(len, self._texts.values())) > self.most_bytes:
                self._texts.popitem(last=False)
        return name

    def find(self, name: str) -> str | None:
        with self._lock:
            data = self._texts.get(name)
        return None if data is None else data.decode("utf-8")


def link_of(written: Written, look: Look, kept: KeptTexts) -> str:
    """The query that stands for both."""
    layer = look.layer if isinstance(look.layer, str) else look.layer + 1
    chosen = {
        "kind": look.kind,
        "layer": layer,
        "heads": ".".join(str(head + 1) for head in look.heads),
        "by": look.grain,
        "part": "" if look.part == WHOLE else look.part + 1,
        "largest": "1" if look.largest else "",
        "marks": look.marks,
        "log": "1" if look.log else "",
    }
    ids = ".".join(map(str, written.target_ids))
    return spelled({"task": written.task, "model": written.model, "text": written.text, "output": ids, **chosen}, kept)


def spelled(values: Mapping[str, str | int | bool | None], kept: KeptTexts) -> str:
    """As a query: what is empty is left out, and a long text is kept, and named by its hash."""
    given = {}
    for name, value in values.items():
        if name in TEXTS and value and is_long(value):
            given[name + HASHED] = kept.keep(value)
        elif value not in ("", None):
            given[name] = int(value) if isinstance(value, bool) else value
    return urlencode(given)


def is_long(text: str) -> bool:
    return len(text) > LONGEST_IN_LINK or len(quote_plus(text)) > LONGEST_IN_LINK


def text_of(name: str, query: Mapping[str, str], kept: KeptTexts) -> str:
    """A text of a link; empty where it has none.

    Raises: InputError where it is not kept any more, or too long, as what a page is opened with is kept.
    """
    hashed = query.get(name + HASHED)
    text = query.get(name, "") if hashed is None else kept.find(hashed)
    if hashed is None and len(text) > LONGEST_TEXT:
        raise InputError(explorer_words.BROKEN_LINK)
    if text is None:
        raise InputError(explorer_words.TEXT_GONE)
    return text


def has_text(query: str) -> bool:
    """Whether the link carries its text itself."""
    return "&text=" in query


def read_link(query: Mapping[str, str], kept: KeptTexts) -> tuple[Written, Look] | None:
    """What a link stands for; None for a page that was not opened by one.

    Raises: InputError for a link that is broken, or whose text is not here any more.
    """
    if "output" not in query:
        return None
    layer = query.get("layer", "1")
    look = Look(
        kind=one_of(ATTENTION_KINDS, query.get("kind", "cross")),
        layer=layer if layer in COMBINATIONS else place(layer),
        heads=tuple(place(head) for head in listed(query.get("heads", ""), MOST_HEADS) if head),
        grain=one_of(GRAINS, query.get("by", "words")),
        part=place(query["part"]) if "part" in query else WHOLE,
        largest=query.get("largest") == "1",
        marks=one_of(MARKS, query.get("marks", "hidden")),
        log=query.get("log") == "1",
    )
    ids = tuple(number(each) for each in listed(query["output"], MOST_IDS))
    text = text_of("text", query, kept)
    if not text:
        raise InputError(explorer_words.TEXT_GONE)
    return Written(one_of(TASKS, query.get("task", "")), text, ids, short(query.get("model"))), look


def read_form(query: Mapping[str, str], kept: KeptTexts) -> dict[str, str] | None:
    """The `task` and further values that a link fills in; None for a page that was not opened by such a link.

    Raises: InputError for a link whose texts are not here any more.
    """
    if "task" not in query or "output" in query:
        return None
    return {**query, **{name: text_of(name, query, kept) for name in TEXTS}}


def one_of(known: Collection[Value], given: str) -> Value:
    if given not in known:
        raise InputError(explorer_words.BROKEN_LINK)
    return given


def listed(values: str, most: int) -> list[str]:
    """What stands between dots: so many at most, as all that a page is opened with is kept."""
    if values.count(".") >= most:
        raise InputError(explorer_words.BROKEN_LINK)
    return values.split(".")


def short(given: str | None) -> str | None:
    if given and len(given) > LONGEST_VALUE:
        raise InputError(explorer_words.BROKEN_LINK)
    return given


def number(digits: str, least: int = 0) -> int:
    """Raises: InputError for what is no number of at most seven digits, from `least` on."""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 7 and int(digits) >= least):
        raise InputError(explorer_words.BROKEN_LINK)
    return int(digits)


def place(digits: str) -> int:
    """Counted from 0, of one counted from 1."""
    return number(digits, least=1) - 1
