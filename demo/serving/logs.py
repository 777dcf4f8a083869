"""What a host reads of the page: a line of JSON for each request and each error, with nothing that a visitor wrote."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import datetime, timezone
from pathlib import Path

from demo.calls import Call
from seq2seq.checkpoints.errors import CheckpointError

log = logging.getLogger(__name__)


class JsonLines(logging.Formatter):
    """One object a line. Of an error its kind and where it was, as its message may quote a text."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "says": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            kind, _, trace = record.exc_info
            line["error"] = kind.__name__
            line["where"] = [f"{each.filename}:{each.lineno} {each.name}" for each in traceback.extract_tb(trace)]
        return json.dumps(line)


class WithoutTexts(logging.Formatter):
    """Of an error where it was and its kind, and of none but a checkpoint's what it says: others may quote a text."""

    def formatException(self, exc_info) -> str:
        kind, error, trace = exc_info
        says = f": {error}" if isinstance(error, CheckpointError) else ""
        return "".join(traceback.format_tb(trace)) + kind.__name__ + says


def log_as_json() -> None:
    log_to_output(JsonLines(), logging.INFO)


def log_in_words() -> None:
    """Warnings and errors alone."""
    log_to_output(WithoutTexts("%(asctime)s %(levelname)s %(message)s"), logging.WARNING)


def log_to_output(formatter: logging.Formatter, level: int) -> None:
    """What this page logs goes to standard output, and nowhere else."""
    logging.raiseExceptions = False  # a line that cannot be written would be told with the errors around it
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    ours = logging.getLogger("demo")
    ours.handlers, ours.propagate = [handler], False
    ours.setLevel(level)


def log_nothing_of_assistants() -> None:
    """The library of their tools logs what they sent and was not understood, some of it in nobody's name."""
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    logging.getLogger().addFilter(is_ours_to_tell)


def is_ours_to_tell(record: logging.LogRecord) -> bool:
    return "mcp" not in Path(record.pathname).parts


def log_call(call: Call) -> None:
    facts = {
        "request": call.id,
        "endpoint": call.endpoint,
        "model": call.model,
        "seconds": round(call.seconds, 3),
        "queue_seconds": None if call.queue_seconds is None else round(call.queue_seconds, 3),
        "tokens_in": call.tokens_in,
        "tokens_out": call.tokens_out,
        "outcome": call.outcome,
        "reason": call.reason,
    }
    log.info("request", extra={"facts": facts})
