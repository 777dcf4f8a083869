"""How sure the model was of each token that it wrote, and what else it weighed there.

Here is the record -> data half. The half that runs in the browser is assets/js/choices_view.js.
"""

from __future__ import annotations

from collections.abc import Sequence

from components.palette import BLANK, percent
from components.token_view import pieces_of
from seq2seq.trace import Alternative, Choice

SPACE_MARK = "▁"  # of a vocabulary, for a leading space


def choices_view(choices: Sequence[Choice], target_text: str) -> dict:
    """What the browser needs to show an output and its alternatives.

    Keys: `says`, how sure the model was of all; `tokens`, each with the text `before` it, its `text`, whether it is
    `special`, its `probability`, the same as a reader should see it (`percent`), and its `others`: the alternatives,
    each with `text`, `id`, `probability`, `percent` and whether it is the one `written`.
    """
    pieces = pieces_of(tuple(choice.token for choice in choices), target_text)
    return {
        "says": _told([choice.probability for choice in choices], [text for _, text, _ in pieces]),
        "tokens": [
            {
                "before": before,
                "text": text,
                "special": special,
                **_likelihood(choice.probability),
                "others": [_other(each, choice.token_id) for each in choice.alternatives],
            }
            for choice, (before, text, special) in zip(choices, pieces, strict=True)
        ],
    }


def plain(piece: str) -> str:
    """A piece of a vocabulary as text, or the sign for one that is only a space."""
    text = piece.replace(SPACE_MARK, " ")
    return text if text.strip() else BLANK


def _other(alternative: Alternative, written: int) -> dict:
    return {
        "text": plain(alternative.text),
        "id": alternative.token_id,
        **_likelihood(alternative.probability),
        "written": alternative.token_id == written,
    }


def _likelihood(probability: float) -> dict:
    return {"probability": round(float(probability), 4), "percent": percent(probability)}


def _told(probabilities: Sequence[float], texts: Sequence[str]) -> str:
    if not probabilities:
        return ""
    mean = sum(probabilities) / len(probabilities)
    least = min(range(len(probabilities)), key=probabilities.__getitem__)
    return f"{percent(mean)} sure on average, least sure of “{texts[least].strip()}” ({percent(probabilities[least])})."
