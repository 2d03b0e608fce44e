"""The load as declared steps: what each declares is what it does, and the order is held."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files

import duckdb
import pytest

from lead_pipeline.errors import LoadError
from lead_pipeline.normalized import check_runner, declared_steps, load, step_runner
from lead_pipeline.normalized.batches import Contents
from lead_pipeline.normalized.checks import CHECKS, Check
from lead_pipeline.normalized.declared_steps import PHASES, steps_after_reading
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.normalized.session import Session
from lead_pipeline.normalized.step_runner import StepRunner, check_reads, temporary
from lead_pipeline.normalized.steps import (
    NORMALIZED,
    ComputedStep,
    GivenStep,
    ProviderStep,
    SqlStep,
    Step,
    StepContext,
    TextStep,
)
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.sandbox.examples import mega_lead, vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import Landing
from lead_pipeline_tests.normalized.sql_tables import tables_of
from lead_pipeline_tests.normalized.test_stage_history import event, expert_lead
from lead_pipeline_tests.pulling import at, changed

SQL = files("lead_pipeline").joinpath("normalized", "sql")
LOADED = itertools.chain.from_iterable(PHASES.values())
ALL = tuple({step.name: step for step in (*LOADED, *check_runner.ROWS)}.values())
"""Every declared step, once."""
OF_PROVIDERS = [
    (step, provider)
    for step in ALL
    if isinstance(step, ProviderStep)
    for provider in PROVIDERS.values()
    if provider.folder.joinpath(step.file).is_file()
]


def name_of(value: object) -> str | None:
    if isinstance(value, Step):
        return value.name
    return getattr(value, "slug", None)


# What is declared is what is done -------------------------------------------------------------


@pytest.mark.parametrize("step", [s for s in ALL if isinstance(s, SqlStep)], ids=name_of)
def test_statements_read_and_write_what_their_step_declares(step: SqlStep) -> None:
    found = tables_of(step.sql(StepContext()))
    assert (found.created | found.changed) == set(step.writes)
    # A temporary table to which rows are added must be there already.
    assert (found.read | temporary(found.changed - found.created)) == set(step.reads)


@pytest.mark.parametrize(
    "step", [s for s in ALL if isinstance(s, ComputedStep | TextStep)], ids=name_of
)
def test_rows_that_python_computes_from_are_read_from_what_the_step_declares(
    step: ComputedStep | TextStep,
) -> None:
    found = tables_of(step.sql(StepContext()))
    assert found.read == set(step.reads)
    assert not found.created | found.changed


@pytest.mark.parametrize(("step", "provider"), OF_PROVIDERS, ids=name_of)
def test_a_provider_s_mapping_reads_what_its_step_declares(
    step: ProviderStep, provider: object
) -> None:
    context = StepContext(provider=PROVIDERS[name_of(provider) or ""])
    assert tables_of(step.sql(context)).read == set(step.reads)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_check_reads_the_tables_and_the_rows_that_are_made_for_checks(
    check: Check,
) -> None:
    found = tables_of(Session.text(f"checks/{check.name}"))
    rows = {table for step in check_runner.ROWS for table in step.writes}
    assert temporary(found.read) <= rows
    assert not found.created | found.changed


def test_every_file_of_the_load_belongs_to_a_step() -> None:
    def names(folder: str) -> Iterator[str]:
        for path in SQL.joinpath(folder).iterdir():
            name = f"{folder}/{path.name}"
            if path.is_dir():
                yield from names(name)
            else:
                yield name.removesuffix(".sql")

    declared = {step.name for step in ALL if isinstance(step, (SqlStep, ComputedStep, TextStep))}
    assert {*names("load"), *names("checks/rows")} == {*declared, "load/session"}


def test_tables_that_outlive_a_load_are_those_of_the_schema() -> None:
    with closing(duckdb.connect()) as connection:
        session = Session(connection)
        session.run("schema")
        tables = {f"{NORMALIZED}{table}" for table, _, _ in session.query("normalized_columns")}
    assert {t for s in ALL for t in (*s.reads, *s.writes) if t.startswith(NORMALIZED)} <= tables


def test_no_temporary_table_is_named_as_one_that_outlives_a_load() -> None:
    with closing(duckdb.connect()) as connection:
        session = Session(connection)
        session.run("schema")
        tables = {table for table, _, _ in session.query("normalized_columns")}
    assert not {t for s in ALL for t in temporary(s.writes)} & tables


# One meaning per temporary table ---------------------------------------------------------------


def test_each_temporary_table_is_made_by_one_step() -> None:
    made = Counter(
        table
        for step in ALL
        for table in (
            tables_of(step.sql(StepContext())).created
            if isinstance(step, SqlStep)
            else temporary(step.writes)
        )
    )
    assert {table for table, number in made.items() if number > 1} == set()
    assert set(made) == {table for step in ALL for table in temporary(step.writes)}


@pytest.fixture
def landing(settings: Settings) -> Landing:
    """Every kind of batch: records, details, events, a cohort, ids that were only seen."""
    landing = Landing(settings)
    landing.leads("mega", mega_lead(1, colour="red"), mega_lead(2))
    landing.leads("vorel", vorel_lead(1, at(9)), vorel_lead(2, at(1)), keep_from=at(5))
    landing.leads("vorel", vorel_lead(2, at(1)), stream="stale_leads")
    landing.leads("expert_ai_labs", event(1, at(3), "new", "won"), stream="lead_events")
    landing.leads("expert_ai_labs", expert_lead(1, "won", at(3)))
    landing.leads("expert_ai_labs", expert_lead(1, "won", at(3)), stream="lead_details")
    return landing


def test_after_each_step_of_a_load_there_are_the_temporary_tables_that_were_declared(
    landing: Landing,
) -> None:
    ran: list[str] = []

    class Watched(StepRunner):
        def run(self, steps: object, context: StepContext) -> None:
            for step in steps:  # type: ignore[attr-defined]
                super().run([step], context)
                there = self.session.fetch(
                    "select table_name from information_schema.tables where table_catalog = 'temp'"
                )
                assert {name for (name,) in there} == self._written, step.name
                ran.append(step.name)

    with changed(load, "StepRunner", Watched), changed(load, "CHUNK_LEADS", 2):
        load_landing(landing.settings)
    assert set(ran) == {step.name for step in ALL}


def test_a_load_leaves_no_temporary_table_to_the_next_one_in_the_same_session(
    landing: Landing,
) -> None:
    left: list[list[object]] = []
    original = load.load_into

    def load_twice(session: Session, *arguments: object, **options: object) -> object:
        for _ in range(2):
            result = original(session, *arguments, **options)  # type: ignore[arg-type]
            left.append(session.fetch("select 1 from duckdb_tables() where temporary"))
        return result

    with changed(load, "load_into", load_twice):
        assert load_landing(landing.settings).files == 0
    assert left == [[], []]


# The order is held -----------------------------------------------------------------------------


def run_without_effect(steps: tuple[Step, ...], written: set[str]) -> set[str]:
    """What is written after `steps`, when each is only checked."""
    for step in steps:
        check_reads(step, written)
        written = written | temporary(step.writes)
    return written


@pytest.mark.parametrize(
    "contents",
    [
        Contents("mega", has_leads=True),
        Contents("expert_ai_labs", has_stage_changes=True),
        Contents("deals", has_leads=True, has_stage_changes=True),
    ],
    ids=["records", "events", "records with a history"],
)
def test_every_step_reads_what_a_step_before_it_has_written(contents: Contents) -> None:
    started = run_without_effect(declared_steps.START, set())
    run_without_effect(declared_steps.READ_SEEN, started)
    run_without_effect((*declared_steps.READ, *steps_after_reading(contents)), started)
    known = run_without_effect(declared_steps.LEDGER, started)
    run_without_effect((*declared_steps.LEADS, *declared_steps.HISTORY), known)
    after = run_without_effect(
        (*declared_steps.FORGET_UNUSED_PAIRS, *declared_steps.ABSENCE), known
    )
    run_without_effect(check_runner.ROWS, after)


def test_a_step_that_reads_what_nobody_wrote_is_refused_before_it_runs() -> None:
    first = GivenStep("first", writes=("a",), columns={"x": "integer"}, values=lambda _: {"x": [1]})
    second = SqlStep("second", reads=("a", "b", "normalized.leads"), writes=("c",))
    with closing(duckdb.connect()) as connection:
        runner = StepRunner(Session(connection))
        with pytest.raises(LoadError, match="Step second reads b, which no step before it has"):
            runner.run([first, second], StepContext())


def test_what_was_written_in_a_scope_is_gone_after_it() -> None:
    made = GivenStep("made", writes=("a",), columns={"x": "integer"}, values=lambda _: {"x": [1]})
    reads = SqlStep("reads", reads=("a",), writes=("b",))
    with closing(duckdb.connect()) as connection:
        runner = StepRunner(Session(connection))
        with runner.scope():
            runner.run([made], StepContext())
            assert runner.session.count("a") == 1
        with pytest.raises(LoadError, match="Step reads reads a"):
            runner.run([reads], StepContext())
        with pytest.raises(duckdb.CatalogException):
            runner.session.count("a")


def test_steps_of_every_phase_have_names_of_their_own() -> None:
    declared = {id(step): step.name for phase in PHASES.values() for step in phase}
    assert len(set(declared.values())) == len(declared)
    assert step_runner.temporary(["normalized.leads", "leads_of_chunk"]) == {"leads_of_chunk"}
