"""The page's widgets of our own, each a gr.HTML that a script in assets/js fills in the browser.

Text reaches them as data and is set as text, so nothing that a visitor or a model writes is read as markup. Values
made by a function of `components` are packed by `components.packing`.
"""

from __future__ import annotations

import gradio as gr

from components.packing import NO_VIEW
from demo.files import script


def result_view(value: dict) -> gr.HTML:
    """The result as it grows, with copy and download; values are made by `demo.handlers.result`."""
    return _widget("result", value, "result")


def token_view() -> gr.HTML:
    """Two linked texts; values are made by `components.token_view.token_view`."""
    return _widget("token_view", NO_VIEW, "token-view")


def heads_grid() -> gr.HTML:
    """All heads, small, and their facts; values are made by `components.heads_grid.heads_grid`."""
    return _widget("heads_grid", NO_VIEW, "heads-grid")


def choices_view() -> gr.HTML:
    """An output by how sure the model was; values are made by `components.choices_view.choices_view`."""
    return _widget("choices_view", NO_VIEW, "choices-view")


def beam_tree() -> gr.HTML:
    """What a beam search weighed; values are made by `components.beam_tree.beam_tree`."""
    return _widget("beam_tree", NO_VIEW, "beam-tree")


def why_view() -> gr.HTML:
    """A text by what each method says of it; values are made by `components.why_view.why_view`."""
    return _widget("why_view", NO_VIEW, "why-view")


def provenance_view() -> gr.HTML:
    """Sentences, and those they lean on; values are made by `components.provenance_view.provenance_view`."""
    return _widget("provenance_view", NO_VIEW, "provenance-view")


def download() -> gr.HTML:
    """Nothing to see: a value {filename, mime, text} becomes a file of the visitor's."""
    return _widget("download", {}, "download")


def link_view() -> gr.HTML:
    """A link to be copied; values are {query, note}."""
    return _widget("link_view", {}, "link-view")


def answer_view() -> gr.HTML:
    """Possible answers, and where they stand; values are made by `components.answer_view.answer_view`."""
    return _widget("answer_view", NO_VIEW, "answer-view")


def _widget(name: str, value: dict | str, css_class: str) -> gr.HTML:
    return gr.HTML(value, html_template="", js_on_load=script(name), apply_default_css=False, elem_classes=css_class)
