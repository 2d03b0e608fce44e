"""dbt on the parse that is kept: `python -m lead_pipeline.bi.parsed_dbt build …`.

Takes the arguments of `dbt` and ends with its exit status. Belongs here: starting dbt with what
`load_manifest` has parsed, and such that its messages, logs and artifacts quote no value of a row.
Does not belong here: when to parse (`lead_pipeline.bi.dbt_project`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.environments.local import LocalEnvironment
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.parser.manifest import extended_mashumuro_decoder
from dbt_common.exceptions import DbtRuntimeError

from lead_pipeline.bi.dbt_project import parsed_project
from lead_pipeline.causes import stack_of, without_values

FAILED, BROKEN = 1, 2
"""dbt's own exit statuses: a node failed; dbt could not do what it was asked for."""


def quote_nothing() -> None:
    """Let DuckDB's errors in statements and in models written in Python lose their values."""
    handled = DuckDBConnectionManager.exception_handler

    @contextmanager
    def handled_quoting_nothing(
        self: DuckDBConnectionManager, sql: str, connection_name: str = "master"
    ) -> Iterator[None]:
        with handled(self, sql, connection_name), without_values():
            yield

    # Of the class itself: dbt-duckdb asks it by name for the environment that it keeps.
    DuckDBConnectionManager.exception_handler = handled_quoting_nothing  # type: ignore[method-assign]
    run_model = LocalEnvironment.run_python_job

    def run_model_quoting_nothing(*arguments: Any) -> None:
        try:
            run_model(*arguments)
        except DbtRuntimeError as error:
            # dbt makes the whole stack trace of what the model has raised its message.
            raised = error.__context__ or error
            raise DbtRuntimeError(f"Python model failed:\n{stack_of(raised)}") from None

    LocalEnvironment.run_python_job = staticmethod(run_model_quoting_nothing)  # type: ignore[method-assign, assignment]


def load_parsed() -> Manifest:
    """What dbt made of the project as it is now, as dbt itself would hold it after parsing."""
    manifest: Manifest = Manifest.from_msgpack(parsed_project(), decoder=extended_mashumuro_decoder)
    # Not in the file: derived from what is.
    manifest.build_parent_and_child_maps()  # type: ignore[no-untyped-call]
    manifest.build_flat_graph()  # type: ignore[no-untyped-call]
    return manifest


def main() -> None:
    """Run dbt with the arguments of this process."""
    quote_nothing()
    result = dbtRunner(manifest=load_parsed()).invoke(sys.argv[1:])
    if not result.success:
        sys.exit(FAILED if result.exception is None else BROKEN)


if __name__ == "__main__":
    main()
