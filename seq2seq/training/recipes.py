"""The recipes of the embedded checkpoints, as data: what each is trained on, for how long, and for which tasks."""

from __future__ import annotations

from dataclasses import dataclass

from seq2seq.training.data import Ingredient, PrincipalSentences
from seq2seq.training.loop import TrainingSettings

PROMPTS = {"fuse": "<fuse>", "split": "<split>", "summarize": "<summarize>"}


@dataclass(frozen=True)
class Recipe:
    """One checkpoint. `prompts` is the piece that each task's sources begin with."""

    name: str
    title: str
    ingredients: tuple[Ingredient, ...]
    dev: tuple[Ingredient, ...]
    vocab_size: int
    settings: TrainingSettings
    prompts: dict[str, str]
    generation: dict[str, dict[str, int | float]]  # by task, on top of the search's defaults


SMALL = Recipe(
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
    vocab_size=12288,  # in bfloat16 a vector table of 9.4 MB: files over 10 MB need special storage on a Space
    settings=TrainingSettings(num_steps=2000, learning_rate=5e-4, warmup_steps=150, batch_cost=4400),
    prompts=PROMPTS,
    generation={
        "fuse": {"num_beams": 1, "max_new_tokens": 192},
        "split": {"num_beams": 1, "max_new_tokens": 192},
        "summarize": {"num_beams": 4, "max_new_tokens": 96, "no_repeat_ngram_size": 3, "length_penalty": 1.0},
    },
)

RECIPES = {recipe.name: recipe for recipe in (SMALL,)}
