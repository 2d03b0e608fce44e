"""Which tables a statement reads and writes, as DuckDB's own parser sees it.

Here: taking statements apart. Not here: what steps declare (`test_steps.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import msgspec

_COMMENT = re.compile(r"--[^\n]*")
_CREATE = re.compile(
    r"create (?:or replace )?temp (table|view) (?:if not exists )?([\w.]+)\s*(as\b|\()", re.I
)
_INSERT = re.compile(r"insert into ([\w.]+)(?: by name)?\s+(?=with|select)", re.I)
_DELETE = re.compile(r"delete from ([\w.]+)(?: as \w+)?\s*(where\b.*)?$", re.I | re.S)
_UPDATE = re.compile(r"update ([\w.]+)(?: as \w+)?\s+set\b.*?\b(from\b.*|where\b.*)$", re.I | re.S)


@dataclass(frozen=True)
class Tables:
    """What some statements do to tables."""

    created: frozenset[str]
    changed: frozenset[str]
    """Rows were added to, deleted or updated."""
    read: frozenset[str]


def tables_of(sql: str) -> Tables:
    """The tables of all statements in `sql`. Fails on a statement of another kind."""
    found = [_of_statement(statement.query) for statement in duckdb.extract_statements(sql)]
    created = frozenset(name for kind, name, _ in found if kind == "create" and name)
    changed = frozenset(name for kind, name, _ in found if kind == "change" and name)
    read = frozenset().union(*(read for _, _, read in found))
    return Tables(created, changed, read - created)


def _of_statement(query: str) -> tuple[str, str | None, frozenset[str]]:
    text = _COMMENT.sub("", query).strip().rstrip(";").strip()
    if match := _CREATE.match(text):
        is_query = match[3].lower() == "as"
        return "create", match[2], _read_by(text[match.end() :]) if is_query else frozenset()
    if match := _INSERT.match(text):
        return "change", match[1], _read_by(text[match.end() :])
    if match := _DELETE.match(text):
        return "change", match[1], _read_by(f"select 1 {match[2] or ''}")
    if match := _UPDATE.match(text):
        return "change", match[1], _read_by(f"select 1 {match[2]}")
    return "query", None, _read_by(text)


def _read_by(select: str) -> frozenset[str]:
    """The tables that a SELECT names, without those that it defines itself."""
    [(serialized,)] = duckdb.execute("select json_serialize_sql(?)", [select]).fetchall()
    tree = msgspec.json.decode(serialized)
    assert not tree["error"], (tree, select)
    nodes = list(_nodes(tree))
    defined = {entry["key"] for node in nodes for entry in node.get("cte_map", {}).get("map", ())}
    return frozenset(
        ".".join(filter(None, (node["schema_name"], node["table_name"])))
        for node in nodes
        if node.get("type") == "BASE_TABLE" and node["table_name"] not in defined
    )


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)
