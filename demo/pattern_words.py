"""What the page says of a pattern, of what it costs and of a text on it. Labels are in `wording`. Knows no widgets."""

from __future__ import annotations

from collections.abc import Sequence

from components.palette import percent
from demo import wording
from demo.wording import tokens
from seq2seq.tasks.cost import MEASURED_LENGTHS, Machine
from seq2seq.tasks.mass import LayersRead
from seq2seq.tasks.pattern import PatternSettings
from seq2seq.trace import BlockMass, CostCurve, PatternRecord, Timing

NOTHING_READ = f"No text has been read yet. Press {wording.READ_LABEL} first."


def pattern_facts(record: PatternRecord, settings: PatternSettings, cost: CostCurve) -> str:
    """What there is to say of a pattern, as Markdown; `cost` is that of its length."""
    facts = [_extent(record, settings), *_repetitions(record, settings), *_hearing(record), _saving(cost)]
    return "\n".join(f"- {fact}" for fact in [*_kept(record), *facts])


def _kept(record: PatternRecord) -> list[str]:
    """What the pattern keeps of a text's attention, where one was read."""
    if record.read is None:
        return []
    mean = sum(record.kept_mass) / len(record.kept_mass)
    return [
        f"Of the full attention of head {record.head + 1} over this text, the pattern keeps "
        f"**{percent(record.kept_mass[record.head])}**; of all heads’, {percent(mean)} on average. Attention that "
        f"is spread evenly would keep {percent(record.kept_pairs)}."
    ]


def _extent(record: PatternRecord, settings: PatternSettings) -> str:
    counted = "1 block" if record.num_blocks == 1 else f"{record.num_blocks:,} blocks"
    blocks = f"{tokens(record.length)} in {counted} of {record.block_size}"
    if record.is_dense:
        return (
            f"{blocks}: so short a text is read with **full attention**. Up to "
            f"{tokens(settings.sparsity.longest_dense)}, a block would see nearly all others anyway."
        )
    return f"{blocks}: **{record.kept_pairs:.1%}** of all pairs of tokens see each other."


def _repetitions(record: PatternRecord, settings: PatternSettings) -> list[str]:
    count = int(record.is_kind("repeated").sum())
    if not count:
        return []
    most = int(record.counts.max())
    if settings.random_blocks == "reference":
        return [
            f"**Block 1 is there {most} times in {count:,} rows.** The reference library draws no random blocks when a "
            "model is used, and takes the first block in the place of each. That adds weight to it, and nothing new."
        ]
    return [f"In {count:,} places, a row drew a block that it sees anyway, up to {most} times."]


def _hearing(record: PatternRecord) -> list[str]:
    facts = [_layers_until_all("", record.heard["pattern"])]
    if not record.is_dense:
        facts.append(_layers_until_all("Without the global blocks, ", record.heard["without global blocks"]))
    return facts


def _layers_until_all(before: str, shares: Sequence[float]) -> str:
    layers = _many_of(len(shares), "layer")
    said = f"every token has heard of every other after **{layers}**"
    if shares[-1] < 1:
        said = f"{percent(shares[-1])} of the pairs have heard of each other after {layers}"
    return f"{before}{said}."[0].upper() + f"{before}{said}."[1:]


def _saving(cost: CostCurve) -> str:
    full, sparse = cost.full_operations[0], cost.sparse_operations[0]
    said = f"A layer takes {_many(sparse)} multiply-adds and {_bytes(cost.sparse_memory[0])} for its scores"
    if full == sparse:
        return f"{said}."
    times = f"**{full / sparse:.1f} times** as much"
    return f"{said}; full attention takes {_many(full)} and {_bytes(cost.full_memory[0])}, {times}."


def _many_of(count: int, name: str) -> str:
    return f"{count:,} {name}" if count == 1 else f"{count:,} {name}s"


def _many(count: float) -> str:
    for size, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if count >= size:
            return f"{count / size:.3g} {name}"
    return f"{count:,.0f}"


def _bytes(count: float) -> str:
    for size, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.3g} {name}"
    return f"{count:,.0f} B"


def map_note(record: PatternRecord, blocks_a_side: int) -> str:
    """What to know about the map before reading it."""
    if blocks_a_side > 1:
        return f"There are too many blocks to be seen: each cell stands for {blocks_a_side} × {blocks_a_side} of them."
    if record.read is not None:
        return "The more ink, the more of a row’s attention goes there. Grey is attention that the pattern loses."
    return ""


def other_text(read: BlockMass) -> str:
    """The text that was read does not belong to what is shown."""
    return (
        f"The text was read with {tokens(len(read.tokens))}, blocks of {read.block_size}, layer {read.layer + 1} and "
        f"{_many_of(read.num_heads, 'head')}. Press {wording.READ_LABEL} again to see it with other settings."
    )


def layers_read(snapshot: LayersRead) -> list[str]:
    return [f"Reading layer {snapshot.layers_read + 1} of {snapshot.num_layers}…"]


def text_read(read: BlockMass, title: str) -> list[str]:
    """The lines below the text once it was read."""
    notes = [f"{title} has read {tokens(len(read.tokens))}, marks included; the map shows layer {read.layer + 1}."]
    if read.num_cut_tokens:
        notes.append(f"The last {tokens(read.num_cut_tokens)} did not fit and were not read.")
    return notes


def on_machine(machine: Machine, settings: PatternSettings) -> str:
    """What was measured, and where."""
    threads = "" if machine.num_threads is None else f", {_many_of(machine.num_threads, 'thread')}"
    return (
        f"{machine.device}{threads}, {machine.dtype}; {_many_of(settings.num_heads, 'head')} of {settings.head_dim}, "
        f"blocks of {settings.block_size}, {settings.num_random_blocks} random; full attention is torch’s fused kernel."
    )


def measured(timing: Timing) -> str:
    ratio = timing.full_seconds / timing.sparse_seconds
    times = f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2f}"
    return (
        f"{timing.length:,} tokens: full {_seconds(timing.full_seconds)}, block-sparse "
        f"{_seconds(timing.sparse_seconds)} ({times} times as fast)"
    )


def not_measured(lengths: Sequence[int]) -> list[str]:
    """Where not all lengths can be measured."""
    if len(lengths) == len(MEASURED_LENGTHS):
        return []
    return [f"Beyond {tokens(lengths[-1])}, these settings take too long to be measured while others wait."]


def measuring(count: int, of: int) -> list[str]:
    return [f"Measuring length {count + 1} of {of}…"]


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
