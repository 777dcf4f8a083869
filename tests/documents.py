"""The smallest PDFs and Word files that the tests need, whole and hostile."""

from __future__ import annotations

import io
from zipfile import ZIP_DEFLATED, ZipFile

import docx
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

FONT = DictionaryObject(
    {
        NameObject("/Type"): NameObject("/Font"),
        NameObject("/Subtype"): NameObject("/Type1"),
        NameObject("/BaseFont"): NameObject("/Helvetica"),
    }
)


def pdf(*pages: str, password: str | None = None) -> bytes:
    """A PDF with a page for each text, its lines below each other. An empty text is a page without a text layer."""
    writer = PdfWriter()
    for text in pages:
        page = writer.add_blank_page(595, 842)
        shown = "".join(f"({line}) Tj T* " for line in text.split("\n"))
        content = DecodedStreamObject()
        content.set_data(f"BT /F1 12 Tf 14 TL 72 720 Td {shown}ET".encode("latin-1") if text else b"")
        page[NameObject("/Contents")] = writer._add_object(content)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): writer._add_object(FONT)})}
        )
    if password is not None:
        writer.encrypt(password, algorithm="RC4-128")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def word_file(fill=lambda document: document.add_paragraph("Ada wrote.")) -> bytes:
    """A .docx that `fill` has written into, by python-docx's own means."""
    document = docx.Document()
    fill(document)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def with_part(package: bytes, name: str, content: bytes) -> bytes:
    """The same package with another content for one part, or with a part more."""
    file = io.BytesIO()
    with ZipFile(io.BytesIO(package)) as old, ZipFile(file, "w", ZIP_DEFLATED) as new:
        for part in old.namelist():
            if part != name:
                new.writestr(part, old.read(part))
        new.writestr(name, content)
    return file.getvalue()


def with_body(xml: str, doctype: str = "") -> bytes:
    """A .docx with this XML in its body."""
    namespaces = (
        'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    )
    document = f"{doctype}<w:document {namespaces}><w:body>{xml}</w:body></w:document>"
    return with_part(word_file(), "word/document.xml", document.encode())
