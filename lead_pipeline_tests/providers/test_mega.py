"""MEGA: a night's crawl reads on to its own start, a backfill of long ago stops at its end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import Sandbox
from lead_pipeline.sandbox.examples import lead_id
from lead_pipeline.settings import Settings
from lead_pipeline.windows import ONE_DAY, window_of_days
from lead_pipeline_tests.pulling import days, landed_ids, pull, put_leads


def test_a_night_brings_what_was_updated_after_its_window_too(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    now = datetime.now(UTC)
    put_leads(sandbox, "mega", 1, now - timedelta(minutes=1), first=7)
    yesterday = now.date() - ONE_DAY
    commit = pull(settings, accounts["mega"], window_of_days(yesterday, yesterday, yesterday))
    assert landed_ids(settings, "mega") == [lead_id(7)]
    assert commit.reads_to_start
    assert commit.unchanged_until == commit.served_from


def test_a_backfill_of_long_ago_does_not_say_what_has_not_changed_since(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    commit = pull(settings, accounts["mega"], days(2))
    assert not commit.reads_to_start
    assert commit.unchanged_until == days(2).end
