"""The canonical stages: `canonical_stages.csv`, the one place that lists them."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from importlib.resources import files

_PATH = files("lead_pipeline").joinpath("normalized", "canonical_stages.csv")


@dataclass(frozen=True)
class CanonicalStage:
    """A stage that leads of every provider can be in, or `unmapped`."""

    stage: str
    stage_order: int
    """Its place in the usual course of a lead; no two stages have the same."""
    is_terminal: bool
    """Whether a lead in it is done with."""
    is_on_path: bool
    """Whether it lies on the path from a new lead to a won one."""
    colour: str
    """For light pages."""
    dark_colour: str
    """For dark pages."""


def _read() -> dict[str, CanonicalStage]:
    return {
        row["stage"]: CanonicalStage(
            row["stage"],
            int(row["stage_order"]),
            row["is_terminal"] == "true",
            row["is_on_path"] == "true",
            row["colour"],
            row["dark_colour"],
        )
        for row in csv.DictReader(io.StringIO(_PATH.read_text("utf-8")))
    }


CANONICAL_STAGES = _read()
"""By name, in their order."""
