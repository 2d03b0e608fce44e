"""dbt in the process that asks for it, on the parse that is kept.

    arguments, file ──▶ run_dbt ──▶ messages, run_results.json, dbt.log

Starting dbt and parsing take longer than most builds. Belongs here: running dbt with what
`load_manifest` has parsed, as alone as in a process of its own, and such that its messages, logs and
artifacts quote no value of a row. Does not belong here: when to parse
(`lead_pipeline.bi.dbt_project`), and what Dagster makes of dbt's messages.
"""

from __future__ import annotations

import gc
import logging
import os
import shutil
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.environments.local import LocalEnvironment
from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.project import ProfileConfig, Project, ProjectFlags
from dbt.parser.manifest import extended_mashumuro_decoder
from dbt_common.events.base_types import BaseEvent, EventLevel, EventMsg
from dbt_common.events.event_manager import EventManager, IEventManager
from dbt_common.events.event_manager_client import (
    cleanup_event_logger,
    ctx_set_event_manager,
    get_event_manager,
)
from dbt_common.events.functions import msg_to_dict
from dbt_common.exceptions import DbtRuntimeError

from lead_pipeline.bi.dbt_project import (
    CANDIDATE_TARGET,
    RESULTS,
    DbtProject,
    dbt_environment,
    keep_parsed,
    ours,
    parsed_project,
)
from lead_pipeline.bi.plain_tests import run_tests_plainly
from lead_pipeline.causes import stack_of, without_values

_ALONE = threading.Lock()
"""dbt keeps its flags, its logs and its connection in variables of its modules."""

_prepared: dict[str, Manifest] = {}
"""What `prepare_dbt` has read and no build has used yet, by what it was parsed from. A build changes it."""


@dataclass(frozen=True)
class DbtRan:
    """What came of dbt: its messages, oldest first, as its JSON log has them; whether all went well."""

    messages: list[dict[str, Any]]
    succeeded: bool


def prepare_dbt(project: DbtProject | None = None) -> None:
    """Read the parse of `project` (ours) for the next build, and let dbt make what it checks its files with.

    Takes a second, which a build then does without. In any thread: nothing of the process is changed.
    """
    with _ALONE:
        project = project or ours()
        digest = keep_parsed(project)
        if digest not in _prepared:
            _prepared.clear()
            _prepared[digest] = load_parsed(project)
        for checked in (ProjectFlags, Project, ProfileConfig, DuckDBCredentials):
            checked.json_schema()


def run_dbt(
    arguments: Sequence[str],
    target_path: Path,
    candidate: Path,
    tell: Callable[[str], object] = lambda message: None,
    project: DbtProject | None = None,
) -> DbtRan:
    """Run dbt of `project` (ours) in the DuckDB file `candidate` to its end.

    Artifacts and logs go to `target_path`.

    `tell` hears each message as it comes, from dbt's threads.

    `candidate` is closed when this returns. dbt sees an environment without secrets
    (`dbt_environment`). A signal that ends the process cancels dbt's queries first.
    """
    quote_nothing()
    run_tests_plainly()
    messages: list[dict[str, Any]] = []

    def hear(message: EventMsg) -> None:
        if message.info.level != "debug":
            told = msg_to_dict(message)
            messages.append(told)
            tell(told["info"]["msg"])

    with _ALONE:
        project = project or ours()
        manifest = _prepared.pop(keep_parsed(project), None) or load_parsed(project)
        runner = dbtRunner(manifest, callbacks=[hear])
        environment = dbt_environment(target_path, candidate, project)
        _remove_statements(target_path)
        with _as_if_alone(environment, project), _signals_cancel() as signals:
            result = runner.invoke([*arguments, *CANDIDATE_TARGET, *_options()])
            _write_results(result, target_path)
            succeeded = bool(result.success)
            if not succeeded:
                # dbt leaves threads of what went wrong to the garbage collector.
                del result
                gc.collect()
    for number in signals:
        # For whoever else waits for it, now that the file is closed.
        signal.raise_signal(number)
    return DbtRan(messages, succeeded)


def _remove_statements(target_path: Path) -> None:
    """Remove the statements of the last run: writing over a file can wait for the disk, a new one does not."""
    for folder in ("compiled", "run"):
        shutil.rmtree(target_path / folder, ignore_errors=True)


def _options() -> list[str]:
    """Nothing on standard output, which is Dagster's. `dbt.log` is as verbose as our own log."""
    level = "debug" if _is_verbose() else "info"
    logs = ("--log-level", "none", "--log-level-file", level, "--no-use-colors")
    # dbt would write the manifest again, which takes as long as ten models.
    return [*logs, "--no-use-colors-file", "--no-write-json"]


def _is_verbose() -> bool:
    return logging.getLogger("lead_pipeline").isEnabledFor(logging.DEBUG)


class _WithoutDebug(EventManager):
    """Makes no message of what only a verbose log would have: several for each statement.

    Messages take a seventh of dbt's time in a build of few leads.
    """

    def fire_event(
        self,
        e: BaseEvent,
        level: EventLevel | None = None,
        node: Any = None,
        force_warn_or_error_handling: bool = False,
    ) -> None:
        """Pass it on unless it is of level `debug`."""
        if force_warn_or_error_handling or (level or e.level_tag()) is not EventLevel.DEBUG:
            super().fire_event(e, level, node, force_warn_or_error_handling)


def _write_results(result: dbtRunnerResult, target_path: Path) -> None:
    """The artifact about the nodes; none where dbt has not come to run any."""
    if isinstance(result.result, RunExecutionResult):
        result.result.write(str(target_path / RESULTS))


@contextmanager
def _as_if_alone(environment: Mapping[str, str], project: DbtProject) -> Iterator[None]:
    """Environment, folder and warnings for dbt; afterwards those from before, and its file closed."""
    before = dict(os.environ)
    events: IEventManager = get_event_manager()
    if not _is_verbose():
        ctx_set_event_manager(_WithoutDebug())
    with chdir(project.folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _put_in_place(environment)
        try:
            yield
        finally:
            _put_in_place(before)
            cleanup_event_logger()
            ctx_set_event_manager(events)
            # Of the class, so it would live on, and keep the candidate open.
            connection: Any = DuckDBConnectionManager._ENV
            if connection is not None:
                connection.close()
                DuckDBConnectionManager._ENV = None


def _put_in_place(environment: Mapping[str, str]) -> None:
    """Make these the variables of this process, those that stay never missing meanwhile."""
    os.environ.update(environment)
    for name in set(os.environ) - set(environment):
        del os.environ[name]


@contextmanager
def _signals_cancel() -> Iterator[list[int]]:
    """Signals that end a process interrupt dbt, as it knows it; yields those that came.

    Dagster's own exception would leave dbt's threads at work in a file that nobody waits for.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        # Python runs handlers of signals in the main thread.
        yield came
        return

    def interrupt(number: int, frame: object) -> None:
        del frame
        came.append(number)
        if len(came) == 1:
            raise KeyboardInterrupt
        # While dbt cancels its queries for the first one, nothing else may interrupt it.

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@cache
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


def load_parsed(project: DbtProject) -> Manifest:
    """What dbt made of the project as it is now, as dbt itself would hold it after parsing."""
    packed = parsed_project(project)
    manifest: Manifest = Manifest.from_msgpack(packed, decoder=extended_mashumuro_decoder)
    # Not in the file: derived from what is.
    manifest.build_parent_and_child_maps()  # type: ignore[no-untyped-call]
    manifest.build_flat_graph()  # type: ignore[no-untyped-call]
    return manifest
