"""Landing as Dagster sees it: partitions, metadata, and a run that comes back for its quota."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from lead_pipeline.definitions import defs
from lead_pipeline.landing.progress import Progress, subscribed
from lead_pipeline.orchestration.landing_assets import REJECTED_CHECK, landing_key
from lead_pipeline.orchestration.runner import PipelineRunner
from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import Fault, Sandbox
from lead_pipeline_tests.commands import instance_of
from lead_pipeline_tests.pulling import account_of, at, commits, put_leads, settings_in

DAYS = (date(2026, 1, 1), date(2026, 1, 3))


def test_run_that_would_wait_too_long_comes_back_and_goes_on_from_its_place(
    limited: Sandbox, home: Path
) -> None:
    account: Account = account_of(limited, "mega")
    told: list[Progress] = []
    with instance_of(home) as instance, subscribed(lambda progress: told.append(progress)):
        outcome = PipelineRunner(defs(), instance).land(account, *DAYS)
        rows = {
            record.partition_key: record.asset_materialization.metadata["rows"].value
            for record in instance.fetch_materializations(
                landing_key("mega", "leads"), limit=10
            ).records
            if record.asset_materialization is not None
        }
    assert outcome.failure is None
    [commit] = commits(settings_in(home), "mega")
    assert (commit.state, commit.pages, commit.requests, commit.resumed) == ("complete", 3, 3, 1)
    assert [request.status for request in limited.mega.requests] == [200, 200, 200]
    assert any("comes back by itself" in progress.message for progress in told)
    assert rows == {"2026-01-01": 0, "2026-01-02": 201, "2026-01-03": 0}


@pytest.mark.parametrize(
    ("leads", "evaluated", "description"),
    [(0, False, "not evaluated: no record came."), (2, True, None)],
)
def test_that_every_record_could_be_filed_is_said_only_where_one_came(
    sandbox: Sandbox,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    leads: int,
    evaluated: bool,
    description: str | None,
) -> None:
    for name, value in {**sandbox.environment(), "LEAD_PIPELINE_HOME": str(home)}.items():
        monkeypatch.setenv(name, value)
    put_leads(sandbox, "mega", leads, at(1, 12))
    key = dg.AssetCheckKey(landing_key("mega", "leads"), REJECTED_CHECK)
    with instance_of(home) as instance:
        PipelineRunner(defs(), instance).land(account_of(sandbox, "mega"), *DAYS)
        [record] = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert record.evaluation is not None
    assert record.evaluation.passed
    assert record.evaluation.metadata["evaluated"].value is evaluated
    assert record.evaluation.description == description


def test_log_lines_of_a_crawl_are_in_the_log_of_its_run(
    sandbox: Sandbox, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**sandbox.environment(), "LEAD_PIPELINE_HOME": str(home)}.items():
        monkeypatch.setenv(name, value)
    put_leads(sandbox, "mega", 2, at(1, 12))
    with instance_of(home) as instance:
        outcome = PipelineRunner(defs(), instance).land(account_of(sandbox, "mega"), *DAYS)
        messages = [event.user_message for event in instance.all_logs(outcome.run_id)]
    [commit] = commits(settings_in(home), "mega")
    about = f'account=mega stream=leads window="{commit.updated_window}" crawl={commit.crawl_id}'
    assert f"crawl begins {about} run={outcome.run_id}" in messages
    assert any(text.startswith(f"crawl ended {about} state=complete rows=2 ") for text in messages)


@pytest.fixture
def wrong_tenant_event(sandbox: Sandbox, home: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Three leads that changed, and an event of another tenant in the audit log."""
    put_leads(sandbox, "expert_ai_labs", 3, at(1, 12))
    for lead in list(sandbox.expert_ai_labs.store):
        sandbox.expert_ai_labs.store.update(lead["id"], {"pipeline_stage": "qualified"}, at(2, 12))
    sandbox.expert_ai_labs.faults.add(Fault("foreign_tenant", at=1, path_contains="audit-log"))
    for name, value in {**sandbox.environment(), "LEAD_PIPELINE_HOME": str(home)}.items():
        monkeypatch.setenv(name, value)
    return sandbox


def test_event_of_another_tenant_fails_the_run_after_every_stream_of_the_account_has_landed(
    wrong_tenant_event: Sandbox, home: Path
) -> None:
    account = account_of(wrong_tenant_event, "expert_ai_labs")
    with instance_of(home) as instance:
        outcome = PipelineRunner(defs(), instance).land(account, *DAYS)
    assert outcome.failure is not None
    assert outcome.failure.startswith(
        "expert_ai_labs: records of another tenant were rejected (1 of lead_events)"
    )
    landed = {commit.stream: commit.records for commit in commits(settings_in(home), account.name)}
    assert landed == {"lead_events": 3, "leads": 3, "lead_details": 3}
