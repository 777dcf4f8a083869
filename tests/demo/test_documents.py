from __future__ import annotations

import pytest

from demo import wording
from demo.documents import MAX_CHARACTERS, read_document
from seq2seq.tasks import InputError
from tests.demo.documents import pdf


@pytest.fixture
def uploaded(tmp_path):
    def upload(data: bytes, name: str = "notes"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return upload


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_text_files_of_old_and_new_machines(uploaded, encoding):
    assert read_document(uploaded("Zoë said: “Yes” – twice.".encode(encoding))) == "Zoë said: “Yes” – twice."


def test_pages_follow_each_other_and_cut_words_are_put_together(uploaded):
    text = read_document(uploaded(pdf("The obser-\nvatory of Pic-du-Midi", "Second page")))
    assert text == "The observatory of Pic-du-Midi\n\nSecond page"


def test_a_pdf_that_only_restricts_printing_is_read(uploaded):
    assert read_document(uploaded(pdf("Ada wrote.", password=""))) == "Ada wrote."


@pytest.mark.parametrize(
    ("data", "notice"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", wording.FILE_NOT_TEXT),
        (b"\x81\x8d\x8f\x90\x9d", wording.FILE_NOT_TEXT),
        (b"\xff\xfe\x00", wording.FILE_NOT_TEXT),
        (pdf("", ""), wording.FILE_WITHOUT_TEXT),
        (pdf("Ada wrote.", password="secret"), wording.FILE_LOCKED),
        (pdf("Ada wrote.")[:200], wording.FILE_BROKEN),
        (b"%PDF-1.7\n" + bytes(range(256)) * 9, wording.FILE_BROKEN),
    ],
)
def test_what_cannot_be_read_is_said_in_plain_words_and_not_kept(uploaded, data, notice):
    path = uploaded(data)
    with pytest.raises(InputError) as raised:
        read_document(path)
    assert str(raised.value) == notice
    assert not path.exists()


def test_more_than_any_model_reads_is_left_in_the_file(uploaded):
    assert len(read_document(uploaded(b"word " * 300_000))) == MAX_CHARACTERS
    page = "word " * 20_000
    assert len(read_document(uploaded(pdf(*[page] * 12)))) == MAX_CHARACTERS
