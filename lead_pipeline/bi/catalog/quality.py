"""dbt's tests of a table as rules of its data contract.

    unique, not_null, accepted_values, unique_together ──▶ rules that other tools can check
    every other test ──▶ its own sentence: what a row that it returns would mean

All of them have passed for the build whose contract it is (`severity: warning` where a test only warns).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from open_data_contract_standard.model import DataQuality

_REFERENCE = re.compile(r"""ref\(\s*['"]([^'"]+)['"]\s*\)""")
_SENTENCE = re.compile(r"\A\s*(?:--[^\n]*\n)+")


@dataclass(frozen=True)
class TestsOf:
    """dbt's tests of one model or source, those of a column apart."""

    tests: Sequence[Mapping[str, Any]]

    @classmethod
    def node(cls, unique_id: str, manifest: Mapping[str, Any]) -> TestsOf:
        """The tests that are about the node, or read it and are about none."""
        return cls(
            [
                node
                for node in manifest["nodes"].values()
                if node["resource_type"] == "test"
                and (
                    node["attached_node"] == unique_id
                    if node.get("attached_node")
                    else unique_id in node["depends_on"]["nodes"]
                )
            ]
        )

    def of_column(self, column: str) -> list[DataQuality]:
        """Rules about the values of one column."""
        return [rule for test in self._about(column) for rule in _column_rules(test)]

    def of_table(self) -> list[DataQuality]:
        """Rules about the table as a whole."""
        return [_table_rule(test) for test in self._about(None)]

    def is_unique(self, column: str) -> bool:
        """Whether a test says so."""
        return any(_kind(test) == "unique" for test in self._about(column))

    def is_required(self, column: str) -> bool:
        """Whether a test says that it is never null."""
        return any(_kind(test) == "not_null" for test in self._about(column))

    def references(self, column: str) -> list[tuple[str, str]]:
        """dbt's names of tables, and their columns, in which all values of the column are found."""
        return [
            (named[1], str(_arguments(test)["field"]))
            for test in self._about(column)
            if _kind(test) == "relationships"
            and (named := _REFERENCE.fullmatch(_arguments(test)["to"]))
        ]

    def _about(self, column: str | None) -> list[Mapping[str, Any]]:
        return [test for test in self.tests if test.get("column_name") == column]


def _column_rules(test: Mapping[str, Any]) -> list[DataQuality]:
    kind, arguments = _kind(test), _arguments(test)
    if kind == "unique":
        return [_metric(test, "duplicateValues", "uniqueness")]
    if kind == "not_null":
        return [_metric(test, "nullValues", "completeness")]
    if kind == "accepted_values":
        valid = {"validValues": list(arguments["values"])}
        return [_metric(test, "invalidValues", "conformity", valid)]
    if kind == "relationships":
        # Told as a relationship.
        return []
    return [_sentence(test)]


def _table_rule(test: Mapping[str, Any]) -> DataQuality:
    if _kind(test) == "unique_together":
        columns = {"properties": list(_arguments(test)["columns"])}
        return _metric(test, "duplicateValues", "uniqueness", columns)
    return _sentence(test)


def _metric(
    test: Mapping[str, Any],
    metric: str,
    dimension: str,
    arguments: dict[str, Any] | None = None,
) -> DataQuality:
    return _rule(
        test, type="library", metric=metric, arguments=arguments, mustBe=0, dimension=dimension
    )


def _sentence(test: Mapping[str, Any]) -> DataQuality:
    comment = _SENTENCE.match(test["raw_code"])
    said = (
        " ".join(line.lstrip("- ").strip() for line in comment[0].splitlines()) if comment else ""
    )
    text = test["description"] or said or f"dbt's test {test['name']} passes."
    return _rule(test, type="text", description=text)


def _rule(test: Mapping[str, Any], **said: Any) -> DataQuality:
    # By keyword, type checkers would ask for fields that have a default.
    return DataQuality.model_validate({"name": test["name"], "severity": _severity(test), **said})


def _kind(test: Mapping[str, Any]) -> str | None:
    metadata = test.get("test_metadata") or {}
    # A test of somebody's package can have the name of one of dbt's, and another meaning.
    return None if metadata.get("namespace") else metadata.get("name")


def _arguments(test: Mapping[str, Any]) -> Mapping[str, Any]:
    given: Mapping[str, Any] = test["test_metadata"]["kwargs"]
    nested: Mapping[str, Any] = given.get("arguments", {})
    return {**given, **nested}


def _severity(test: Mapping[str, Any]) -> str:
    return "warning" if str(test["config"]["severity"]).lower() == "warn" else "error"
