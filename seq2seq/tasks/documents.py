"""A file as text: plain text, Markdown, PDF or Word. A stranger's file may be damaged or hostile: what is read of it
is bounded, nothing in it is run, and nothing that it points to is fetched. Knows no models.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from seq2seq.files.aside import MAX_CHARACTERS, Reason, Unreadable, read_aside
from seq2seq.tasks.patience import go_on
from seq2seq.tasks.results import InputError
from seq2seq.tasks.source import has_words

SUFFIXES = (".txt", ".md", ".pdf", ".docx")
MAX_SECONDS = 30  # for a .pdf or a .docx; then its reader is stopped, wherever it is

NOT_TEXT = "This file is not a text. Choose a .txt, .md, .pdf or .docx file."
BROKEN = "This file is damaged and could not be read. Try to save it anew, or copy its text."
LOCKED = "This file is protected by a password. Save it without one, or copy its text."
TOO_LARGE = "This file holds too much besides its text. Save it without pictures, or copy its text."
TOO_SLOW = "This file takes too long to read. Save it anew as a simpler PDF, or copy its text."
STRICT = "This file is of Word’s kind “Strict Open XML”. Save it as an ordinary Word document (.docx) or as a PDF."
EMPTY = "This file has no text in it. Choose another."
WITHOUT_TEXT = "This file has no text in it, at most pictures of it. Run a text recognition on it first."

REFUSALS: dict[Reason, str] = {
    "not text": NOT_TEXT,
    "broken": BROKEN,
    "locked": LOCKED,
    "too large": TOO_LARGE,
    "too slow": TOO_SLOW,
    "strict": STRICT,
}

PDF_MARK = b"%PDF-"  # within the first kilobyte, says the standard
ZIP_MARK = b"PK\x03\x04"
COMPOUND_FILE_MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # around an old .doc, or a .docx with a password
ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}

REPLACEMENT = "\ufffd"
RIGHT_FOR_A_WRONG = 4  # letters beyond ASCII


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
        text = read_layout("seq2seq.files.word", data)
    elif data.startswith(COMPOUND_FILE_MARK) and ENCRYPTED_PACKAGE in data:
        raise InputError(LOCKED)
    else:
        text = read_plain(data)
    return Document(text[:MAX_CHARACTERS], len(text) > MAX_CHARACTERS)


def read_pdf(data: bytes) -> str:
    """What is no PDF, and only names its mark somewhere, is a text."""
    try:
        return read_layout("seq2seq.files.pdf", data)
    except InputError:
        if data.startswith(PDF_MARK) or not is_utf8(data):
            raise
        return read_plain(data)


def is_utf8(data: bytes) -> bool:
    try:
        return "\0" not in data.decode()
    except UnicodeDecodeError:
        return False


def read_plain(data: bytes) -> str:
    """Text in UTF-8, in UTF-16 with its mark, or in the Western European of older machines.

    Raises: InputError for what is none of these, or has no words.
    """
    text = decoded(data)
    if not has_words(text):
        raise InputError(EMPTY)
    return text


def decoded(data: bytes) -> str:
    marked = next((name for mark, name in BYTE_ORDER_MARKS.items() if data.startswith(mark)), None)
    if not marked and is_damaged_utf8(data):
        return data.decode(errors="replace")
    for encoding in (marked,) if marked else ("utf-8", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise InputError(NOT_TEXT)


def is_damaged_utf8(data: bytes) -> bool:
    """Whether a few bytes are wrong. Of the letters of another encoding, hardly any would be right by chance."""
    text = data.decode(errors="replace")
    wrong = text.count(REPLACEMENT)
    right = len(text) - len(text.encode("ascii", errors="ignore")) - wrong
    return "\0" not in text and 0 < wrong * RIGHT_FOR_A_WRONG <= right


def read_layout(reader: str, data: bytes) -> str:
    """The text of a format in which anything may stand in any place, by a reader in a process of its own."""
    try:
        text = read_aside(reader, data, MAX_SECONDS, go_on)
    except Unreadable as error:
        raise InputError(REFUSALS[error.reason]) from error
    if not has_words(text):
        raise InputError(WITHOUT_TEXT)
    return text
