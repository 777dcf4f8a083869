"""The tab that takes a result apart: where the model looked, all heads at a glance, how sure it was, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from demo import explorer_words as words
from demo import wording
from demo.comparing import Comparing
from demo.handlers import end, model_options, result
from demo.looking import Looking, begin_look, begin_why
from demo.tabs.attention_panel import AttentionPanel
from demo.tabs.compare_panel import compare_panel, wire_compare
from demo.tabs.events import (
    AS_SENT,
    FOLLOWING,
    FORM_EVENT,
    MODEL_EVENT,
    NO_PROGRESS,
    PAGE_EVENT,
    RUN_EVENT,
    SPARE_EVENT,
    UNCHECKED,
    at_the_end,
    must_wait,
)
from demo.tabs.map_panel import map_panel, wire_map
from demo.tabs.text_box import TextBox, let_cancel, run_buttons, text_box, wire_text_box
from demo.tabs.widgets import beam_tree, choices_view, heads_grid, result_view, why_view
from seq2seq.engine import Engine
from seq2seq.engine.stopping import stoppable
from seq2seq.tasks import TASKS

SHOW_TAB = "() => ({ __type__: 'update', selected: 'attention' })"


@dataclass(frozen=True)
class AskPanel:
    task: gr.Radio
    box: TextBox
    target: gr.Textbox
    buttons: list[gr.Button]  # look, cancel
    model: gr.Dropdown
    result: gr.HTML
    queue: gr.HTML  # there only for who has to wait: Gradio's sign of it draws all the time, on a model's own cores
    explored: gr.State  # Explored


@dataclass(frozen=True)
class WhyPanel:
    stretch: gr.Dropdown
    buttons: list[gr.Button]  # find out, cancel
    progress: gr.HTML
    view: gr.HTML


@dataclass(frozen=True)
class MutePanel:
    kind: gr.Radio
    layers: gr.Dropdown
    heads: gr.Dropdown
    button: gr.Button
    views: list[Component]  # what it did in words, both outputs


def attention_tab(
    page: gr.Blocks, engine: Engine, count: Callable[..., str], tabs: gr.Tabs,
    others: Sequence[tuple[AttentionPanel, gr.State]], linked: gr.State,
) -> None:  # fmt: skip
    """Add the tab to the page that is being built, which may be opened by a link into it: `linked` is what it opens.

    `count` makes the line below the text box; `others` are the panels and runs whose results may be taken over.
    All else is made inside the tab: Gradio would count a gr.State beside it as one more, and then show tabs twice.
    """
    looking = Looking(engine)
    with gr.Tab(words.TAB, id="attention"):
        ask = ask_panel(engine)
        with (
            gr.Column(elem_classes=["attention", "apart"]),  # there, if not to be seen, and so drawn into sooner
            gr.Tabs(elem_classes="explorer", overflow_behavior="wrap") as inner,
        ):
            with gr.Tab(words.MAP_TAB, id="map"):
                shown = map_panel()
            with gr.Tab(words.HEADS_TAB, id="heads") as heads_tab:
                gr.Markdown(words.HEADS_LEAD)
                grid, grid_kind = heads_grid(), gr.State()  # AttentionKind
            with gr.Tab(words.CHOICES_TAB, id="choices") as choices_tab:
                gr.Markdown(words.CHOICES_LEAD)
                sure, is_told = choices_view(), gr.State(False)
                with gr.Accordion(words.BEAMS_TITLE, open=False) as beams_part:
                    gr.Markdown(words.BEAMS_LEAD)
                    tree = beam_tree()
            with gr.Tab(words.WHY_TAB, id="why"):
                asked = why_panel()
            with gr.Tab(words.MUTE_TAB, id="mute"):
                muting = mute_panel()
            with gr.Tab(words.RUNS_TAB, id="runs") as runs_tab:
                compared = compare_panel()
        wire_text_box(ask.box, count, [ask.task, ask.box.text, ask.model])
        ask.task.input(
            lambda task, model: gr.update(**model_options(engine, task, model)),
            [ask.task, ask.model],
            ask.model,
            trigger_mode="always_last",
            **AS_SENT,
        )
        wire_map(shown, ask.explored, looking)
        comparing = Comparing(looking)
        wire_compare(compared, runs_tab, ask.explored, shown.form, comparing)
        on_opening = [grid, grid_kind, sure, is_told]
        beside = [*on_opening, asked.stretch, asked.progress, asked.view, muting.kind, muting.layers, muting.heads]
        beside += [*muting.views, tree, beams_part]
        opened = [ask.result, ask.explored, *shown.form, shown.seen, *shown.drawn, *beside]
        _wire_ask(ask, looking, opened)
        glanced = [ask.explored, shown.kind, grid_kind]
        open_tab = gr.State(words.MAP_TAB)
        inner.select(selected_tab, None, open_tab, trigger_mode="always_last", **PAGE_EVENT)
        heads_tab.select(looking.glance, glanced, [grid, grid_kind], show_progress_on=grid, **FOLLOWING)
        choices_tab.select(
            looking.confidence, [ask.explored, is_told], [sure, is_told], show_progress_on=sure, **FOLLOWING
        )
        ask.explored.change(
            comparing.again,
            [open_tab, ask.explored, compared.kept],
            [*on_opening, *compared.compared],
            show_progress_on=[grid, sure, compared.views[0]],
            **FOLLOWING,
        )
        look, _ = ask.buttons
        _wire_why(ask, asked, looking, [look.click, sure.submit, *(panel.take.click for panel, _ in others)])
        gone_on = sure.submit(
            stoppable(looking.go_on), ask.explored, opened, show_progress="minimal", show_progress_on=ask.result,
            **MODEL_EVENT,
        )  # fmt: skip
        at_the_end(gone_on, end, ask.result, [*ask.buttons, ask.result])
        beams_part.expand(looking.beams, ask.explored, tree, show_progress="minimal", **MODEL_EVENT)
        muting.button.click(
            looking.without_heads,
            [ask.explored, muting.kind, muting.layers, muting.heads],
            muting.views,
            show_progress="minimal",
            show_progress_on=muting.views[0],
            **MODEL_EVENT,
        )
        muting.kind.input(
            looking.heads_of,
            [ask.explored, muting.kind],
            [muting.layers, muting.heads],
            trigger_mode="always_last",
            **PAGE_EVENT,
        )
        grid.submit(
            looking.choose_head,
            [ask.explored, shown.looks, *shown.form],
            [*shown.looked, inner],
            show_progress_on=shown.views[1],
            **UNCHECKED,
            **MODEL_EVENT,
        )
        form = [ask.task, ask.model, ask.box.text, ask.target]  # the text is counted for its model
        for panel, run in others:
            panel.take.click(None, None, tabs, js=SHOW_TAB, **PAGE_EVENT)
            panel.take.click(
                looking.take, [run, panel.section], [*form, *opened], show_progress_on=ask.result, **RUN_EVENT
            )
        page.load(looking.arrive, None, [tabs, *form, ask.result, linked], **FORM_EVENT)
        linked.change(looking.follow, linked, opened, show_progress_on=ask.result, **FOLLOWING)


def selected_tab(event: gr.SelectData) -> str:
    """Its label."""
    return event.value


def ask_panel(engine: Engine) -> AskPanel:
    """For what there is a model for."""
    first, *others = filter(engine.models, TASKS)
    with gr.Row(elem_classes="run-panel"):
        with gr.Column(elem_classes="ask"):
            gr.Markdown(words.LEAD)
            tasks = [(wording.RUN_LABELS[task], task) for task in (first, *others)]
            task = gr.Radio(tasks, value=first, label=wording.TASK_LABEL)
            box = text_box(words.TEXT_HINT)
            target = gr.Textbox(
                label=words.TARGET_LABEL, placeholder=words.TARGET_HINT, info=words.TARGET_NOTE, lines=2,
                elem_classes="text",
            )  # fmt: skip
            buttons = run_buttons(words.LOOK_LABEL)
            model = gr.Dropdown(**model_options(engine, first), label=wording.MODEL_LABEL)
        with gr.Column(elem_classes="answer"):
            shown = result_view(result(first, hint=words.RESULT_HINT))
            queue = gr.HTML(visible=False, apply_default_css=False, js_on_load=None, elem_classes="queue")
    return AskPanel(task, box, target, buttons, model, shown, queue, gr.State())


def _wire_ask(ask: AskPanel, looking: Looking, opened: list[Component]) -> None:
    look, cancel = ask.buttons
    started = look.click(
        lambda task: (*begin_look(task), gr.update(visible=must_wait())),
        ask.task,
        [look, cancel, ask.result, ask.explored, ask.queue],
        **PAGE_EVENT,
    )
    written = started.then(
        stoppable(looking.look),
        [ask.task, ask.box.text, ask.target, ask.model],
        opened,
        show_progress_on=ask.queue,
        **RUN_EVENT,
    )
    let_cancel(started, cancel)
    at_the_end(written, end, ask.result, [look, cancel, ask.result])
    gr.on(
        [ask.box.text.blur, ask.target.focus],
        looking.read_ahead,
        [ask.task, ask.box.text, ask.model],
        **SPARE_EVENT,
    )
    ask.target.blur(looking.read_ahead, [ask.task, ask.box.text, ask.model, ask.target], **SPARE_EVENT)
    cancel.click(None, cancels=[written], **PAGE_EVENT)


def why_panel() -> WhyPanel:
    gr.Markdown(words.WHY_LEAD)
    with gr.Row(elem_classes="choices"):
        stretch = gr.Dropdown(label=words.STRETCH_LABEL, min_width=220)
        buttons = run_buttons(words.WHY_LABEL)
    progress = result_view(result("why"))
    return WhyPanel(stretch, buttons, progress, why_view())


def mute_panel() -> MutePanel:
    gr.Markdown(words.MUTE_LEAD)
    kind = gr.Radio(words.KIND_CHOICES, value="cross", label=words.MUTE_KIND_LABEL)
    with gr.Row(elem_classes="choices"):
        layers = gr.Dropdown(label=words.MUTE_LAYERS_LABEL, multiselect=True, min_width=150)
        heads = gr.Dropdown(label=words.MUTE_HEADS_LABEL, multiselect=True, min_width=150)
    button = gr.Button(words.MUTE_LABEL, variant="primary", elem_classes="mute")
    views = [gr.Markdown(), gr.HTML(apply_default_css=False, js_on_load=None)]
    return MutePanel(kind, layers, heads, button, views)


def _wire_why(ask: AskPanel, asked: WhyPanel, looking: Looking, others: Sequence[Callable]) -> None:
    """Nobody waits for an answer once one of the `others` takes apart something else."""
    find, cancel = asked.buttons
    started = find.click(begin_why, None, [find, cancel, asked.progress, asked.view], **PAGE_EVENT)
    found = started.then(
        stoppable(looking.why),
        [ask.explored, asked.stretch],
        [asked.progress, asked.view],
        **NO_PROGRESS,
        **MODEL_EVENT,
    )
    let_cancel(started, cancel)
    at_the_end(found, end, asked.progress, [find, cancel, asked.progress])
    for press in (cancel.click, *others):
        press(None, cancels=[found], **PAGE_EVENT)
