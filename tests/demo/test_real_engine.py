"""The page's way to the embedded model and back, without a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from gradio_client import Client

from demo import wording
from demo.endpoints import MOST_WEIGHTS, AttentionEndpoint
from demo.examples import examples
from demo.handlers import Handlers, selected, telling_layer
from demo.setting_fields import FIELDS
from seq2seq.engine import Engine, EngineSettings, View
from seq2seq.tasks import TASKS
from seq2seq.trace import AttentionRecord
from tests.serving import serve


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(EngineSettings())


@pytest.fixture(scope="module")
def client(engine) -> Iterator[Client]:
    with serve(engine) as address:
        yield Client(address, verbose=False)


def fusion(engine: Engine, text: str) -> AttentionRecord:
    *_, generated = engine.run("fuse", text)
    layer = telling_layer(engine.card("fuse").num_layers)
    return engine.attention(generated.written("fuse"), View("cross", layer))


@pytest.mark.parametrize("combination", [None, "rollout"])
def test_a_map_of_all_heads_is_no_larger_than_can_be_sent(engine, combination):
    text = "Rain fell. " + " ".join(f"river{number}" for number in range(100))
    told = AttentionEndpoint(engine).report(
        "fuse", text, "Rain fell.", kind="encoder", combination=combination, grain="tokens"
    )
    heads, rows, columns = np.shape(told["weights"])
    assert heads * rows * columns <= MOST_WEIGHTS
    assert (heads == 1) == (columns > 250) == (combination is not None)  # there are more tokens than that


@pytest.mark.parametrize("task", TASKS)
def test_an_endpoint_streams_what_the_engine_writes(client, engine, task):
    text = next(iter(examples(task).values()))
    written = {"wording": "own"} if task == "summarize" else {}  # a quote is there at once
    pieces = list(client.submit(text, num_beams=1, **written, api_name=f"/{task}"))
    *_, generated = engine.run(task, text)
    assert len(pieces) > 5
    assert client.predict(text, api_name=f"/{task}") == generated.text


def test_the_seed_decides_what_is_drawn(client):
    text = next(iter(examples("fuse").values()))
    sampled = [
        client.predict(text, do_sample=True, temperature=2.0, seed=seed, max_new_tokens=20, api_name="/fuse")
        for seed in (1, 1, 2)
    ]
    assert sampled[0] == sampled[1] != sampled[2]


def test_the_first_picture_shows_where_copied_words_come_from(engine):
    right = []
    for text in examples("fuse").values():
        shown = selected(fusion(engine, text), "words")
        read = [plain(token.text) for token in shown.sources]
        for token, weights in zip(shown.targets, shown.head(None), strict=True):
            if plain(token.text) in read:
                right.append(read[weights.argmax()] == plain(token.text))
    assert len(right) > 30
    assert sum(right) / len(right) > 0.8


def plain(word: str) -> str:
    return word.lower().strip(".,;:")


def test_a_reader_meets_no_marks_until_they_are_asked_for(engine):
    record = fusion(engine, "The tower is 64 metres high. It was built by monks in the 12th century.")
    for unit in ("words", "tokens"):
        shown = selected(record, unit)
        assert all(token.text and not token.special for token in (*shown.sources, *shown.targets))
    everything = selected(record, "everything")
    assert everything.targets[-1].text == "</s>"
    assert not any("▁" in token.text for token in everything.sources)


@pytest.mark.parametrize(("chosen", "method"), [("automatic", "quoted"), ("own", "ablation")])
def test_a_summary_is_traced_to_the_sentences_of_its_text(engine, chosen, method):
    handlers, text = Handlers(engine), examples("summarize")["A night train"]
    *_, (result, run) = handlers.generate("summarize", text, None, chosen, False, *[""] * len(FIELDS))
    *_, (frame, packed) = handlers.provenance(run)
    assert frame["visible"]
    view = json.loads(packed)
    assert view["says"] == wording.PROVENANCE_NOTES[method]
    [section] = view["sections"]
    assert " ".join(sentence["text"] for sentence in section["sentences"]) == result["text"]
    for sentence in section["sentences"]:
        best = section["source"][sentence["sources"][0]["number"] - 1][1]
        assert shared_words(sentence["text"], best) > 0.6


def shared_words(text: str, source: str) -> float:
    """The share of the text's words that the source has too."""
    words, known = ({plain(word) for word in each.split()} for each in (text, source))
    return len(words & known) / len(words)
