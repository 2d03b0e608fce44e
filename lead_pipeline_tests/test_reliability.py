"""`docs/reliability.md` names tests that exist, and says of each how it was seen to fail."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "reliability.md"
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def functions_of(path: Path) -> set[str]:
    """The names of a module's functions; nothing where there is no such module."""
    if not path.exists():
        return set()
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def missing_from(text: str) -> list[str]:
    """Tests that the text names and that do not exist."""
    return [
        f"{file}::{name}"
        for file, name in NAMED.findall(text)
        if not name.startswith("test_") or name not in functions_of(TESTS / file)
    ]


def promises(text: str) -> list[list[str]]:
    """The cells of each row of the tables whose first column is a promise."""
    rows = []
    for table in text.split("\n\n"):
        lines = [line for line in table.splitlines() if line.startswith("|")]
        if lines and lines[0].startswith("| promise "):
            rows += [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return rows


def test_every_test_that_the_page_names_exists() -> None:
    text = PAGE.read_text("utf-8")
    assert len(NAMED.findall(text)) > 20
    assert missing_from(text) == []


def test_every_promise_names_a_test_and_what_made_it_fail() -> None:
    rows = promises(PAGE.read_text("utf-8"))
    assert len(rows) > 15
    assert [promise for promise, test, *_ in rows if not NAMED.search(test)] == []
    assert [promise for promise, _, seen in rows if not seen] == []


@pytest.mark.parametrize(
    "name", ["test_nowhere.py::test_a", "test_reliability.py::test_unheard_of"]
)
def test_test_that_does_not_exist_is_noticed(name: str) -> None:
    assert missing_from(f"by `{name}`") == [name]
