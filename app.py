"""Gloss in the browser: settings, then the engine, then the page. The file that a Space runs."""

import os
import signal

if __name__ == "__main__":  # told to stop while all this is imported and made: `serve` does it otherwise
    for told in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(told) is not signal.SIG_IGN:
            signal.signal(told, lambda *_: os._exit(0))

from demo.serving.server import Server
from demo.settings import PageSettings, settings_of_host
from demo.zero_gpu import borrowing
from seq2seq.engine import Engine, EngineSettings
from seq2seq.engine.settings import SettingError


def engine(settings: EngineSettings) -> Engine:
    """Its models are in this process, or on a cluster: only then must Ray be installed.

    Raises: SystemExit where it cannot be had as the host has set it.
    """
    try:
        if settings.engine == "local":
            return borrowing(Engine(settings))
        from seq2seq.engine.ray_serve import join

        return join()
    except (SettingError, ConnectionError, ImportError) as error:
        raise SystemExit(str(error)) from error


page_settings = settings_of_host(PageSettings)
server = Server(engine(settings_of_host(EngineSettings)), page_settings)
demo = server.demo  # what Gradio's own tools look for


if __name__ == "__main__":
    server.serve()
