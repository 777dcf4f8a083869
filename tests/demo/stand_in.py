"""A double of the engine: canned text, word by word, and made-up weights. For tests of the page alone."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

import numpy as np

from seq2seq.engine import ModelCard
from seq2seq.tasks import TASKS, Generated, InputError, TokenCount
from seq2seq.trace import AttentionRecord, Token

OUTPUTS = {
    "fuse": "The old harbour bridge in Skarvik was closed on 3 March because engineers had found cracks.",
    "split": "The reservoir had fallen to 38 percent. The county banned the watering of lawns.",
    "summarize": "A green library bus that served the upper Lenz valley for 22 years is back in May.",
}
LIMIT = 512


def tokens_of(text: str) -> tuple[Token, ...]:
    return tuple(Token(match.group(), *match.span()) for match in re.finditer(r"\w{1,5}|[^\w\s]", text))


def refuse_blank(text: str) -> None:
    if not text.strip():
        raise InputError("Please write or paste some text first.")


@dataclass
class StandInEngine:
    seconds_per_token: float = 0.05
    steps: int = 0  # how many tokens were ever made: stands still once a run is cancelled
    looks: list = field(default_factory=list)

    def models(self, task):
        return (
            ModelCard("stand-in", "Stand-in", TASKS, 6, 12, 6, LIMIT),
            ModelCard("stand-in-2", "Stand-in, smaller", (task,), 3, 4, 3, LIMIT),
        )

    def card(self, task, model=None):
        return self.models(task)[0]

    def count_tokens(self, task, text, model=None):
        refuse_blank(text)
        return TokenCount(len(tokens_of(text)), LIMIT)

    def run(self, task, text, model=None, settings=None):
        refuse_blank(text)
        if "explode" in text:
            raise RuntimeError("the secret inside")
        output = OUTPUTS[task] if "echo" not in text else text
        sources, started = tokens_of(text), time.perf_counter()
        read = sources[:LIMIT]
        made = tokens_of(output)
        for count in range(1, len(made) + 1):
            time.sleep(self.seconds_per_token)
            self.steps += 1
            yield Generated(
                text=output[: made[count - 1].end],
                source_text=text,
                target_ids=tuple(range(count)),
                num_source_tokens=len(read),
                num_cut_tokens=len(sources) - len(read),
                seconds=time.perf_counter() - started,
                finished=count == len(made),
            )

    def attention(self, task, source_text, target_ids, kind, layer, model=None):
        self.looks.append(layer)
        target_text = OUTPUTS[task] if "echo" not in source_text else source_text
        sources = (Token("[CLS]", 0, 0, True), *tokens_of(source_text)[:LIMIT], Token("[SEP]", 0, 0, True))
        targets = tokens_of(target_text)[: len(target_ids)]
        draw = np.random.default_rng(layer)
        logits = 3 * draw.standard_normal((12, len(targets), len(sources)))
        same = np.array([[target.text.lower() == source.text.lower() for source in sources] for target in targets])
        weights = np.exp(logits + 6 * same)
        weights = (weights / weights.sum(-1, keepdims=True)).astype(np.float32)
        return AttentionRecord(kind, layer, weights, targets, sources, target_text, source_text)
