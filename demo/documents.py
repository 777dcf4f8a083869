"""A visitor's file as text for the text box: plain text or a PDF. Keeps no file. Knows no widgets."""

from __future__ import annotations

import codecs
import io
import re
from pathlib import Path

from pypdf import PdfReader
from pypdf.errors import DependencyError, FileNotDecryptedError

from demo import wording
from seq2seq.tasks import InputError

PDF_MARK = b"%PDF-"  # within the first kilobyte, says the standard
SUFFIXES = (".txt", ".md", ".pdf")
MAX_CHARACTERS = 1_000_000  # more than any model here reads
BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read_document(path: Path) -> str:
    """The text of an uploaded file, which is deleted whether or not it could be read.

    Raises: InputError, in a visitor's words, for a file that holds no text or another format.
    """
    data = path.read_bytes()
    path.unlink()
    text = read_pdf(data) if PDF_MARK in data[:1024] else read_plain(data)
    return text[:MAX_CHARACTERS]


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
    raise InputError(wording.FILE_NOT_TEXT)


def read_pdf(data: bytes) -> str:
    """The text layer of as many pages as MAX_CHARACTERS takes, with words put together that a line end cut."""
    try:
        text = "\n\n".join(first_pages(PdfReader(io.BytesIO(data))))
    except (FileNotDecryptedError, DependencyError) as error:
        raise InputError(wording.FILE_LOCKED) from error
    except Exception as error:  # a damaged file makes the parser fail in any way there is
        raise InputError(wording.FILE_BROKEN) from error
    if not any(character.isalnum() for character in text):
        raise InputError(wording.FILE_WITHOUT_TEXT)
    return re.sub(r"(?<=[^\W\d_])-\n(?=[a-z])", "", text)


def first_pages(reader: PdfReader) -> list[str]:
    pages: list[str] = []
    for page in reader.pages:
        pages.append(page.extract_text().strip())
        if sum(map(len, pages)) > MAX_CHARACTERS:
            break
    return pages
