"""What the schedules ask for: days from the first gap, polls where they are cheap, no run twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.tags import SCHEDULE_NAME_TAG

from lead_pipeline.definitions import defs
from lead_pipeline.sandbox import Sandbox
from lead_pipeline.windows import UpdatedWindow
from lead_pipeline_tests.commands import instance_of
from lead_pipeline_tests.orchestration.evaluating import evaluated, selected
from lead_pipeline_tests.pulling import (
    account_of,
    at,
    commits,
    days,
    pull_all,
    put_leads,
    settings_in,
)

PROVIDERS = ("expert_ai_labs", "mega", "vorel")
NIGHT = datetime(2026, 1, 15, 2, 30, tzinfo=UTC)


@pytest.fixture
def accounts(sandbox: Sandbox, home: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Three accounts in an empty home."""
    for name, value in {**sandbox.environment(), "LEAD_PIPELINE_HOME": str(home)}.items():
        monkeypatch.setenv(name, value)
    return sandbox


def land(sandbox: Sandbox, home: Path, provider: str, window: UpdatedWindow) -> None:
    pull_all(settings_in(home), account_of(sandbox, provider), window)


def asked(requests: list[dg.RunRequest]) -> dict[str, tuple[str, str]]:
    """The first and the last day that each account is asked for."""
    found = {}
    for request in requests:
        days_asked = request.partition_key_range
        key = request.partition_key or ""
        found[request.tags["lead_pipeline/account"]] = (
            (key, key) if days_asked is None else (days_asked.start, days_asked.end)
        )
    return found


@pytest.mark.usefixtures("accounts")
def test_first_night_asks_for_every_day_since_the_first_partition() -> None:
    requests = evaluated(defs(), "daily_leads_schedule", NIGHT)
    assert asked(requests) == dict.fromkeys(PROVIDERS, ("2026-01-01", "2026-01-14"))


def test_night_asks_each_account_from_its_own_first_gap(accounts: Sandbox, home: Path) -> None:
    land(accounts, home, "mega", days(1, 13))
    land(accounts, home, "vorel", days(1, 6))
    requests = evaluated(defs(), "daily_leads_schedule", NIGHT)
    assert asked(requests) == {
        "expert_ai_labs": ("2026-01-01", "2026-01-14"),
        "mega": ("2026-01-14", "2026-01-14"),
        "vorel": ("2026-01-07", "2026-01-14"),
    }


def test_night_asks_again_for_yesterday_where_nothing_is_open(
    accounts: Sandbox, home: Path
) -> None:
    land(accounts, home, "mega", days(1, 14))
    requests = evaluated(defs(), "daily_leads_schedule", NIGHT)
    assert asked(requests)["mega"] == ("2026-01-14", "2026-01-14")


@pytest.mark.usefixtures("accounts")
@pytest.mark.parametrize(
    "schedule",
    [
        "daily_leads_schedule",
        "intraday_leads_schedule",
        "weekly_full_leads_schedule",
    ],
)
def test_runs_of_the_schedules_only_land_one_account_each(schedule: str) -> None:
    requests = evaluated(defs(), schedule, NIGHT)
    assert [
        (r.tags["lead_pipeline/account"], {key.path[1] for key in r.asset_selection or []})
        for r in requests
    ] == [(name, {name}) for name in PROVIDERS]
    assert {path for r in requests for path in selected(r) if not path.startswith("landing/")} == (
        set()
    )


@contextmanager
def run_of(
    home: Path, schedule: str, account: str, status: dg.DagsterRunStatus
) -> Iterator[dg.DagsterInstance]:
    """An instance in which the last run of the schedule for the account has that status."""
    tags = {SCHEDULE_NAME_TAG: schedule, "lead_pipeline/account": account}
    with instance_of(home) as instance:
        job = defs().resolve_job_def("daily_leads")
        instance.create_run_for_job(job, status=status, tags=tags)
        yield instance


@pytest.mark.usefixtures("accounts")
def test_account_whose_last_night_is_still_under_way_is_not_asked_again(home: Path) -> None:
    schedule = "daily_leads_schedule"
    with run_of(home, schedule, "mega", dg.DagsterRunStatus.STARTED) as instance:
        requests = evaluated(defs(), schedule, NIGHT, instance)
    assert set(asked(requests)) == {"expert_ai_labs", "vorel"}


@pytest.mark.usefixtures("accounts")
def test_account_whose_last_night_has_failed_is_asked_again(home: Path) -> None:
    schedule = "daily_leads_schedule"
    with run_of(home, schedule, "mega", dg.DagsterRunStatus.FAILURE) as instance:
        requests = evaluated(defs(), schedule, NIGHT, instance)
    assert set(asked(requests)) == set(PROVIDERS)


POLL = datetime(2026, 1, 14, 10, 5, tzinfo=UTC)


@pytest.fixture
def landed_through_yesterday(accounts: Sandbox, home: Path) -> Sandbox:
    """Three accounts, complete until the 14th begins."""
    for provider in PROVIDERS:
        put_leads(accounts, provider, 3, at(2))
        land(accounts, home, provider, days(1, 13))
    return accounts


@pytest.mark.usefixtures("landed_through_yesterday")
def test_polls_ask_for_today_where_that_is_cheap() -> None:
    requests = evaluated(defs(), "hourly_polls_schedule", POLL)
    assert asked(requests) == dict.fromkeys(("expert_ai_labs", "mega"), ("2026-01-14",) * 2)


@pytest.mark.usefixtures("landed_through_yesterday")
def test_polls_do_not_ask_for_a_publication() -> None:
    requests = evaluated(defs(), "hourly_polls_schedule", POLL)
    assert [r.tags.get("lead_pipeline/publish") for r in requests] == [None, None]


@pytest.mark.usefixtures("landed_through_yesterday")
def test_whole_lists_are_polled_when_the_setting_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOREL_HOURLY_POLLS", "1")
    monkeypatch.setenv("MEGA_HOURLY_POLLS", "0")
    requests = evaluated(defs(), "hourly_polls_schedule", POLL)
    assert set(asked(requests)) == {"expert_ai_labs", "vorel"}


@pytest.mark.usefixtures("accounts")
def test_account_without_a_first_night_is_not_polled() -> None:
    assert evaluated(defs(), "hourly_polls_schedule", POLL) == []


@pytest.mark.parametrize(
    ("provider", "costs"),
    [
        pytest.param("mega", ["/api/agents/crm/leads"], id="one page of changes"),
        pytest.param(
            "expert_ai_labs",
            ["/api/v1/health", "/api/v1/audit-log", "/api/v1/leads", "/api/v1/leads/{id}"],
            id="the audit log, new leads, the one that changed",
        ),
    ],
)
def test_poll_lands_what_has_changed_and_costs_little(
    provider: str, costs: list[str], landed_through_yesterday: Sandbox, home: Path
) -> None:
    server = getattr(landed_through_yesterday, provider)
    lead = next(iter(server.store))
    if provider == "mega":
        server.store.put(lead | {"score": 99, "updated_at": "2026-01-14T09:30:00.000Z"})
    else:
        server.store.update(lead["id"], {"pipeline_stage": "qualified"}, at(14, 9, 30))
    server.requests.clear()
    requests = evaluated(defs(), "hourly_polls_schedule", POLL)
    [of_account] = (r for r in requests if r.tags["lead_pipeline/account"] == provider)
    with instance_of(home) as instance:
        result = (
            defs()
            .resolve_job_def("daily_leads")
            .execute_in_process(
                instance=instance,
                asset_selection=list(of_account.asset_selection or []),
                partition_key=of_account.partition_key,
                run_config=of_account.run_config,
            )
        )
    assert result.success
    paths = [request.path.replace(lead["id"], "{id}") for request in server.requests]
    assert paths == costs
    landed = [c for c in commits(settings_in(home), provider) if c.window.start == at(14)]
    assert max(commit.records for commit in landed) == 1
