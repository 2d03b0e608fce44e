"""What must hold before readers get a build.

That dbt's tests have passed, the candidate's own `meta.build` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path

import duckdb

from lead_pipeline.bi.builds import LEAD_TABLES, Build, leads_by_account, missing_by_account
from lead_pipeline.bi.candidate import offered
from lead_pipeline.bi.masking import follows_present_rules, mask_of, masking_key_id_in
from lead_pipeline.errors import PublishError
from lead_pipeline.landing.doubt import FEW
from lead_pipeline.settings import Settings
from lead_pipeline.storage.permissions import Readers, readers_of

REQUIRED_TABLES = (
    "normalized.leads",
    "normalized.lead_stage_history",
    "marts.cohort_conversion",
    "marts.days",
    "marts.funnel_by_cohort",
    "marts.lead_changes",
    "marts.lead_daily_history",
    "marts.lead_day_segments",
    "marts.lead_facts",
    "marts.metrics_daily",
    "marts.owner_performance",
    "marts.people",
    "marts.period_comparison",
    "marts.person_links",
    "marts.sla_breaches",
    "marts.source_performance",
    "marts.speed_to_lead",
    "marts.stage_funnel_daily",
    "marts.stage_velocity",
    "marts.stage_visits",
    "marts.stages",
    "marts.stale_leads",
    "marts.target_progress",
    "meta.build",
    "meta.calendar",
    "meta.coverage",
    "meta.masking",
)
"""What a file must hold to be worth publishing. `meta.build` says that its tests passed."""


@dataclass(frozen=True)
class PublishRules:
    """What one publication may do."""

    max_row_count_drop_percent: float = 20
    """How many percent of an account's leads it may take away from readers."""
    allow_row_count_drop: bool = False
    """Whether a greater loss is meant, this once."""
    allow_missing: bool = False
    """Whether it is meant, this once, that more leads than that are no longer shown."""
    retained_builds: int = 3
    """Of how many days the last published file stays for a rollback."""
    masking_key_id: str | None = None
    """The key that the build must be masked with; None: it must not be masked."""
    readers: Readers | None = None
    """The group that may read what is published; None: the user of the pipeline alone."""


def rules_of(
    settings: Settings, *, allow_row_count_drop: bool = False, allow_missing: bool = False
) -> PublishRules:
    """The rules as the settings have them."""
    mask = mask_of(settings)
    return PublishRules(
        max_row_count_drop_percent=settings.max_row_count_drop_percent,
        allow_row_count_drop=allow_row_count_drop,
        allow_missing=allow_missing,
        retained_builds=settings.retained_builds,
        masking_key_id=mask.key_id if mask else None,
        readers=readers_of(settings),
    )


@dataclass(frozen=True)
class Loss:
    """Leads that an account would lose in a table."""

    table: str
    account: str
    before: int
    after: int

    @property
    def percent(self) -> float:
        """How much of what was there is lost; below zero where leads were added."""
        return 100 * (self.before - self.after) / self.before

    def __str__(self) -> str:
        lost = self.before - self.after
        return f"{self.account} {lost:,} of {self.before:,} in {self.table} ({self.percent:.0f} %)"


@dataclass(frozen=True)
class Vanishing:
    """Leads of an account that the build marks as missing and that readers have as present."""

    account: str
    present: int
    missing: int

    @property
    def percent(self) -> float:
        """How much of what is there would be missing."""
        return 100 * self.missing / self.present

    def __str__(self) -> str:
        return f"{self.account} {self.missing:,} of {self.present:,} ({self.percent:.0f} %)"


def check_candidate(
    connection: duckdb.DuckDBPyConnection,
    candidate: Path,
    published: Path,
    before: Build | None,
    rules: PublishRules,
) -> None:
    """Raise `PublishError` unless readers, who have `before` at `published`, may get the candidate."""
    found = {f"{schema}.{table}" for schema, table in offered(connection)}
    if missing := [table for table in REQUIRED_TABLES if table not in found]:
        raise PublishError(
            f"The build at {candidate} lacks {', '.join(missing)}, so it is unfinished or failed "
            "its tests. Run the dbt models again and fix what they report."
        )
    is_masked_as_said = masking_key_id_in(connection) == rules.masking_key_id
    if not is_masked_as_said or not follows_present_rules(connection):
        raise PublishError(
            f"The build at {candidate} is not masked as LEAD_PIPELINE_MASKING, its key and "
            "lead_pipeline/bi/masking.csv say now. Build it again: lead-pipeline publish."
        )
    if rules.allow_row_count_drop:
        return
    if before is None:
        # Somebody has it open for writing, or it is damaged: nothing to compare with, but no
        # reason to take all leads away.
        if published.exists() and connection.table("normalized.leads").shape[0] == 0:
            raise PublishError(
                f"The build at {candidate} has no leads, and {published} cannot be read to compare "
                f"it with. It stays. {_REMEDY}"
            )
        return
    if losses := losses_of(
        before.leads, leads_by_account(connection), rules.max_row_count_drop_percent
    ):
        raise PublishError(
            f"The build at {candidate} would take leads away from readers: "
            f"{', '.join(str(loss) for loss in losses)}. LEAD_PIPELINE_MAX_ROW_COUNT_DROP_PERCENT is "
            f"{rules.max_row_count_drop_percent:g}; {published} stays. {_REMEDY}"
        )
    if rules.allow_missing:
        return
    if vanished := vanishings_of(before, missing_by_account(connection), rules):
        raise PublishError(
            f"The build at {candidate} marks leads as missing that readers have as present: "
            f"{', '.join(str(account) for account in vanished)}. "
            f"LEAD_PIPELINE_MAX_ROW_COUNT_DROP_PERCENT is {rules.max_row_count_drop_percent:g}; {published} "
            "stays. Ask the provider whether they were deleted; if it is meant: lead-pipeline "
            "publish --allow-row-count-drop."
        )


_REMEDY = (
    "Look for the loss with lead-pipeline status, or build the warehouse again with lead-pipeline "
    "rebuild; if it is meant: lead-pipeline publish --allow-row-count-drop."
)


@dataclass(frozen=True)
class Floor:
    """How far an account may fall before a build is refused."""

    account: str
    leads: int
    """What readers have."""
    fewest: int
    """With fewer leads a build is refused."""
    most_missing: int
    """With more newly missing leads a build is refused."""


def floors_of(before: Build, rules: PublishRules) -> list[Floor]:
    """What the next build is compared with, by account."""
    return [
        Floor(account, leads, *_bounds(leads, before.missing[account], rules))
        for (table, account), leads in sorted(before.leads.items())
        if table == LEAD_TABLES[0]
    ]


def _bounds(leads: int, missing: int, rules: PublishRules) -> tuple[int, int]:
    share = rules.max_row_count_drop_percent / 100
    fewest = max(1, ceil(leads * (1 - share) - 1e-9))
    return fewest, max(FEW, floor((leads - missing) * share + 1e-9))


def losses_of(
    before: Mapping[tuple[str, str], int], after: Mapping[tuple[str, str], int], max_percent: float
) -> list[Loss]:
    """The accounts that lose more than `max_percent` of their leads, or all of them.

    No account over the limit means that the sum is not over it either.
    """
    return [loss for loss in _losses(before, after) if not loss.after or loss.percent > max_percent]


def vanishings_of(
    before: Build, missing: Mapping[str, int], rules: PublishRules
) -> list[Vanishing]:
    """The accounts of which more leads are newly missing than the limit, and than a handful."""
    found = [
        Vanishing(account, leads - before.missing[account], now - before.missing[account])
        for (table, account), leads in before.leads.items()
        if table == LEAD_TABLES[0] and (now := missing.get(account, 0)) > before.missing[account]
    ]
    return [
        account
        for account in found
        if account.missing > FEW and account.percent > rules.max_row_count_drop_percent
    ]


def _losses(
    before: Mapping[tuple[str, str], int], after: Mapping[tuple[str, str], int]
) -> Iterator[Loss]:
    """Each account in each table, the marts only where they differ from the normalized leads."""
    loaded, reported = LEAD_TABLES
    for (table, account), count in before.items():
        loss = Loss(table, account, count, after.get((table, account), 0))
        same = (before.get((loaded, account)), after.get((loaded, account), 0))
        if table != reported or same != (loss.before, loss.after):
            yield loss
