"""A form that can be linked to: a button that asks for the link, and the link; and the page that is opened by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from demo import wording
from demo.arriving import Arriving
from demo.tabs.events import FORM_EVENT, LINK_EVENT, PAGE_EVENT
from demo.tabs.widgets import link_view

ASKED = "(...values) => { window.glossLinked = JSON.stringify(values); return values; }"
WHILE_IT_IS_SO = "(link, ...values) => (JSON.stringify(values) === window.glossLinked ? link : {})"


@dataclass(frozen=True)
class LinkedForm:
    values: Sequence[Component]  # in the order of `demo.arriving.FORMS`
    button: gr.Button
    link: gr.HTML


def linked_form(values: Sequence[Component]) -> LinkedForm:
    """Below the widgets of a form, the way to a link that fills them in."""
    with gr.Row():
        button = gr.Button(wording.LINK_LABEL, size="sm", scale=0)
    return LinkedForm(values, button, link_view())


def wire_links(page: gr.Blocks, tabs: gr.Tabs, forms: Sequence[LinkedForm], arriving: Arriving) -> None:
    """`forms` are those of the page's tabs, in the order of `demo.arriving.FORMS`."""
    for form in forms:
        form.button.click(arriving.link, list(form.values), form.link, js=ASKED, **LINK_EVENT)
        changes = [value.change for value in form.values if not isinstance(value, gr.State)]
        inputs = [form.link, *form.values]  # a change may be told after the click that came after it
        gr.on(changes, None, inputs, form.link, js=WHILE_IT_IS_SO, trigger_mode="always_last", **PAGE_EVENT)
    filled = [value for form in forms for value in form.values]
    page.load(arriving.arrive, None, [tabs, *filled], **FORM_EVENT)
