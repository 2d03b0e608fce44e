"""What an event of the audit log says, for people.

{"payload": {"lead_id": …, "diff": {field: {"from": …, "to": …}}}} ──▶ LoggedEvent
"""

from __future__ import annotations

import re
from typing import Any

from lead_pipeline.providers.base import LoggedChange, LoggedEvent
from lead_pipeline.providers.payload import leaves, read_json

_DIFF = re.compile(r"payload\.diff\.?(?P<field>.+?)\.(?P<side>from|to)(?P<rest>(?:[.\[].*)?)")


def read_logged_event(payload: str) -> LoggedEvent | None:
    """The lead and the changes of an event; None where it is not about a lead, or is no JSON."""
    try:
        event = read_json(payload)
    except (ValueError, RecursionError):
        return None
    lead_id = _lead_of(event)
    return None if lead_id is None else LoggedEvent(lead_id, _changes(payload))


def _lead_of(event: Any) -> str | None:
    content = event.get("payload") if isinstance(event, dict) else None
    lead_id = content.get("lead_id") if isinstance(content, dict) else None
    return lead_id if isinstance(lead_id, str) else None


def _changes(payload: str) -> tuple[LoggedChange, ...]:
    sides: dict[str, dict[str, str]] = {}
    for path, text in leaves(payload).items():
        if found := _DIFF.fullmatch(path):
            sides.setdefault(found["field"] + found["rest"], {})[found["side"]] = text
    return tuple(
        LoggedChange(name, f"payload.diff.{name}", side.get("from"), side.get("to"))
        for name, side in sides.items()
    )
