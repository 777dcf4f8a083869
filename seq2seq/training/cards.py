"""Model cards: what a checkpoint is, how well it does, where it fails, and what it was trained on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from seq2seq.config import BertGenerationConfig, BigBirdConfig
from seq2seq.models import BigBirdForQuestionAnswering
from seq2seq.models.source import GeneratesFromSource
from seq2seq.tasks import AnswerSettings
from seq2seq.training.recipes import RECIPES, AnsweringRecipe, Recipe, WritingRecipe

WRITING = """---
license: apache-2.0
language: en
pipeline_tag: text2text-generation
base_model: sentence-transformers/all-MiniLM-L6-v2
tags: [encoder-decoder, {tags}]
---

# {title}

{architecture}, {parameters:.1f} M parameters. Warm-started from all-MiniLM-L6-v2 with its vocabulary exchanged for a
cased SentencePiece one of {vocab_size:,} pieces. {prompts}It reads up to {limit:,} tokens.

## How well it does

Measured by `make eval` on up to {pairs:,} dev pairs a set, drawn with a fixed seed. In brackets what needs no model:
{baselines}; and after a semicolon the references themselves, where that means something. Novel are words that the
source does not have, beyond connectives.

{table}

For comparison, published figures of far larger models, on test sets of their own: {published}

## Where it fails

It was trained for {minutes:.0f} minutes on {machine}, {steps:,} steps of {batch_cost:,} tokens{start}. {fails}
English only. Do not rely on it where a mistake would matter.

## What it was trained on

{data}

Rows whose target has a number or too many words that the source lacks were left out. {licences} No text of these sets
is in this folder.{note} Recipe: `make train-{name}` (seq2seq/training/recipes.py).

## Tried out

Texts of ours (assets/trials.json), whole unless the card says otherwise, and what the model made of them, unedited.

{trials}
"""

ANSWERING = """---
license: apache-2.0
language: en
pipeline_tag: question-answering
base_model: sentence-transformers/all-MiniLM-L6-v2
tags: [big_bird, block-sparse-attention, extractive-question-answering]
---

# {title}

A BigBird encoder with a head for spans (6 layers of width 384, {parameters:.1f} M parameters), warm-started from
all-MiniLM-L6-v2: its uncased WordPiece vocabulary pruned to the {vocab_size:,} most frequent pieces, its 512 positions
repeated to {limit:,}, its attention block-sparse beyond {longest_dense} tokens. It finds the stretch of a text that
answers a question, or says that there is none. It reads up to {limit:,} tokens at once.

## How well it does

Measured by `make eval` through the answer task, on up to {pairs:,} dev questions a set, drawn with a fixed seed: exact
match and F1 by SQuAD's own normalisation. In brackets the baseline that needs no model: the sentence with most of the
question's words, and where half of the questions have no answer, no answer to any. "Decline" is to answer only up to
a doubt of {settings.no_answer_threshold:.2f}. That, what length costs a span ({settings.length_penalty:.2f} a token
beyond its first) and how scores become probabilities (temperature {settings.temperature:.2f}, head start of no answer
{settings.no_answer_bias:.2f}) were fitted to one half of the dev set of SQuAD 2.0, with the questions that have an
answer counted three times (`python -m seq2seq.training.calibration`); SQuAD 2.0 is measured on the other half.

{table}

## Where it fails

It was trained for {minutes:.0f} minutes on {machine}, {steps:,} steps of {batch_cost:,} tokens{start}. It saw questions
that mislead only as made by rule, and can be led to a phrase of the right kind near the question's words where the text
has no answer but looks as if it had. It copies a stretch of the text, and so does not count, compare or join
what stands in several places. English only. Do not rely on it where a mistake would matter.

## What it was trained on

{data}

Questions whose answer stands in several places of its paragraph were left out. Some were put to another paragraph of
the same article, or to their own without the sentence that answers them, to teach that there may be no answer; some to
several paragraphs, to teach looking far. No dev set was used in training, and no text of these sets is in this
folder.{note} Recipe: `make train-qa` (seq2seq/training/recipes.py, "{name}").

## Tried out

Texts of ours (assets/trials.json), and what the model found in them, unedited.

{trials}
"""

SOURCES = {
    "fusion/wikisplit": "WikiSplit (google-research-datasets/wiki-split), CC BY-SA 4.0",
    "fusion/minwiki_matchvp": "MinWiki, MatchVP part (serenayj/DeSSE), MIT",
    "fusion/desse_essays": "DeSSE essays (serenayj/DeSSE), MIT",
    "fusion/rule_discofuse_style": "sentence pairs joined by rule, from AllSides news, the Guardian, OpenStax and "
    "SQuAD's Wikipedia paragraphs, under those sources' terms",
    "fusion/rejoined": "sentences of Wikipedia articles as in SQuAD (rajpurkar/SQuAD-explorer), CC BY-SA 4.0, which "
    "the first round's model split and this one learnt to put back together",
    "qa/squad_v1.1": "SQuAD 1.1 (Rajpurkar et al. 2016), from rajpurkar/SQuAD-explorer, CC BY-SA 4.0",
    "qa/fairytaleqa_explicit": "FairytaleQA, its explicit questions (uci-soe/FairytaleQAData), Apache-2.0",
    "summarization/guardian_rss_standfirst": "Guardian standfirsts from public RSS archives; text (c) Guardian News "
    "& Media",
    "summarization/bbc2004_first_sentence": "first sentences of BBC News of 2004 (Greene & Cunningham 2006); text (c) "
    "BBC",
    "longdoc/openstax_section_summary": "OpenStax textbook sections with the books' own summaries, CC BY 4.0 or "
    "CC BY-NC-SA 4.0 by book",
    "longdoc/qmsum_segment": "QMSum, meetings by topic (Yale-LILY/QMSum), MIT",
    "plaintext/abc_news_nltk": "Australian Broadcasting Commission news of 2006, as distributed with NLTK",
    "plaintext/openstax_textbooks": "OpenStax textbooks, CC BY 4.0 or CC BY-NC-SA 4.0 by book",
    "summarization/scitldr_abstract": "SciTLDR (allenai/scitldr), Apache-2.0",
    "plaintext/wikipedia_squad_articles": "Wikipedia articles as in SQuAD (rajpurkar/SQuAD-explorer), CC BY-SA 4.0",
}


@dataclass(frozen=True)
class WritingWords:
    """What a card says that follows from no number."""

    tags: str
    baselines: str
    published: str
    fails: str
    licences: str


FUSION_WORDS = WritingWords(
    tags="sentence-fusion, sentence-splitting",
    baselines="the source, copied (it deletes nothing, for which SARI gives it full marks)",
    published="splitting on WikiSplit, SARI 61.7 to 63.8 (Rothe et al. 2020).",
    fails="It copies well and connects simply. It can lose a word or a detail of a long sentence, connect by a word "
    'that means something else ("in 1978 where she moved"), leave out who did it, and join sentences that do not '
    'belong together. Splitting sometimes leaves a clause standing alone as a sentence, or calls a woman "he".',
    licences="All sets are free for any use.",
)
SUMMARY_WORDS = WritingWords(
    tags="block-sparse-attention, summarization",
    baselines="the first two sentences of a short text, the first six of a long one",
    published="one-sentence summaries of XSum, R2 15.2 to 18.8 (Rothe et al. 2020).",
    fails="Unless asked for its own words it quotes: sentences of the text, which may mislead without what stood "
    "around them, cannot say what no sentence says, and can miss what whole sections say. Its own words are those of "
    "news in British English and of textbooks by habit, of other texts often sentences of the text, shortened; they "
    "can mix up who did what.",
    licences="Publishers' news and textbooks under non-commercial licences are among them: whether weights trained on "
    "such texts may be used commercially is for the user to judge.",
)
PEGASUS_WORDS = replace(
    SUMMARY_WORDS,
    fails=f"{SUMMARY_WORDS.fails} It is smaller than Gloss summaries, from which it was made, and does less well: it "
    "is there to show the architecture at work.",
)
WORDS = {
    "fusion-first": FUSION_WORDS,
    "fusion": FUSION_WORDS,
    "summary": SUMMARY_WORDS,
    "pegasus": PEGASUS_WORDS,
    "small": WritingWords(
        tags=f"{FUSION_WORDS.tags}, summarization",
        baselines=f"{FUSION_WORDS.baselines}; {SUMMARY_WORDS.baselines}",
        published=f"{FUSION_WORDS.published.rstrip('.')}; {SUMMARY_WORDS.published}",
        fails=f"{FUSION_WORDS.fails} {SUMMARY_WORDS.fails}",
        licences=SUMMARY_WORDS.licences,
    ),
}


def writing_card(
    recipe: WritingRecipe, model: GeneratesFromSource, last: dict, report: dict, trials: str, note: str
) -> str:
    """`last` is the last entry of the run's log."""
    encoder = model.config.encoder
    prompts = ", ".join(f"`{prompt}`" for prompt in recipe.prompts.values() if prompt)
    return WRITING.format(
        name=recipe.name,
        title=recipe.title,
        architecture=architecture(model),
        parameters=model.num_parameters() / 1e6,
        vocab_size=encoder.vocab_size,
        prompts=f"The piece that a text begins with says what to do: {prompts}. " if prompts else "",
        limit=encoder.max_position_embeddings,
        pairs=max(entry["pairs"] for entry in report.values()),
        table=table(report),
        minutes=last["minutes"],
        machine=last["machine"],
        steps=last["step"],
        batch_cost=recipe.settings.batch_cost * recipe.settings.batches_a_step,
        start=started(recipe),
        data=sources(files_of(recipe)),
        trials=trials,
        note=f" {note}" if note else "",
        **vars(WORDS[recipe.name]),
    )


def architecture(model: GeneratesFromSource) -> str:
    encoder, decoder = model.config.encoder, model.config.decoder
    layers = f"{encoder.num_hidden_layers} and {decoder.num_hidden_layers} layers of width {encoder.hidden_size}"
    if isinstance(encoder, BertGenerationConfig):
        return f"An encoder-decoder of two BertGeneration stacks, {layers}"
    sparse = f"block-sparse beyond {encoder.block_sparsity.longest_dense:,} tokens"
    if isinstance(encoder, BigBirdConfig):
        return f"An encoder-decoder of a BigBird encoder, {sparse}, and a BertGeneration decoder, {layers}"
    return f"A BigBird-Pegasus, its encoder {sparse}, {layers}"


STARTED = ', from a checkpoint that the recipe "{}" had made'


def started(recipe: Recipe) -> str:
    return STARTED.format(recipe.start) if recipe.start else ""


def files_of(recipe: WritingRecipe) -> list[str]:
    """Of this recipe, and of the one whose checkpoint it starts from."""
    earlier = files_of(RECIPES[recipe.start]) if recipe.start else []
    return [*(ingredient.file for ingredient in recipe.ingredients), *earlier]


def answering_card(
    recipe: AnsweringRecipe, model: BigBirdForQuestionAnswering, settings: AnswerSettings,
    last: dict, report: dict, trials: str, note: str,
) -> str:  # fmt: skip
    return ANSWERING.format(
        name=recipe.name,
        title=recipe.title,
        parameters=model.num_parameters() / 1e6,
        vocab_size=recipe.vocab_size,
        longest_dense=model.config.block_sparsity.longest_dense,
        limit=model.config.max_position_embeddings,
        pairs=max(entry["pairs"] for entry in report.values()),
        settings=settings,
        table=table(report),
        steps=last["step"],
        minutes=last["minutes"],
        machine=last["machine"],
        batch_cost=recipe.settings.batch_cost,
        start=started(recipe),
        data=sources(recipe.files),
        trials=trials,
        note=f" {note}" if note else "",
    )


def sources(files: Iterable[str]) -> str:
    return "\n".join(f"- {SOURCES[file]}" for file in dict.fromkeys(files))


def table(report: dict) -> str:
    rows = ["| task | set | measures |", "|---|---|---|"]
    for task, entry in report.items():
        references = entry.get("references", {})
        pairs = zip(entry["model"].items(), entry["baseline"].values(), strict=True)
        measures = ", ".join(
            f"{name} {value:.1f} ({baseline:.1f}" + (f"; {references[name]:.1f})" if name in references else ")")
            for (name, value), baseline in pairs
        )
        rows.append(f"| {task} | {entry['set']} | {measures} |")
    return "\n".join(rows)
