"""The Node server that Gradio starts where the host wants pages drawn on the server (SSR)."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException

from gradio import node_server


def give_node_time() -> None:
    """Gradio waits no longer than 2 s for any page that it tries; a busy machine takes longer to draw one.

    It would go on without Node then, and move the page to a second event loop, where what the first began breaks off.
    """
    node_server.verify_server_startup = draws


def draws(host: str, port: int, timeout: float) -> bool:
    """Whether Node answers with a page, in the time that Gradio gives it for all tries together."""
    deadline = time.monotonic() + timeout
    while (left := deadline - time.monotonic()) > 0:
        with suppress(OSError, HTTPException), closing(HTTPConnection(host, port, timeout=left)) as http:
            http.request("HEAD", "/")
            if http.getresponse().status < 500:
                return True
        time.sleep(0.2)
    return False
