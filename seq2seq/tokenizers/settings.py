"""What the files beside a vocabulary say: special tokens, tokens added on top, limits and switches.

Reads tokenizer_config.json and the older special_tokens_map.json, added_tokens.json and tokenizer.json, where
the reference library has kept the same facts over the years. Knows no tokenizer class.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from seq2seq.checkpoints.hub import find_file, read_json

TOKENIZER_CONFIG_FILE = "tokenizer_config.json"
SPECIAL_TOKENS_MAP_FILE = "special_tokens_map.json"
ADDED_TOKENS_FILE = "added_tokens.json"
TOKENIZER_FILE = "tokenizer.json"

_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


def read_settings(name_or_path: str | Path, **hub_options: Any) -> dict[str, Any]:
    """All settings in a folder or Hub repository by the names of constructor arguments.

    Tokens are str, or AddedToken where the files say more about them. There may be settings that no tokenizer
    here knows. CheckpointError for a file that is not JSON.
    """
    settings = read_optional_json(name_or_path, TOKENIZER_CONFIG_FILE, **hub_options)
    if "added_tokens_decoder" in settings:
        added = {int(token_id): _token(entry) for token_id, entry in settings["added_tokens_decoder"].items()}
    else:
        settings |= read_optional_json(name_or_path, SPECIAL_TOKENS_MAP_FILE, **hub_options)
        added = _older_added_tokens(name_or_path, **hub_options)
    known = {token.content: token for token in added.values()}
    settings = {name: _with_flags(value, known) for name, value in settings.items()}
    extra = settings.get("extra_special_tokens") or settings.get("additional_special_tokens") or ()
    extra = extra.values() if isinstance(extra, dict) else extra
    settings["additional_special_tokens"] = [_with_flags(value, known) for value in extra]
    return {**settings, "added_tokens_decoder": added}


def read_optional_json(name_or_path: str | Path, filename: str, **hub_options: Any) -> dict[str, Any]:
    """The object in a JSON file of a folder or Hub repository; {} if there is no such file."""
    path = find_file(name_or_path, filename, **hub_options)
    return {} if path is None else read_json(path)


def token_entry(token: AddedToken) -> dict[str, Any]:
    """The token as these files hold it."""
    return {"content": token.content, **{flag: getattr(token, flag) for flag in _FLAGS}}


def _older_added_tokens(name_or_path: str | Path, **hub_options: Any) -> dict[int, AddedToken]:
    plain = read_optional_json(name_or_path, ADDED_TOKENS_FILE, **hub_options)
    entries = read_optional_json(name_or_path, TOKENIZER_FILE, **hub_options).get("added_tokens", ())
    return {
        **{token_id: AddedToken(content) for content, token_id in plain.items()},
        **{entry["id"]: _token(entry) for entry in entries},
    }


def _token(value: Any) -> Any:
    """The AddedToken that an entry of these files describes; any other value as it is."""
    if not isinstance(value, dict) or "content" not in value:
        return value
    return AddedToken(value["content"], **{flag: value[flag] for flag in _FLAGS if flag in value})


def _with_flags(value: Any, known: dict[str, AddedToken]) -> Any:
    """A token with all that is known of it; any other value as it is."""
    value = _token(value)
    return known.get(value, value) if isinstance(value, str) else value
