"""Loading landed files into `warehouse.duckdb`.

    landed files not loaded yet ──▶ map per provider ──▶ lead_versions ─┬─▶ leads
                  stage changes ──▶ lead_stage_events ──────────────────┴─▶ lead_stage_history

The tables are a pure function of the set of landed files: any order of loads, and any
repetition, ends in the same rows. A load is one transaction; a first load or a rebuild is a new file
that takes the place of the old one when it is complete.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import duckdb
import pyarrow.parquet as pq

from lead_pipeline.errors import LoadError
from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline.landing.digests import REMEDY, check_file
from lead_pipeline.landing.erasures import must_rebuild
from lead_pipeline.landing.places import places_of
from lead_pipeline.landing.tombstones import erased_persons
from lead_pipeline.logs import log_of
from lead_pipeline.normalized import declared_steps as steps
from lead_pipeline.normalized.batches import BATCH_ROWS, Batch, batches
from lead_pipeline.normalized.check_runner import run_checks
from lead_pipeline.normalized.checks import CheckOutcome
from lead_pipeline.normalized.erased import leave_out_records, leave_out_seen
from lead_pipeline.normalized.fingerprint import fingerprint_of, reason_of
from lead_pipeline.normalized.inputs import LoadInputs
from lead_pipeline.normalized.ledger import all_records, new_files, new_records
from lead_pipeline.normalized.schema import create_tables, noted_fingerprint
from lead_pipeline.normalized.session import Session
from lead_pipeline.normalized.step_runner import StepRunner
from lead_pipeline.normalized.steps import StepContext
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.settings import Settings
from lead_pipeline.storage.duckdb_files import remove_duckdb_file, remove_spill
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.seams import seams_of
from lead_pipeline.storage.warehouse import (
    Superseded,
    open_warehouse,
    replace_warehouse,
    warehouse_at,
)

SMALL_ROWS = 20_000
"""Up to so many rows, in the files and in the tables, handing work from thread to thread takes longer
than the work."""
CHUNK_LEADS = 200_000
"""Leads whose rows are written at a time, so that memory does not grow with their number."""
MORE_MEMORY = "2GB"
"""What a load may take that found the default too little."""
LOADS = 3
"""How often a load is begun at most: only who has lost the warehouse's lock is ever superseded."""
TABLES = ("lead_versions", "leads", "lead_stage_history")

_logger = logging.getLogger(__name__)
_log = log_of(__name__)
Tell = Callable[[str], None]


@dataclass(frozen=True)
class LoadResult:
    """What a load did, and what the tables hold after it."""

    files: int
    rows: int
    leads_changed: int
    """Leads whose rows it has written."""
    rebuilt: bool
    table_rows: dict[str, int]
    leads_by_stage: tuple[tuple[str, str, int], ...]
    """(provider, stage, leads), ordered."""
    checks: tuple[CheckOutcome, ...]
    rebuilt_because: str = ""
    """Which inputs had changed, where that made the load a rebuild."""

    def check(self, name: str) -> CheckOutcome:
        """The outcome of the check of that name."""
        return next(outcome for outcome in self.checks if outcome.check.name == name)


def load_landing(
    settings: Settings, *, rebuild: bool = False, tell: Tell = _logger.info
) -> LoadResult:
    """Bring the normalized tables up to date with landing; all of it or nothing.

    With `rebuild`, or when anything that tables are made with has changed (`fingerprint.py`), the
    tables are rebuilt from all landed files, and `tell` says why. Waits for another holder of the
    warehouse, and loads again where another loader has been faster all the same. Raises `LoadError`
    naming what cannot be read; the tables are then as they were.
    """
    landing = seams_of(settings).landing
    with held(settings.warehouse_lock, "loading landed files", tell):
        began = time.monotonic()
        landing.refresh()
        result = _load_within_memory(settings, rebuild=rebuild, tell=tell)
        _log.info(
            "load ended",
            files=result.files,
            rows=result.rows,
            leads_changed=result.leads_changed,
            rebuilt=result.rebuilt,
            seconds=time.monotonic() - began,
        )
        return result


def _load_within_memory(settings: Settings, *, rebuild: bool, tell: Tell) -> LoadResult:
    """Load with as little memory as is usually enough; the caller holds the lock.

    Records of many kilobytes need more, and get it unless the user has set a limit.
    """
    try:
        return _load_and_commit(settings, rebuild=rebuild, tell=tell)
    except duckdb.OutOfMemoryException as error:
        if "memory_limit" in settings.model_fields_set:
            raise LoadError(
                "Loading needs more memory than LEAD_PIPELINE_MEMORY_LIMIT allows "
                f"({settings.memory_limit}): set it higher and load again. The tables are as they "
                "were."
            ) from error
        tell(
            f"Loading these records needs more memory than {settings.memory_limit}: it begins again "
            f"with {MORE_MEMORY}."
        )
        more = settings.model_copy(update={"memory_limit": MORE_MEMORY})
        return _load_within_memory(more, rebuild=rebuild, tell=tell)


def _load_and_commit(settings: Settings, *, rebuild: bool, tell: Tell) -> LoadResult:
    """Load until the tables are committed; the caller holds the lock."""
    for attempt in range(1, LOADS + 1):
        try:
            with warehouse_at(settings.warehouse_path).changing(rebuild=rebuild):
                return _load(settings, rebuild=rebuild, tell=tell)
        except Superseded as error:
            if attempt == LOADS:
                raise
            tell(f"{error} Loading again.")
    raise AssertionError("the last load returns or raises")


def _load(settings: Settings, *, rebuild: bool, tell: Tell) -> LoadResult:
    """Load or rebuild; the caller holds the lock."""
    # What a killed load or rebuild has left: nobody else has these files open.
    remove_duckdb_file(settings.scratch_warehouse_path)
    remove_spill(settings.warehouse_path)
    # Read under the lock: whoever held it may have waited for long.
    is_erasing = must_rebuild(settings)
    inputs = LoadInputs.of(settings)
    fingerprint = fingerprint_of(inputs)
    noted = None
    if settings.warehouse_path.exists():
        with open_warehouse(settings.warehouse_path, settings.memory_limit) as connection:
            session = Session(connection)
            noted = noted_fingerprint(session)
            if noted == fingerprint and not rebuild and not is_erasing:
                records = new_records(session, settings.landing_path)
                return load_into(session, settings, records, inputs, tell)
    why = "" if noted is None else reason_of(noted, fingerprint)
    if noted is not None:
        asked = "persons have been erased" if is_erasing else "as asked for"
        tell(f"Building the normalized tables again from all landed files: {why or asked}.")
    result = build_scratch(settings, inputs, all_records(settings.landing_path), tell)
    replace_warehouse(settings.scratch_warehouse_path, settings.warehouse_path)
    return replace(result, rebuilt=noted is not None, rebuilt_because=why)


def build_scratch(
    settings: Settings, inputs: LoadInputs, records: Sequence[CommitRecord], tell: Tell
) -> LoadResult:
    """Make a scratch warehouse from the landed files of `records`; the caller holds the lock."""
    path = settings.scratch_warehouse_path
    remove_duckdb_file(path)
    with open_warehouse(path, settings.memory_limit) as connection:
        session = Session(connection)
        with session.transaction():
            create_tables(session, inputs)
        result = load_into(session, settings, records, inputs, tell, is_scratch=True)
        # Where the disk is full by now, this says so; closing the file would not.
        session.execute("checkpoint")
        return result


def load_into(
    session: Session,
    settings: Settings,
    records: Sequence[CommitRecord],
    inputs: LoadInputs,
    tell: Tell,
    *,
    is_scratch: bool = False,
) -> LoadResult:
    """Load, in one transaction, the files of `records` that the tables do not hold yet.

    Of a scratch file (`is_scratch`) nobody sees less than all, so that a large one needs no
    transaction: in it DuckDB takes temporary tables for empty, and reads them on one core.
    """
    context = StepContext(
        landing=settings.landing_path,
        records=records,
        files=new_files(session, records, places_of(settings.landing_path)),
        known_fields=inputs.known_fields,
        phone_region=inputs.phone_region,
        erased=erased_persons(settings),
    )
    runner = StepRunner(session)
    is_small = _is_small(session, context)
    if is_small:
        session.execute("set threads = 1")
    with nullcontext() if is_scratch and not is_small else session.transaction(), runner.scope():
        session.run("load/session")
        runner.run(steps.START, context)
        _load_batches(runner, context, tell)
        runner.run(steps.LEDGER, context)
        changed = _write_changed_leads(runner, context, tell)
        runner.run(steps.ABSENCE, context)
        runner.run(steps.WATCH, context)
        return LoadResult(
            files=len(context.files),
            rows=sum(file.rows for file in context.files),
            leads_changed=changed,
            rebuilt=False,
            table_rows={name: session.count(f"normalized.{name}") for name in TABLES},
            leads_by_stage=tuple(session.query("leads_by_stage")),
            checks=run_checks(runner, context),
        )


def _is_small(session: Session, context: StepContext) -> bool:
    [(held,)] = session.fetch(
        "select coalesce(max(estimated_size), 0) from duckdb_tables() "
        "where schema_name = 'normalized'"
    )
    return bool(held + sum(file.rows for file in context.files) <= SMALL_ROWS)


def _load_batches(runner: StepRunner, context: StepContext, tell: Tell) -> None:
    total = sum(file.rows for file in context.files)
    done = 0
    for batch in batches(context.landing, context.files):
        with runner.scope():
            _load_batch(runner, replace(context, batch=batch.files), batch, tell)
        done += batch.rows
        if total > BATCH_ROWS:
            tell(f"Loaded {done:,} of {total:,} landed records.")


def _load_batch(runner: StepRunner, context: StepContext, batch: Batch, tell: Tell) -> None:
    for file in batch.holders:
        check_file(context.landing, file)
    if not batch.contents.provider:
        runner.run(steps.READ_SEEN, context)
        leave_out_seen(runner.session, context.erased)
        return
    runner.run(steps.READ, context)
    _check_row_counts(runner.session, context, batch)
    provider = PROVIDERS[batch.contents.provider]
    if left_out := leave_out_records(runner.session, context.erased, provider):
        tell(
            f"Left out {left_out:,} records of erased persons, which landing has again, as after "
            "restoring a backup. The next run removes them from landing, or now: lead-pipeline forget "
            "--resume."
        )
    runner.run(steps.steps_after_reading(batch.contents), replace(context, provider=provider))


def _check_row_counts(session: Session, context: StepContext, batch: Batch) -> None:
    """Raise `LoadError` when a file holds fewer rows, or more, than its crawls have written."""
    if session.count("landed_records") == batch.rows:
        return
    for path in batch.paths:
        of_file = [file for file in batch.files if file.place.path == path]
        written = max(file.place.end_row for file in of_file)
        found = pq.read_metadata(context.landing / path).num_rows
        if found < written or (found > written and not batch.contents.are_parts):
            raise LoadError(
                f"{context.landing / path} holds {found:,} rows, its crawl wrote {written:,}. {REMEDY}"
            )


def _write_changed_leads(runner: StepRunner, context: StepContext, tell: Tell) -> int:
    """Write rows and stage history of all changed leads; how many there were."""
    leads = runner.session.count("changed_leads")
    chunks = -(-leads // CHUNK_LEADS)
    for chunk in range(chunks):
        with runner.scope():
            runner.run((*steps.LEADS, *steps.HISTORY), replace(context, chunk=chunk, chunks=chunks))
        if chunks > 1:
            tell(f"Wrote leads and stage history, part {chunk + 1} of {chunks}.")
    if leads:
        runner.run(steps.FORGET_UNUSED_PAIRS, context)
    return leads
