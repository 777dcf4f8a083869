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
from gradio_client.utils import is_file_obj_with_meta, is_http_url_like, traverse

from demo.handlers import explain
from demo.limit_words import NOT_UNDERSTOOD

log = logging.getLogger(__name__)


class Page(gr.Blocks):
    async def preprocess_data(self, block_fn, inputs, *args, **kwargs) -> list[Any]:
        """Raises: gr.Error for values that no widget of the page could have sent."""
        with not_understood():
            traverse(inputs, refuse_address, is_file_obj_with_meta)
            if block_fn.api_visibility == "public":
                refuse_other_than_text(block_fn.fn, inputs)
            return await super().preprocess_data(block_fn, inputs, *args, **kwargs)

    async def call_function(self, *args, **kwargs) -> dict[str, Any]:
        """Raises: gr.Error for whatever the event's own function did not foresee."""
        try:
            return await super().call_function(*args, **kwargs)
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


def refuse_address(file: dict) -> None:
    """A visitor's files are uploaded; nothing is fetched for one, from wherever this server can reach."""
    if is_http_url_like(file["path"]):
        raise ValueError("a file by its address")


def refuse_other_than_text(endpoint: Callable, inputs: Sequence[Any]) -> None:
    """Numbers are checked where their range is known."""
    for parameter, given in zip(signature(endpoint).parameters.values(), inputs, strict=False):
        wanted = {str: str, str | None: (str, type(None))}.get(parameter.annotation, object)
        if not isinstance(given, wanted):
            raise TypeError(f"{parameter.name} is no text")
