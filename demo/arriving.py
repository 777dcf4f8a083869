"""Between forms and the links that fill them in. Knows no layout and no tensors.

A link runs nothing: whoever follows it finds the form filled in, and presses the button.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import gradio as gr

from demo import explorer_words
from demo.exploring import FIRST, PATTERN_FIELDS, form_values, settings_of_form
from demo.handlers import Handlers, chosen_card, explain, in_plain_words, model_options
from demo.links import TEXTS, KeptTexts, has_text, number, one_of, read_form, short, spelled
from demo.setting_fields import AUTOMATIC, FIELDS, read_settings
from seq2seq.tasks import QUOTED, TASKS

WRITING = ("task", "text", "model", "wording", "do_sample", *(field.name for field in FIELDS))
FORMS: dict[str, tuple[str, ...]] = {  # tab: what its form's values are called in a link, in their order
    "fuse": WRITING,
    "summarize": WRITING,
    "answer": ("task", "question", "text", "model"),
    "pattern": ("task", "plan", *(field.name for field in PATTERN_FIELDS)),
}
TABS = {"split": "fuse"}  # where a task is that has no tab of its own


class Arriving:
    """What a page is opened with, and how others open it so. `tabs` are those of this page."""

    def __init__(self, handlers: Handlers, tabs: Sequence[str]):
        self.handlers = handlers
        self.tabs = tabs
        self.kept_texts = KeptTexts()

    def link(self, task: str, *values) -> dict:
        """The query of a link that fills in a form with these values, and a note on it; what is usual is left out."""
        with in_plain_words():
            tab = one_of(FORMS, TABS.get(task, task))
            given = dict(zip(FORMS[tab], (task, *values), strict=True))
            usual = dict(zip(FORMS[tab], self.usual(task), strict=True)) | {"task": None}
            self.check(task, given)
            changed = {name: value for name, value in given.items() if value != usual[name]}
            query = spelled(changed, self.kept_texts)
        return {"query": query, "note": explorer_words.link_note(has_text(query)) if given.get("text") else ""}

    def arrive(self, request: gr.Request) -> tuple:
        """The tab to show, and what the forms of all tabs show: as they are, but for one that a link fills in."""
        opened, filled = gr.skip(), {}
        try:
            values = read_form(dict(request.query_params), self.kept_texts)
            if values is not None:
                tab = one_of(self.tabs, TABS.get(values["task"], values["task"]))
                filled = {tab: self.shown(values["task"], values)} if tab in FORMS else {}
                opened = gr.update(selected=tab)
        except Exception as error:
            gr.Warning(html.escape(explain(error)))
        as_they_are = {tab: [gr.skip()] * len(names) for tab, names in self.forms()}
        return opened, *chain.from_iterable((as_they_are | filled).values())

    def forms(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Those of this page, in the order of FORMS."""
        return ((tab, names) for tab, names in FORMS.items() if tab in self.tabs)

    def usual(self, task: str) -> tuple:
        """What a form shows that nobody has filled in."""
        if task == "pattern":
            return task, FIRST.random_blocks, *form_values(FIRST).values()
        model = self.handlers.engine.card(task).name
        return (task, "", "", model) if task == "answer" else (task, "", model, AUTOMATIC, False, *[""] * len(FIELDS))

    def shown(self, task: str, values: Mapping[str, str]) -> list:
        """What the form of a task shows for a link's values.

        Raises: InputError for values that it cannot have.
        """
        names = FORMS[TABS.get(task, task)]
        known = dict(zip(names, self.usual(task), strict=True))
        for name in names:
            given = values.get(name, "")
            known[name] = read(given if name in TEXTS else short(given), known[name])
        self.check(task, known)
        if "wording" in known and task not in QUOTED:  # there is no choice to be seen
            known["wording"] = AUTOMATIC
        if "model" in known:
            known["model"] = gr.update(**model_options(self.handlers.engine, task, known["model"]))
        return list(known.values())

    def check(self, task: str, values: Mapping) -> None:
        """Raises: InputError for what a form cannot be filled in with."""
        if task == "pattern":
            settings_of_form(values["plan"], *(values[field.name] for field in PATTERN_FIELDS))
            return
        chosen_card(self.handlers.engine, task, values["model"])
        if task in TASKS:
            typed = [values[field.name] for field in FIELDS]
            read_settings(values["wording"], values["do_sample"], typed)


def read(spelled: str, usual: object) -> object:
    """A value of the kind that is usual for it; the usual one, where a link has none."""
    if not spelled:
        return usual
    if isinstance(usual, bool):
        return spelled == "1"
    return number(spelled) if isinstance(usual, int) else spelled
