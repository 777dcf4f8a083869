"""Files as texts: formats, encodings, order; and what damaged and hostile ones come to."""

from __future__ import annotations

import io
from zipfile import ZipFile

import pytest

from seq2seq.tasks import InputError
from seq2seq.tasks import documents as reading
from seq2seq.tasks.documents import MAX_CHARACTERS, read_document
from tests.documents import pdf, with_body, with_part, word_file
from tests.waiting import within

COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def text_of(data: bytes) -> str:
    return read_document(data).text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_text_files_of_old_and_new_machines(encoding):
    assert text_of("Zoë said: “Yes” – twice.".encode(encoding)) == "Zoë said: “Yes” – twice."


def test_a_wrong_byte_of_a_text_costs_one_letter():
    whole = "Zoë said: “Yes” – twice. " * 20
    assert text_of(whole.encode() + b"\xff " + "Überall.".encode()) == whole + "\ufffd Überall."
    assert text_of(whole.encode() + "é".encode()[:1]) == whole + "\ufffd"


@pytest.mark.parametrize("mark", ["\ufeff", "", "\n"])
def test_a_text_about_the_format_of_a_pdf_is_a_text(mark):
    text = "A PDF begins with %PDF-1.7 – and then come its objects."
    assert text_of((mark + text).encode()).strip() == text


def test_a_pdf_behind_something_else_is_a_pdf():
    assert text_of(b"From a mail.\r\n" + pdf("Ada wrote.")) == "Ada wrote."


def strict(package: bytes) -> bytes:
    with ZipFile(io.BytesIO(package)) as file:
        relations = file.read("_rels/.rels")
    names = b"http://schemas.openxmlformats.org/officeDocument/2006", b"http://purl.oclc.org/ooxml/officeDocument"
    return with_part(package, "_rels/.rels", relations.replace(*names))


def test_pages_follow_each_other_and_cut_words_are_put_together():
    assert text_of(pdf("The obser-\nvatory of Pic-du-Midi", "Second page")) == (
        "The observatory of Pic-du-Midi\n\nSecond page"
    )


def test_a_page_that_ends_within_a_sentence_ends_no_paragraph():
    pages = pdf("Engineers", "in Kochi mix the hus-", "ks with lime.", "Tiles are made of it.")
    assert text_of(pages) == "Engineers\nin Kochi mix the husks with lime.\n\nTiles are made of it."


def test_a_pdf_that_only_restricts_printing_is_read():
    assert text_of(pdf("Ada wrote.", password="")) == "Ada wrote."


def test_headings_paragraphs_and_tables_of_a_word_file_keep_their_order():
    def fill(document):
        document.add_heading("Notes", level=1)
        document.add_paragraph("Ada wrote").add_run(" the notes.")
        table = document.add_table(rows=2, cols=2)
        for row, texts in zip(table.rows, [("Year", "Place"), ("1843", "London")], strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text
        document.add_paragraph("She wrote\tthem\nin a year.")

    assert text_of(word_file(fill)) == (
        "Notes\n\nAda wrote the notes.\n\nYear\tPlace\n1843\tLondon\n\nShe wrote\tthem\nin a year."
    )


def test_a_word_file_is_read_as_it_would_be_printed():
    body = (
        "<w:sdt><w:sdtContent><w:p><w:r><w:t>A title from a template.</w:t></w:r></w:p></w:sdtContent></w:sdt>"
        "<w:p><w:pPr><w:tabs><w:tab w:val='left' w:pos='720'/></w:tabs></w:pPr>"
        "<w:ins><w:r><w:t>An insertion,</w:t></w:r></w:ins><w:del><w:r><w:delText>a deletion</w:delText></w:r></w:del>"
        "<w:moveFrom><w:r><w:t>moved away</w:t></w:r></w:moveFrom>"
        "<w:hyperlink><w:r><w:t xml:space='preserve'> a link.</w:t></w:r></w:hyperlink></w:p>"
        "<w:p><w:r><w:t>Around</w:t><mc:AlternateContent>"
        "<mc:Choice><w:txbxContent><w:p><w:r><w:t>in a box</w:t></w:r></w:p></w:txbxContent></mc:Choice>"
        "<mc:Fallback><w:txbxContent><w:p><w:r><w:t>in a box</w:t></w:r></w:p></w:txbxContent></mc:Fallback>"
        "</mc:AlternateContent></w:r></w:p>"
    )
    assert text_of(with_body(body)) == "A title from a template.\n\nAn insertion, a link.\n\nAround\n\nin a box"


@pytest.mark.parametrize(
    ("data", "notice"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", reading.NOT_TEXT),
        (b"\x81\x8d\x8f\x90\x9d", reading.NOT_TEXT),
        (b"\xff\xfe\x00", reading.NOT_TEXT),
        (pdf("", ""), reading.WITHOUT_TEXT),
        (pdf("Ada wrote.", password="secret"), reading.LOCKED),
        (pdf("Ada wrote.")[:200], reading.BROKEN),
        (b"%PDF-1.7\n" + bytes(range(256)) * 9, reading.BROKEN),
        (word_file(lambda document: None), reading.WITHOUT_TEXT),
        (word_file()[:3000], reading.BROKEN),
        (with_part(word_file(), "word/document.xml", b"<w:document"), reading.BROKEN),
        (with_body("<w:p>" * 100_000), reading.BROKEN),
        (with_part(word_file(), "word/media/picture.png", bytes(60_000_000)), reading.TOO_LARGE),
        (with_part(word_file(), "word/document.xml", b" " * 60_000_000), reading.TOO_LARGE),
        (COMPOUND_FILE + "EncryptedPackage".encode("utf-16-le"), reading.LOCKED),
        (COMPOUND_FILE + "WordDocument".encode("utf-16-le"), reading.NOT_TEXT),
        (b"PK\x05\x06" + bytes(18), reading.NOT_TEXT),
        (b"", reading.EMPTY),
        (b"\xef\xbb\xbf \n\n -- ", reading.EMPTY),
        (strict(word_file()), reading.STRICT),
        (b"Junk\n" + pdf("Ada wrote.")[:200], reading.BROKEN),
    ],
    ids=range(20),
)
def test_what_cannot_be_read_is_said_in_plain_words(data, notice):
    with pytest.raises(InputError) as raised:
        read_document(data)
    assert str(raised.value) == notice


def test_another_kind_of_package_is_no_text():
    data = with_part(word_file(), "xl/workbook.xml", b"<workbook/>").replace(b"word/", b"elsw/")
    with pytest.raises(InputError, match="not a text"):
        read_document(data)


def test_another_file_that_a_word_file_names_is_not_read(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret")
    doctype = f"<!DOCTYPE x [<!ENTITY secret SYSTEM 'file://{secret}'>]>"
    assert text_of(with_body("<w:p><w:r><w:t>Ada wrote.</w:t><w:t>&secret;</w:t></w:r></w:p>", doctype)) == "Ada wrote."


def test_entities_made_of_entities_are_not_resolved():
    entities = "".join(f"<!ENTITY a{number} '{f'&a{number - 1};' * 10}'>" for number in range(1, 10))
    doctype = f"<!DOCTYPE x [<!ENTITY a0 'ha'>{entities}]>"
    with pytest.raises(InputError, match="damaged"):
        read_document(with_body("<w:p><w:r><w:t>&a9;</w:t></w:r></w:p>", doctype))


def test_nesting_and_wide_cells_cost_no_more_than_their_size():
    box = "<w:txbxContent><w:p><w:r><w:t>x</w:t>"
    end = "</w:r></w:p></w:txbxContent>"
    cell = "<w:tc><w:tcPr><w:gridSpan w:val='2000000000'/></w:tcPr><w:p><w:r><w:t>wide</w:t></w:r></w:p></w:tc>"
    body = f"<w:p><w:r><w:t>top</w:t>{box * 50}{end * 50}</w:r></w:p><w:tbl><w:tr>{cell}</w:tr></w:tbl>"
    with within(60):
        assert text_of(with_body(body)).split() == ["top", *"x" * 50, "wide"]


def test_more_than_is_read_of_any_file_is_left_in_it_and_said():
    page = "word " * 20_000
    many = word_file(lambda document: [document.add_paragraph(page) for _ in range(12)])
    for data in (b"word " * 300_000, pdf(*[page] * 12), many):
        document = read_document(data)
        assert len(document.text) == MAX_CHARACTERS
        assert document.is_cut
    assert not read_document(b"word").is_cut
