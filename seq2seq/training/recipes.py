"""The recipes of the embedded checkpoints, as data: what each is trained on, for how long, and for which tasks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from seq2seq.training.data import (
    Ingredient,
    OracleSentences,
    PrincipalDigest,
    PrincipalSentences,
    SentencesByWorth,
)
from seq2seq.training.loop import TrainingSettings
from seq2seq.training.questions import Kind

VOCAB_SIZE = 12288  # at width 384, in bfloat16, a table of 9.4 MB: files over 10 MB need special storage on a Space


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One checkpoint."""

    name: str
    title: str
    vocab_size: int  # where it starts from BERT; else that of its start
    settings: TrainingSettings
    start: str | None = None  # the recipe whose checkpoint it goes on from; None for BERT


@dataclass(frozen=True, kw_only=True)
class WritingRecipe(Recipe):
    """An encoder-decoder. `prompts` is the piece that each task's sources begin with."""

    ingredients: tuple[Ingredient, ...]
    dev: tuple[Ingredient, ...]
    max_position_embeddings: int  # of the encoder; beyond the start's own it becomes block-sparse
    prompts: dict[str, str]
    generation: dict[str, dict[str, int | float]]  # by task, on top of the search's defaults


@dataclass(frozen=True, kw_only=True)
class PegasusRecipe(WritingRecipe):
    """A BigBird-Pegasus."""

    num_layers: tuple[int, int]  # of the encoder and of the decoder


@dataclass(frozen=True, kw_only=True)
class AnsweringRecipe(Recipe):
    """A block-sparse encoder with a head for spans."""

    files: tuple[str, ...]  # questions: "qa/squad_v1.1" for qa/squad_v1.1.train.jsonl.gz
    plain_texts: tuple[str, ...]  # to count pieces in, beside the questions and their paragraphs
    shares: dict[Kind, float]  # of the questions made of the rows
    held_out_share: float  # of the articles, kept from training for validation
    max_position_embeddings: int


SUMMARY_SEARCH: dict[str, int | float] = {
    "num_beams": 4, "max_new_tokens": 96, "no_repeat_ngram_size": 3, "length_penalty": 1.0, "quote_beyond": 0,
    "names_from_source": True,
}  # fmt: skip
REWRITING_SEARCH: dict[str, dict[str, int | float]] = {
    "fuse": {"num_beams": 1, "max_new_tokens": 192, "words_from_source": True},
    "split": {"num_beams": 1, "max_new_tokens": 192, "words_from_source": True},
}


FIRST_FUSION = WritingRecipe(
    name="fusion-first",
    title="Gloss fusion, first round",
    ingredients=(
        Ingredient("fuse", "fusion/wikisplit", times=4, max_new_words=0.25, renamed=0.4),
        Ingredient("fuse", "fusion/minwiki_matchvp", times=0.4, max_new_words=0.25, renamed=0.4),
        Ingredient("fuse", "fusion/desse_essays", times=0.3, max_new_words=0.25),
        Ingredient("split", "fusion/wikisplit", times=3, max_new_words=0.25, renamed=0.4),
        Ingredient("split", "fusion/minwiki_matchvp", times=0.25, max_new_words=0.25, renamed=0.4),
        Ingredient("split", "fusion/desse_essays", times=0.5, max_new_words=0.25),
    ),
    dev=(Ingredient("fuse", "fusion/wikisplit"), Ingredient("split", "fusion/wikisplit")),
    vocab_size=VOCAB_SIZE,
    max_position_embeddings=512,
    settings=TrainingSettings(num_steps=1200, learning_rate=5e-4, warmup_steps=150, batch_cost=4400),
    prompts={"fuse": "<fuse>", "split": "<split>"},
    generation=REWRITING_SEARCH,
)

FUSION = replace(
    FIRST_FUSION,
    name="fusion",
    title="Gloss fusion",
    start="fusion-first",
    ingredients=(*FIRST_FUSION.ingredients, Ingredient("fuse", "fusion/rejoined", renamed=0.2)),
    settings=TrainingSettings(num_steps=1000, learning_rate=2.5e-4, warmup_steps=50, batch_cost=4400),
)

SUMMARIES = WritingRecipe(
    name="summary",
    title="Gloss summaries",
    start="small",
    ingredients=(
        Ingredient("summarize", "summarization/guardian_rss_standfirst", times=0.3, max_new_words=0.25),
        Ingredient("summarize", "summarization/scitldr_abstract", times=0.5, max_new_words=0.25),
        Ingredient(
            "summarize", "summarization/bbc2004_first_sentence", times=0.5, max_new_words=0.25, max_source_words=600
        ),
        PrincipalSentences("summarize", "plaintext/abc_news_nltk", times=0.2),
        SentencesByWorth("summarize", "summarization/guardian_rss_standfirst"),
        SentencesByWorth("summarize", "summarization/scitldr_abstract"),
        OracleSentences("summarize", "longdoc/openstax_section_summary", max_source_words=2800),
        PrincipalDigest("summarize", "plaintext/openstax_textbooks", times=0.1, max_source_words=2800),
    ),
    dev=(
        Ingredient("summarize", "summarization/guardian_rss_standfirst"),
        SentencesByWorth("summarize", "summarization/guardian_rss_standfirst"),
        OracleSentences("summarize", "longdoc/openstax_section_summary"),
    ),
    vocab_size=VOCAB_SIZE,
    max_position_embeddings=4096,
    settings=TrainingSettings(num_steps=2000, learning_rate=2e-4, warmup_steps=50, batch_cost=4600),
    prompts={"summarize": "<summarize>"},
    generation={"summarize": SUMMARY_SEARCH | {"preferred": True}},
)

PEGASUS = PegasusRecipe(
    name="pegasus",
    title="Gloss pegasus",
    start="summary",
    ingredients=(
        Ingredient("summarize", "summarization/guardian_rss_standfirst", max_new_words=0.25),
        Ingredient("summarize", "summarization/scitldr_abstract", max_new_words=0.25),
        PrincipalSentences("summarize", "summarization/guardian_rss_standfirst", times=0.5),
        PrincipalSentences("summarize", "plaintext/wikipedia_squad_articles", times=0.6),
        SentencesByWorth("summarize", "summarization/guardian_rss_standfirst", times=0.3),
    ),
    dev=SUMMARIES.dev[:2],
    num_layers=(4, 3),
    vocab_size=VOCAB_SIZE,
    max_position_embeddings=4096,
    settings=TrainingSettings(num_steps=600, learning_rate=5e-4, warmup_steps=60, batch_cost=4600, validate_every=100),
    prompts={"summarize": "<summarize>"},
    generation={"summarize": SUMMARY_SEARCH},
)

SMALL = WritingRecipe(
    name="small",
    title="Gloss small",
    ingredients=(
        Ingredient("fuse", "fusion/wikisplit", times=2, max_new_words=0.25),
        Ingredient("fuse", "fusion/minwiki_matchvp", times=0.5, max_new_words=0.25),
        Ingredient("fuse", "fusion/rule_discofuse_style", times=0.4, max_new_words=0.25),
        Ingredient("fuse", "fusion/desse_essays", times=0.5, max_new_words=0.25),
        Ingredient("split", "fusion/wikisplit", times=2, max_new_words=0.25),
        Ingredient("split", "fusion/minwiki_matchvp", times=0.25, max_new_words=0.25),
        Ingredient("split", "fusion/desse_essays", max_new_words=0.25),
        Ingredient("summarize", "summarization/guardian_rss_standfirst", max_new_words=0.25),
        Ingredient("summarize", "summarization/scitldr_abstract", max_new_words=0.25),
        PrincipalSentences("summarize", "summarization/guardian_rss_standfirst", times=0.75),
        PrincipalSentences("summarize", "plaintext/wikipedia_squad_articles", times=0.6),
    ),
    dev=(
        Ingredient("fuse", "fusion/wikisplit"),
        Ingredient("split", "fusion/wikisplit"),
        Ingredient("summarize", "summarization/guardian_rss_standfirst"),
    ),
    vocab_size=VOCAB_SIZE,
    max_position_embeddings=512,
    settings=TrainingSettings(num_steps=2000, learning_rate=5e-4, warmup_steps=150, batch_cost=4400),
    prompts={"fuse": "<fuse>", "split": "<split>", "summarize": "<summarize>"},
    generation=REWRITING_SEARCH | {"summarize": SUMMARY_SEARCH | {"quote_beyond": 512}},
)

ANSWERS = AnsweringRecipe(
    name="qa",
    title="Gloss answers",
    files=("qa/squad_v1.1", "qa/fairytaleqa_explicit"),
    plain_texts=(
        "plaintext/abc_news_nltk",
        "plaintext/openstax_textbooks",
        "plaintext/state_of_the_union",
        "plaintext/wikipedia_squad_articles",
    ),
    shares={"plain": 0.644, "elsewhere": 0.1, "removed": 0.04, "misled": 0.2, "long": 0.012, "long_elsewhere": 0.004},
    held_out_share=0.01,
    vocab_size=VOCAB_SIZE,
    max_position_embeddings=4096,
    settings=TrainingSettings(num_steps=2000, learning_rate=3e-4, warmup_steps=100, batch_cost=6000),
)

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe for recipe in (SMALL, FIRST_FUSION, FUSION, SUMMARIES, PEGASUS, ANSWERS)
}
