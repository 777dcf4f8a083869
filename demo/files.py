"""Where the page's files are: styles, scripts, examples."""

from __future__ import annotations

from pathlib import Path

ASSETS = Path(__file__).resolve().parent.parent / "assets"


def script(name: str) -> str:
    """The source of assets/js/<name>.js."""
    return (ASSETS / "js" / f"{name}.js").read_text(encoding="utf-8")


def stylesheet(name: str) -> str:
    """The source of assets/css/<name>.css."""
    return (ASSETS / "css" / f"{name}.css").read_text(encoding="utf-8")
