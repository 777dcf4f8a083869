"""Two runs side by side: what each is, where their outputs differ, and where either looked. Knows no layout."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log

import gradio as gr
import plotly.graph_objects as go

from components.difference_view import difference_view
from components.heatmap import heatmap
from components.links_table import links_table
from components.packing import NO_VIEW, packed
from components.palette import signed
from components.runs_table import runs_table
from components.token_view import token_view
from demo import explorer_words, wording
from demo.handlers import chosen_card, in_plain_words
from demo.links import WHOLE, Look
from demo.looking import Explored, Looking, look_of, shown_of
from seq2seq.tasks.differing import differing

Drawn = tuple[str, go.Figure, str]  # linked texts, map, table


def keep(explored: Explored | None) -> tuple[Explored | None, str, dict]:
    """The run to compare others with, a line on it, and nothing to compare it with yet."""
    if explored is None:
        return None, explorer_words.NOTHING_KEPT, gr.update(visible=False)
    return explored, explorer_words.kept(explored.text), gr.update(visible=False)


class Comparing:
    """What the comparison asks of the engine."""

    def __init__(self, looking: Looking):
        self.looking = looking
        self.engine = looking.engine

    def compare(self, kept: Explored | None, explored: Explored | None, *form) -> tuple:
        """Whether there is anything to compare, facts and differences, and of either its texts and map.

        `form` are the values of Look, in order: how both are looked at. Without them, it is as the newer is at first.
        """
        if kept is None or explored is None or kept is explored:
            return gr.update(visible=False), "", "", *2 * (NO_VIEW, go.Figure(), "")
        with in_plain_words():
            facts = zip(explorer_words.FACTS, self.facts(kept), self.facts(explored), strict=True)
            look = look_of(*form) if form else explored.look
            part = look.part if kept.sentences == explored.sentences else WHOLE
            return (
                gr.update(visible=True),
                runs_table(explorer_words.RUNS, list(facts)),
                difference_view(differing(kept.text, explored.text)),
                *self.drawn(kept, replace(look, part=part)),
                *self.drawn(explored, look),
            )

    def again(self, tab: str, explored: Explored | None, kept: Explored | None) -> tuple:
        """As opening a tab beside the map, of what is there since: all heads, how sure it was, and `compare`."""
        compared = self.compare(kept, explored) if tab == explorer_words.RUNS_TAB else (gr.skip(),) * 9
        return *self.looking.again(tab, explored), *compared

    def facts(self, explored: Explored) -> tuple[str, ...]:
        """Those that FACTS names."""
        written = explored.written
        card = chosen_card(self.engine, written.task, written.model)
        choices = self.engine.choices(written)
        log_probability = sum(log(max(choice.probability, 1e-12)) for choice in choices)
        return (
            wording.RUN_LABELS[written.task],
            card.title,
            explorer_words.settings_fact(explored.settings),
            explorer_words.text_fact(written.text),
            f"{len(explored.text.split()):,} words, {len(written.target_ids):,} tokens",
            f"{signed(log_probability)} nats",
            f"{exp(-log_probability / len(choices)):.2f}",
        )

    def drawn(self, explored: Explored, look: Look) -> Drawn:
        """As the map draws it; a layer or heads that this model lacks become its last, and all."""
        count = explored.layers(look.kind)
        layer = min(look.layer, count - 1) if isinstance(look.layer, int) else look.layer
        record = shown_of(self.looking.seen(explored, replace(look, layer=layer)), look)
        return packed(token_view(record)), heatmap(record, log=look.log), links_table(record)
