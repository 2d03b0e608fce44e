"""Whether data is as fresh as it should be by now, told by the data's own time.

    commit records ──▶ complete_through of an account ─┐
    bi/leads.duckdb ──▶ meta.publish ──────────────────┴──▶ before what is due? ──▶ asset checks

A check passes or fails by how far data is complete, never by when something ran: a backfill of old
days turns none green. Checks are evaluated after the runs of their assets, by themselves in a moment,
and by a sensor, which reports them without any run. Belongs here: checks and their words. Does not
belong here: what is due (`health/freshness.py`).
"""

# No postponed annotations: Dagster reads which arguments are resources from them.
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)

from lead_pipeline.accounts import Accounts, UnusableAccount
from lead_pipeline.health.freshness import due_until, is_late
from lead_pipeline.health.published import published_state
from lead_pipeline.landing.commits import commit_records
from lead_pipeline.landing.coverage import coverage_of, proven_windows
from lead_pipeline.orchestration.landing_assets import landing_key
from lead_pipeline.orchestration.published_asset import KEY as PUBLISHED
from lead_pipeline.orchestration.resources import AccountsResource, SettingsResource
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Account
from lead_pipeline.settings import Settings
from lead_pipeline.windows import ONE_DAY, day_start

CHECK = "data_is_fresh"
SENSOR = "freshness_sensor"
SECONDS_BETWEEN_LOOKS = 600
TOLERATED = ONE_DAY
"""Later than this, so by more than one night, is an error; a night that failed is a warning."""

Now = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Freshness:
    """How far the data of an asset is complete, and how far it should be."""

    asset: dg.AssetKey
    through: Mapping[str, datetime | None]
    """By account; None: nothing is complete."""
    due: datetime
    remedy: str
    is_due: bool
    """Whether a day is due at all: not before the first one has passed."""

    @property
    def check(self) -> dg.AssetCheckKey:
        """The check that tells it."""
        return dg.AssetCheckKey(self.asset, CHECK)

    @property
    def late(self) -> dict[str, datetime | None]:
        """The accounts whose data ends before what is due, and where."""
        if not self.is_due:
            return {}
        return {name: end for name, end in self.through.items() if is_late(end, self.due)}

    @property
    def severity(self) -> dg.AssetCheckSeverity:
        """An error where more than a night is missing."""
        ends = self.late.values()
        is_grave = any(end is None or end + TOLERATED < self.due for end in ends)
        return dg.AssetCheckSeverity.ERROR if is_grave else dg.AssetCheckSeverity.WARN

    @property
    def description(self) -> str:
        """Until when data is complete, since when it is late, and what to do."""
        if not self.is_due:
            return "not evaluated: no day is due yet."
        if not self.through:
            return "not evaluated: no account is declared."
        if not self.late:
            return f"Complete through {_said(min(_known(self.through)))}; due is {_said(self.due)}."
        ends = "; ".join(
            f"{name}: complete through {_said(end)}" if end else f"{name}: nothing is complete"
            for name, end in sorted(self.late.items())
        )
        return f"{ends}. Due is {_said(self.due)}. {self.remedy}"

    @property
    def metadata(self) -> dict[str, dg.MetadataValue]:
        """The same as values."""
        ends = {
            f"complete_through/{name}": dg.MetadataValue.timestamp(end)
            for name, end in self.through.items()
            if end is not None
        }
        evaluated = dg.MetadataValue.bool(self.is_due and bool(self.through))
        return {"due_until": dg.MetadataValue.timestamp(self.due), "evaluated": evaluated, **ends}


def landing_freshness(
    settings: Settings, account: Account | UnusableAccount, now: datetime
) -> Freshness:
    """How far the account has landed."""
    proven = proven_windows(commit_records(settings.landing_path, account.name))
    end = coverage_of(account.name, account.provider, proven).complete_through
    remedy = f"lead-pipeline run --account {account.name}"
    if isinstance(account, UnusableAccount):
        remedy = f"First {account.reason} Then: {remedy}"
    return _freshness(settings, _records_key(account), {account.name: end}, now, remedy)


def published_freshness(settings: Settings, accounts: Accounts, now: datetime) -> Freshness:
    """How far readers have the declared accounts."""
    published = published_state(settings.published_path)
    ends = {
        account.name: None if published is None else published.through(account.name)
        for account in accounts.declared
    }
    remedy = "What has landed comes with: lead-pipeline publish; the rest with: lead-pipeline run"
    return _freshness(settings, PUBLISHED, ends, now, remedy)


def build_freshness_checks(
    accounts: Sequence[Account | UnusableAccount], now: Now = _now
) -> list[dg.AssetChecksDefinition]:
    """One check per account, on its records, and one on the published file."""
    return [
        *(_landing_check(account.name, account.provider, now) for account in accounts),
        _published_check(now),
    ]


def _landing_check(name: str, provider: str, now: Now) -> dg.AssetChecksDefinition:
    key = landing_key(name, PROVIDERS[provider].records_stream.name)

    @dg.asset_check(
        asset=key,
        name=CHECK,
        description="The account is complete through the last day that is due (06:00 UTC of the next).",
    )
    def data_is_fresh(
        lead_settings: SettingsResource, lead_accounts: AccountsResource
    ) -> dg.AssetCheckResult:
        settings = lead_settings.load_refreshed()
        declared = {item.name: item for item in lead_accounts.load(settings).declared}
        if name not in declared:
            return dg.AssetCheckResult(
                passed=True, description="not evaluated: the account is declared no longer."
            )
        return _result(landing_freshness(settings, declared[name], now()))

    return data_is_fresh


def _published_check(now: Now) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=PUBLISHED,
        name=CHECK,
        description="Readers have every declared account through the last day that is due.",
    )
    def data_is_fresh(
        lead_settings: SettingsResource, lead_accounts: AccountsResource
    ) -> dg.AssetCheckResult:
        settings = lead_settings.load()
        return _result(published_freshness(settings, lead_accounts.load(settings), now()))

    return data_is_fresh


def build_freshness_sensor(
    lead_settings: SettingsResource, lead_accounts: AccountsResource, now: Now = _now
) -> dg.SensorDefinition:
    """Reports what the checks would say wherever that is not what stands there."""

    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        settings = lead_settings.load_refreshed()
        accounts = lead_accounts.load(settings)
        moment = now()
        found = [landing_freshness(settings, item, moment) for item in accounts.declared]
        found.append(published_freshness(settings, accounts, moment))
        records = context.instance.event_log_storage.get_latest_asset_check_execution_by_key(
            [item.check for item in found]
        )
        news = [item for item in found if _is_news(context.instance, item, records.get(item.check))]
        if not news:
            return dg.SkipReason("Nothing has changed.")
        return dg.SensorResult(
            asset_events=[_evaluation(item) for item in news],
            skip_reason=f"Reported {len(news)} checks; no run is started.",
        )

    return dg.SensorDefinition(
        name=SENSOR,
        evaluation_fn=look,
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            f"Evaluates the checks {CHECK} by how far data is complete, when days become due and "
            "when data arrives. Starts no run."
        ),
    )


def _freshness(
    settings: Settings,
    asset: dg.AssetKey,
    through: Mapping[str, datetime | None],
    now: datetime,
    remedy: str,
) -> Freshness:
    due = due_until(now)
    return Freshness(asset, through, due, remedy, is_due=due > day_start(settings.start_date))


def _records_key(account: Account | UnusableAccount) -> dg.AssetKey:
    return landing_key(account.name, PROVIDERS[account.provider].records_stream.name)


def _result(found: Freshness) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not found.late,
        severity=found.severity,
        description=found.description,
        metadata=found.metadata,
    )


def _evaluation(found: Freshness) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=found.asset,
        check_name=CHECK,
        passed=not found.late,
        severity=found.severity,
        description=found.description,
        metadata=found.metadata,
    )


def _is_news(
    instance: dg.DagsterInstance, found: Freshness, last: AssetCheckExecutionRecord | None
) -> bool:
    """Whether something else stands there. A run that is under way evaluates the check itself."""
    if last is None:
        return True
    if last.status is AssetCheckExecutionRecordStatus.PLANNED:
        # Its run has failed before the check, or will come to it.
        run = instance.get_run_by_id(last.run_id)
        return run is None or run.is_finished
    return last.evaluation is None or last.evaluation.description != found.description


def _known(ends: Mapping[str, datetime | None]) -> list[datetime]:
    return [end for end in ends.values() if end is not None]


def _said(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}Z"
