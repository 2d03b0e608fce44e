"""Small warehouses for the tests of what comes after loading.

Belongs here: rows as loading would have written them. Does not belong here: landed files.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from lead_pipeline.normalized.schema import fill_stages
from lead_pipeline.normalized.session import Session
from lead_pipeline.normalized.stages import load_stages
from lead_pipeline.storage.duckdb_files import connect_utc, remove_duckdb_file

SCHEMA = files("lead_pipeline").joinpath("normalized", "sql", "schema.sql").read_text("utf-8")
SEEN = datetime(2026, 1, 10, tzinfo=UTC)


@dataclass(frozen=True)
class SampleLead:
    """A lead that was created in stage new and was then seen in others, at noon of a day."""

    lead_id: str
    stages: tuple[tuple[int, str, str], ...] = ((1, "new", "new"),)
    """Day of January 2026, canonical stage, provider's stage."""
    account: str = "vorel"
    provider: str = "vorel"
    missing_since: datetime | None = None


SAMPLE = (
    SampleLead("1"),
    SampleLead("2", ((1, "new", "new"), (3, "engaged", "contacted"), (4, "engaged", "replied"))),
    SampleLead("3", ((2, "new", "new"), (2, "won", "closed")), missing_since=SEEN),
    SampleLead("1", ((5, "unmapped", "???"),), account="mega", provider="mega"),
)


def write_warehouse(path: Path, leads: Iterable[SampleLead] = SAMPLE) -> Path:
    """Write a new warehouse file that holds `leads`."""
    remove_duckdb_file(path)
    path.write_bytes(_warehouse_of(tuple(leads)))
    return path


@cache
def _warehouse_of(leads: tuple[SampleLead, ...]) -> bytes:
    """The file, which tests ask for again and again and then change."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "warehouse.duckdb")
        _write(path, leads)
        return path.read_bytes()


def _write(path: Path, leads: Iterable[SampleLead]) -> None:
    with closing(connect_utc(path)) as connection:
        connection.execute(SCHEMA)
        session = Session(connection)
        fill_stages(session, load_stages(None))
        for lead in leads:
            key = f"{lead.account}:{lead.lead_id}"
            times = [datetime(2026, 1, day, 12, tzinfo=UTC) for day, _, _ in lead.stages]
            connection.execute(
                "insert into normalized.leads by name select $key as lead_key,"
                " $provider as provider, $account as account, $lead_id as lead_id,"
                " 'Ada' as full_name, $stage as stage, $provider_stage as provider_stage,"
                """ '{"a": 1}'::json as custom_fields, $created_at as created_at,"""
                " $updated_at as updated_at, $seen as first_seen_at, $seen as last_seen_at,"
                " $missing_since as missing_since",
                {
                    "key": key,
                    "provider": lead.provider,
                    "account": lead.account,
                    "lead_id": lead.lead_id,
                    "stage": lead.stages[-1][1],
                    "provider_stage": lead.stages[-1][2],
                    "created_at": times[0],
                    "updated_at": times[-1],
                    "seen": SEEN,
                    "missing_since": lead.missing_since,
                },
            )
            for number, (_, stage, provider_stage) in enumerate(lead.stages):
                is_current = number == len(times) - 1
                connection.execute(
                    "insert into normalized.lead_stage_history by name select $key as lead_key,"
                    " $provider as provider, $account as account, $lead_id as lead_id,"
                    " $number as stage_number, $stage as stage, $provider_stage as provider_stage,"
                    " $entered_at as entered_at, $entered_after as entered_after,"
                    " $exited_at as exited_at, $is_current as is_current, $evidence as evidence",
                    {
                        "key": key,
                        "provider": lead.provider,
                        "account": lead.account,
                        "lead_id": lead.lead_id,
                        "number": number + 1,
                        "stage": stage,
                        "provider_stage": provider_stage,
                        "entered_at": times[number],
                        "entered_after": times[max(number - 1, 0)],
                        "exited_at": None if is_current else times[number + 1],
                        "is_current": is_current,
                        "evidence": "observed" if number else "created",
                    },
                )
        # The same stages as the history's, whatever the mapping would say of them.
        connection.execute(
            "insert into normalized.mapped_stages by name select distinct history.account,"
            " history.provider, history.provider_status, history.provider_stage, history.stage,"
            " canonical.stage_order, canonical.is_terminal"
            " from normalized.lead_stage_history as history"
            " join normalized.canonical_stages as canonical using (stage)"
        )
