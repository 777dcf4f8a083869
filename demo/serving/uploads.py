"""Files on their way in: whole before Gradio sees them, a few at a time, and nothing stays of one that is broken off.

Gradio itself writes what comes, as it comes, into files that it keeps where the rest does not follow. Here a file that
is under way has no name, so it is gone with whoever sends it. Gradio is then given the file in a form of our making,
under a name that is nobody else's, so that who sends the same file at the same time has one of their own. What nobody
reads makes room for what comes after it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
import secrets
from asyncio import Lock, Semaphore
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from tempfile import gettempprefix
from weakref import WeakValueDictionary

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo import limit_words
from demo.serving.bodies import UPLOADS
from demo.serving.connections import refused
from demo.serving.limits import visitor_of

log = logging.getLogger(__name__)

AT_ONCE = 16
AT_ONCE_OF_ONE = 4  # visitor; others wait
MOST_SECONDS = 60  # to send one
OTHER_BYTES = 65_536  # of an upload beside the file
PIECE = 2**20  # bytes
MOST_KEPT = 10_000  # files
MOST_BYTES_KEPT = 2**30
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,16}$")


class Uploads:
    """In front of Gradio, as ASGI middleware."""

    def __init__(self, app: ASGIApp, max_file_bytes: int, known: set[str]):
        self.app = app
        self.kept = Kept(known)
        self.max_bytes = max_file_bytes + OTHER_BYTES
        self.places = Semaphore(AT_ONCE)
        self.handing_over = Lock()
        self.turns: WeakValueDictionary[str, Semaphore] = WeakValueDictionary()  # by visitor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not (scope["type"] == "http" and scope["method"] == "POST" and UPLOADS.search(scope["path"])):
            await self.app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "")
        if not length.isdecimal():
            await refused(411, limit_words.NOT_UNDERSTOOD)(scope, receive, send)
        elif int(length) > self.max_bytes:
            await refused(413, limit_words.TOO_MUCH)(scope, receive, send)
        else:
            turn = self.turns.setdefault(visitor_of(scope["client"][0]), Semaphore(AT_ONCE_OF_ONE))
            async with turn, self.places:
                await self.if_there_is_room(scope, receive, send)

    async def if_there_is_room(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.pass_on(scope, receive, send)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            log.warning("no room for a file: %s", error.strerror)
            await refused(507, limit_words.NO_ROOM)(scope, receive, send)

    async def pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            form = await asyncio.wait_for(form_of(scope, receive), MOST_SECONDS)
        except asyncio.TimeoutError:
            await refused(408, limit_words.TOO_SLOW)(scope, receive, send)
            return
        except (MultiPartException, ValueError):
            await refused(400, limit_words.NOT_UNDERSTOOD)(scope, receive, send)
            return
        file = form.get("files")
        try:
            if isinstance(file, UploadFile) and file.filename:
                await self.hand_over(file, scope, send)
            else:
                await refused(400, limit_words.NOT_UNDERSTOOD)(scope, receive, send)
        finally:
            await form.close()

    async def hand_over(self, file: UploadFile, scope: Scope, send: Send) -> None:
        """To Gradio, one at a time: what it leaves where it fails is known by that."""
        name, folder = unique(file.filename), Path(scope["app"].uploaded_file_dir)
        async with self.handing_over:
            others = unfinished(folder)
            try:
                await self.app(*posted(file, name, scope), send)
            except OSError:
                for path in unfinished(folder) - others:
                    os.truncate(path, 0)  # it is still open, and would have its room for as long
                    path.unlink()
                raise
            self.kept.add(name, file.size)


class Kept:
    """The files that came last, whether or not they were read. Gradio sweeps by age alone, and forgets no name."""

    def __init__(self, known: set[str]):
        self.known = known  # to Gradio, by their paths
        self.files: deque[tuple[str, int]] = deque()

    def add(self, name: str, size: int) -> None:
        self.files += [(path, size) for path in tuple(self.known) if path.endswith(name)]
        while self.is_too_much():
            path, _ = self.files.popleft()
            self.known.discard(path)
            Path(path).unlink(missing_ok=True)
            with suppress(OSError):  # another has come there since
                Path(path).parent.rmdir()

    def is_too_much(self) -> bool:
        """Of several; the last one is about to be read."""
        num_bytes = sum(size for _, size in self.files)
        return len(self.files) > 1 and (len(self.files) > MOST_KEPT or num_bytes > MOST_BYTES_KEPT)


def unfinished(folder: Path) -> set[Path]:
    """Where Gradio writes what it then moves to its place."""
    return {*folder.glob(f"{gettempprefix()}*")}


def unique(name: str) -> str:
    """Of the visitor's name for a file only what says of which kind it is."""
    suffix = SUFFIX.search(name)
    return secrets.token_hex(8) + (suffix.group() if suffix else "")


async def form_of(scope: Scope, receive: Receive) -> FormData:
    """With one file and nothing beside it.

    Raises: MultiPartException or ValueError for what is no such form; ClientDisconnect.
    """
    headers, stream = Headers(scope=scope), Request(scope, receive).stream()
    if "content-type" not in headers:
        raise MultiPartException(limit_words.NOT_UNDERSTOOD)
    return await MultiPartParser(headers, stream, max_files=1, max_fields=0).parse()


def posted(file: UploadFile, name: str, scope: Scope) -> tuple[Scope, Receive]:
    """The same upload, as Gradio is to see it."""
    boundary = secrets.token_hex()
    pieces = form_pieces(file, name, boundary)

    async def receive() -> Message:
        piece = await anext(pieces, b"")
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    kind = (b"content-type", f"multipart/form-data; boundary={boundary}".encode())
    headers = [each for each in scope["headers"] if each[0] not in (b"content-type", b"content-length")]
    return scope | {"query_string": b"", "headers": [*headers, kind]}, receive


async def form_pieces(file: UploadFile, name: str, boundary: str) -> AsyncIterator[bytes]:
    yield f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
    while piece := await file.read(PIECE):
        yield piece
    yield f"\r\n--{boundary}--\r\n".encode()
