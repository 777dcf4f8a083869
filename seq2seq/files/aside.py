"""A reader of one format, run aside: a process is the only thing that can be stopped whatever it is busy with.

It holds no lock that the server's threads wait for, and the memory that it may take is bounded where the system can.
A reader's module is a program: a file comes in, a text or the reason why there is none goes out.
"""

from __future__ import annotations

import faulthandler
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

Reason = Literal["not text", "broken", "locked", "too large", "too slow", "strict"]

ROOT = Path(__file__).resolve().parents[2]
MAX_CHARACTERS = 1_000_000  # 400 pages or so; one more says that there were more
MAX_MEMORY = 1_000_000_000  # bytes that a reader may have, its program included
SECONDS_A_STEP = 0.2
REFUSED = 3  # the exit code of a reader that knows why; a crash has others


class Unreadable(Exception):
    """There is no text to be had."""

    def __init__(self, reason: Reason):
        super().__init__(reason)
        self.reason = reason


def read_aside(reader: str, data: bytes, seconds: float, go_on: Callable[[], None]) -> str:
    """What the module `reader` reads in a file's content. However this is left, its process is over.

    Raises: Unreadable; whatever `go_on` does, which is called a few times a second.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", reader, str(seconds)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process, ThreadPoolExecutor(1) as beside:
        telling = beside.submit(process.communicate, data)
        try:
            told, _ = waited_for(telling, seconds, go_on)
        finally:
            process.kill()
    if process.returncode == REFUSED:
        raise Unreadable(told.decode())
    if process.returncode:
        raise Unreadable("broken")
    return told.decode(errors="surrogatepass")


def waited_for(told: Future, seconds: float, go_on: Callable[[], None]) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if wait([told], SECONDS_A_STEP).done:
            return told.result()
        go_on()
    raise Unreadable("too slow")


def tell(read: Callable[[bytes], str]) -> None:
    """The program of a reader's module."""
    faulthandler.dump_traceback_later(2 * float(sys.argv[1]), exit=True)  # where nobody was left to stop it
    bound_memory()
    try:
        told = read(sys.stdin.buffer.read())[: MAX_CHARACTERS + 1].encode(errors="surrogatepass")
    except Unreadable as error:
        refuse(error.reason)
    except MemoryError:
        refuse("too large")
    except Exception:  # a damaged file makes a parser fail in any way there is
        refuse("broken")
    sys.stdout.buffer.write(told)


def refuse(reason: Reason) -> None:
    sys.stdout.write(reason)
    sys.exit(REFUSED)


def bound_memory() -> None:
    """Linux keeps to it; macOS may refuse it, and Windows has no such limit."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        bound = MAX_MEMORY if most == resource.RLIM_INFINITY else min(MAX_MEMORY, most)
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))


def enough(pieces: Iterable[str]) -> list[str]:
    """The first pieces, until they have more than MAX_CHARACTERS."""
    taken: list[str] = []
    characters = 0
    for piece in pieces:
        taken.append(piece)
        characters += len(piece)
        if characters > MAX_CHARACTERS:
            break
    return taken
