"""Loading landed files into `warehouse.duckdb`.

    landed files not loaded yet ──▶ map per provider ──▶ lead_versions ─┬─▶ leads
                 audit log events ──▶ lead_stage_events ────────────────┴─▶ lead_stage_history

The tables are a pure function of the set of landed files: any order of loads, and any
repetition, ends in the same rows. A load is one transaction; a rebuild is a new file that takes
the place of the old one when it is complete. Belongs here: the order of the steps. Does not
belong here: what they compute (`sql/`), and how a provider's fields map to columns
(`sql/map_*.sql`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline.normalized.checks import CheckOutcome, run_checks
from lead_pipeline.normalized.drift import fill_known_fields
from lead_pipeline.normalized.fingerprint import Recipe, reason_of
from lead_pipeline.normalized.ledger import all_records, new_files, new_records, record_crawls
from lead_pipeline.normalized.mapped_stages import map_stages
from lead_pipeline.normalized.records import load_records
from lead_pipeline.normalized.schema import create_tables, noted_fingerprint
from lead_pipeline.normalized.session import Session
from lead_pipeline.settings import Settings
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.warehouse import open_warehouse, remove_warehouse, replace_warehouse

CHUNK_LEADS = 200_000
"""Leads whose rows are written anew at a time, so that memory does not grow with their number."""
TABLES = ("lead_versions", "leads", "lead_stage_history")

_logger = logging.getLogger(__name__)
Tell = Callable[[str], None]


@dataclass(frozen=True)
class LoadResult:
    """What a load did, and what the tables hold after it."""

    files: int
    rows: int
    leads_touched: int
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
    tables are built again from all landed files, and `tell` says why. Waits for another holder of
    the warehouse. Raises `LoadError` naming what cannot be read; the tables are then as they were.
    """
    landing = settings.landing_path
    with held(settings.warehouse_lock, "loading landed files", tell):
        # Read under the lock: whoever held it may have waited for long.
        recipe = Recipe.of(settings)
        noted = None
        if settings.warehouse_path.exists():
            with open_warehouse(settings.warehouse_path, settings.memory_limit) as connection:
                session = Session(connection)
                noted = noted_fingerprint(session)
                if noted == recipe.fingerprint() and not rebuild:
                    records = new_records(session, landing)
                    return load_into(session, landing, records, recipe, tell)
        why = "" if noted is None else reason_of(noted, recipe.fingerprint())
        if noted is not None:
            asked = "as asked for"
            tell(f"Building the normalized tables again from all landed files: {why or asked}.")
        result = build_anew(settings, recipe, all_records(landing), tell)
        replace_warehouse(settings.scratch_warehouse_path, settings.warehouse_path)
        return replace(result, rebuilt=noted is not None, rebuilt_because=why)


def build_anew(
    settings: Settings, recipe: Recipe, records: Sequence[CommitRecord], tell: Tell
) -> LoadResult:
    """Make a scratch warehouse from the landed files of `records`; the caller holds the lock."""
    path = settings.scratch_warehouse_path
    remove_warehouse(path)
    with open_warehouse(path, settings.memory_limit) as connection:
        session = Session(connection)
        with session.transaction():
            create_tables(session, recipe)
        return load_into(session, settings.landing_path, records, recipe, tell)


def load_into(
    session: Session, landing: Path, records: Sequence[CommitRecord], recipe: Recipe, tell: Tell
) -> LoadResult:
    """Load, in one transaction, the files of `records` that the tables do not hold yet."""
    with session.transaction():
        return _load(session, landing, records, recipe, tell)


def _load(
    session: Session, landing: Path, records: Sequence[CommitRecord], recipe: Recipe, tell: Tell
) -> LoadResult:
    session.prepare()
    fill_known_fields(session, recipe.known_fields)
    files = new_files(session, records)
    load_records(session, landing, files, recipe.known_fields, recipe.phone_region, tell)
    record_crawls(session, records, files)
    touched = _replace_touched(session, tell)
    session.run("update_stale_leads")
    _update_missing(session, records)
    return LoadResult(
        files=len(files),
        rows=sum(file.rows for file in files),
        leads_touched=touched,
        rebuilt=False,
        table_rows={name: session.count(f"normalized.{name}") for name in TABLES},
        leads_by_stage=tuple(session.query("leads_by_stage")),
        checks=run_checks(session, records),
    )


def _replace_touched(session: Session, tell: Tell) -> int:
    """Write the leads and intervals of all touched leads anew; how many there were."""
    session.execute("create or replace temp table all_touched as select distinct * from touched")
    leads = session.count("all_touched")
    chunks = -(-leads // CHUNK_LEADS)
    for chunk in range(chunks):
        session.execute(
            "create or replace temp table touched as "
            "select lead_key from all_touched where hash(lead_key) % ? = ?",
            [chunks, chunk],
        )
        session.run("touched_versions")
        session.run("replace_leads")
        session.run("stage_intervals")
        map_stages(session, "stage_intervals")
        session.run("replace_stage_history")
        if chunks > 1:
            tell(f"Wrote leads and stage history, part {chunk + 1} of {chunks}.")
    if leads:
        session.run("forget_mapped_stages")
    return leads


def _update_missing(session: Session, records: Sequence[CommitRecord]) -> None:
    session.execute(
        "create or replace temp table new_crawls as select unnest(?::varchar[]) as crawl_id",
        [[record.crawl_id for record in records]],
    )
    session.run("update_missing")
