"""Gloss in the browser: settings, then the engine, then the page. The file that a Space runs."""

from threading import Thread

from demo.layout import build
from demo.settings import PageSettings
from demo.theme import launch_options
from seq2seq.engine import Engine, EngineSettings

settings = PageSettings()
engine = Engine(EngineSettings())
demo = build(engine)
demo.queue(max_size=settings.max_waiting, default_concurrency_limit=settings.concurrency)


if __name__ == "__main__":
    Thread(target=engine.load_defaults, daemon=True).start()  # the page need not wait for it
    demo.launch(**launch_options())
