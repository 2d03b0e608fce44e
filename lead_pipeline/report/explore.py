"""`bi/explore/index.html`: figures to choose from by period, owner, source and account, in one file.

published file ──counted──▶ rows of numbers ──JSON in the page──▶ explore.js adds up what is chosen

The page holds counts, and no lead. It is one file without network, so that it opens from a disk, from any
static server and from `lead-pipeline serve`, and is always of one build. Belongs here: what is counted.
Does not belong here: what is chosen and shown (`explore.js`).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import date
from importlib.resources import files
from typing import Any

import msgspec

from lead_pipeline.normalized.canonical_stages import CANONICAL_STAGES
from lead_pipeline.report.page import environment, said_of
from lead_pipeline.report.published_file import PublishedFile, Row

DAYS = 400
"""How far back, from the last whole day: a year, and the month before it."""
MOST = 40
"""Sources and owners that can be chosen; the rest is one."""
MOST_ROWS = 20_000
"""With more rows than this, days are added up to weeks, then to months: the page stays below a megabyte."""
GRAINS = ("day", "week", "month")
OTHERS = "all others"
NAMED = ("account", "source", "owner_key")


def render(file: PublishedFile) -> str:
    """The whole page. Raises `duckdb.Error` where the file lacks a table that it shows."""
    script = files("lead_pipeline").joinpath("report", "explore.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return str(
        environment()
        .get_template("explore.html")
        .render(script=script, digest=digest, data=_as_json(cube(file)), **said_of(file))
    )


def cube(file: PublishedFile) -> dict[str, Any]:
    """All that the page counts with: names once, and rows of places in them and of numbers."""
    grain, rows = _rows(file)
    now = file.rows("explore_now", most=MOST)
    names = {
        name: sorted({getattr(row, name) for row in (*rows, *now)}, key=_others_last)
        for name in NAMED
    }
    owners = {row.owner_key: row for row in file.rows("explore_owners")}
    starts = sorted({row.starts_on for row in rows})
    stages = [stage for stage in CANONICAL_STAGES if any(row.stage == stage for row in now)]
    return {
        "grain": grain,
        "first_day": starts[0] if starts else None,
        "last_day": None if file.last_day is None else file.last_day.isoformat(),
        "starts": starts,
        "accounts": [_account(file, name) for name in names["account"]],
        "sources": names["source"],
        "owners": [_owner(file, owners.get(key)) for key in names["owner_key"]],
        "rows": _in_columns(rows, {"starts_on": starts, **names}),
        "stages": stages,
        "now": _in_columns(now, {"stage": stages, **names}),
    }


def _rows(file: PublishedFile) -> tuple[str, list[Row]]:
    """The finest grain of which there are not too many rows, and these."""
    last_day: date | None = file.last_day
    grain, rows = GRAINS[0], []
    if last_day is not None:
        for grain in GRAINS:
            rows = file.rows("explore", grain=grain, day=last_day, days=DAYS, most=MOST)
            if len(rows) <= MOST_ROWS:
                break
    return grain, rows


def _in_columns(rows: Sequence[Row], places: dict[str, list[str]]) -> dict[str, list[int | None]]:
    """Each column as one list; of a name, its place among all names."""
    found = {
        name: {value: place for place, value in enumerate(names)} for name, names in places.items()
    }
    columns = list(vars(rows[0])) if rows else []
    return {
        column: [
            found[column][getattr(row, column)] if column in found else getattr(row, column)
            for row in rows
        ]
        for column in columns
    }


def _account(file: PublishedFile, name: str) -> dict[str, str | None]:
    """What the page says of figures that an account cannot have."""
    found = next((reach for reach in file.accounts if reach.account == name), None)
    watched, last = (None, None) if found is None else (found.first_watched_day, found.last_day)
    return {
        "name": name,
        "watched_from": None if watched is None else watched.isoformat(),
        "last_day": None if last is None else last.isoformat(),
    }


def _owner(file: PublishedFile, row: Row | None) -> str:
    if row is None:
        return OTHERS
    return f"{file.owner(row.owner_id, row.owner_name, row.owner_role)} ({row.account})"


def _others_last(name: str) -> tuple[bool, str]:
    return name == OTHERS, name


def _as_json(data: dict[str, Any]) -> str:
    """JSON that nothing in it can end: it stands in an element of the page."""
    return msgspec.json.encode(data).decode().replace("<", "\\u003c")
