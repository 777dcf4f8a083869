"""Gloss in the browser: settings, then the engine, then the page. The file that a Space runs."""

from demo.serving.server import Server
from demo.settings import PageSettings
from demo.zero_gpu import borrowing
from seq2seq.engine import Engine, EngineSettings


def engine(settings: EngineSettings) -> Engine:
    """Its models are in this process, or on a cluster: only then must Ray be installed."""
    if settings.engine == "local":
        return borrowing(Engine(settings))
    from seq2seq.engine.ray_serve import join

    return join()


server = Server(engine(EngineSettings()), PageSettings())
demo = server.demo  # what Gradio's own tools look for


if __name__ == "__main__":
    server.serve()
