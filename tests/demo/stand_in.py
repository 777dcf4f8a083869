"""A double of the engine: canned text, word by word, and made-up weights. For tests of the page alone."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

import numpy as np

from seq2seq.engine import ModelCard
from seq2seq.tasks import TASKS, Generated, InputError, Section, TokenCount
from seq2seq.tasks.cost import Machine, measured_lengths
from seq2seq.tasks.mass import LayersRead
from seq2seq.tasks.results import Reading
from seq2seq.tasks.sections import sections, sentences_of
from seq2seq.trace import Answer, AttentionRecord, BlockMass, Leaning, Provenance, Span, Timing, Token

OUTPUTS = {
    "fuse": "The old harbour bridge in Skarvik was closed on 3 March because engineers had found cracks.",
    "split": "The reservoir had fallen to 38 percent. The county banned the watering of lawns.",
    "summarize": "A green library bus that served the upper Lenz valley for 22 years is back in May.",
}
LIMIT = 512


def tokens_of(text: str) -> tuple[Token, ...]:
    return tuple(Token(match.group(), *match.span()) for match in re.finditer(r"\w{1,5}|[^\w\s]", text))


def parts_of(task: str, text: str) -> list[str]:
    return sections(text, LIMIT, lambda part: len(tokens_of(part))) if task == "summarize" else [text]


def refuse_blank(text: str) -> None:
    if not text.strip():
        raise InputError("Please write or paste some text first.")


@dataclass
class StandInEngine:
    seconds_per_token: float = 0.05
    steps: int = 0  # how many tokens were ever made: stands still once a run is cancelled
    looks: list = field(default_factory=list)
    read: list[str] = field(default_factory=list)  # ahead

    @property
    def loaded(self) -> dict[str, int]:
        return {"stand-in": 1000}

    def load_defaults(self):
        """It is there at once."""

    def models(self, task):
        return (
            ModelCard("stand-in", "Stand-in", TASKS, 6, 12, 6, LIMIT),
            ModelCard("stand-in-2", "Stand-in, longer", (task,), 3, 4, 3, 4 * LIMIT),
        )

    def card(self, task, model=None):
        return self.models(task)[0]

    def must_be_fetched(self, task, model=None):
        return False

    def loading(self, task, model=None):
        return iter(())

    def count_tokens(self, task, text, model=None):
        refuse_blank(text)
        return TokenCount(len(tokens_of(text)), LIMIT, len(parts_of(task, text)))

    def read_ahead(self, task, text, model=None):
        self.read.append(text)
        return True

    def run(self, task, text, model=None, settings=None):
        refuse_blank(text)
        if "explode" in text:
            raise RuntimeError("the secret inside")
        finished = ()
        parts = parts_of(task, text)
        for part in parts:
            for section, is_finished in self.write_section(task, part):
                so_far = (*finished, section)
                yield Generated(so_far, len(parts), is_finished and len(so_far) == len(parts))
            finished = so_far

    def write_section(self, task, text):
        output = OUTPUTS[task] if "echo" not in text else text
        sources, started = tokens_of(text), time.perf_counter()
        read = sources[:LIMIT]
        made = tokens_of(output)
        for count in range(1, len(made) + 1):
            time.sleep(self.seconds_per_token)
            self.steps += 1
            section = Section(
                source_text=text,
                text=output[: made[count - 1].end],
                target_ids=tuple(range(count)),
                num_source_tokens=len(read),
                num_cut_tokens=len(sources) - len(read),
                seconds=time.perf_counter() - started,
            )
            yield section, count == len(made)

    def attention(self, written, view):
        kind, layer = view.kind, view.layer
        task, source_text, target_ids = written.task, written.text, written.target_ids
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

    def provenance(self, written, quoted):
        """All of it leans on the first sentence, and a little on the last."""
        time.sleep(self.seconds_per_token)
        self.steps += 1
        if "explode" in written.text:
            raise RuntimeError("the secret inside")
        sources = tuple(Token(each.text, each.start, each.end) for each in sentences_of(written.text))
        output = OUTPUTS[written.task]
        leaning = Leaning(Token(output, 0, len(output)), ((sources[0], 0.8), (sources[-1], 0.2)))
        return Provenance("quoted" if quoted else "ablation", (leaning,), sources, written.text)

    def encoders(self):
        return self.models("summarize")

    def read_blocks(self, model, text, layer, block_size):
        """Four heads that look evenly at everything."""
        refuse_blank(text)
        if "explode" in text:
            raise RuntimeError("the secret inside")
        for number in range(layer + 1):
            yield LayersRead(number, layer + 1)
            time.sleep(self.seconds_per_token)
            self.steps += 1
        tokens = (Token("[CLS]", 0, 0, True), *tokens_of(text)[: LIMIT - 2], Token("[SEP]", 0, 0, True))
        num_blocks = -(-len(tokens) // block_size)
        mass = np.full((4, num_blocks, num_blocks), 1 / num_blocks, dtype=np.float32)
        yield BlockMass(model, layer, block_size, mass, tokens, text, 0, 32, LIMIT)

    machine = Machine("Abacus", "float32", 2)

    def measure(self, settings):
        for length in measured_lengths(settings):
            time.sleep(self.seconds_per_token)
            self.steps += 1
            yield Timing(length, 1e-7 * length**2, 1e-4 * length)

    def answer(self, question, context, model=None):
        """The words of `context` that stand between brackets, likeliest first; without any, there is no answer."""
        refuse_blank(context)
        if not question:
            raise InputError("Please ask a question first.")
        if "explode" in question:
            raise RuntimeError("the secret inside")
        tokens, started = tokens_of(context), time.perf_counter()
        num_windows = max(1, -(-len(tokens) // LIMIT))
        for windows_read in range(num_windows):
            yield Reading(windows_read, num_windows)
            time.sleep(self.seconds_per_token)
            self.steps += 1
        yield Reading(num_windows, num_windows, bracketed(question, context, tokens, num_windows, started))


def bracketed(question, context, tokens, num_windows, started) -> Answer:
    """The stand-in's answer: each bracketed stretch has a third of the probability of the one before it."""
    matches = list(re.finditer(r"(?<=\[)[^\]]+(?=\])", context))
    spans = tuple(Span(match.group(), *match.span(), 0.6 / 3**rank) for rank, match in enumerate(matches))
    if not spans:
        spans = (Span(tokens[0].text, tokens[0].start, tokens[0].end, 0.08),)
    return Answer(
        question=question,
        context=context,
        best=spans[0] if matches else None,
        spans=spans,
        no_answer_score=1 - sum(span.score for span in spans),
        tokens=tokens,
        start_scores=tuple(sum(span.score for span in spans if span.start == token.start) for token in tokens),
        end_scores=tuple(sum(span.score for span in spans if span.end == token.end) for token in tokens),
        num_windows=num_windows,
        seconds=time.perf_counter() - started,
    )
