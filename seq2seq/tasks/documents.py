"""A file as text: plain text, Markdown, PDF or Word. A stranger's file may be damaged or hostile: what is read of it
is bounded, nothing in it is run, and nothing that it points to is fetched. Knows no models.
"""

from __future__ import annotations

import codecs
import io
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from zipfile import ZipFile

import docx
from docx.oxml.ns import qn
from lxml import etree
from pypdf import PdfReader
from pypdf.errors import DependencyError, FileNotDecryptedError

from seq2seq.tasks.results import InputError
from seq2seq.tasks.source import has_words

SUFFIXES = (".txt", ".md", ".pdf", ".docx")
MAX_CHARACTERS = 1_000_000  # 400 pages or so
MAX_UNPACKED = 50_000_000  # bytes of a .docx with everything in it, which may be packed a thousandfold
MAX_SECONDS = 30  # for a .pdf, whose pages are programs

NOT_TEXT = "This file is not a text. Choose a .txt, .md, .pdf or .docx file."
BROKEN = "This file is damaged and could not be read. Try to save it anew, or copy its text."
LOCKED = "This file is protected by a password. Save it without one, or copy its text."
TOO_LARGE = "This file holds too much besides its text. Save it without pictures, or copy its text."
TOO_SLOW = "This file takes too long to read. Save it anew as a simpler PDF, or copy its text."
WITHOUT_TEXT = "This file has no text in it, at most pictures of it. Run a text recognition on it first."

PDF_MARK = b"%PDF-"  # within the first kilobyte, says the standard
ZIP_MARK = b"PK\x03\x04"
COMPOUND_FILE_MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # around an old .doc, or a .docx with a password
ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}

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


@dataclass(frozen=True)
class Document:
    """What was read of a file."""

    text: str
    is_cut: bool  # it held more than MAX_CHARACTERS


def read_document(data: bytes) -> Document:
    """The text of a file's content.

    Raises: InputError, in a visitor's words, for a file that holds no text or another format.
    """
    if PDF_MARK in data[:1024]:
        text = read_pdf(data)
    elif data.startswith(ZIP_MARK):
        text = read_docx(data)
    elif data.startswith(COMPOUND_FILE_MARK) and ENCRYPTED_PACKAGE in data:
        raise InputError(LOCKED)
    else:
        text = read_plain(data)
    return Document(text[:MAX_CHARACTERS], len(text) > MAX_CHARACTERS)


def read_plain(data: bytes) -> str:
    """Text in UTF-8, in UTF-16 with its mark, or in the Western European of older machines."""
    marked = next((name for mark, name in BYTE_ORDER_MARKS.items() if data.startswith(mark)), None)
    for encoding in (marked,) if marked else ("utf-8", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise InputError(NOT_TEXT)


def read_pdf(data: bytes) -> str:
    """The text layer, with words put together that a line end cut, and sentences that a page end cut."""
    deadline = time.monotonic() + MAX_SECONDS

    def check_time(*_: object) -> None:
        if time.monotonic() > deadline:
            raise InputError(TOO_SLOW)

    try:
        read = PdfReader(io.BytesIO(data)).pages
        pages = enough(page.extract_text(visitor_operand_before=check_time).strip() for page in read)
        text = "".join(f"\n{page}" if page[:1].islower() else f"\n\n{page}" for page in pages).lstrip()
    except InputError:
        raise
    except (FileNotDecryptedError, DependencyError) as error:
        raise InputError(LOCKED) from error
    except Exception as error:  # a damaged file makes the parser fail in any way there is
        raise InputError(BROKEN) from error
    return re.sub(r"(?<=[^\W\d_])-\n(?=[a-z])", "", with_words(text))


def read_docx(data: bytes) -> str:
    """Paragraphs, headings and tables in their order: a blank line between paragraphs, a tab between cells."""
    try:
        parts = ZipFile(io.BytesIO(data)).infolist()
        check_parts(parts)
        text = "".join(enough(body_text(docx.Document(io.BytesIO(data)).element.body)))
    except InputError:
        raise
    except Exception as error:  # as above
        raise InputError(BROKEN) from error
    text = re.sub(rf"\n*{CELL_END}", "\t", with_words(text)).replace("\t\n", "\n")
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def check_parts(parts: Iterable) -> None:
    """Refuse a package by its list of contents (ZipInfo), of which no part can unpack to more than the list says."""
    if not any(part.filename.startswith("word/") for part in parts):
        raise InputError(NOT_TEXT)
    if any(part.flag_bits & 1 for part in parts):
        raise InputError(LOCKED)
    if sum(part.file_size for part in parts) > MAX_UNPACKED:
        raise InputError(TOO_LARGE)


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


def enough(pieces: Iterable[str]) -> list[str]:
    """The first pieces, until they have more than MAX_CHARACTERS."""
    taken: list[str] = []
    characters = 0
    for piece in pieces:
        taken.append(piece)
        characters += len(piece)
        if characters > MAX_CHARACTERS:
            break
    return taken


def with_words(text: str) -> str:
    """The text itself. Raises InputError where it has no letter and no digit."""
    if not has_words(text):
        raise InputError(WITHOUT_TEXT)
    return text
