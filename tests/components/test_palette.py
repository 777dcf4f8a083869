from __future__ import annotations

from components.palette import ACCENT, label, thinned
from seq2seq.trace import Token


def luminance(color: tuple[int, int, int]) -> float:
    """Relative luminance, WCAG 2.1."""
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_full_ink_stands_out_on_both_pages():
    for page in ((253, 253, 252), (22, 20, 19)):
        lighter, darker = sorted((luminance(page), luminance(ACCENT)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 3  # WCAG 1.4.11, graphical objects


def test_labels_are_short_safe_and_never_empty():
    assert label(Token("Donaudampfschifffahrtsgesellschaft", 0, 34), 10) == "Donaudamp…"
    assert label(Token("<i>", 0, 3)) == "&lt;i&gt;"
    assert label(Token("\n", 0, 1)) == "␣"


def test_thinning_keeps_the_first_and_the_step():
    assert list(thinned(5, 10)) == [0, 1, 2, 3, 4]
    assert list(thinned(10, 4)) == [0, 3, 6, 9]
    assert list(thinned(0, 4)) == []
