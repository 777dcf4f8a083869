"""What a visitor is told whom a limit stops. Each says what to do, and that nothing is lost."""

from __future__ import annotations

from math import ceil

BUSY = "Many people are using this page right now. Your text is still there: please try again in a minute."
FILES_BUSY = "Many files are being opened right now. Nothing of yours is lost: please try again in a minute."
LEFT = "Nobody waits for this any more."
STOPPING = "This server is about to restart. Your text is still there: please try again in a minute."
TOO_MUCH = "This is more than the page takes at once. Please shorten your text."
NOT_UNDERSTOOD = (
    "The page was asked for something that it does not know. Please copy your text, load the page anew and try again."
)
NO_ROOM = (
    "This server has no room for files right now. Nothing of yours is lost: please try again later, or paste your text."
)
TOO_SLOW = "This took longer than a minute to arrive. Please try again, or send less at once."
FORGOTTEN = (
    "This result is no longer held here: others needed the room while this page was left alone. Your text is still "
    "there: please run it again."
)
NOTHING_THERE = "There is nothing here."


def too_many(wait: float) -> str:
    return (
        f"This was more than one visitor may ask for in a minute. Your text is still there: please try again in "
        f"{ceil(wait)} s."
    )


def too_long(most: int) -> str:
    return f"This page takes texts of up to {most:,} characters. Please shorten yours."


def out_of_time(seconds: float) -> str:
    return f"This took longer than the {seconds:g} s that a request may take here. Try a shorter text or fewer beams."


def quoting(apology: str, id: str) -> str:
    return f"{apology} If you report it, quote {id}."
