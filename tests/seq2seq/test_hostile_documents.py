"""Files that are made to cost a reader more time or memory than there is. Each is small."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from seq2seq.files import aside
from seq2seq.tasks import InputError, documents
from seq2seq.tasks.documents import BROKEN, TOO_LARGE, TOO_SLOW, WITHOUT_TEXT, read_document
from tests.documents import pdf, with_body
from tests.waiting import PATIENCE, within

FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"
COMMENTS = b"%\n" * 3_000_000  # in which a reader finds nothing to do, and so nothing to stop at
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
    "pages of comments": lambda: pages(1000, stream(COMMENTS)),
    "pages of spaces": lambda: pages(1000, stream(b" " * 70_000_000)),
    "pages of numbers for no operator": lambda: pages(1000, stream(b"0 " * 3_000_000)),
    "forms that draw each other": lambda: pages(1, stream(b"/X0 Do"), b"4 0 R", *laughs(24)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_pdf_bomb_is_refused_in_time(monkeypatch, name):
    monkeypatch.setattr(documents, "MAX_SECONDS", 1)
    data = HOSTILE[name]()
    assert len(data) < 2_000_000
    with within(60), pytest.raises(InputError) as raised:
        read_document(data)
    assert str(raised.value) in {BROKEN, TOO_SLOW, WITHOUT_TEXT}


@pytest.fixture
def readers(monkeypatch) -> list[subprocess.Popen]:
    """The processes of readers, as they are started."""
    started = []

    class Noted(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            started.append(self)

    monkeypatch.setattr(aside.subprocess, "Popen", Noted)
    return started


def test_a_single_page_is_stopped_within_itself_and_leaves_no_process(monkeypatch, readers):
    monkeypatch.setattr(documents, "MAX_SECONDS", 0.5)
    with within(15), pytest.raises(InputError, match="too long to read"):
        read_document(pages(1, stream(b"BT (a) Tj ET " * 1_000_000)))
    assert [reader.returncode is None for reader in readers] == [False]


def test_who_gives_up_reading_leaves_no_process(monkeypatch, readers):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(aside.subprocess.Popen, "communicate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read_document(pdf("Ada wrote."))
    assert [reader.returncode is None for reader in readers] == [False]


def test_a_reader_whose_server_is_gone_ends_by_itself():
    data = pages(1000, stream(COMMENTS))
    command = [sys.executable, "-m", "seq2seq.files.pdf", "0.5"]
    assert subprocess.run(command, cwd=aside.ROOT, input=data, capture_output=True, timeout=PATIENCE).returncode


def test_a_word_file_of_very_many_parts_is_refused_before_they_are_listed():
    entry = struct.pack("<4s24xH16x", b"PK\x01\x02", 5) + b"word/"
    contents = entry * 10_001
    end = struct.pack("<4s8xLL2x", b"PK\x05\x06", len(contents), 4)
    with pytest.raises(InputError, match=TOO_LARGE):
        read_document(b"PK\x03\x04" + contents + end)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux")
def test_a_readers_memory_is_bounded():
    with within(60), pytest.raises(InputError) as raised:
        read_document(with_body("<w:p/>" * 8_000_000))
    assert str(raised.value) in {TOO_LARGE, BROKEN}


def test_a_reader_starts_without_torch():
    names = [f"seq2seq.files.{path.stem}" for path in Path(aside.__file__).parent.glob("*.py")]
    program = f"import sys, {', '.join(names)}; sys.exit('torch' in sys.modules)"
    assert not subprocess.run([sys.executable, "-c", program], cwd=aside.ROOT).returncode


def test_a_million_line_breaks_in_a_word_file_are_read_once():
    with within(60):
        text = read_document(with_body(f"<w:p><w:r><w:t>Ada</w:t>{'<w:br/>' * 900_000}</w:r></w:p>")).text
    assert text == "Ada"
