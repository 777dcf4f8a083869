"""Pairs to fuse made from sentences that people wrote: a model splits them, and learns to put them back together.

    python -m seq2seq.training.backtranslation FOLDER --data DATA [--most 8000]

Back-translation (Sennrich et al. 2016, 1511.06709): what is learnt to be written is real, only what it is to be
written from is made. FOLDER is a checkpoint that splits. The pairs join the data, as fusion/rejoined.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from seq2seq.engine import Engine
from seq2seq.engine.memory import keep_freed_memory
from seq2seq.tasks import Writer
from seq2seq.tasks.novelty import novel_facts, novel_words
from seq2seq.tasks.quoting import plain_sentences
from seq2seq.training.batches import attention_mask, padded
from seq2seq.training.data import SENTENCE_END, WORD, read_rows

TEXTS, PAIRS = "plaintext/wikipedia_squad_articles", "fusion/rejoined"
WORDS = range(16, 51)  # of a sentence: shorter ones are seldom two, longer ones seldom just two
LEAST_KEPT = 0.85  # of its words
ROWS_AT_ONCE = 96


def sentences(data: Path, most: int, seed: int) -> list[str]:
    """Drawn from all of the texts, each once."""
    found = {
        sentence.text: None
        for row in read_rows(data / f"{TEXTS}.train.jsonl.gz")
        for sentence in plain_sentences(row["text"])
        if len(sentence.text.split()) in WORDS
    }
    return random.Random(seed).sample(list(found), min(most, len(found)))


def split_all(writer: Writer, sentences: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(split, sentence), those of like length together; greedily, and free to err: `is_faithful` tells."""
    prompt = writer.parameters("split").prefix
    config = writer.model.config
    for start in tqdm(range(0, len(sentences), ROWS_AT_ONCE)):
        group = sentences[start : start + ROWS_AT_ONCE]
        rows = [writer.tokenizer(prompt + sentence).input_ids for sentence in group]
        output = writer.model.generate(
            padded(rows, config.pad_token_id).to(writer.model.device),
            attention_mask=attention_mask(rows).to(writer.model.device),
            max_new_tokens=2 * max(map(len, rows)),
        )
        yield from zip((writer.tokenizer.decode(ids, skip_special_tokens=True) for ids in output), group, strict=True)


def is_faithful(split: str, sentence: str) -> bool:
    """Whether it is several sentences, which say what the sentence does and no more."""
    said, wanted = (set(WORD.findall(text.lower())) for text in (split, sentence))
    return (
        len(SENTENCE_END.split(split.strip())) > 1
        and len(said & wanted) >= LEAST_KEPT * len(wanted)
        and len(novel_words(sentence, split)) <= 2
        and not novel_facts(sentence, split)
        and not novel_facts(split, sentence)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path, help="folder of a checkpoint that splits")
    parser.add_argument("--data", type=Path, required=True, help="folder of gzipped JSON lines")
    parser.add_argument("--most", type=int, default=8000, help="sentences to split")
    arguments = parser.parse_args()
    keep_freed_memory()
    writer = Engine().load("split", str(arguments.model))
    drawn = sorted(sentences(arguments.data, arguments.most, seed=0), key=len)
    kept = 0
    with gzip.open(arguments.data / f"{PAIRS}.train.jsonl.gz", "wt", encoding="utf-8") as file, torch.inference_mode():
        for source, target in split_all(writer, drawn):
            if is_faithful(source, target):
                file.write(json.dumps({"source": source, "target": target}, ensure_ascii=False) + "\n")
                kept += 1
    print(f"{kept} of {len(drawn)} sentences were split faithfully")


if __name__ == "__main__":
    main()
