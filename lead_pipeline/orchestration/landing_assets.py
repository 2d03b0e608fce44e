"""Landing as Dagster assets: `landing/<account>/<stream>`, one per stream of each account.

partition or range of partitions ──▶ one crawl ──▶ one materialization per partition
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import dagster as dg

from lead_pipeline.accounts import UnusableAccount
from lead_pipeline.errors import (
    LeadPipelineError,
    QuotaExhausted,
    RetryableError,
    WrongTenant,
)
from lead_pipeline.landing.columns import RECORD_COLUMNS
from lead_pipeline.landing.commits import (
    CommitRecord,
    commit_records,
    crawls_folder,
    load_commit,
)
from lead_pipeline.landing.landed import LandedRecords
from lead_pipeline.landing.progress import LogListener, Progress
from lead_pipeline.lineage.events import Table
from lead_pipeline.orchestration.failures import failure_from, told_without_values
from lead_pipeline.orchestration.lineage import lineage_of
from lead_pipeline.orchestration.resources import (
    AccountsResource,
    SettingsResource,
    with_default_resources,
)
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Account, Stream
from lead_pipeline.settings import Settings
from lead_pipeline.windows import UpdatedWindow, window_of_days

GROUP = "landing"
MAX_QUOTA_RETURNS = 48
"""How often a run comes back for its quota before it fails; with hourly limits, two days."""
LANDS_TAG = "lead_pipeline/lands"
"""The tag of steps that land an account: what follows them does not depend on their success."""
REJECTED_CHECK = "no_rejected_records"

_COLUMNS = dg.TableSchema(
    [dg.TableColumn(column.name, column.type, description=column.text) for column in RECORD_COLUMNS]
)


class PullConfig(dg.Config):
    """How to pull."""

    accept_doubtful: bool = False
    """Believe a crawl although far less comes than in those before it."""
    full: bool = False
    """Read everything that exists, whatever the partitions: shows which leads have vanished."""
    poll_since: str | None = None
    """Only ask what has changed since this moment (ISO 8601, UTC), and leave the rest to the night."""

    def window(self, days: Sequence[date], start_date: date) -> UpdatedWindow:
        """What to ask for: the partitions `days`, or from `poll_since` through the last of them."""
        window = window_of_days(days[0], days[-1], start_date)
        if self.poll_since is None:
            return window
        return UpdatedWindow(datetime.fromisoformat(self.poll_since), window.end)


def landing_key(account: str, stream: str) -> dg.AssetKey:
    """The asset of a stream of an account."""
    return dg.AssetKey(["landing", account, stream])


def landing_keys(account: Account | UnusableAccount) -> list[dg.AssetKey]:
    """The landing assets of an account, in the order they are pulled."""
    return [landing_key(account.name, s.name) for s in PROVIDERS[account.provider].streams]


def polled_keys(account: Account) -> list[dg.AssetKey]:
    """Those of the landing assets that show changes."""
    streams = PROVIDERS[account.provider].polled_streams
    return [landing_key(account.name, stream.name) for stream in streams]


def pull_run_config(landing: Sequence[dg.AssetKey], **config: Any) -> dict[str, object]:
    """Run configuration of the landing assets: those fields of `PullConfig` that are set."""
    chosen = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in config.items()
        if value
    }
    return {"ops": {"__".join(key.path): {"config": chosen} for key in landing}} if chosen else {}


def build_landing_assets(
    accounts: Sequence[Account | UnusableAccount], partitions: dg.DailyPartitionsDefinition
) -> list[dg.AssetsDefinition]:
    """One asset per account and stream. Only names are kept; secrets are read when it runs."""
    return [
        _landing_asset(account.name, account.provider, stream, partitions)
        for account in accounts
        for stream in PROVIDERS[account.provider].streams
    ]


def _landing_asset(
    account_name: str, provider_slug: str, stream: Stream, partitions: dg.DailyPartitionsDefinition
) -> dg.AssetsDefinition:
    key = landing_key(account_name, stream.name)

    @dg.asset(
        key=key,
        description=f"{PROVIDERS[provider_slug].title}: {stream.description}",
        deps=[landing_key(account_name, before) for before in stream.after],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=GROUP,
        # One request quota per account, so one crawl at a time.
        pool=account_name,
        op_tags={LANDS_TAG: account_name},
        # The graph shows only the last part of a key: the account tells one `leads` from another.
        kinds={"parquet", account_name},
        metadata={"dagster/column_schema": _COLUMNS},
        check_specs=[
            dg.AssetCheckSpec(
                REJECTED_CHECK, asset=key, description="Every record that came could be filed."
            )
        ],
    )
    def land(
        context: dg.AssetExecutionContext,
        config: PullConfig,
        lead_settings: SettingsResource,
        lead_accounts: AccountsResource,
    ) -> Iterator[Any]:
        started = time.monotonic()
        streamed = Table(
            "/".join(key.path), {column.name: column.type for column in RECORD_COLUMNS}
        )
        source = Table(f"{provider_slug}/{account_name}/{stream.name}")
        with _failures():
            lineage = lineage_of(context, lead_settings)
            with lineage.telling(streamed.name, [source], [streamed]) as done:
                settings, commit = _pull(
                    context, config, lead_settings, lead_accounts, account_name, stream.name
                )
                done.outputs = (replace(streamed, rows=commit.records),)
        yield from _results(context, key, settings, commit, time.monotonic() - started)
        if _is_last_of_account(context, account_name, provider_slug, stream):
            _refuse_wrong_tenants(context, settings, account_name)

    return with_default_resources(land)


@contextmanager
def _failures() -> Iterator[None]:
    """Turn errors of the block into what Dagster should do about them."""
    try:
        with told_without_values():
            yield
    except RetryableError as error:
        raise failure_from(error, allow_retries=True) from None
    except LeadPipelineError as error:
        raise failure_from(error) from None


def _pull(
    context: dg.AssetExecutionContext,
    config: PullConfig,
    lead_settings: SettingsResource,
    lead_accounts: AccountsResource,
    account_name: str,
    stream: str,
) -> tuple[Settings, CommitRecord]:
    """Pull the run's partitions; returns the settings that counted, and what came of it.

    Comes back whenever the quota refills only after the longest single wait. The wait is here and
    not a retry of Dagster's, which hears no Ctrl-C while it sleeps. The account's lock is free
    meanwhile. Settings and secrets are read again each time.
    """
    # Arrow comes with it, which definitions do without.
    from lead_pipeline.landing.pull import pull_stream

    days = sorted(date.fromisoformat(key) for key in context.partition_keys)
    listener = LogListener(context.log.info)

    def tell(message: str) -> None:
        listener(Progress(account_name, stream, 0, 0, None, None, message, is_news=True))

    for returns in range(MAX_QUOTA_RETURNS + 1):
        settings = lead_settings.load()
        try:
            return settings, pull_stream(
                settings,
                lead_accounts.load(settings).named(account_name),
                stream,
                config.window(days, settings.start_date),
                full=config.full,
                is_poll=config.poll_since is not None,
                accept_doubtful=config.accept_doubtful,
                dagster_run_id=context.run.run_id,
                listener=listener,
            )
        except WrongTenant as error:
            # The rest of this stream has landed, and the account's other streams shall too.
            tell(str(error))
            crawls = crawls_folder(settings.landing_path, account_name)
            return settings, load_commit(crawls, error.crawl_id)
        except QuotaExhausted as error:
            if returns == MAX_QUOTA_RETURNS:
                raise
            tell(f"{error} The run comes back by itself.")
            time.sleep(error.seconds + 1)
    raise AssertionError("the last return pulls or raises")


def _is_last_of_account(
    context: dg.AssetExecutionContext, account_name: str, provider_slug: str, stream: Stream
) -> bool:
    """Whether no other stream of the account is pulled after this one in the run."""
    selected = context.run.asset_selection
    pulled = [
        other.name
        for other in PROVIDERS[provider_slug].streams
        if not selected or landing_key(account_name, other.name) in selected
    ]
    return not pulled or pulled[-1] == stream.name


def _refuse_wrong_tenants(
    context: dg.AssetExecutionContext, settings: Settings, account_name: str
) -> None:
    """Fail the run, now that all else of the account has landed, for another tenant's records."""
    wrong = {
        commit.stream: commit.wrong_tenant
        for commit in commit_records(settings.landing_path, account_name)
        if commit.dagster_run_id == context.run.run_id and commit.wrong_tenant
    }
    if wrong:
        streams = ", ".join(f"{count:,} of {stream}" for stream, count in wrong.items())
        raise dg.Failure(
            f"{account_name}: records of another tenant were rejected ({streams}), all others "
            "landed. Tell the provider, and check that the account's credentials belong together.",
            allow_retries=False,
        )


def _results(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    settings: Settings,
    commit: CommitRecord,
    seconds: float,
) -> Iterator[Any]:
    for day in context.partition_keys:
        rows = _rows_of_day(commit, day, context.partition_keys[-1])
        context.add_asset_metadata({"rows": rows}, asset_key=key, partition_key=day)
    yield dg.MaterializeResult(asset_key=key, metadata=_metadata(settings, commit, seconds))
    yield dg.AssetCheckResult(
        asset_key=key,
        check_name=REJECTED_CHECK,
        passed=not commit.rejected,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"rejected": commit.rejected, "evaluated": _came(commit) > 0},
        description=_said_of_rejected(commit),
    )


def _came(commit: CommitRecord) -> int:
    """Records that came, filed or not."""
    return commit.seen + commit.rejected


def _said_of_rejected(commit: CommitRecord) -> str | None:
    """What was rejected, or that nothing came that could have been; None: all was filed."""
    if commit.rejected:
        return (
            f"{commit.rejected:,} records could not be filed. They are kept with the reason; "
            "`lead-pipeline status` shows them."
        )
    return None if _came(commit) else "not evaluated: no record came."


def _rows_of_day(commit: CommitRecord, day: str, last: str) -> int:
    """A cohort is what it is now, whatever days are asked for: all of it counts to the last one."""
    if PROVIDERS[commit.provider].stream(commit.stream).kind == "cohort":
        return commit.records if day == last else 0
    return commit.rows_by_date.get(day, 0)


def _metadata(settings: Settings, commit: CommitRecord, seconds: float) -> dict[str, Any]:
    """What a materialization says of its crawl. Rows in all; each partition has its own count."""
    metadata: dict[str, Any] = {
        "rows_in_crawl": commit.records,
        "pages": commit.pages,
        "requests": commit.requests,
        "retries": commit.retries,
        "bytes": commit.bytes,
        "files": len(commit.files),
        "window": str(commit.updated_window),
        "crawl_id": commit.crawl_id,
        "rejected": commit.rejected,
        "overlap_records": commit.overlap_records,
        "late_arrivals": commit.late_arrivals,
        "quota_waits": len(commit.quota_waits),
        "quota_wait_seconds": round(sum(wait.seconds for wait in commit.quota_waits), 1),
        "complete_through": dg.MetadataValue.timestamp(commit.proven_until),
        "duration_seconds": round(seconds, 2),
        "preview": _preview(commit),
    }
    if commit.note:
        metadata["note"] = commit.note
    if commit.record_ids:
        # What the budget left for later runs.
        landed = LandedRecords(settings.landing_path, commit.account, PROVIDERS[commit.provider])
        metadata["pending_details"] = len(landed.leads_without_details())
    return metadata


def _preview(commit: CommitRecord) -> dg.TableMetadataValue:
    """The days with the most rows. Records themselves hold personal data."""
    rows = sorted(commit.rows_by_date.items(), key=lambda item: -item[1])[:5]
    schema = dg.TableSchema([dg.TableColumn("date", "string"), dg.TableColumn("rows", "int")])
    records = [dg.TableRecord({"date": day, "rows": count}) for day, count in sorted(rows)]
    return dg.MetadataValue.table(records, schema)
