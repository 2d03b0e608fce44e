"""What tests of pulling share: accounts of a sandbox, quick retries, leads to put, what landed.

Here: plain functions, also for property tests, which cannot use fixtures per example. Not
here: fixtures (`conftest`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow.parquet as pq

from lead_pipeline.landing.commits import CommitRecord, LandedFile
from lead_pipeline.landing.crawl import FlushPolicy
from lead_pipeline.landing.progress import Progress
from lead_pipeline.landing.pull import PullOptions, pull_stream
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Account
from lead_pipeline.providers.http import RetryPolicy
from lead_pipeline.providers.transport import Timeouts
from lead_pipeline.sandbox import ApiServer, Sandbox
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, mega_lead, vorel_lead
from lead_pipeline.sandbox.messages import Record
from lead_pipeline.settings import Settings
from lead_pipeline.windows import UpdatedWindow, window_of_days

SLUGS = ("mega", "expert_ai_labs", "vorel")
START_DATE = date(2026, 1, 1)
PAGE_SIZES = {"mega": 100, "expert_ai_labs": 200, "vorel": 100}
MAKE_LEAD: Mapping[str, Callable[..., Record]] = {
    "mega": mega_lead,
    "expert_ai_labs": expert_ai_labs_lead,
    "vorel": vorel_lead,
}
QUICK_RETRY = RetryPolicy(attempts=4, first_backoff=0.001, longest_backoff=0.002)
QUICK_TIMEOUTS = Timeouts(connect=2.0, read=2.0, total=5.0)
QUICK = PullOptions(retry=QUICK_RETRY, timeouts=QUICK_TIMEOUTS)
"""As in production, but without waiting long before asking again."""
EACH_PAGE = PullOptions(retry=QUICK_RETRY, timeouts=QUICK_TIMEOUTS, flush=FlushPolicy(pages=1))
"""Each page becomes a Parquet file at once."""


def at(day: int, hour: int = 0, minute: int = 0, second: int = 0, ms: int = 0) -> datetime:
    """A time in January 2026, UTC."""
    return datetime(2026, 1, day, hour, minute, second, ms * 1000, UTC)


def days(first: int, last: int | None = None) -> UpdatedWindow:
    """The window of the partitions of these days of January 2026; day 1 takes everything."""
    return window_of_days(date(2026, 1, first), date(2026, 1, last or first), START_DATE)


def settings_in(home: Path, **fields: Any) -> Settings:
    """Settings that write below `home`, whatever the environment says."""
    return Settings(**{"home": home, "start_date": START_DATE, **fields})


def account_of(sandbox: Sandbox, provider: str, name: str | None = None) -> Account:
    """The account of `provider` with the credentials that the sandbox takes."""
    variables, prefix = sandbox.environment(), provider.upper()
    fields = [credential.name for credential in PROVIDERS[provider].credentials]
    names = {field: f"{prefix}_{field.upper()}" for field in fields}
    return Account(
        name=name or provider,
        provider=provider,
        base_url=variables[f"{prefix}_BASE_URL"],
        credentials={field: variables[variable] for field, variable in names.items()},
        credential_names=tuple(names.values()),
    )


def with_options(account: Account, **options: int | None) -> Account:
    """The account with these of its provider's options set."""
    return dataclasses.replace(account, options={**account.options, **options})


def server_of(sandbox: Sandbox, provider: str) -> ApiServer[Any]:
    """The server that imitates `provider`."""
    server: ApiServer[Any] = getattr(sandbox, provider)
    return server


@contextmanager
def changed(owner: object, name: str, value: object) -> Iterator[None]:
    """`owner.name` is `value` for the block."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def pull(
    settings: Settings,
    account: Account,
    window: UpdatedWindow,
    stream: str | None = None,
    *,
    full: bool = False,
    accept_doubtful: bool = False,
    options: PullOptions = QUICK,
    run_id: str | None = None,
    told: list[str] | None = None,
) -> CommitRecord:
    """Pull one stream, as a run does, with quick retries; the list of leads where none is named.

    `told` takes every message.
    """

    def listener(progress: Progress) -> None:
        if told is not None:
            told.append(progress.message)

    return pull_stream(
        settings,
        account,
        stream or PROVIDERS[account.provider].records_stream.name,
        window,
        full=full,
        accept_doubtful=accept_doubtful,
        options=options,
        dagster_run_id=run_id,
        listener=listener,
    )


def pull_all(
    settings: Settings, account: Account, window: UpdatedWindow, *, full: bool = False
) -> list[CommitRecord]:
    """Pull every stream of the account, in order, as a run of the daily job does."""
    return [
        pull(settings, account, window, stream.name, full=full)
        for stream in PROVIDERS[account.provider].streams
    ]


def landed(settings: Settings, account: str, stream: str | None = None) -> list[dict[str, Any]]:
    """Every row of the Parquet files that commit records list, ordered by record and time.

    Of the list of leads where no stream is named.
    """

    def is_wanted(record: CommitRecord) -> bool:
        return record.stream == (stream or PROVIDERS[record.provider].records_stream.name)

    return _rows(settings, account, lambda record: record.files if is_wanted(record) else [])


def landed_ids(settings: Settings, account: str, stream: str | None = None) -> list[str]:
    """The ids of the landed records, repeated where a record landed more than once."""
    return [row["record_id"] for row in landed(settings, account, stream)]


def landed_states(
    settings: Settings, account: str, stream: str | None = None
) -> dict[str, datetime]:
    """The newest landed `updated_at` of each record."""
    return {row["record_id"]: row["updated_at"] for row in landed(settings, account, stream)}


def stored_states(sandbox: Sandbox, provider: str) -> dict[str, datetime]:
    """The `updated_at` of each lead that the API holds."""
    return {
        record["id"]: datetime.fromisoformat(record["updated_at"])
        for record in server_of(sandbox, provider).store
    }


def put_leads(
    sandbox: Sandbox, provider: str, count: int, moment: datetime, first: int = 0
) -> None:
    """Put `count` leads created a second apart from `moment` on, numbered from `first` on."""
    make = MAKE_LEAD[provider]
    server_of(sandbox, provider).store.put_all(
        make(number, moment + timedelta(seconds=number)) for number in range(first, first + count)
    )


def rejected(settings: Settings, account: str) -> list[dict[str, Any]]:
    """Every rejected record, with its reason and payload."""
    return _rows(settings, account, lambda record: record.rejected_files)


def commits(settings: Settings, account: str) -> list[CommitRecord]:
    """The account's commit records, oldest first."""
    folder = settings.landing_path / account / "_crawls"
    return [
        msgspec.json.decode(path.read_bytes(), type=CommitRecord)
        for path in sorted(folder.glob("*.json"))
    ]


def _rows(
    settings: Settings, account: str, files_of: Callable[[CommitRecord], Iterable[LandedFile]]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for record in commits(settings, account):
        for file in files_of(record):
            # Opened by hand: a path with date=… would add a column of that name.
            with (settings.landing_path / file.path).open("rb") as source:
                rows += pq.read_table(source).to_pylist()
    return sorted(
        rows, key=lambda row: (row.get("record_id") or "", str(row.get("updated_at")), row["page"])
    )


@dataclass(frozen=True)
class TableLead:
    """What a test compares of a row of `normalized.leads`."""

    lead_id: str
    updated_at: datetime
    email: str | None


def loaded_leads(settings: Settings) -> list[TableLead]:
    """Load all that has landed, and read `normalized.leads`, ordered by lead."""
    load_landing(settings)
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        rows = connection.execute(
            "select lead_id, updated_at, email from normalized.leads order by account, lead_id"
        ).fetchall()
    return [TableLead(row[0], row[1].astimezone(UTC), row[2]) for row in rows]


def stored_leads(sandbox: Sandbox, provider: str) -> list[TableLead]:
    """What the API holds, in the form of `loaded_leads`: the tables that are right."""
    email = "contact_email" if provider == "mega" else "email"
    return sorted(
        (
            TableLead(record["id"], datetime.fromisoformat(record["updated_at"]), record[email])
            for record in server_of(sandbox, provider).store
        ),
        key=lambda lead: lead.lead_id,
    )
