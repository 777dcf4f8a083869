"""The real engine, with a count of what becomes of its runs, and of what it reads ahead."""

from __future__ import annotations

from seq2seq.engine import Engine


class WatchedEngine(Engine):
    """Counts the runs that came to their end and those that were left before it, and the texts read ahead."""

    finished = 0
    left = 0
    read = 0

    def run(self, *arguments, **settings):
        ended = False
        try:
            yield from super().run(*arguments, **settings)
            ended = True
        finally:
            self.finished += ended
            self.left += not ended

    def read_ahead(self, *arguments):
        was_read = super().read_ahead(*arguments)
        self.read += 1
        return was_read
