"""Every word the page says, in one place. Knows no widgets."""

from __future__ import annotations

from collections.abc import Iterable

from seq2seq.engine import ModelCard
from seq2seq.tasks import Generated, Task, TokenCount

TITLE = "Gloss"
LEAD = "Fuse and split sentences, summarize a paragraph, and see which words the model looked at as it wrote."

TAB_FUSE = "Fuse"
TAB_SUMMARIZE = "Summarize"
TASK_CHOICES: list[tuple[str, Task]] = [("Fuse into one sentence", "fuse"), ("Split into several", "split")]
TASK_LABEL = "What to do"

TEXT_LABEL = "Your text"
TEXT_HINTS: dict[Task, str] = {
    "fuse": "Two or more sentences that belong together.",
    "split": "One long sentence.",
    "summarize": "A paragraph or a short article.",
}
FILE_LABEL = "Open a file"
FILE_NOT_TEXT = "This file is not a text. Choose a .txt, .md or .pdf file."
FILE_BROKEN = "This PDF is damaged and could not be read. Try to save it anew, or copy its text."
FILE_LOCKED = "This PDF is protected by a password. Save it without one, or copy its text."
FILE_WITHOUT_TEXT = "This PDF has no text in it, only pictures of pages. Run a text recognition on it first."
EXAMPLES_LABEL = "Or start from an example"
MODEL_LABEL = "Model"
RUN_LABELS: dict[Task, str] = {"fuse": "Fuse", "split": "Split", "summarize": "Summarize"}
CANCEL_LABEL = "Cancel"
RESULT_HINT = "The result will appear here, word by word."
RUNNING = "Writing"
STOPPED = "Stopped."
NOTHING_WRITTEN = "The model wrote nothing for this text. Try another text, model or setting."
KEYS_HINT = "Ctrl+Enter runs."

SETTINGS_TITLE = "Generation settings"
SETTINGS_NOTE = "Leave a field empty to use what the model itself prefers for this task."
SETTING_EMPTY = "model's own"
SETTINGS: dict[str, tuple[str, str]] = {  # name: label, help
    "num_beams": ("Beams", "Candidate texts kept side by side; 1 writes as it goes"),
    "do_sample": ("Sample", "Draw words at random by their probability"),
    "temperature": ("Temperature", "Above 1 is bolder, below 1 is safer; for sampling"),
    "top_k": ("Top k", "Draw from the k likeliest tokens; 0 for all"),
    "top_p": ("Top p", "Draw from the likeliest tokens that make up this share"),
    "max_new_tokens": ("Longest output", "In tokens"),
    "min_new_tokens": ("Shortest output", "In tokens"),
    "length_penalty": ("Length penalty", "Above 0 favours long candidates; for beams"),
    "no_repeat_ngram_size": ("No repeated n-grams", "Never write the same n tokens twice; 0 allows it"),
    "repetition_penalty": ("Repetition penalty", "Above 1 discourages words already written"),
    "seed": ("Seed", "The same seed draws the same words"),
}

ATTENTION_TITLE = "What the model looked at"
ATTENTION_CAVEAT = "Attention shows where the model looked, not why it chose a word."
LAYER_LABEL = "Layer"
HEAD_LABEL = "Head"
MEAN_OF_HEADS = "Mean of all"
UNIT_LABEL = "Show"
UNIT_CHOICES = [("Words", "words"), ("Tokens", "tokens"), ("Special tokens too", "everything")]
HEATMAP_TITLE = "Heat map"
TABLE_TITLE = "The strongest links as a table"

APOLOGY = (
    "Sorry, something went wrong on our side, and it has been logged. Your text is still there: "
    "please try again, or try a shorter text or another model."
)


def counted(count: TokenCount) -> str:
    """How long the input is, and plainly that it will be cut where it is too long."""
    if count.num_tokens > count.limit:
        return (
            f"**{count.num_tokens:,} tokens.** The model reads {count.limit:,} at most, "
            f"so the last {count.num_tokens - count.limit:,} will be left out."
        )
    return f"{count.num_tokens:,} of {count.limit:,} tokens"


def running(generated: Generated) -> list[str]:
    return [f"{RUNNING}… {_tokens(len(generated.target_ids))}"]


def finished(generated: Generated) -> list[str]:
    """The line below a result: how much was written, how fast, and what was not read."""
    count = len(generated.target_ids)
    rate = count / max(generated.seconds, 1e-3)
    notes = [f"{_tokens(count)} in {generated.seconds:.1f} s, {rate:.0f} a second"]
    if generated.num_cut_tokens:
        notes.append(f"The last {_tokens(generated.num_cut_tokens)} of your text did not fit and were not read.")
    return notes


def not_a_setting(name: str, whole: bool, low: float, high: float, got: object) -> str:
    kind = "a whole number" if whole else "a number"
    return f"{SETTINGS[name][0]} must be {kind} from {low:,} to {high:,}; it is “{got}”."


def no_such_model(model: str, names: Iterable[str]) -> str:
    return f"There is no model called “{model}” here. Choose one of: {', '.join(names)}."


def model_choice(card: ModelCard) -> tuple[str, str]:
    return card.title, card.name


def layer_choices(num_layers: int) -> list[tuple[str, int]]:
    return [(f"{layer + 1} of {num_layers}", layer) for layer in range(num_layers)]


def head_choices(num_heads: int, mean: int) -> list[tuple[str, int]]:
    return [(MEAN_OF_HEADS, mean), *((f"{head + 1} of {num_heads}", head) for head in range(num_heads))]


def _tokens(count: int) -> str:
    return f"{count:,} token" if count == 1 else f"{count:,} tokens"
