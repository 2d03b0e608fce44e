"""The questions of docs/questions.md with their queries, and answers side by side.

Here: reading the page, running a query, comparing. Not here: the answers (`happened` and the rest).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

import lead_pipeline
from lead_pipeline_tests.truth.comparison import compare
from lead_pipeline_tests.truth.reading import rows_of

PAGE = Path(lead_pipeline.__file__).parents[1] / "docs" / "questions.md"
_QUESTION = re.compile(r"^\*\*(\d+)\. (.+?)\*\*", re.MULTILINE | re.DOTALL)
_QUERY = re.compile(r"^```sql\n(.+?)^```", re.MULTILINE | re.DOTALL)
_BOUNDS = ("_lower", "_upper")


@dataclass(frozen=True)
class Question:
    """A question as the page has it, and the query under it."""

    number: int
    text: str
    query: str


def questions() -> list[Question]:
    """All questions of the page, in its order."""
    page = PAGE.read_text("utf-8")
    found = list(_QUESTION.finditer(page))
    ends = [match.start() for match in found[1:]] + [len(page)]
    return [
        Question(int(match[1]), " ".join(match[2].split()), _query(page[match.end() : end]))
        for match, end in zip(found, ends, strict=True)
    ]


def _query(section: str) -> str:
    queries = _QUERY.findall(section)
    assert len(queries) == 1, section
    return str(queries[0])


def differences(
    connection: duckdb.DuckDBPyConnection, query: str, answer: pd.DataFrame
) -> list[str]:
    """Where the query answers otherwise than pandas; of figures with bounds, where these leave it out.

    Rows belong together by what they have beside figures: texts, days, moments and lists.
    """
    rows = rows_of(connection, f"({query})")
    truths = [_plain(row) for row in answer.to_dict("records")]
    keys = [name for name in answer.columns if _is_key(truths, name)]
    told = {_key(row, keys): row for row in map(_plain, rows)}
    expected = {_key(row, keys): row for row in truths}
    assert len(told) == len(rows), f"rows that {keys} do not tell apart"
    assert len(expected) == len(truths), f"answers that {keys} do not tell apart"
    found = [f"not told: {key}" for key in expected.keys() - told.keys()]
    found += [f"not so: {told[key]}" for key in told.keys() - expected.keys()]
    for key in expected.keys() & told.keys():
        found += _different(told[key], expected[key], keys)
    return found


def _different(row: Mapping[str, Any], truth: Mapping[str, Any], keys: list[str]) -> list[str]:
    figures = [name for name in truth if name not in keys]
    told = {name.removesuffix(bound) for name in row for bound in ("", *_BOUNDS)} & {*figures}
    others = {
        name
        for name in row
        if name not in keys and not any(name.removesuffix(b) in truth for b in ("", *_BOUNDS))
    }
    found = [f"no column {name}" for name in {*figures} - told]
    found += [f"a column of which nothing is known: {name}" for name in others]
    for name in told:
        finding = compare({name: None, **row}, name, truth[name])
        is_both_nothing = truth[name] is None and row.get(name) is None
        if finding.verdict != "contained" and not is_both_nothing:
            found.append(f"{name} of {row} is {truth[name]}: {finding.reason or finding.verdict}")
    return found


def _is_key(rows: list[dict[str, Any]], name: str) -> bool:
    return any(isinstance(row[name], str | date | datetime | tuple) for row in rows)


def _key(row: Mapping[str, Any], keys: list[str]) -> tuple[Any, ...]:
    return tuple(row[name] for name in keys)


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Values of Python in place of those of pandas; nothing is None."""
    return {str(name): _plain_value(value) for name, value in row.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    return value.item() if hasattr(value, "item") else value
