"""Gloss in the browser: settings, then the engine, then the page. The file that a Space runs."""

from threading import Thread

from demo.layout import build
from demo.settings import PageSettings
from demo.theme import launch_options
from seq2seq.engine import Engine, EngineSettings
from seq2seq.tasks import TASKS

settings = PageSettings()
engine = Engine(EngineSettings())
demo = build(engine)
demo.queue(max_size=settings.max_waiting, default_concurrency_limit=settings.concurrency)


def load_defaults() -> None:
    """Have each task's first model in memory before the first visitor asks; the page need not wait for it."""
    for task in TASKS:
        engine.load(task)


if __name__ == "__main__":
    Thread(target=load_defaults, daemon=True).start()
    demo.launch(**launch_options())
