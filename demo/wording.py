"""Every word the page says, in one place. Knows no widgets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil
from textwrap import shorten

from components.palette import percent
from seq2seq.attention.block_table import RandomBlocks
from seq2seq.engine import ModelCard
from seq2seq.tasks import Generated, Section, Skill, Task, TokenCount
from seq2seq.trace import Answer, FoundBy

LONGEST_NAME = 100  # characters
TITLE = "Gloss"
LEAD = "Fuse and split sentences, summarize and question texts of any length, and see what the model looked at."

TAB_FUSE = "Fuse"
TAB_SUMMARIZE = "Summarize"
TAB_ANSWER = "Answer"
TAB_PATTERN = "Pattern"
TASK_CHOICES: list[tuple[str, Task]] = [("Fuse into one sentence", "fuse"), ("Split into several", "split")]
TASK_LABEL = "What to do"

TEXT_LABEL = "Your text"
TEXT_HINTS: dict[Task, str] = {
    "fuse": "Two or more sentences that belong together.",
    "split": "One long sentence.",
    "summarize": "A text of any length.",
}
FILE_LABEL = "Open a file"
EXAMPLES_LABEL = "Or start from an example"
MODEL_LABEL = "Model"
RUN_LABELS: dict[Task, str] = {"fuse": "Fuse", "split": "Split", "summarize": "Summarize"}
CANCEL_LABEL = "Cancel"
RESULT_HINT = "The result will appear here."
RUNNING = "Writing"
STOPPED = "Stopped."
FETCHED_ALL_THE_SAME = "The model is being fetched all the same. Try again in a while."
QUOTED_NOTE = "Sentences of your text"
CHOOSING = "Choosing sentences"
BROKEN_OFF = "This is what was there before."
NOTHING_WRITTEN = "The model wrote nothing for this text. Try another text, model or setting."
KEYS_HINT = "Ctrl+Enter runs."

QUESTION_LABEL = "Your question"
QUESTION_HINT = "Who, what, when, where, how many?"
CONTEXT_HINT = "The text that may have the answer."
ANSWER_LABEL = "Answer"
ANSWER_HINT = "The answer will appear here, in the words of your text."
NO_ANSWER = "There is no answer in this text."
READING = "Reading…"
ANSWER_TITLE = "In your text"
ANSWER_CAVEAT = (
    "An answer is copied from your text, never made up. But the model can choose the wrong words or miss the right "
    "ones; the percentages are its own estimate."
)
SCORES_TITLE = "Where the answer may start and end"
SCORES_TABLE_TITLE = "The likeliest starts and ends as a table"

PATTERN_LEAD = (
    "Long texts are read sparsely: cut into blocks, of which each looks only at a few others. Here is which, what that "
    "saves, and what it loses. The pattern needs no model and no text."
)
PATTERN_SETTINGS: dict[str, tuple[str, str]] = {  # name: label, help
    "length": ("Length", "Tokens of the text"),
    "block_size": ("Block size", "Tokens in a block"),
    "num_random_blocks": ("Random blocks", "That each block looks at; 0 for none"),
    "layer": ("Layer", "Each has a draw of its own"),
    "head": ("Head", "So has each head"),
    "num_heads": ("Heads", "In a layer"),
    "head_dim": ("Width of a head", "Numbers a token; decides the cost"),
    "max_length": ("Longest text", "In tokens, that the model reads; the draw depends on it"),
}
PLAN_LABEL = "Random blocks are drawn"
PLAN_CHOICES: list[tuple[str, RandomBlocks]] = [
    ("Not at all: block 1 again, as the reference library does", "reference"),
    ("By the authors’ plan: anew for each layer and head", "original"),
]
PLAN_UNKNOWN = "The plan of random blocks must be “reference” or “original”."
SHAPE_TITLE = "The model’s shape"
MAP_TITLE = "Who looks at whom"
PATTERN_TABLE_TITLE = "The map as a table"
HEARD_TITLE = "How far a token hears"
HEARD_NOTE = (
    "What a block sees in one layer has itself seen other blocks in the layer before. Here is the share of pairs of "
    "tokens of which one has heard of the other, if every layer had this pattern. What the heads see is taken together."
)
COST_TITLE = "What it costs"
COST_NOTE = "Of one layer and one text, without the projections. Both axes grow by factors."
COUNTED_LABEL = "Show"
COUNTED_CHOICES = [("Operations", "operations"), ("Memory", "memory")]
MEASURE_LABEL = "Measure"
MEASURE_HINT = "Times one layer on this machine, at 512 to 8,192 tokens."
OVER_TEXT_TITLE = "Over a text"
OVER_TEXT_NOTE = (
    "Let a model read a text with full attention in one layer, and see how much of that attention the pattern keeps. "
    "The settings above say which layer, and how the text is cut."
)
READ_TEXT_HINT = "A text as long as you like; a model reads as much of it as it can."
READ_LABEL = "Read"

WORDING_LABEL = "In whose words"
WORDING_NOTE = (
    "Quoted sentences stand in your text as they are, but may mislead without what stood around them; of the settings "
    "below, only the lengths count for them. Automatic takes what the model does better."
)
WORDING_CHOICES = [("Automatic", "automatic"), ("The model’s own", "own"), ("The text’s own", "quoted")]

LINK_LABEL = "Link to this form"

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
ATTENTION_OF_QUOTES = (
    "These sentences were chosen by where the last layer looked for the very first word. This is where the model would "
    "look if it wrote them."
)
PROVENANCE_TITLE = "Where each sentence comes from"
PROVENANCE_NOTES: dict[FoundBy, str] = {  # measured: seq2seq/explain/provenance.py
    "quoted": "These sentences stand in your text as they are, and were looked up there.",
    "ablation": (
        "Found by hiding each sentence of your text from the model and seeing how much less likely the summary’s "
        "becomes. Given two sentences each of 120 short news texts as if they were the summary, this named the right "
        "one first every time. How often it is right about the model’s own words has not been measured."
    ),
    "attention": (
        "Found by where that part of the model looks while it writes that looks most at one place. Given two sentences "
        "each of 30 texts of about 75 sentences as if they were the summary, this named the right one first 98% of the "
        "time. How often it is right about the model’s own words has not been measured."
    ),
}
SECTION_LABEL = "Section of your text"
NAMED_WORDS = 5  # of those that a text does not have
SECTION_WORDS = 72  # characters of a section that its choice shows
LAYER_LABEL = "Layer"
HEAD_LABEL = "Head"
MEAN_OF_HEADS = "Mean of all"
UNIT_LABEL = "Show"
UNIT_CHOICES = [("Words", "words"), ("Tokens", "tokens"), ("Special tokens too", "everything")]
HEATMAP_TITLE = "Heat map"
DRAWING_TITLE = "How it is drawn"
TABLE_TITLE = "The strongest links as a table"

NO_NUMBERS = (
    "This model’s weights are damaged, or too large for the kind of numbers that is used here: nothing comes of them. "
    "The host’s log says what helps. Your text is still there: try once more, as a damaged download is replaced, or "
    "choose another model."
)
NO_MODEL = (
    "This model could not be loaded. Its files may be out of order, or it may need an access that this host has not "
    "been given, more memory or room on its disk than there is, or a connection that is missing; the host’s log says "
    "which. Your text is still there: choose another model, or try again in a while."
)
APOLOGY = (
    "Sorry, something went wrong on our side, and it has been logged. Your text is still there: "
    "please try again, or try a shorter text or another model."
)

TAB_MODELS = "Models"
MODELS_TITLE = "The models of this page"
MODELS_LEAD = (
    "All that this page writes and answers comes from these models, on the machine behind it. Where several can do a "
    "task, the default is chosen already, and the task’s own tab offers the others."
)
MODEL_FACTS = ("Does", "Default for", "Reads at once", "Size", "Licence")
CARDS_TITLE = "Their cards"
NO_CARD = "This model has no card here."
CARD_ON_HUB = "It comes from the Hugging Face Hub, where it may have one:"
CARD_BROKEN = "The head of this card could not be read, and so its licence is not told here."
NOT_STATED = "not stated"
NOT_ON_DISK = "not on this machine yet"
SKILL_NAMES: dict[Skill, str] = {**RUN_LABELS, "answer": ANSWER_LABEL}


def skills(named: Iterable[Skill]) -> str:
    return ", ".join(SKILL_NAMES[skill] for skill in named) or "nothing"


def model_size(num_bytes: int | None, num_parameters: int | None) -> str:
    if num_bytes is None:
        return NOT_ON_DISK
    counted = f", {num_parameters / 1e6:,.1f} million parameters" if num_parameters else ""
    return f"{num_bytes / 1e6:,.0f} MB{counted}"


def published(about: ModelCard) -> str:
    """The card, in Markdown, of a model whose own is on the Hub."""
    return f"{about.published.about} It is fetched from the Hub when it is first used, and has a card there:"


def card_table(title: str) -> str:
    return f"Table in the card of {title}"


def counted(count: TokenCount, card: ModelCard, widest: ModelCard) -> str:
    """How long the input is; what becomes of it where it is too long; and which model reads the most at once."""
    if count.num_tokens <= count.limit:
        return f"{count.num_tokens:,} of {count.limit:,} tokens"
    if count.num_sections > 1:
        way = f"at a time, so your text will be summarized in {count.num_sections:,} sections"
    else:
        way = f"at most, so the last {count.num_tokens - count.limit:,} will be left out"
    said = f"**{count.num_tokens:,} tokens.** {card.title} reads {count.limit:,} {way}."
    if widest.max_source_tokens > count.limit:
        said += f" {widest.title} reads {widest.max_source_tokens:,}."
    return said


def file_cut(num_characters: int) -> str:
    return f"This file is very long. Its first {num_characters:,} characters were taken."


def counted_for_reading(count: TokenCount) -> str:
    """How long a text is that is questioned, and plainly that it is read in sections where it is long."""
    if count.num_tokens > count.limit:
        return f"{count.num_tokens:,} tokens, more than the model’s {count.limit:,}: read in sections that overlap"
    return f"{count.num_tokens:,} of {count.limit:,} tokens"


def running(generated: Generated) -> list[str]:
    return [f"{CHOOSING}…" if generated.quoted else f"{RUNNING}… {tokens(generated.num_target_tokens)}"]


def progress(generated: Generated) -> str:
    """The line at the bar of a text that is read in several sections."""
    if generated.finished:
        return f"Summarized in {generated.num_sections:,} sections, a paragraph for each"
    said = f"Section {generated.num_finished_sections + 1:,} of {generated.num_sections:,}"
    left = generated.seconds_left
    return said if left is None else f"{said}, {_time_left(left)}"


def progress_stopped(done: int, of: int) -> str:
    """The same line after Cancel."""
    return f"Stopped after {done:,} of {of:,} sections"


def finished(generated: Generated) -> list[str]:
    """The lines below a result: how much was written, how fast, and what was not read."""
    count = generated.num_target_tokens
    if generated.quoted:
        notes = [f"{QUOTED_NOTE}, chosen from {tokens(generated.num_source_tokens)} in {_seconds(generated.seconds)}"]
    else:
        rate = count / max(generated.seconds, 1e-3)
        notes = [f"{tokens(count)} in {_seconds(generated.seconds)}, {rate:.0f} a second"]
    if generated.num_cut_tokens:
        notes.append(f"The last {tokens(generated.num_cut_tokens)} of your text did not fit and were not read.")
    return notes


def novelty(words: Sequence[str]) -> list[str]:
    """A line that names the words that are marked in a result, if there are any."""
    if not words:
        return []
    named = ", ".join(f"“{word}”" for word in dict.fromkeys(words[:NAMED_WORDS]))
    more = " and others" if len(words) > NAMED_WORDS else ""
    return [f"Not in your text, so check them: {named}{more}"]


def attention_head(quoted: bool) -> str:
    """What stands above the pictures of a run, whose output was written or quoted."""
    return f"## {ATTENTION_TITLE}\n\n{ATTENTION_OF_QUOTES if quoted else ATTENTION_CAVEAT}"


def finding(done: int, of: int) -> str:
    """What is being done before it is known where a summary's sentences come from."""
    return f"Looking for the sources{f', section {done + 1:,} of {of:,}' if of > 1 else ''}…"


def found_by(methods: Iterable[FoundBy]) -> str:
    """How it was found where sentences come from, and how often that is right."""
    return " ".join(PROVENANCE_NOTES[method] for method in dict.fromkeys(methods))


def reading(done: int, of: int) -> str:
    """What is being read now of a text in several sections."""
    return f"Reading section {done + 1:,} of {of:,}"


def likely(probability: float) -> str:
    return f"{percent(probability)} likely"


def answered(answer: Answer) -> list[str]:
    """The lines below an answer: where there is none, what comes nearest; and how much was read."""
    sections = f" in {answer.num_windows:,} sections" if answer.num_windows > 1 else ""
    read = f"Read {tokens(len(answer.tokens))}{sections}, {_seconds(answer.seconds)}"
    nearest = [f"What comes nearest: “{span.text}”, {likely(span.score)}" for span in answer.spans[:1]]
    return [read] if answer.best else [*nearest, read]


def not_a_setting(name: str, whole: bool, low: float, high: float, got: object) -> str:
    kind = "a whole number" if whole else "a number"
    label = (SETTINGS | PATTERN_SETTINGS)[name][0]
    return f"{label} must be {kind} from {low:,} to {high:,}; it is “{of_a_name(got)}”."


def no_such_wording(got: str, known: Iterable[str]) -> str:
    return f"The wording must be {' or '.join(f'“{each}”' for each in known)}, or left out; it was “{of_a_name(got)}”."


def no_such_tool(name: str, names: Iterable[str]) -> str:
    return f"There is no tool called “{of_a_name(name)}” here. There are: {', '.join(names)}."


def of_a_name(given: object) -> str:
    """As much as anybody needs to know it again: a program can send one of any length, or what is no name at all."""
    name = str(given)
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


def no_such_parameter(name: str, names: Iterable[str]) -> str:
    return f"There is no parameter called “{of_a_name(name)}” here. There are: {', '.join(names) or 'none'}."


def no_such_model(model: str, names: Iterable[str]) -> str:
    return f"There is no model called “{of_a_name(model)}” here. Choose one of: {', '.join(names)}."


def model_choice(card: ModelCard) -> tuple[str, str]:
    """How it is offered: with what it costs to use it for the first time, if it comes from the Hub."""
    fetched = f" · {gigabytes(card.num_bytes)} from the Hub" if card.published else ""
    return f"{card.title} · reads {card.max_source_tokens:,} tokens{fetched}", card.name


def to_fetch(card: ModelCard) -> str:
    """Instead of how long a text is to a model that is not here yet."""
    return f"{card.title} has to be fetched first, {gigabytes(card.num_bytes)}. That is done once. {KEYS_HINT}"


def fetching(done: int, total: int) -> str:
    """How much of a model is here."""
    return f"Fetching the model, once for everybody: {gigabytes(done)} of {gigabytes(total)}"


def gigabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:,.2f} GB"


def section_choices(sections: Sequence[Section]) -> list[tuple[str, int]]:
    """Each section by its number and its first words."""
    return [
        (f"{number + 1} of {len(sections)} · {shorten(section.source_text, SECTION_WORDS, placeholder='…')}", number)
        for number, section in enumerate(sections)
    ]


def layer_choices(num_layers: int) -> list[tuple[str, int]]:
    return [(f"{layer + 1} of {num_layers}", layer) for layer in range(num_layers)]


def head_choices(num_heads: int, mean: int) -> list[tuple[str, int]]:
    return [(MEAN_OF_HEADS, mean), *((f"{head + 1} of {num_heads}", head) for head in range(num_heads))]


def tokens(count: int) -> str:
    return f"{count:,} token" if count == 1 else f"{count:,} tokens"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.1 else "<0.1 s"


def _time_left(seconds: float) -> str:
    """Rounded up, so that it is seldom less than it says."""
    if seconds < 60:
        return f"about {5 * max(1, ceil(seconds / 5))} s left"
    return f"about {ceil(seconds / 60):,} min left"
