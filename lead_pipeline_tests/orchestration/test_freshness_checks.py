"""Freshness by the data's own time: what the checks say, alone, after runs, and by the sensor."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from lead_pipeline import definitions
from lead_pipeline.accounts import load_accounts
from lead_pipeline.health.findings import find
from lead_pipeline.orchestration.freshness_checks import (
    Freshness,
    build_freshness_sensor,
    landing_freshness,
    published_freshness,
)
from lead_pipeline.orchestration.resources import AccountsResource, SettingsResource
from lead_pipeline.settings import Settings
from lead_pipeline_tests.alerts.healthy import told
from lead_pipeline_tests.commands import instance_of
from lead_pipeline_tests.health.situations import land, publish
from lead_pipeline_tests.pulling import at, settings_in

NOON = at(5, 12)
LANDING = dg.AssetKey(["landing", "acme", "leads"])
PUBLISHED = dg.AssetKey(["bi", "published"])


@pytest.fixture
def acme(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home with the account acme, which everything reads from the environment."""
    settings = told(home)
    monkeypatch.setenv("LEAD_PIPELINE_HOME", str(home))
    monkeypatch.setenv("LEAD_PIPELINE_ACCOUNTS", str(settings.accounts))
    return settings


def landed(settings: Settings, now: datetime = NOON) -> Freshness:
    [account] = load_accounts(settings).declared
    return landing_freshness(settings, account, now)


def published(settings: Settings, now: datetime = NOON) -> Freshness:
    return published_freshness(settings, load_accounts(settings), now)


def test_complete_data_passes_and_says_through_when(acme: Settings) -> None:
    land(acme, None, 4)
    publish(acme, at(5))
    for found in (landed(acme), published(acme)):
        assert found.late == {}
        assert found.description == (
            "Complete through 2026-01-05 00:00Z; due is 2026-01-05 00:00Z."
        )


def test_night_that_is_missing_is_a_warning_with_the_command(acme: Settings) -> None:
    land(acme, None, 3)
    found = landed(acme)
    assert found.severity is dg.AssetCheckSeverity.WARN
    assert found.description == (
        "acme: complete through 2026-01-04 00:00Z. Due is 2026-01-05 00:00Z. "
        "lead-pipeline run --account acme"
    )


def test_more_than_a_night_is_an_error(acme: Settings) -> None:
    land(acme, None, 2)
    assert landed(acme).severity is dg.AssetCheckSeverity.ERROR


def test_account_that_has_never_landed_is_an_error(acme: Settings) -> None:
    found = landed(acme)
    assert (found.late, found.severity) == ({"acme": None}, dg.AssetCheckSeverity.ERROR)
    assert found.description.startswith("acme: nothing is complete. Due is ")


def test_backfill_of_old_days_turns_nothing_green(acme: Settings) -> None:
    land(acme, None, 2)
    publish(acme, at(3))
    land(acme, 1, 1, started_at=at(5, 11), crawl_id="20260105T110000000000Z-leads-00000000")
    publish(acme, at(3))
    assert landed(acme).late == {"acme": at(3)}
    assert published(acme).late == {"acme": at(3)}


def test_readers_are_late_although_all_has_landed(acme: Settings) -> None:
    land(acme, None, 4)
    publish(acme, at(4))
    assert landed(acme).late == {}
    found = published(acme)
    assert found.late == {"acme": at(4)}
    assert "lead-pipeline publish" in found.description


def test_nothing_is_evaluated_before_the_first_day_is_due(acme: Settings) -> None:
    found = landed(acme, now=at(2, 5))
    assert found.late == {}
    assert found.description == "not evaluated: no day is due yet."
    assert found.metadata["evaluated"] == dg.MetadataValue.bool(False)


def test_without_a_declared_account_nothing_is_evaluated(home: Path) -> None:
    found = published(settings_in(home))
    assert found.description == "not evaluated: no account is declared."


@pytest.mark.parametrize("hours", [0, 5, 6, 12, 30, 54])
@pytest.mark.parametrize("last", [1, 2, 3, 4])
def test_check_fails_exactly_where_status_finds_stale_data(
    acme: Settings, hours: int, last: int
) -> None:
    land(acme, None, last)
    publish(acme, at(last + 1))
    now = at(4) + timedelta(hours=hours)
    found = find(acme, load_accounts(acme), now)
    is_stale = any(item.kind == "stale" for item in found)
    assert bool(landed(acme, now).late) == is_stale
    assert bool(published(acme, now).late) == is_stale


@pytest.fixture
def instance(acme: Settings) -> Iterator[dg.DagsterInstance]:
    with instance_of(acme.home) as opened:
        yield opened


def evaluations(instance: dg.DagsterInstance, key: dg.AssetKey) -> list[dg.AssetCheckEvaluation]:
    """What was reported of the check, the newest first."""
    history = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(key, "data_is_fresh"), limit=20
    )
    return [record.evaluation for record in history if record.evaluation is not None]


def test_check_alone_asks_nobody_and_builds_nothing(
    acme: Settings, instance: dg.DagsterInstance
) -> None:
    land(acme, None, 2)
    keys = [dg.AssetCheckKey(key, "data_is_fresh") for key in (LANDING, PUBLISHED)]
    job = dg.define_asset_job("only_checks", dg.AssetSelection.checks(*keys))
    loaded = dg.Definitions.merge(definitions.load_definitions(), dg.Definitions(jobs=[job]))
    result = loaded.resolve_job_def("only_checks").execute_in_process(instance=instance)

    assert result.success
    assert {event.step_key for event in result.all_events if event.is_step_success} == {
        "landing__acme__leads_data_is_fresh",
        "bi__published_data_is_fresh",
    }
    assert [evaluations(instance, key)[0].passed for key in (LANDING, PUBLISHED)] == [False, False]
    assert not acme.warehouse_path.exists()
    assert not acme.published_path.exists()


class Daemon:
    """Evaluates the sensor, and reports what it says, with a clock of its own."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.now = NOON
        self._instance = instance
        self._sensor = build_freshness_sensor(
            SettingsResource.from_environment(),
            AccountsResource.from_environment(settings),
            lambda: self.now,
        )

    def tick(self) -> list[tuple[str, bool]]:
        """The checks that were reported, and whether they passed."""
        with dg.build_sensor_context(instance=self._instance) as context:
            data = self._sensor.evaluate_tick(context)
        assert data.run_requests == []
        told = [event for event in data.asset_events if isinstance(event, dg.AssetCheckEvaluation)]
        for event in told:
            self._instance.report_runless_asset_event(event)
        return [(event.asset_key.to_user_string(), event.passed) for event in told]


def test_sensor_reports_checks_without_a_run_whenever_they_change(
    acme: Settings, instance: dg.DagsterInstance
) -> None:
    land(acme, None, 4)
    publish(acme, at(5))
    daemon = Daemon(acme, instance)
    assert daemon.tick() == [("landing/acme/leads", True), ("bi/published", True)]
    assert daemon.tick() == []
    # Nothing has run, and a day has become due.
    daemon.now = at(6, 6)
    assert daemon.tick() == [("landing/acme/leads", False), ("bi/published", False)]
    assert [told.passed for told in evaluations(instance, PUBLISHED)] == [False, True]
    assert instance.get_runs_count() == 0


def test_check_that_a_failed_run_did_not_come_to_is_reported_by_the_sensor(
    acme: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(acme, None, 4)
    publish(acme, at(5))
    daemon = Daemon(acme, instance)
    daemon.tick()
    assert acme.accounts is not None
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    unreachable = f'{acme.accounts.read_text()}base_url = "http://127.0.0.1:9"\n'
    acme.accounts.write_text(unreachable)
    result = (
        definitions.load_definitions()
        .resolve_job_def("daily_leads")
        .execute_in_process(
            instance=instance,
            asset_selection=[LANDING],
            partition_key="2026-01-04",
            raise_on_error=False,
        )
    )
    assert not result.success
    assert daemon.tick() == [("landing/acme/leads", True)]
    assert daemon.tick() == []


def test_code_location_reports_freshness_from_the_start(acme: Settings) -> None:
    del acme
    sensor = definitions.load_definitions().resolve_sensor_def("freshness_sensor")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
