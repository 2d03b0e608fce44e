"""Each check of the normalized tables fails on what it is there for, and names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import duckdb
import pytest

from lead_pipeline.landing.commits import CommitRecord, save
from lead_pipeline.normalized.check_runner import run_checks
from lead_pipeline.normalized.checks import CHECKS, CheckOutcome
from lead_pipeline.normalized.ledger import all_records
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.normalized.session import Session
from lead_pipeline.normalized.step_runner import StepRunner
from lead_pipeline.normalized.steps import StepContext
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, lead_id, mega_lead, vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import POLL, CrawlPlan, Landing
from lead_pipeline_tests.pulling import at

KEY = f"vorel:{lead_id(1)}"


@pytest.fixture
def landing(settings: Settings) -> Landing:
    return Landing(settings)


@pytest.fixture
def session(landing: Landing) -> Iterator[Session]:
    """The tables of one lead that went from new to booked; all leads count as changed."""
    landing.leads("vorel", vorel_lead(1, at(1), at(1), status="new"))
    landing.leads("vorel", vorel_lead(1, at(1), at(2), status="booked"))
    load_landing(landing.settings)
    with closing(duckdb.connect(str(landing.settings.warehouse_path))) as connection:
        session = Session(connection)
        session.execute("create temp table changed_leads as select lead_key from normalized.leads")
        yield session


def failed(session: Session, landing: Landing) -> dict[str, CheckOutcome]:
    records = all_records(landing.settings.landing_path)
    outcomes = run_checks(StepRunner(session, ["changed_leads"]), StepContext(records=records))
    return {outcome.check.name: outcome for outcome in outcomes if outcome.failures}


def test_all_checks_pass_on_what_a_load_has_written(session: Session, landing: Landing) -> None:
    assert failed(session, landing) == {}


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        (
            "insert into normalized.lead_versions from normalized.lead_versions limit 1",
            {"version_key_is_unique"},
        ),
        (
            "insert into normalized.leads from normalized.leads",
            {"lead_key_is_unique"},
        ),
        ("delete from normalized.leads", {"lead_key_is_unique"}),
        (
            "delete from normalized.loaded_files where path like '%000001-000001%'",
            {"every_landed_file_is_loaded"},
        ),
        (
            "update normalized.lead_versions set updated_at = first_seen_at + interval 1 hour "
            "where provider_stage = 'booked'",
            {"no_version_is_newer_than_its_fetch"},
        ),
    ],
)
def test_a_check_fails_on_what_it_is_there_for(
    session: Session, landing: Landing, statement: str, names: set[str]
) -> None:
    session.execute(statement)
    assert failed(session, landing).keys() == names


def test_a_failure_names_the_lead_and_what_to_do(session: Session, landing: Landing) -> None:
    session.execute("delete from normalized.leads")
    message = failed(session, landing)["lead_key_is_unique"].message or ""
    assert KEY in message
    assert "lead-pipeline rebuild" in message


def test_a_few_minutes_between_clocks_are_no_failure(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1, at(1), POLL + timedelta(minutes=4)), at=POLL)
    result = load_landing(landing.settings)
    assert result.check("no_version_is_newer_than_its_fetch").failures == 0


def test_a_version_from_the_future_is_named_but_stops_nothing(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1, at(1), POLL + timedelta(days=400)), at=POLL)
    outcome = load_landing(landing.settings).check("no_version_is_newer_than_its_fetch")
    assert (outcome.examples, outcome.check.is_blocking) == ((KEY,), False)


def full_walk(landing: Landing, total: int | None, *numbers: int, name: str = "walk") -> None:
    records = [mega_lead(number, at(1)) for number in numbers]
    commit = landing.land(CrawlPlan(name, "mega", [records], is_full=True))
    save(landing.settings.landing_path, with_total(commit, total))


def with_total(commit: CommitRecord, total: int | None) -> CommitRecord:
    commit.total = total
    return commit


@pytest.mark.parametrize(
    ("total", "examples"),
    [(3, ("mega: 2 of 3 leads",)), (2, ()), (1, ()), (None, ())],
    ids=["fewer", "as many", "more", "not counted"],
)
def test_leads_are_counted_against_the_total_of_the_last_full_crawl(
    landing: Landing, total: int | None, examples: tuple[str, ...]
) -> None:
    full_walk(landing, total, 1, 2)
    result = load_landing(landing.settings)
    assert result.check("count_agrees_with_total").examples == examples


def test_leads_that_vanished_before_the_last_full_crawl_do_not_make_up_for_lost_ones(
    landing: Landing,
) -> None:
    landing.leads("mega", mega_lead(9, at(1)), at=POLL - timedelta(days=1))
    full_walk(landing, 3, 1, 2)
    result = load_landing(landing.settings)
    assert result.check("count_agrees_with_total").failures == 1


def test_leads_first_met_after_the_crawl_do_not_make_up_for_lost_ones(
    landing: Landing,
) -> None:
    full_walk(landing, 3, 1, 2)
    later = POLL + timedelta(hours=1)
    landing.leads("mega", mega_lead(9, later), at=later)
    result = load_landing(landing.settings)
    assert result.check("count_agrees_with_total").failures == 1


def test_a_count_that_no_provider_told_is_not_evaluated(landing: Landing) -> None:
    full_walk(landing, None, 1, 2)
    outcome = load_landing(landing.settings).check("count_agrees_with_total")
    assert (outcome.failures, outcome.is_evaluated) == (0, False)
    assert (outcome.message or "").startswith("not evaluated: no full crawl was told how many")
    full_walk(landing, 2, 1, 2, name="walk-2")
    outcome = load_landing(landing.settings).check("count_agrees_with_total")
    assert (outcome.looked_at, outcome.is_evaluated, outcome.message) == (1, True, None)


def test_without_an_audit_log_nothing_is_said_of_it(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1))
    outcome = load_landing(landing.settings).check("audit_log_agrees_with_versions")
    assert outcome.message == "not evaluated: no account's audit log has landed whole."


def test_a_load_of_nothing_evaluates_no_check(landing: Landing) -> None:
    outcomes = load_landing(landing.settings).checks
    assert [outcome.check.name for outcome in outcomes if outcome.is_evaluated] == []


def test_a_load_that_changes_no_lead_does_not_claim_to_have_looked_at_leads(
    landing: Landing,
) -> None:
    landing.leads("vorel", vorel_lead(1))
    first = load_landing(landing.settings).check("lead_key_is_unique")
    assert (first.looked_at, first.message) == (1, None)
    second = load_landing(landing.settings).check("lead_key_is_unique")
    assert second.message == "not evaluated: this load has changed no lead."


def test_checks_that_would_mislead_readers_stop_the_run() -> None:
    assert {check.name for check in CHECKS if check.is_blocking} == {
        "version_key_is_unique",
        "every_landed_file_is_loaded",
        "lead_key_is_unique",
    }


def test_no_message_holds_a_lead_s_personal_data(landing: Landing) -> None:
    landing.leads(
        "expert_ai_labs",
        expert_ai_labs_lead(1, at(1), POLL + timedelta(days=9), pipeline_stage="?", colour="red"),
    )
    messages = [o.message or "" for o in load_landing(landing.settings).checks]
    assert not any("sarah1@example.com" in text or "Mitchell" in text for text in messages)
