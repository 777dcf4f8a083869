"""Functions as named endpoints for programs, and as tools of the same names for assistants."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Literal, get_args

import gradio as gr
from gradio.utils import get_function_description

from seq2seq.engine.stopping import stoppable


def offer(
    page: gr.Blocks,
    run: Callable,
    name: str,
    queue: str,
    about: str = "",
    at_once: int | Literal["default"] = "default",
) -> None:
    """Add an endpoint to the page, typed and described as the function is.

    `about` is said first, where several endpoints are one function; of a queue's events, `at_once` run at most.
    """
    endpoint = named(run, name)
    description, parameters, _ = get_function_description(endpoint)
    added = gr.api(
        endpoint,
        api_name=name,
        api_description=f"{about} {description}".strip(),
        concurrency_id=queue,
        concurrency_limit=at_once,
    )
    event = page.fns[added["id"]]
    event.show_progress_on = []
    for widget, says in zip(event.inputs, parameters.values(), strict=True):
        widget.api_info()["additional_description"] = says


def named(run: Callable, name: str) -> Callable:
    """The same function by this name, which Gradio gives the tool; a stream is one that stops when it is told to."""
    if inspect.isgeneratorfunction(run):
        endpoint, told = stoppable(run), inspect.signature(run)
        endpoint.__signature__ = told.replace(return_annotation=get_args(told.return_annotation)[0])
    else:

        @wraps(run)
        def endpoint(*args, **kwargs):
            return run(*args, **kwargs)

    endpoint.__name__ = name
    return endpoint
