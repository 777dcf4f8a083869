"""Generation, given a step function: greedy search, sampling, beam search, and the cache they run on."""

from seq2seq.generation.cache import KeyValueCache
from seq2seq.generation.generate import NextToken, generate, generate_steps
from seq2seq.generation.settings import GenerationConfig
from seq2seq.generation.steps import Alternatives, GenerateOutput, Step

__all__ = [
    "Alternatives",
    "GenerateOutput",
    "GenerationConfig",
    "KeyValueCache",
    "NextToken",
    "Step",
    "generate",
    "generate_steps",
]
