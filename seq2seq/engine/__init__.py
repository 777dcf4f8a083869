"""Which models there are, where they run, and who may use them."""

from seq2seq.engine.loading import Loading
from seq2seq.engine.local import Engine, ModelCard
from seq2seq.engine.settings import EngineSettings
from seq2seq.explain.attention import View

__all__ = ["Engine", "EngineSettings", "Loading", "ModelCard", "View"]
