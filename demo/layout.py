"""The page: its head, the tabs in order, and the endpoints for programs."""

from __future__ import annotations

import gradio as gr

from demo import wording
from demo.api import offer
from demo.arriving import Arriving
from demo.endpoints import WRITES, AnswerEndpoint, AttentionEndpoint, Endpoint, ModelsEndpoint, pattern_report
from demo.handlers import Handlers
from demo.model_cards import models_of
from demo.page import Page
from demo.tabs.answer import answer_tab
from demo.tabs.attention import attention_tab
from demo.tabs.events import FORM_QUEUE, MODEL_QUEUE, PATTERN_QUEUE
from demo.tabs.fuse import fuse_tab
from demo.tabs.linked_form import wire_links
from demo.tabs.models import models_tab
from demo.tabs.pattern import pattern_tab
from demo.tabs.summarize import summarize_tab
from seq2seq.engine import Engine
from seq2seq.tasks import SKILLS

UPLOADS_KEPT = (600, 600)  # seconds between sweeps, and before a file that was never read is swept away


def build(engine: Engine) -> gr.Blocks:
    """The whole page around one engine."""
    handlers = Handlers(engine)
    skills = {skill for skill in SKILLS if engine.models(skill)}  # a host may have no model for some
    models = models_of(engine)
    with Page(title=wording.TITLE, analytics_enabled=False, delete_cache=UPLOADS_KEPT) as demo:
        gr.Markdown(f"# {wording.TITLE}\n\n{wording.LEAD}", elem_classes="masthead")
        linked = gr.State()  # in a tab that is not open yet, Gradio would say that it changed
        with gr.Tabs() as tabs:
            writing = {}
            if skills >= {"fuse", "split"}:
                writing["fuse"] = fuse_tab(handlers)
            if "summarize" in skills:
                writing["summarize"] = summarize_tab(handlers)
            forms = {tab: panel.form for tab, panel in writing.items()}
            if "answer" in skills:
                forms["answer"] = answer_tab(handlers)
            if writing:
                results = [(panel.attention, panel.finished) for panel in writing.values()]
                attention_tab(demo, engine, handlers.count, tabs, results, linked)
            forms["pattern"] = pattern_tab(engine)
            models_tab(models)
        others = ["attention", "models"] if writing else ["models"]
        wire_links(demo, tabs, list(forms.values()), Arriving(handlers, [*forms, *others]))
        for task in filter(skills.__contains__, WRITES):
            offer(demo, Endpoint(engine, task).stream, task, MODEL_QUEUE, WRITES[task])
        if "answer" in skills:
            offer(demo, AnswerEndpoint(engine).stream, "answer", MODEL_QUEUE)
        if writing:
            offer(demo, AttentionEndpoint(engine).report, "attention", MODEL_QUEUE)
        offer(demo, pattern_report, "pattern", PATTERN_QUEUE, at_once=1)
        offer(demo, ModelsEndpoint(engine, models).report, "models", FORM_QUEUE)
    return demo
