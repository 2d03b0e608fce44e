"""dbt's data tests without the materialization that dbt has for them.

    a compiled test ──one statement──▶ failures, as dbt counts them

dbt renders a template for that with all macros, a second time for each test, and guesses the types of the one
row that comes back: twice what most tests themselves take. Belongs here: tests that do nothing but count
rows, whoever has written them. Does not belong here: how tests are compiled and told, which dbt does.
"""

from __future__ import annotations

from functools import cache

from dbt.artifacts.resources.types import NodeType
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import TestNode
from dbt.flags import get_flags
from dbt.task.build import BuildTask
from dbt.task.test import TestResultData, TestRunner

from lead_pipeline.storage.sql import read_sql

COUNTING = {"get_test_sql", "should_store_failures", "get_limit_subquery_sql"}
"""Macros by which dbt counts. A project can have its own, also of the names below `dispatch`."""


class PlainTestRunner(TestRunner):
    """Runs one test of a build."""

    def execute_data_test(self, data_test: TestNode, manifest: Manifest) -> TestResultData:
        """What the test has found; as dbt does it where more is asked of a test than to count."""
        if not (_only_counts(data_test) and self._counts_as_dbt(data_test, manifest)):
            return super().execute_data_test(data_test, manifest)
        statement = _counting(data_test)
        _, cursor = self.adapter.connections.add_query(statement, auto_begin=False)
        [(failures, should_warn, should_error)] = cursor.fetchall()
        return TestResultData(
            failures=int(failures),
            should_warn=bool(should_warn),
            should_error=bool(should_error),
            adapter_response=self.adapter.connections.get_response(cursor).to_dict(omit_none=True),
        )

    def _counts_as_dbt(self, data_test: TestNode, manifest: Manifest) -> bool:
        """Whether no macro of a project has a part in it."""
        materialization = manifest.find_materialization_macro_by_name(
            self.config.project_name,
            data_test.get_materialization(),  # type: ignore[no-untyped-call]
            self.adapter.type(),
        )
        return (
            materialization is not None
            and materialization.package_name == "dbt"
            and not any(
                macro.name.rpartition("__")[2] in COUNTING
                and not macro.unique_id.startswith(("macro.dbt.", "macro.dbt_duckdb."))
                for macro in manifest.macros.values()
            )
        )


def _only_counts(data_test: TestNode) -> bool:
    config = data_test.config
    return not (
        config.store_failures
        or get_flags().STORE_FAILURES  # type: ignore[no-untyped-call]
        or config.limit is not None
        or config.get("sql_header")
    )


def _counting(data_test: TestNode) -> str:
    config = data_test.config
    return read_sql("bi", "count_failures").format(
        count=config.fail_calc,
        warn_if=config.warn_if,
        error_if=config.error_if,
        test=data_test.compiled_code,
    )


@cache
def run_tests_plainly() -> None:
    """Let builds in this process count by themselves."""
    BuildTask.RUNNER_MAP[NodeType.Test] = PlainTestRunner
