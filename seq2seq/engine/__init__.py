"""Which models there are, where they run, and who may use them."""

from seq2seq.engine.local import Engine, ModelCard
from seq2seq.engine.settings import EngineSettings

__all__ = ["Engine", "EngineSettings", "ModelCard"]
