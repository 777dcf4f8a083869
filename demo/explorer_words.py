"""What the Attention tab says. Knows no widgets."""

from __future__ import annotations

import html
from collections.abc import Collection, Sequence
from dataclasses import asdict
from textwrap import shorten
from typing import Literal

from components.palette import signed
from seq2seq.engine import View
from seq2seq.explain.ablation import AblationStep
from seq2seq.explain.grain import Grain
from seq2seq.explain.why import LONGEST_INTEGRATED
from seq2seq.tasks import GenerationSettings
from seq2seq.trace import AttentionKind, Attribution, Combination, Method, Rewriting, Token

Format = Literal["PNG", "SVG", "HTML", "CSV", "JSON"]  # of a map to take along

TAB = "Attention"
LEAD = (
    "Take a result apart: let a model write, or say yourself what it should have written, and see where it looked, how "
    "sure it was, and what each word depends on."
)
TEXT_HINT = "The text that the model reads."
TARGET_LABEL = "What was written"
TARGET_HINT = "Leave this empty, and the model writes it."
TARGET_NOTE = "With words of your own here, you see how the model would have come to them."
LOOK_LABEL = "Look"
RESULT_HINT = "What was written will appear here, and below it what is behind it."
TAKE_LABEL = "Take it apart"
FORCED_NOTE = "Not written by the model: it is looked at as if it were"
FIRST_SECTION = "Of a text in several sections, the first is looked at"
TAKEN = "Taken over from the other tab"

MAP_TAB = "Where it looked"
KIND_LABEL = "Who looks at what"
KIND_CHOICES: list[tuple[str, AttentionKind]] = [
    ("The output at the text", "cross"),
    ("The text at itself", "encoder"),
    ("The output at itself", "decoder"),
]
LAYER_LABEL = "Layer"
COMBINATION_CHOICES: list[tuple[str, Combination]] = [
    ("All layers: rolled out", "rollout"),
    ("All layers: their mean", "all layers"),
]
HEADS_LABEL = "Heads (all, if none is chosen)"
TOGETHER_LABEL = "Several heads"
TOGETHER_CHOICES = [("Their mean", False), ("The largest", True)]
GRAIN_LABEL = "By"
GRAIN_CHOICES: list[tuple[str, Grain]] = [("Words", "words"), ("Tokens", "tokens"), ("Sentences", "sentences")]
PART_LABEL = "Of the text"
WHOLE_TEXT = "All of it"
PART_CHARACTERS = 60
MARKS_LABEL = "Marks that are no words"
MARKS_CHOICES = [("Hidden", "hidden"), ("Shown", "shown"), ("Left out, rest shared anew", "left out")]
SCALE_LABEL = "Ink"
SCALE_CHOICES = [("Grows with the weight", False), ("With its logarithm", True)]
EXPORT_LABEL = "Download"
EXPORTS: tuple[Format, ...] = Format.__args__
LINK_LABEL = "Link to this view"
LINK_WITH_TEXT = "Whoever has the link can read the text: it is part of it."
LINK_WITH_HASH = (
    "The text is too long for a link. This server keeps it in memory, for whoever has the link, until it restarts or "
    "other long texts take its place."
)
LINKED = "From a link: looked at as if the model had written it"
TEXT_GONE = (
    "This link’s text is not on this server any more: long texts are kept until it restarts. Paste the text instead."
)
BROKEN_LINK = "This link is not whole, or not one of this page’s. Ask for it anew, or begin with a text of yours."
TOO_LONG_FOR_A_LINK = "This text is too long for a link. Shorten it."
NO_SUCH_PART = "The text has no such sentence."
NO_SUCH_PLACE = "There is no such place in this result. Choose one that is shown."
CAVEAT = (
    "Attention says where a layer looked. It does not say why a word was chosen: what was looked at may not have "
    "mattered, and what mattered may have come by another layer."
)
ROLLED_OUT = (
    "Rolled out: what each place is made of, if every layer kept half of its state and took half from where its heads "
    "looked on average (Abnar and Zuidema 2020)."
)
MEAN_OF_LAYERS = "The mean of all heads of all layers: where the model looked at all, as often as it did."

HEADS_TAB = "All heads"
HEADS_LEAD = "Every head of every layer, small: what looks runs down, what is looked at runs across."
CHOICES_TAB = "How sure it was"
CHOICES_LEAD = (
    "The more ink, the less sure the model was. Point at a word to see what else it weighed; choose another, and it "
    "goes on from there. The shares are the model’s own, before any rule of the search."
)
WHY_TAB = "Why this word"
STRETCH_LABEL = "Which words"
WHY_LABEL = "Find out"
WHY_LEAD = (
    "Four ways to ask what a stretch of the output depends on, on the same text. They often disagree, and none is the "
    "truth."
)
METHOD_NOTES: dict[Method, str] = {
    "attention": "Where the last layer looked. Cheap, but says nothing of what came of it.",
    "gradient": "Which words would change the probability most, changed a little. Says nothing of larger changes.",
    "integrated_gradients": (
        "The same along the way from an empty text to yours: the shares add up to the whole change, but the way leads "
        "through texts that nobody writes."
    ),
    "ablation": "How much less likely the words are without a sentence. An experiment, but blind to what two share.",
}
MUTE_TAB = "Switch heads off"
MUTE_LEAD = (
    "Switch heads off, in any layers, and let the model write again: what nobody looks at any more, and what changes. "
    "Heads that can be spared without a difference were not needed for this text."
)
MUTE_KIND_LABEL = "Of which attention"
MUTE_LAYERS_LABEL = "In which layers"
MUTE_HEADS_LABEL = "Which heads"
MUTE_LABEL = "Write without them"
RUNS_TAB = "Two runs"
RUNS_LEAD = (
    "Keep a run, then look at another: of another model, with other settings, on another text. Both are drawn here as "
    "chosen under “Where it looked”."
)
KEEP_LABEL = "Keep this run"
NOTHING_KEPT = "There is no run to keep yet."
RUNS = ("Kept", "This one")
FACTS = ("Task", "Model", "Settings", "Text", "Output", "Log-probability", "Perplexity")
DIFFERENCE_TITLE = "The output, from the kept one to this one"
WENT_ON = "With the word that you chose"
NO_HEADS = "No heads are chosen. Choose layers, and heads in them."
WHOLE_OUTPUT = "All of it"
BEAMS_TITLE = "What a search weighs"
BEAMS_LEAD = (
    "A beam search keeps several beginnings side by side, and drops what falls behind. Here is all that it weighs for "
    "this text, with log-probabilities in nats."
)


def no_such_value(name: str, given: object, known: Sequence[str | None]) -> str:
    """For a program that asked for something that there is not."""
    return f"There is no {name} “{given}”. Choose one of: {', '.join(each for each in known if each)}."


def beginning(text: str) -> str:
    return shorten(text, PART_CHARACTERS, placeholder="…")


def kept(output: str) -> str:
    """A run was kept. As HTML: in Markdown, an output could be a picture from anywhere."""
    return f"Kept: “{html.escape(beginning(output))}” Look at another, and both are shown here."


def text_fact(text: str) -> str:
    """A text by its length and its first words."""
    return f"{len(text.split()):,} words: “{beginning(text)}”"


def settings_fact(settings: GenerationSettings) -> str:
    """Those that a visitor chose."""
    chosen = [(name, value) for name, value in asdict(settings).items() if value is not None]
    named = [f"{name.replace('_', ' ')} {value}" for name, value in chosen if name != "seed" or settings.do_sample]
    return ", ".join(named) or "the model’s own"


def link_note(has_text: bool) -> str:
    """Where the text of a link is."""
    return LINK_WITH_TEXT if has_text else LINK_WITH_HASH


def layer_choices(num_layers: int) -> list[tuple[str, int | Combination]]:
    return [*((f"{layer + 1} of {num_layers}", layer) for layer in range(num_layers)), *COMBINATION_CHOICES]


def layer_numbers(num_layers: int) -> list[tuple[str, int]]:
    return [(f"{layer + 1}", layer) for layer in range(num_layers)]


def finding_out(step: AblationStep | Attribution) -> list[str]:
    """How far the question is why a word was written."""
    if isinstance(step, AblationStep):
        return [f"Leaving out sentence after sentence: reading {step.done + 1:,} of {step.of:,}"]
    return ["Following gradients"]


def found_out(methods: Collection[Method]) -> list[str]:
    """What is left to say when all is found out."""
    if "integrated_gradients" in methods:
        return []
    return [f"Without integrated gradients, which take minutes for more than {LONGEST_INTEGRATED:,} tokens."]


def head_choices(num_heads: int) -> list[tuple[str, int]]:
    return [(f"{head + 1}", head) for head in range(num_heads)] if num_heads > 1 else []


def part_choices(sentences: Sequence[Token]) -> list[tuple[str, int]]:
    """The whole text, and each of its sentences by its number and its first words."""
    named = (beginning(sentence.text) for sentence in sentences)
    return [(WHOLE_TEXT, -1), *((f"{number + 1} · {words}", number) for number, words in enumerate(named))]


def stretch_choices(stretches: Sequence[Token]) -> list[tuple[str, int]]:
    """Parts of the output, by their words."""
    return [(beginning(stretch.text), place) for place, stretch in enumerate(stretches)]


def rewritten(rewriting: Rewriting) -> str:
    """What switching heads off did to the output and to its likelihood."""
    fall = rewriting.log_probability_before - rewriting.log_probability_after
    same = "Nothing changed in the output. " if rewriting.before == rewriting.after else ""
    verb = "fell" if fall >= 0 else "rose"
    return (
        f"{same}Without {counted_heads(len(rewriting.muted))}, the log-probability of the first output {verb} by "
        f"{abs(fall):.2f} nats, from {signed(rewriting.log_probability_before)} to "
        f"{signed(rewriting.log_probability_after)}."
    )


def counted_heads(count: int) -> str:
    return "1 head" if count == 1 else f"{count:,} heads"


def note_on_map(wanted: View, got: View) -> str:
    """What a reader must know of the map: that it is coarser than was asked for, or what its rows are."""
    notes = [{"rollout": ROLLED_OUT, "all layers": MEAN_OF_LAYERS}.get(got.layer, "")]
    if (wanted.rows, wanted.columns) != (got.rows, got.columns):
        finer = f"Choose a sentence under “{PART_LABEL}” to see it by {wanted.columns}."
        notes.append(f"So much text is shown by {got.columns}. {finer}")
    return " ".join(filter(None, notes))
