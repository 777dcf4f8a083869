"""What an engine tells of a finished output: each question names what was written (`Written`), the answers are records.

A model's weights never leave the engine, so an engine elsewhere can be asked the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property, lru_cache, wraps
from typing import TYPE_CHECKING, Any, TypeVar

from seq2seq.explain.ablation import AblationStep
from seq2seq.explain.attention import View, attention, fitting, is_whole, regrouped
from seq2seq.explain.beams import beam_tree
from seq2seq.explain.choices import choices, go_on
from seq2seq.explain.heads import heads
from seq2seq.explain.muting import num_heads, rewriting
from seq2seq.explain.pair import Pair, forced, pair_of
from seq2seq.explain.provenance import provenance_of
from seq2seq.explain.saliency import saliency
from seq2seq.explain.stretches import Stretch, stretches
from seq2seq.explain.why import why
from seq2seq.tasks import Generated, Task, Written, patience
from seq2seq.tasks.turns import in_turns
from seq2seq.trace import (
    AttentionKind,
    AttentionRecord,
    Attribution,
    BeamTree,
    Choice,
    Head,
    HeadsRecord,
    Provenance,
    Rewriting,
    Token,
)

if TYPE_CHECKING:
    from seq2seq.tasks import Writer


PAIRS_KEPT = 8


Method = TypeVar("Method", bound=Callable[..., Any])


def in_a_turn(method: Method) -> Method:
    """A method about something written, which has others wait until it has computed, but not for its model."""

    @wraps(method)
    def computed(engine: Explains, written: Written, *args: Any) -> Any:
        engine.load(written.task, written.model)
        with engine.doubting(written.task, written.model), engine.turns.looks:
            patience.go_on()
            return method(engine, written, *args)

    return computed


class Explains:
    """For an engine, which has `load`, `doubting` and `turns`."""

    _looked: Mapping[tuple[Written, View], AttentionRecord] = {}  # holds no model

    def pair(self, written: Written) -> Pair:
        return self._pair_of(self.load(written.task, written.model), written)

    @cached_property
    def _pair_of(self) -> Callable[[Writer, Written], Pair]:
        """Remembers the last pairs: one look follows another."""
        return lru_cache(PAIRS_KEPT)(pair_of)

    def forget(self) -> None:
        """Hold on to nothing of a model that is given up."""
        self._pair_of.cache_clear()
        self._saliency_of.cache_clear()
        self._looked = {}

    @cached_property
    def _saliency_of(self) -> Callable[[Written], Attribution]:
        """Of a whole output; remembered, as it takes many times as long as all heads of a kind. Holds no model."""
        return lru_cache(PAIRS_KEPT)(lambda written: saliency(self.pair(written), 0, len(written.target_ids)))

    def force(self, task: Task, text: str, target_text: str, model: str | None = None) -> Written:
        """As if `target_text` had been written for `text`."""
        written = forced(self.load(task, model), task, text, target_text, model)
        self.pair(written)
        return written

    def written_text(self, written: Written) -> str:
        return self.pair(written).target_text

    def sentences(self, written: Written) -> tuple[Token, ...]:
        """Of the text, those that the model read: what `View.columns_within` may be."""
        return self.pair(written).sentences

    def fitting(self, written: Written, view: View, most_cells: int) -> View:
        """The view, coarser where its map would have more cells."""
        return fitting(self.pair(written), view, most_cells)

    @in_a_turn
    def heads(self, written: Written, kind: AttentionKind) -> HeadsRecord:
        """Every head of every layer at a glance, those that look at the text compared with gradients."""
        return heads(self.pair(written), kind, None if kind == "decoder" else self._saliency_of(written))

    def stretches(self, written: Written) -> tuple[Stretch, ...]:
        """Parts of the output that `why` may be asked about."""
        return stretches(self.pair(written))

    def why(self, written: Written, stretch: Stretch) -> Iterator[AblationStep | Attribution]:
        """What each method says of why a stretch was written; between them, how far the slow one is."""
        return in_turns(self.turns.looks, why(self.pair(written), stretch.first, stretch.last))

    @in_a_turn
    def provenance(self, written: Written, quoted: bool) -> Provenance:
        """The sentences of the text that each sentence of the output leans on, or, where it is `quoted`, is."""
        return provenance_of(self.pair(written), quoted)

    @in_a_turn
    def choices(self, written: Written) -> tuple[Choice, ...]:
        """How sure the model was of each token, and what else it weighed."""
        return choices(self.pair(written))

    def go_on(self, written: Written, place: int, token_id: int) -> Iterator[Generated]:
        """With another token at a place of the output, and from there what the model writes."""
        return go_on(self.pair(written), place, token_id)

    def beam_tree(self, written: Written) -> BeamTree:
        """What a beam search for the same text weighs."""
        return beam_tree(self.load(written.task, written.model), written)

    def num_heads(self, written: Written, kind: AttentionKind) -> int:
        """Of each layer."""
        return num_heads(self.pair(written), kind)

    @in_a_turn
    def without_heads(self, written: Written, muted: Collection[Head]) -> Rewriting:
        """What is written with some heads switched off."""
        return rewriting(self.pair(written), muted)

    @in_a_turn
    def attention(self, written: Written, view: View) -> AttentionRecord:
        """What one layer, or all together, looked at.

        The last record is remembered, as a look may have been taken ahead; and the last layer that was looked at whole,
        as what a finished run shows first is what is taken apart.
        """
        asked, looked = (written, view), self._looked
        if asked in looked:
            return looked[asked]
        whole = looked.get((written, View(view.kind, view.layer)))
        record = attention(self.pair(written), view) if whole is None else regrouped(whole, view)
        wholes = {} if is_whole(view) else {known: each for known, each in looked.items() if is_whole(known[1])}
        self._looked = wholes | {asked: record}
        return record
