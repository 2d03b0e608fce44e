"""The code location: everything that exists, put together in one place.

    landing/<account>/<stream> ──▶ normalized/* ──▶ dbt models ──▶ bi/published

Tests and other code locations put resources of their own in place of those of the same key:
`load_definitions({"lead_settings": SettingsResource.of(home=…)})`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import dagster as dg

from lead_pipeline.orchestration.alert_sensors import build_alert_sensors
from lead_pipeline.orchestration.dbt_assets import build_dbt_assets
from lead_pipeline.orchestration.freshness_checks import (
    build_freshness_checks,
    build_freshness_sensor,
)
from lead_pipeline.orchestration.landing_assets import build_landing_assets, landing_keys
from lead_pipeline.orchestration.launcher import locked_in_process_executor
from lead_pipeline.orchestration.narrowing import account_of_process
from lead_pipeline.orchestration.normalized_assets import build_normalized_assets
from lead_pipeline.orchestration.partitions import daily_partitions
from lead_pipeline.orchestration.presentation import presented
from lead_pipeline.orchestration.publish_sensor import build_publish_job, build_publish_sensor
from lead_pipeline.orchestration.published_asset import build_published_asset
from lead_pipeline.orchestration.resources import ACCOUNTS, SETTINGS, surroundings_of
from lead_pipeline.orchestration.schedules import NIGHTLY_CRON, build_job, build_schedules
from lead_pipeline.storage.permissions import be_private

# Dagster's processes begin here: what they, Dagster and dbt write is for their user alone.
be_private()


@dg.definitions
def defs() -> dg.Definitions:
    """Assets of all declared accounts, the tables, the marts, the BI file, schedules, resources.

    In a process that only executes the run of one account, no other account's (`narrowing.py`).
    """
    # Not where it is defined: SQLAlchemy takes half a second to import.
    from lead_pipeline.orchestration.databases import reuse_engines

    reuse_engines()
    return load_definitions(only=account_of_process())


def load_definitions(
    resources: Mapping[str, Any] | None = None,
    nightly_cron: str = NIGHTLY_CRON,
    *,
    only: str | None = None,
) -> dg.Definitions:
    """The same, for those who do not ask through Dagster; `resources` win over ours, by key.

    With `only`, the name of an account, landing assets of no other account are made.
    """
    with warnings.catch_warnings():
        # Backfill policies and pools are beta in Dagster's words; the design builds on both, and
        # the pinned release has them.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return _assembled(resources or {}, nightly_cron, only)


def _assembled(given: Mapping[str, Any], nightly_cron: str, only: str | None) -> dg.Definitions:
    around = surroundings_of(given)
    settings = around.settings
    accounts = [account for account in around.accounts if only in (None, account.name)]
    lead_settings, lead_accounts = around.resources[SETTINGS], around.resources[ACCOUNTS]
    landing = build_landing_assets(accounts, daily_partitions(settings.start_date))
    normalized = build_normalized_assets([key for a in accounts for key in landing_keys(a)])
    models = build_dbt_assets(settings)
    published = build_published_asset(models.keys)
    job = build_job()
    publish_job = build_publish_job()
    deadline = timedelta(minutes=settings.publish_deadline_minutes)
    return dg.Definitions(
        assets=presented([*landing, normalized, models, published], accounts, settings),
        asset_checks=build_freshness_checks(accounts),
        jobs=[job, publish_job],
        schedules=build_schedules(job, lead_settings.load_refreshed, accounts, nightly_cron),
        sensors=[
            build_publish_sensor(publish_job, deadline),
            *build_alert_sensors(lead_settings),
            build_freshness_sensor(lead_settings, lead_accounts),
        ],
        resources=around.resources,
        executor=locked_in_process_executor,
    )
