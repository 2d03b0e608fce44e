"""An upgrade of ours breaks no model of theirs: columns that were promised stay, or are announced."""

from __future__ import annotations

import runpy
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from lead_pipeline.bi.dbt_project import load_manifest

MODULE = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "write_promised_columns.py"))
Promise, broken = MODULE["Promise"], MODULE["broken"]

MADE = [Promise("deals", "deal_key", "VARCHAR", "1.0.0"), Promise("deals", "value", "DOUBLE", "1.1.0")]  # fmt: skip
KEPT = {("deals", "deal_key"): "VARCHAR", ("deals", "value"): "DOUBLE", ("deals", "new"): "DATE"}


def announced(column: str = "value", since: str = "1.2.0", gone: str = "1.3.0") -> dict[str, str]:
    """A line of `deprecations.csv`."""
    place = {"schema_name": "marts", "table_name": "deals", "column_name": column}
    return {**place, "deprecated_in": since, "removed_in": gone}


def without(*names: str) -> dict[tuple[str, str], str]:
    return {key: kind for key, kind in KEPT.items() if key[1] not in names}


def test_every_promised_column_is_there_with_its_type_or_was_announced() -> None:
    problems = broken(
        MODULE["promises"](),
        MODULE["kept"](load_manifest()),
        MODULE["announced"](),
        version("lead-pipeline"),
    )
    assert problems == [], "announce it in lead_pipeline/bi/deprecations.csv for a minor version"


def test_every_column_of_a_mart_is_promised() -> None:
    assert MODULE["PAGE"].read_text("utf-8") == MODULE["render"](load_manifest()), "run `make docs`"


def test_columns_that_are_added_break_nothing() -> None:
    assert broken(MADE, KEPT, [], "1.1.0") == []


@pytest.mark.parametrize(
    ("kept", "gone", "now", "problem"),
    [
        (without("value"), [], "1.3.0", "deals.value is gone and no version before 1.3.0"),
        (KEPT | {("deals", "value"): "VARCHAR"}, [announced()], "1.3.0", "was DOUBLE and is VARCHAR"),
        # Announced for later, for another column, or in the version that it goes with.
        (without("value"), [announced()], "1.2.9", "deals.value is gone"),
        (without("value"), [announced("deal_key")], "1.3.0", "deals.value is gone"),
        (without("value"), [announced(since="1.3.0")], "1.3.0", "deals.value is gone"),
    ],
)  # fmt: skip
def test_column_that_goes_or_changes_unannounced_is_named(
    kept: Any, gone: Any, now: str, problem: str
) -> None:
    [told] = broken(MADE, kept, gone, now)
    assert problem in told


@pytest.mark.parametrize("now", ["1.3.0", "1.10.0", "2.0.0"])
def test_column_or_table_goes_with_the_version_that_was_announced_or_a_later_one(now: str) -> None:
    assert broken(MADE, without("value"), [announced()], now) == []
    assert broken(MADE, {}, [announced("")], now) == []
