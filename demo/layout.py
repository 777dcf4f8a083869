"""The page: its head, the tabs in order, and the endpoints for programs."""

from __future__ import annotations

import gradio as gr

from demo import wording
from demo.endpoints import AnswerEndpoint, AttentionEndpoint, Endpoint, pattern_report
from demo.handlers import Handlers
from demo.stopping import stoppable
from demo.tabs.answer import answer_tab
from demo.tabs.attention import attention_tab
from demo.tabs.events import MODEL_QUEUE, PATTERN_QUEUE
from demo.tabs.fuse import fuse_tab
from demo.tabs.models import models_tab
from demo.tabs.pattern import pattern_tab
from demo.tabs.summarize import summarize_tab
from seq2seq.engine import Engine
from seq2seq.tasks import SKILLS

UPLOADS_KEPT = (600, 600)  # seconds between sweeps, and before a file that was never read is swept away
ENDPOINTS = ("fuse", "split", "summarize")


def build(engine: Engine) -> gr.Blocks:
    """The whole page around one engine."""
    handlers = Handlers(engine)
    skills = {skill for skill in SKILLS if engine.models(skill)}  # a host may have no model for some
    with gr.Blocks(title=wording.TITLE, analytics_enabled=False, delete_cache=UPLOADS_KEPT) as demo:
        gr.Markdown(f"# {wording.TITLE}\n\n{wording.LEAD}", elem_classes="masthead")
        with gr.Tabs() as tabs:
            writing = []
            if skills >= {"fuse", "split"}:
                writing.append(fuse_tab(handlers))
            if "summarize" in skills:
                writing.append(summarize_tab(handlers))
            if "answer" in skills:
                answer_tab(handlers)
            if writing:
                results = [(panel.attention, panel.finished) for panel in writing]
                attention_tab(demo, engine, handlers.count, tabs, results)
            pattern_tab(engine)
            models_tab(engine)
        for task in filter(skills.__contains__, ENDPOINTS):
            gr.api(stoppable(Endpoint(engine, task).stream), api_name=task, concurrency_id=MODEL_QUEUE)
        if "answer" in skills:
            gr.api(stoppable(AnswerEndpoint(engine).stream), api_name="answer", concurrency_id=MODEL_QUEUE)
        if writing:
            gr.api(AttentionEndpoint(engine).report, api_name="attention", concurrency_id=MODEL_QUEUE)
        gr.api(pattern_report, api_name="pattern", concurrency_id=PATTERN_QUEUE)
    return demo
