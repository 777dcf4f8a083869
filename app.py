"""Gloss in the browser: settings, then the engine, then the page. The file that a Space runs."""

from demo.serving import Server
from demo.settings import PageSettings
from demo.zero_gpu import borrowing
from seq2seq.engine import Engine, EngineSettings

server = Server(borrowing(Engine(EngineSettings())), PageSettings())
demo = server.demo  # what Gradio's own tools look for


if __name__ == "__main__":
    server.serve()
