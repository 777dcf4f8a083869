"""How views travel to the scripts that show them."""

from __future__ import annotations

import json

NO_VIEW = ""


def packed(view: dict) -> str:
    """A view as JSON text that can also stand in a page's markup.

    Gradio's page copies the values of its widgets whenever an event begins or ends: a dict part by part, which took
    half a second for a text of 4,096 tokens; a string at once.
    """
    return json.dumps(view, ensure_ascii=False).replace("<", "\\u003c")
