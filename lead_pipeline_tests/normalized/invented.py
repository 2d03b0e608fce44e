"""Two invented providers whose APIs tell changes of stage and status, each in its own way.

    journal   records, and beside them an audit log of stages and statuses
    pipes     records with whole numbers as ids, each of which carries its history

Here: their folders, their records, and having them registered for a test. Not here: what tests
expect of the tables.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.resources.abc import Traversable
from pathlib import Path

import httpx
import msgspec

from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import (
    Account,
    Identity,
    Landed,
    Provider,
    PullRequest,
    Stream,
    Walk,
)
from lead_pipeline.providers.fields import parse_epoch_milliseconds, read_identity
from lead_pipeline.sandbox.messages import Record
from lead_pipeline_tests.pulling import changed

LEADS = """
select
    * exclude (payload),
    null::varchar as tenant_id,
    payload ->> '$.name' as full_name,
    null::varchar as email,
    null::varchar as phone,
    null::varchar as company,
    null::varchar as source,
    null::varchar as source_type,
    payload ->> '$.status' as provider_status,
    payload ->> '$.stage' as provider_stage,
    payload ->> '$.stage_id' as provider_stage_id,
    payload ->> '$.stage_name' as provider_stage_name,
    null::double as score,
    null::boolean as is_qualified,
    null::varchar as owner_id,
    null::varchar as owner_name,
    null::varchar as owner_role,
    null::varchar as intent,
    null::varchar as timeline,
    null::varchar as budget_range,
    null::varchar as pain_points,
    null::varchar as ai_reasoning,
    null::varchar as industry,
    null::varchar as company_size,
    null::varchar as conversation_id,
    null::bigint as interaction_count,
    null::varchar as last_interaction_at,
    null::varchar as qualification_completed_at,
    null::json as custom_fields,
    true as has_details
from landed
"""
OF_LOG = """
select
    account || ':' || (payload ->> '$.lead') as lead_key,
    record_id as event_id,
    updated_at as occurred_at,
    payload ->> '$.field' as field,
    payload ->> '$.from' as from_value,
    payload ->> '$.to' as to_value,
    (payload -> '$.is_first')::boolean as is_first
from landed
"""
OF_RECORD = """
with entries as (
    select
        account || ':' || record_id as lead_key,
        crawl_id,
        page,
        unnest(json_transform(payload -> '$.history',
            '[{"field": "VARCHAR", "value": "VARCHAR", "at": "BIGINT"}]')) as entry
    from landed
)
select
    lead_key,
    entry.field || ' ' || entry.at as event_id,
    make_timestamptz(1000 * entry.at) as occurred_at,
    entry.field as field,
    lag(entry.value) over of_field as from_value,
    entry.value as to_value,
    row_number() over of_field = 1 as is_first
from entries
window of_field as (partition by lead_key, crawl_id, page, entry.field order by entry.at)
"""
STAGES = "field,value,stage\nstage,incoming,new\nstage,demo,qualified\nstatus,won,won\n"


class Invented(Provider):
    """What both have in common; the files of its folder are written by the test."""

    default_base_url = "https://crm.example.com"
    credentials = ()
    documented_limits = ()

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def folder(self) -> Traversable:
        return self._folder

    def authentication(self, account: Account) -> httpx.Auth:
        raise NotImplementedError

    def walk(self, stream: str, pull: PullRequest, landed: Landed) -> Walk:
        raise NotImplementedError

    def identity(self, stream: str, record: msgspec.Raw) -> Identity:
        return read_identity(
            record,
            updated_at="at",
            created_at="created",
            read_time=parse_epoch_milliseconds,
            integer_ids=True,
        )


class Journal(Invented):
    """Records, and an audit log of their stages and statuses."""

    slug = "journal"
    title = "Journal"
    streams = (
        Stream("log", "events", "Changes."),
        Stream("people", "records", "People.", after=("log",)),
    )


class Pipes(Invented):
    """Records that carry their history."""

    slug = "pipes"
    title = "Pipes"
    streams = (Stream("people", "records", "People.", has_stage_history=True),)


@contextmanager
def invented_providers(folder: Path) -> Iterator[None]:
    """Both are registered for the block."""
    with changed(PROVIDERS, "_found", dict(PROVIDERS)):
        for kind, changes in ((Journal, OF_LOG), (Pipes, OF_RECORD)):
            files = folder / kind.slug
            files.mkdir(parents=True)
            (files / "leads.sql").write_text(LEADS, "utf-8")
            (files / "stage_events.sql").write_text(changes, "utf-8")
            (files / "stages.csv").write_text(STAGES, "utf-8")
            header = "stream,field,type,values,stage_field,column\n"
            (files / "contract.csv").write_text(header, "utf-8")
            PROVIDERS.register(kind(files))
        yield


Entry = tuple[str, str | None, datetime]
"""Field, value, and since when."""


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def person(
    number: int,
    updated_at: datetime,
    stage: str | None,
    status: str | None = None,
    *,
    created_at: datetime,
    **fields: object,
) -> Record:
    """A lead in this state."""
    return {
        "id": number,
        "at": milliseconds(updated_at),
        "created": milliseconds(created_at),
        "name": "Ada",
        "stage": stage,
        "status": status,
        **fields,
    }


def with_history(
    number: int, updated_at: datetime, entries: Sequence[Entry], **fields: object
) -> Record:
    """A lead that carries its whole history, created with its first entry, in the last state."""
    latest = {field: value for field, value, moment in sorted(entries, key=lambda e: e[2])}
    created_at = min(moment for _, _, moment in entries)
    history = [
        {"field": field, "value": value, "at": milliseconds(moment)}
        for field, value, moment in entries
    ]
    return person(
        number,
        updated_at,
        latest.get("stage"),
        latest.get("status"),
        created_at=created_at,
        history=history,
        **fields,
    )


_numbers = itertools.count(1)


def logged(
    lead: int,
    moment: datetime,
    field: str,
    before: str | None,
    after: str | None,
    *,
    is_first: bool = False,
) -> Record:
    """An entry of the audit log."""
    return {
        "id": next(_numbers),
        "at": milliseconds(moment),
        "created": milliseconds(moment),
        "lead": lead,
        "field": field,
        "from": before,
        "to": after,
        "is_first": is_first,
    }
