"""The Hugging Face Hub as a small server on this machine plays it: repositories with revisions, and ways to fail."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from huggingface_hub import constants

RESOLVE = re.compile(r"/(?P<repository>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<filename>[^?]+)")
COMMIT = re.compile("[0-9a-f]{40}")
RANGE = re.compile(r"bytes=(\d+)-")

Files = dict[str, bytes]


@dataclass
class Hub:
    """What it has, what it refuses, and what it was asked for and has sent."""

    repositories: dict[str, dict[str, Files]] = field(default_factory=dict)  # by revision
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)  # with which status and code
    lost: set[str] = field(default_factory=set)  # files that are listed and cannot be sent
    failing: dict[str, int] = field(default_factory=dict)  # files, with the status that they are answered with
    cut: dict[str, int] = field(default_factory=dict)  # after how many of a file's bytes the line breaks, once begun
    hanging: set[str] = field(default_factory=set)  # repositories of which nothing is ever told
    tags: dict[str, str] = field(default_factory=dict)  # other ETags than the files' own
    num_requests: int = 0
    sent: list[tuple[str, str, str]] = field(default_factory=list)  # repository, revision and file, also if cut

    def add(self, repository: str, folder: Path, revision: str = "main") -> None:
        """The files of a folder, beside those that are there."""
        files = self.repositories.setdefault(repository, {}).setdefault(revision, {})
        files |= {path.name: path.read_bytes() for path in folder.iterdir()}

    def commit(self, repository: str, revision: str) -> str:
        """A commit is its own."""
        return revision if COMMIT.fullmatch(revision) else hashlib.sha1(f"{repository} {revision}".encode()).hexdigest()


def etag(content: bytes) -> str:
    """As large files have it there."""
    return hashlib.sha256(content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers as huggingface.co does."""

    hub: Hub

    def do_HEAD(self) -> None:
        self.hub.num_requests += 1
        repository, revision, filename = map(unquote, RESOLVE.match(self.path).groups())
        revisions = self.hub.repositories.get(repository, {})
        known = {self.hub.commit(repository, each): each for each in revisions} | {each: each for each in revisions}
        if repository in self.hub.hanging:
            self.rfile.read()  # until whoever asks gives up
        elif repository in self.hub.refused:
            self.refuse(*self.hub.refused[repository])
        elif not revisions:
            self.refuse(401, "RepoNotFound")
        elif revision not in known:
            self.refuse(404, "RevisionNotFound")
        elif filename in self.hub.failing:
            self.refuse(self.hub.failing[filename], "")
        elif filename not in revisions[known[revision]]:
            self.refuse(404, "EntryNotFound")
        elif self.command == "GET" and filename in self.hub.lost:
            self.refuse(410, "Gone")
        else:
            self.send(repository, known[revision], filename)

    do_GET = do_HEAD

    def send(self, repository: str, revision: str, filename: str) -> None:
        content = self.hub.repositories[repository][revision][filename]
        asked_from = RANGE.match(self.headers.get("Range", ""))
        start = int(asked_from.group(1)) if asked_from else 0
        if self.command == "GET":
            self.hub.sent.append((repository, revision, filename))
            if start >= self.hub.cut.get(filename, len(content) + 1):
                self.close_connection = True
                return
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", self.hub.commit(repository, revision))
        self.send_header("ETag", f'"{self.hub.tags.get(filename) or etag(content)}"')
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[start : self.hub.cut.get(filename)])
            self.close_connection = True

    def refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args) -> None:
        pass


@contextmanager
def serving(hub: Hub) -> Iterator[str]:
    """The address of a server that plays this Hub."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("HandlerOfOne", (Handler,), {"hub": hub}))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def connected(hub: Hub, cache: Path) -> Iterator[None]:
    """huggingface_hub takes it for the real one, and keeps what it fetches in `cache`."""
    with serving(hub) as url, pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        patch.setattr(constants, "ENDPOINT", url)
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
        yield
