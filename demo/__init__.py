"""The page. Gradio is imported here first, without the stubs for editors that it would write anew at every start."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch


@contextmanager
def no_stubs() -> Iterator[None]:
    """A component whose source cannot be found gets none: half of the time that importing Gradio takes."""
    getfile = inspect.getfile

    def unless_component(thing: object) -> str:
        if type(thing).__name__ == "ComponentMeta":
            raise OSError(f"not looked for: {thing}")
        return getfile(thing)

    with patch("inspect.getfile", unless_component):
        yield


with no_stubs():
    import gradio  # noqa: F401
