"""The named endpoints for programs: text in, text out as it grows. Knows no widgets.

Annotations are real objects here, not strings, because Gradio derives each endpoint's schema from them.
"""

from collections.abc import Iterator

from demo.handlers import chosen_card, in_plain_words
from demo.setting_fields import settings_of
from seq2seq.engine import Engine
from seq2seq.tasks import Task


class Endpoint:
    """One task, for programs."""

    def __init__(self, engine: Engine, task: Task):
        self.engine = engine
        self.task = task

    def stream(
        self,
        text: str,
        model: str | None = None,
        num_beams: int | None = None,
        do_sample: bool | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        max_new_tokens: int | None = None,
        min_new_tokens: int | None = None,
        length_penalty: float | None = None,
        no_repeat_ngram_size: int | None = None,
        repetition_penalty: float | None = None,
        seed: int | None = None,
    ) -> Iterator[str]:
        """Yields the whole output so far each time it grows; the last is the result.

        Settings left out are the model's own for the task.
        """
        numbers = {
            "num_beams": num_beams,
            "temperature": temperature,
            "top_k": top_k,
            "top_p": top_p,
            "max_new_tokens": max_new_tokens,
            "min_new_tokens": min_new_tokens,
            "length_penalty": length_penalty,
            "no_repeat_ngram_size": no_repeat_ngram_size,
            "repetition_penalty": repetition_penalty,
            "seed": seed,
        }
        with in_plain_words():
            settings = settings_of(do_sample, numbers)
            card = chosen_card(self.engine, self.task, model)
            for generated in self.engine.run(self.task, text, card.name, settings):
                yield generated.text
