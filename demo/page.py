"""The page to Gradio, but for what it does when something goes wrong: that is told in plain words, and never printed.

By itself Gradio prints what an event could not take, so that a visitor's text would be in the logs, and it fetches a
file that a request names by its address.
"""

from __future__ import annotations

import html
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.helpers import special_args
from gradio_client.utils import is_file_obj_with_meta, is_http_url_like

from demo.handlers import explain
from demo.limit_words import NOT_UNDERSTOOD

log = logging.getLogger(__name__)

LONGEST_LABEL = 200  # characters
LONGEST_PATH = 1_000
CHOSEN = gr.Dataset, gr.UploadButton


class Page(gr.Blocks):
    async def preprocess_data(self, block_fn, inputs, *args, **kwargs) -> list[Any]:
        """Raises: gr.Error for values that no widget of the page could have sent."""
        with not_understood():
            refuse_foreign(inputs)
            refuse_nothing_chosen(block_fn.inputs, inputs)
            if block_fn.api_visibility == "public":
                refuse_other_than_text(block_fn.fn, inputs)
            return await super().preprocess_data(block_fn, inputs, *args, **kwargs)

    async def call_function(
        self, block_fn, inputs, iterator=None, requests=None, event_id=None, event_data=None, *args, **kwargs
    ) -> dict[str, Any]:
        """Raises: gr.Error for what the page tells of no event, and whatever the event's function did not foresee."""
        if block_fn.collects_event_data and iterator is None:
            with not_understood():
                refuse_other_than_facts(event_data and event_data._data)
                special_args(block_fn.fn, list(inputs), event_data=event_data)  # fails where one is missing
        try:
            return await super().call_function(
                block_fn, inputs, iterator, requests, event_id, event_data, *args, **kwargs
            )
        except gr.Error:
            raise
        except Exception as error:
            raise gr.Error(html.escape(explain(error)), print_exception=False) from error

    async def postprocess_data(self, *args, **kwargs) -> Any:
        """Raises: gr.Error for values of a visitor's that no widget can show."""
        with not_understood():
            return await super().postprocess_data(*args, **kwargs)


@contextmanager
def not_understood() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        log.warning("an event did not fit the page: %s", type(error).__name__)
        raise gr.Error(NOT_UNDERSTOOD, print_exception=False) from error


def refuse_foreign(sent: Sequence[Any]) -> None:
    """What no widget sends. Gradio looks for files wherever they may stand, and at every step of their paths.

    An update, too: where an event answers with what it was sent, Gradio would make and keep another widget of it.
    """
    for value in sent:
        if is_file_obj_with_meta(value):
            refuse_other_than_uploaded(value)
        else:
            refuse_what_is_no_value(value)


def refuse_nothing_chosen(asked_by: Sequence[Component], sent: Sequence[Any]) -> None:
    """An example or a file, where choosing one is what asks."""
    if any(value is None and isinstance(each, CHOSEN) for each, value in zip(asked_by, sent, strict=False)):
        raise TypeError("nothing is chosen")


def refuse_other_than_uploaded(file: dict) -> None:
    """A visitor's are uploaded, and nothing is fetched for one from wherever this server reaches."""
    if len(file["path"]) > LONGEST_PATH or is_http_url_like(file["path"]):
        raise ValueError("a file from elsewhere")
    refuse_what_is_no_value([part for name, part in file.items() if name != "meta"])


def refuse_what_is_no_value(value: Any) -> None:
    if isinstance(value, dict):
        if "__type__" in value or is_file_obj_with_meta(value):
            raise ValueError("an update, or a file inside another value")
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return
    for each in value:
        refuse_what_is_no_value(each)


def refuse_other_than_facts(told: Any) -> None:
    """What an event tells of itself: numbers, and the label of what was chosen."""
    if not isinstance(told, dict):
        raise TypeError("no event tells this")
    for each in told.values():
        if not (each is None or isinstance(each, (int, float)) or isinstance(each, str) and len(each) <= LONGEST_LABEL):
            raise TypeError("no event tells this")


def refuse_other_than_text(endpoint: Callable, inputs: Sequence[Any]) -> None:
    """Numbers are checked where their range is known."""
    for parameter, given in zip(signature(endpoint).parameters.values(), inputs, strict=False):
        wanted = {str: str, str | None: (str, type(None))}.get(parameter.annotation, object)
        if not isinstance(given, wanted):
            raise TypeError(f"{parameter.name} is no text")
