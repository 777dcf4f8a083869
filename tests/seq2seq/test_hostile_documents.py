"""Files that are made to cost a reader more time or memory than there is. Each is small."""

from __future__ import annotations

import time
import zlib

import pytest

from seq2seq.tasks import InputError, documents
from seq2seq.tasks.documents import BROKEN, TOO_SLOW, WITHOUT_TEXT, read_document

FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"
SHOWS = b"BT /F1 1 Tf " + b"( ) Tj " * 100_000 + b"ET"


def pdf_of(*objects: bytes) -> bytes:
    """Numbered from 1; the first is the catalog."""
    data, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    head = b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    return data + head + b"trailer <</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (size, len(data))


def stream(content: bytes, extra: bytes = b"") -> bytes:
    packed = zlib.compress(content, 9)
    return b"<</Length %d/Filter/FlateDecode%s>>\nstream\n%s\nendstream" % (len(packed), extra, packed)


def pages(count: int, content: bytes, contents: bytes = b"4 0 R", *more: bytes) -> bytes:
    kids = b" ".join([b"3 0 R"] * count)
    resources = b"<</Font<</F1 5 0 R>>/XObject<</X0 6 0 R>>>>"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents %s/Resources%s>>" % (contents, resources)
    tree = b"<</Type/Pages/Count %d/Kids[%s]>>" % (count, kids)
    return pdf_of(CATALOG, tree, page, content, FONT, *more)


def laughs(levels: int) -> list[bytes]:
    """Forms of which each draws the next twice, and the last a text."""
    forms = []
    for level in range(levels):
        following = b"/X%d" % (level + 1)
        drawn = b"%s Do %s Do" % (following, following) if level < levels - 1 else SHOWS
        known = b"/Resources<</Font<</F1 5 0 R>>/XObject<<%s %d 0 R>>>>" % (following, level + 7)
        forms.append(stream(drawn, b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]" + known))
    return forms


def deep_tree(depth: int) -> bytes:
    nodes = [b"<</Type/Pages/Count 1/Kids[%d 0 R]>>" % (number + 3) for number in range(depth)]
    return pdf_of(CATALOG, *nodes, b"<</Type/Page/MediaBox[0 0 9 9]>>")


HOSTILE = {
    "150 megabytes of spaces in a page": lambda: pages(1, stream(b" " * 150_000_000)),
    "a page a hundred thousand times": lambda: pages(100_000, stream(b"q")),
    "a content a hundred thousand times": lambda: pages(1, stream(SHOWS), b"[" + b"4 0 R " * 100_000 + b"]"),
    "pages within each other": lambda: deep_tree(5_000),
    "pages that are their own": lambda: pdf_of(CATALOG, b"<</Type/Pages/Count 1/Kids[2 0 R]>>"),
    "lists within each other": lambda: pdf_of(b"<</Type/Catalog/Pages " + b"[" * 100_000 + b">>"),
    "long pages that show nothing": lambda: pages(300, stream(SHOWS)),
    "forms that draw each other": lambda: pages(1, stream(b"/X0 Do"), b"4 0 R", *laughs(24)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_pdf_bomb_is_refused_in_time(monkeypatch, name):
    monkeypatch.setattr(documents, "MAX_SECONDS", 1)
    data = HOSTILE[name]()
    assert len(data) < 2_000_000
    began = time.monotonic()
    with pytest.raises(InputError) as raised:
        read_document(data)
    assert str(raised.value) in {BROKEN, TOO_SLOW, WITHOUT_TEXT}
    assert time.monotonic() - began < 30
