"""Which canonical stage a provider's status or stage is: `stages.csv`, and the users' own rows.

    stages.csv (ours) ──▶ rows by (provider, field, value) ◀──wins── the users' file

Belongs here: reading and checking both files. Does not belong here: looking values up (SQL).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import astuple, dataclass
from importlib.resources import files
from pathlib import Path

from lead_pipeline.errors import LoadError
from lead_pipeline.providers import PROVIDERS

STAGES_PATH = files("lead_pipeline").joinpath("normalized", "stages.csv")
CANONICAL_STAGES = (
    "new", "engaged", "qualified", "booked", "won", "lost", "nurture", "archived", "unmapped",
)  # fmt: skip


@dataclass(frozen=True)
class StageMapping:
    """One row: a provider's value, the canonical stage it is, its place, whether it ends a lead."""

    provider: str
    field: str
    """`status` or `stage`; a mapped status wins over the stage."""
    value: str
    """In lower case, trimmed; matched without regard to case."""
    stage: str
    stage_order: int
    is_terminal: bool

    @property
    def key(self) -> tuple[str, str, str]:
        """What a file may map only once."""
        return self.provider, self.field, self.value


def load_stages(users: Path | None) -> list[StageMapping]:
    """Our rows, with those of the users' file (if any) in place of ours for the same value.

    Raises `LoadError` naming the file and line that cannot be used.
    """
    rows = {row.key: row for row in read_stages(STAGES_PATH.read_text("utf-8"), "stages.csv")}
    if users is not None:
        try:
            text = users.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise LoadError(
                f"The stage mapping {users} cannot be read ({type(error).__name__}). Save it as "
                "UTF-8 text, or correct LEAD_PIPELINE_STAGES."
            ) from None
        rows |= {row.key: row for row in read_stages(text, str(users))}
    return sorted(rows.values(), key=lambda row: row.key)


def stages_digest(rows: list[StageMapping]) -> str:
    """Changes with every row that counts, not with how the files are written."""
    return hashlib.sha256(json.dumps([astuple(row) for row in rows]).encode()).hexdigest()


def read_stages(text: str, name: str) -> list[StageMapping]:
    """The rows of a file called `name`. Raises `LoadError` naming the line that cannot be used."""
    rows: dict[tuple[str, str, str], StageMapping] = {}
    for number, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        entry = _entry(row, f"{name}, line {number}")
        if entry.key in rows:
            raise LoadError(f"{name}, line {number}: {entry.value!r} is mapped twice.")
        rows[entry.key] = entry
    return list(rows.values())


def _entry(row: dict[str, str], place: str) -> StageMapping:
    try:
        entry = StageMapping(
            row["provider"].strip(),
            row["field"].strip(),
            row["value"].strip().lower(),
            row["stage"].strip(),
            int(row["stage_order"]),
            {"true": True, "false": False}[row["is_terminal"].strip().lower()],
        )
    except (KeyError, ValueError, AttributeError):
        raise LoadError(
            f"{place}: write provider,field,value,stage,stage_order,is_terminal with a whole "
            "number and true or false."
        ) from None
    if entry.provider not in PROVIDERS or entry.field not in ("status", "stage"):
        raise LoadError(
            f"{place}: provider must be one of {', '.join(PROVIDERS)} and field status or stage."
        )
    if entry.stage not in CANONICAL_STAGES:
        raise LoadError(
            f"{place}: {entry.stage!r} is no canonical stage; use one of "
            f"{', '.join(sorted(CANONICAL_STAGES))}."
        )
    return entry
