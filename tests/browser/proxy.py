"""A proxy as small as can be: what comes below a path is passed to a page that knows nothing of that path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

PREFIX = "/tools/gloss"
HOP = {"connection", "keep-alive", "transfer-encoding"}  # headers that end at a proxy


class Proxy(BaseHTTPRequestHandler):
    """`server.behind` is the page's host and port."""

    def pass_on(self) -> None:
        if not self.path.startswith(PREFIX):
            self.send_response(204 if self.path == "/favicon.ico" else 404)  # browsers ask every host for its icon
            self.end_headers()
            return
        page = HTTPConnection(self.server.behind)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = passed(self.headers) | {"X-Forwarded-Host": self.headers["Host"], "X-Forwarded-Proto": "http"}
        page.request(self.command, self.path.removeprefix(PREFIX) or "/", body, headers)
        answer = page.getresponse()
        self.send_response(answer.status)
        for name, value in passed(answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        try:
            while piece := answer.read1(65_536):  # as it comes: runs stream
                self.wfile.write(piece)
        except ConnectionError:  # the visitor left
            pass
        finally:
            page.close()

    do_GET = do_POST = do_HEAD = pass_on

    def log_message(self, *_) -> None:
        pass


def passed(headers: HTTPMessage) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in HOP}


@contextmanager
def proxy(address: str) -> Iterator[str]:
    """Where visitors find the page at `address`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        server.daemon_threads = True
        server.block_on_close = False
        server.behind = urlsplit(address).netloc
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{PREFIX}"
        server.shutdown()
