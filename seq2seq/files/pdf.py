"""PDF, whose pages are programs."""

from __future__ import annotations

import io
import re

from pypdf import PdfReader
from pypdf.errors import DependencyError, FileNotDecryptedError

from seq2seq.files.aside import Unreadable, enough, tell


def read_pdf(data: bytes) -> str:
    """The text layer, with words put together that a line end cut, and sentences that a page end cut."""
    try:
        pages = enough(page.extract_text().strip() for page in PdfReader(io.BytesIO(data)).pages)
    except (FileNotDecryptedError, DependencyError) as error:
        raise Unreadable("locked") from error
    text = "".join(f"\n{page}" if page[:1].islower() else f"\n\n{page}" for page in pages).lstrip()
    return re.sub(r"(?<=[^\W\d_])-\n(?=[a-z])", "", text)


if __name__ == "__main__":
    tell(read_pdf)
