"""Checkpoints on the Hugging Face Hub that do what the tasks are, and what is known of them before any is fetched.

Their shapes, sizes, licences and ways with a text are as their repositories and cards have them; scores are the
papers': Rothe et al. 2020 (1907.12461), Zaheer et al. 2020 (2007.14062). Those that do none of the tasks are known for
what they are, and are not offered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seq2seq.tasks import Skill


@dataclass(frozen=True)
class Published:
    hub_id: str
    title: str
    parameters: Mapping[Skill, Mapping[str, Any]]  # task_specific_params, which their config.json lack; none: no task
    num_layers: int  # of the decoder; 0 where there is none
    num_heads: int
    num_encoder_layers: int
    max_source_tokens: int
    num_bytes: int  # of its weights
    about: str  # for a visitor
    licence: str = "apache-2.0"
    revisions: tuple[str, ...] = ()  # that have safetensors, offered by a bot and never merged, where main has none


LARGE = {"num_layers": 24, "num_heads": 16, "num_encoder_layers": 24, "max_source_tokens": 512}
SHARED = {**LARGE, "num_bytes": 1_820_000_000}  # both stacks are one
UNTIED = {**LARGE, "num_bytes": 3_090_000_000}
LONG = {"num_layers": 16, "num_heads": 16, "num_encoder_layers": 16, "max_source_tokens": 4096}
BIGBIRD = {**LONG, "num_bytes": 2_310_000_000}
BEAMS = {"num_beams": 5, "length_penalty": 0.8, "max_length": 256}

TRANSLATES = (
    "In Python: EncoderDecoderModel.from_pretrained, with a tokenizer whose pad_token, eos_token and bos_token are "
    "<pad>, </s> and <s>, and add_special_tokens=False."
)

PUBLISHED: dict[str, Published] = {
    each.hub_id: each
    for each in (
        Published(
            "google/roberta2roberta_L-24_discofuse",
            "RoBERTa large, DiscoFuse",
            {"fuse": {"rules": ["quotes as backticks"], "num_beams": 4}},
            **SHARED,
            about="Fuses sentences as DiscoFuse's were before they were cut (SARI 90.3). Quotation marks become `.",
            revisions=("refs/pr/1",),
        ),
        Published(
            "google/roberta2roberta_L-24_wikisplit",
            "RoBERTa large, WikiSplit",
            {"split": {"prefix": "<s>", "suffix": "</s>", "rules": ["quotes as apostrophes"], "num_beams": 4}},
            **SHARED,
            about="Splits a sentence in two as Wikipedia's editors did (SARI 63.8). Quotation marks become ''.",
            revisions=("refs/pr/1",),
        ),
        Published(
            "google/roberta2roberta_L-24_cnn_daily_mail",
            "RoBERTa large, CNN / Daily Mail",
            {"summarize": {"num_beams": 4}},
            **SHARED,
            about="Sums up news in about three sentences, as CNN's and the Daily Mail's highlights do (ROUGE-2 18.9).",
            revisions=("refs/pr/2",),
        ),
        Published(
            "google/roberta2roberta_L-24_gigaword",
            "RoBERTa large, Gigaword",
            {"summarize": {"rules": ["lower case", "digits as #"], "num_beams": 4}},
            **SHARED,
            about="Writes a headline for a sentence of news (ROUGE-2 19.8), in small letters, with # for digits.",
        ),
        Published(
            "google/roberta2roberta_L-24_bbc",
            "RoBERTa large, BBC",
            {"summarize": {"num_beams": 4}},
            **SHARED,
            about="Sums up news in one sentence, as the BBC's own first ones do (XSum, ROUGE-2 18.8).",
            revisions=("40b78142fea9c84c97319f6357ff84e2b52340d9",),
        ),
        Published(
            "patrickvonplaten/bert2bert_cnn_daily_mail",
            "BERT base, CNN / Daily Mail",
            {"summarize": {}},
            num_layers=12,
            num_heads=12,
            num_encoder_layers=12,
            max_source_tokens=512,
            num_bytes=990_000_000,
            about="Sums up news as CNN's and the Daily Mail's highlights do (ROUGE-2 18.7), in small letters.",
        ),
        Published(
            "google/bigbird-pegasus-large-arxiv",
            "BigBird-Pegasus large, arXiv",
            {"summarize": BEAMS},
            **BIGBIRD,
            about="Writes the abstract of a scientific paper (ROUGE-1 / 2 / L 46.6 / 19.0 / 41.8).",
            revisions=("refs/pr/13",),
        ),
        Published(
            "google/bigbird-pegasus-large-pubmed",
            "BigBird-Pegasus large, PubMed",
            {"summarize": BEAMS},
            **BIGBIRD,
            about="Writes the abstract of a medical paper (ROUGE-1 / 2 / L 46.3 / 20.7 / 42.3).",
            revisions=("4f6f9e72d2c3fc3ef6adb9cb8f9b87a35646973b",),
        ),
        Published(
            "google/bigbird-pegasus-large-bigpatent",
            "BigBird-Pegasus large, BigPatent",
            {"summarize": BEAMS},
            **BIGBIRD,
            about="Writes the abstract of a patent (ROUGE-1 / 2 / L 60.6 / 42.5 / 50.0).",
        ),
        Published(
            "google/bigbird-base-trivia-itc",
            "BigBird base, TriviaQA",
            {"answer": {"no_answer_threshold": 1.0}},
            num_layers=0,
            num_heads=12,
            num_encoder_layers=12,
            max_source_tokens=4096,
            num_bytes=527_000_000,
            about="Answers trivia from Wikipedia's articles, and always finds something: it never learnt to decline.",
        ),
        Published(
            "google/bert2bert_L-24_wmt_en_de",
            "BERT large, English to German",
            {},
            **UNTIED,
            about=f"Translates English into German. {TRANSLATES}",
        ),
        Published(
            "google/bert2bert_L-24_wmt_de_en",
            "BERT large, German to English",
            {},
            **UNTIED,
            about=f"Translates German into English. {TRANSLATES}",
        ),
        Published(
            "google/bert_for_seq_generation_L-24_bbc_encoder",
            "BertGeneration large, the BBC's encoder",
            {},
            **{**LARGE, "num_layers": 0},
            num_bytes=1_420_000_000,
            about="Reads and writes nothing: half of a model. In Python: BertGenerationEncoder.from_pretrained.",
        ),
    )
}
OFFERED = tuple(name for name, known in PUBLISHED.items() if known.parameters)
