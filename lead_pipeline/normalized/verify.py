"""Whether the tables are what landing says: a rebuild in a scratch file, compared by digest.

landing ──▶ scratch warehouse ──digest of each table──┐
            warehouse.duckdb  ──digest of each table──┴──▶ equal, or the first differing rows
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from lead_pipeline.errors import LoadError
from lead_pipeline.landing.erasures import pending_erasures, refuse_half_erased
from lead_pipeline.logs import log_of
from lead_pipeline.normalized.fingerprint import fingerprint_of, reason_of
from lead_pipeline.normalized.inputs import LoadInputs
from lead_pipeline.normalized.ledger import all_records
from lead_pipeline.normalized.load import Tell, build_scratch, load_into
from lead_pipeline.normalized.schema import noted_fingerprint
from lead_pipeline.normalized.session import Session
from lead_pipeline.settings import Settings
from lead_pipeline.storage.duckdb_files import attach, remove_duckdb_file
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.seams import seams_of
from lead_pipeline.storage.warehouse import open_warehouse, warehouse_at

KEYS = {
    "lead_versions": ("version_id",),
    "leads": ("lead_key",),
    "lead_stage_history": ("lead_key", "stage_number"),
    "lead_observations": ("lead_key", "version_id", "served_at", "fetched_at"),
    "newest_observations": ("lead_key",),
    "lead_sightings": ("lead_key",),
    "unobserved_changes": ("lead_key", "changed_until"),
    "lead_absences": ("lead_key", "crawl_id"),
    "lead_stage_events": ("lead_key", "event_id", "field"),
    "provider_stale_leads": ("lead_key",),
    "contract_drift": ("account", "stream", "kind", "field", "value"),
    "crawls": ("crawl_id",),
    "coverage": ("account",),
    "watches": ("account",),
    "audit_coverage": ("account", "covered_from"),
    "mapped_stages": ("account", "provider_status", "provider_stage"),
}
"""Tables that follow from landing, and what a row of each is known by."""
SHOWN_ROWS = 5

_logger = logging.getLogger(__name__)
_log = log_of(__name__)


@dataclass(frozen=True)
class Difference:
    """A row that differs, by its key; `columns` says in what, or which side lacks it."""

    key: str
    columns: str


@dataclass(frozen=True)
class TableComparison:
    """One table in both warehouses."""

    table: str
    live_rows: int
    rebuilt_rows: int
    live_digest: str
    rebuilt_digest: str
    first_differences: Sequence[Difference]

    @property
    def is_equal(self) -> bool:
        """Whether both hold the same rows."""
        return (self.live_rows, self.live_digest) == (self.rebuilt_rows, self.rebuilt_digest)


def verify(settings: Settings, tell: Tell = _logger.info) -> list[TableComparison]:
    """Compare the live tables with tables rebuilt from the same landed files.

    What has landed since the last load is loaded first, so that both are built of the same
    files. Other loads wait meanwhile; readers do not. The scratch file is removed again. Raises
    `LoadError` when there are no tables, or none that this version has built.
    """
    landing = seams_of(settings).landing
    with held(settings.warehouse_lock, "verifying", tell):
        landing.refresh()
        refuse_half_erased(pending_erasures(settings))
        with warehouse_at(settings.warehouse_path).changing():
            return _verify(settings, tell)


def _verify(settings: Settings, tell: Tell) -> list[TableComparison]:
    """Load and compare; the caller has the tables checked out."""
    inputs = LoadInputs.of(settings)
    records = all_records(settings.landing_path)
    with _open_live(settings, inputs) as live:
        load_into(live, settings, records, inputs, tell)
    tell("Building a second set of tables from all landed files.")
    scratch = settings.scratch_warehouse_path
    try:
        build_scratch(settings, inputs, records, tell)
        with _open_live(settings, inputs) as live:
            attach(live.connection, scratch, "rebuilt", options="read_only")
            found = [_compare(live, table) for table in KEYS]
        differing = sum(1 for comparison in found if not comparison.is_equal)
        _log.info("verified", tables=len(found), differing=differing)
        return found
    finally:
        remove_duckdb_file(scratch)


@contextmanager
def _open_live(settings: Settings, inputs: LoadInputs) -> Iterator[Session]:
    path = settings.warehouse_path
    if not path.exists():
        raise LoadError(
            f"There is no warehouse at {path} to verify. Load leads: lead-pipeline run."
        )
    with open_warehouse(path, settings.memory_limit) as connection:
        session = Session(connection)
        noted = noted_fingerprint(session) or {}
        if noted != fingerprint_of(inputs):
            raise LoadError(
                f"The next load will build the tables of {path} again: "
                f"{reason_of(noted, fingerprint_of(inputs))}. Do it now: lead-pipeline rebuild."
            )
        yield session


def _compare(session: Session, table: str) -> TableComparison:
    # The order of columns is that of schema.sql in both, so rows can be compared as a whole.
    live, rebuilt = f"normalized.{table}", f"rebuilt.normalized.{table}"
    [(live_rows, live_digest)] = session.query("verify/table_digest", {"name": live})
    [(rebuilt_rows, rebuilt_digest)] = session.query("verify/table_digest", {"name": rebuilt})
    differs = (live_rows, live_digest) != (rebuilt_rows, rebuilt_digest)
    rows = (
        session.query(
            "verify/table_differences",
            {"live": live, "rebuilt": rebuilt, "key": KEYS[table], "rows": SHOWN_ROWS},
        )
        if differs
        else []
    )
    return TableComparison(
        table,
        live_rows,
        rebuilt_rows,
        live_digest,
        rebuilt_digest,
        [Difference(" / ".join(key), _describe(*contents)) for key, *contents in rows],
    )


def _describe(live: str | None, rebuilt: str | None) -> str:
    """What differs, by name: values can be personal data."""
    if live is None or rebuilt is None:
        return "only in the rebuild" if live is None else "only in the live table"
    before, after = msgspec.json.decode(live), msgspec.json.decode(rebuilt)
    return ", ".join(name for name in before if before[name] != after[name])
