"""Large landings for benchmarks, written by DuckDB instead of by crawls.

As many phone numbers, addresses and notes as leads. Belongs here: landed files and commit records as
a crawl of MEGA would have left them. Does not belong here: what is measured with them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from lead_pipeline.landing.commits import CommitRecord, LandedFile, Window, save

START = datetime(2026, 1, 1, tzinfo=UTC)
ROUND = timedelta(days=2)
"""Each lead changes once in a round, so a version number tells the round."""
GROUP_ROWS = 10_000
"""Rows of a row group at most, as a crawl writes them."""

VERSIONS = """
copy (
    with versions as (
        select
            lead,
            round,
            lead * 7919 % 2 as day,
            uuid_v5(lead) as id,
            $start::timestamptz + to_seconds(lead % 86400) as created_at,
            $start::timestamptz
            + to_days((round * 2 + day)::integer)
            + to_seconds(lead % 86400) as updated_at
        from range($first_lead, $last_lead, $step) as leads(lead), range($first, $last) as rounds(round)
    )
    select
        'mega' as provider,
        'mega' as account,
        'leads' as stream,
        id as record_id,
        updated_at,
        created_at,
        '{"id":"' || id || '","customer_id":"3188627d-cd76-5390-a107-c7320562d96f",'
        || '"contact_name":"Jane Buyer ' || lead || '","contact_phone":"+1 (' || (201 + lead // 8000000)
        || ') ' || (200 + lead // 10000 % 800) || '-' || lpad((lead % 10000)::varchar, 4, '0')
        || '","contact_email":"Jane.' || lead || '@Example' || lead % 997 || '.com",'
        || '"source_platform":"' || ['referral', 'facebook', 'google', 'web'][1 + lead % 4]
        || '","source_type":"form","status":"active","score":' || (lead + round * 7) % 100
        || ',"qualified":null,"current_stage":{"id":"730ff175-49db-59a0-955c-f6595c4b37be","slug":"'
        || ['new', 'contacted', 'qualified', 'booked'][1 + round % 4]
        || '","name":"Stage","color":"#22c55e"},'
        || '"owner":{"id":"' || uuid_v5(lead % 40) || '","name":"Agent ' || lead % 40
        || '","role_name":"Closer"},"last_interaction_at":"' || text_time(updated_at)
        || '","interaction_count":' || round
        || ',"created_at":"' || text_time(created_at) || '","updated_at":"' || text_time(updated_at)
        || '","custom_fields":{"lead_line":"buyer","budget":"' || lead * 37 % 900000
        || '","notes":"Asked for a call about listing ' || lead * 7919 % 1000003
        || ', prefers mornings."}}' as payload,
        updated_at + interval 1 hour as fetched_at,
        $crawl_id as crawl_id,
        (row_number() over () // 100 + 1)::integer as page,
        strftime(updated_at, '%Y-%m-%d') as date
    from versions
    -- As an API lists them: in no order of ours.
    order by hash(lead, round)
) to '{folder}' (
    format parquet, partition_by (date), compression zstd, row_group_size {rows},
    filename_pattern '{crawl_id}-{i}', overwrite_or_ignore
)
"""
MACROS = """
set TimeZone = 'UTC';
create macro uuid_v5(number) as format('00000000-0000-4000-8000-{:012x}', number);
create macro text_time(moment) as strftime(moment, '%Y-%m-%dT%H:%M:%S.%gZ');
"""


def land_versions(landing: Path, leads: range, rounds: range, *, crawl: int = 1) -> int:
    """Land one version per lead and round, as one complete crawl; the rows are returned."""
    crawl_id = f"20260101T000000{crawl:06d}Z-leads-00000000"
    folder = landing / "mega" / "leads"
    folder.mkdir(parents=True, exist_ok=True)
    statement = (
        VERSIONS.replace("{folder}", str(folder))
        .replace("{rows}", str(GROUP_ROWS))
        .replace("{crawl_id}", crawl_id)
    )
    with duckdb.connect() as connection:
        connection.execute(MACROS)
        connection.execute(
            statement,
            {
                "start": START,
                "first_lead": leads.start,
                "last_lead": leads.stop,
                "step": leads.step,
                "first": rounds.start,
                "last": rounds.stop,
                "crawl_id": crawl_id,
            },
        )
    end = START + rounds.stop * ROUND + timedelta(days=1)
    files = [
        LandedFile(
            path.relative_to(landing).as_posix(),
            pq.read_metadata(path).num_rows,
            path.stat().st_size,
        )
        for path in sorted(folder.glob(f"*/{crawl_id}*"))
    ]
    save(
        landing,
        CommitRecord(
            crawl_id=crawl_id,
            account="mega",
            provider="mega",
            stream="leads",
            window=Window(None if crawl == 1 else START, end),
            started_at=end,
            finished_at=end + timedelta(hours=1),
            state="complete",
            complete=True,
            files=files,
            records=sum(file.rows for file in files),
        ),
    )
    return sum(file.rows for file in files)
