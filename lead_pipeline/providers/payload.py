"""A payload as leaves: each JSON path with its value's text, numbers just as they were written.

Belongs here: reading JSON. Does not belong here: what a path means.
"""

from __future__ import annotations

import json
import re
from typing import Any

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class _Number(str):
    """A number as its text: `1.0` and integers of any length stay what they are."""


def read_json(text: str | bytes) -> Any:
    """The JSON value; numbers are texts of their own type. Raises `ValueError` as `json` does."""
    return json.loads(text, parse_int=_Number, parse_float=_Number, parse_constant=_Number)


def leaves(payload: str) -> dict[str, str]:
    """The JSON text of every scalar and every empty object or array, by path: `tags[0].name`."""
    found: dict[str, str] = {}
    # No recursion: how deep a payload goes is the provider's to decide.
    waiting: list[tuple[str, Any]] = [("", read_json(payload))]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict) and value:
            waiting += reversed([(_member(path, key), item) for key, item in value.items()])
        elif isinstance(value, list) and value:
            waiting += reversed([(f"{path}[{n}]", item) for n, item in enumerate(value)])
        else:
            found[path] = leaf_text(value)
    return found


def leaf_text(value: Any) -> str:
    """The JSON text of a value that holds no other."""
    if isinstance(value, _Number):
        return str(value)
    text = json.dumps(value, ensure_ascii=False)
    # Half of a cut-off emoji is no character: only its escape can be written.
    return text if text.isprintable() or _is_writable(text) else json.dumps(value)


def _is_writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _member(path: str, key: str) -> str:
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{leaf_text(key)}]"
    return f"{path}.{key}" if path else key
