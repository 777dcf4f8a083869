"""Word's .docx: a zip file of XML. Nothing in it is run, and nothing that it points to is fetched."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from zipfile import ZipFile

import docx
from docx.oxml.ns import qn
from lxml import etree

from seq2seq.files.aside import Unreadable, enough, tell

RELATIONS = "_rels/.rels"
STRICT = b"http://purl.oclc.org/ooxml/"  # names of the same format in its strict form, which the library does not know
ENTRY = b"PK\x01\x02"  # before each part in the list of contents, which is read as a whole
MAX_PARTS = 10_000
MAX_UNPACKED = 50_000_000  # bytes of a file with everything in it, which may be packed a thousandfold

CELL_END = "\x1f"  # a character that XML cannot contain
WRITTEN_FOR = {  # what an element of a Word file adds to the text where it ends
    qn("w:tab"): "\t",
    qn("w:br"): "\n",
    qn("w:cr"): "\n",
    qn("w:noBreakHyphen"): "-",
    qn("w:p"): "\n\n",
    qn("w:tc"): CELL_END,
    qn("w:tr"): "\n",
    qn("w:tbl"): "\n\n",
}
TEXT = qn("w:t")
TEXT_BOX = qn("w:txbxContent")
PASSED_OVER = {  # what was moved away, and a text box said again for old programs; tab stops are no tabs
    qn("w:moveFrom"),
    qn("w:pPr"),
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
}


def read_docx(data: bytes) -> str:
    """Paragraphs, headings and tables in their order: a blank line between paragraphs, a tab between cells."""
    if data.count(ENTRY) > MAX_PARTS:
        raise Unreadable("too large")
    with ZipFile(io.BytesIO(data)) as package:
        check_parts(package.infolist())
        if RELATIONS in package.namelist() and STRICT in package.read(RELATIONS):
            raise Unreadable("strict")
    text = "".join(enough(body_text(docx.Document(io.BytesIO(data)).element.body)))
    text = re.sub(rf"(?<!\n)\n*{CELL_END}", "\t", text).replace("\t\n", "\n")
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def check_parts(parts: Iterable) -> None:
    """Refuse a package by its list of contents (ZipInfo), of which no part can unpack to more than the list says."""
    if not any(part.filename.startswith("word/") for part in parts):
        raise Unreadable("not text")
    if any(part.flag_bits & 1 for part in parts):
        raise Unreadable("locked")
    if sum(part.file_size for part in parts) > MAX_UNPACKED:
        raise Unreadable("too large")


def body_text(body: etree._Element) -> Iterator[str]:
    """What each element of a Word file's body adds to its text: one walk, however deep hostile nesting goes."""
    walk = etree.iterwalk(body, events=("start", "end"))
    for event, element in walk:
        if event == "start":
            if element.tag in PASSED_OVER:
                walk.skip_subtree()
            elif element.tag == TEXT_BOX:
                yield WRITTEN_FOR[qn("w:p")]
        elif element.tag == TEXT:
            yield element.text or ""
        elif element.tag in WRITTEN_FOR:
            yield WRITTEN_FOR[element.tag]


if __name__ == "__main__":
    tell(read_docx)
