"""What counts as wrong: told from commit records, rejected files and the published file."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from lead_pipeline.accounts import Accounts, UnusableAccount
from lead_pipeline.health.findings import KINDS, Finding, find
from lead_pipeline.health.freshness import due_until
from lead_pipeline.landing.commits import Window
from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox.examples import vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline.storage.locks import held
from lead_pipeline_tests.health.situations import ACME, land, publish
from lead_pipeline_tests.normalized.landings import CrawlPlan, Landing
from lead_pipeline_tests.pulling import at, settings_in
from lead_pipeline_tests.sample_warehouse import SampleLead

DECLARED = Accounts((ACME,))
NOON = at(5, 12)
"""The night after the 4th is over: everything through the 4th is due."""


def kinds(settings: Settings, accounts: Accounts = DECLARED, now: datetime = NOON) -> list[str]:
    return [finding.kind for finding in find(settings, accounts, now)]


def only(settings: Settings, kind: str, accounts: Accounts = DECLARED) -> Finding:
    [finding] = [found for found in find(settings, accounts, NOON) if found.kind == kind]
    return finding


def test_all_is_well_once_every_due_day_is_complete_and_published(settings: Settings) -> None:
    land(settings, None, 4)
    publish(settings, at(5))
    assert find(settings, DECLARED, NOON) == []


def test_every_kind_of_finding_has_its_name_and_one_sentence() -> None:
    names = "damaged gap stale own-models rejected unmapped doubtful missing-account unfinished"
    assert [kind.name for kind in KINDS] == names.split()
    assert all(kind.help.endswith(".") and kind.help.count(". ") == 0 for kind in KINDS)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (at(5, 0, 0), at(4)),
        (at(5, 2, 30), at(4)),
        (at(5, 5, 59, 59), at(4)),
        (at(5, 6, 0), at(5)),
        (at(5, 23, 59), at(5)),
        (datetime(2026, 1, 5, 20, tzinfo=UTC).astimezone(), at(5)),
    ],
)
def test_a_day_is_due_at_six_of_the_next(now: datetime, due: datetime) -> None:
    assert due_until(now) == due


def test_a_night_that_is_still_under_way_is_no_finding(settings: Settings) -> None:
    land(settings, None, 4)
    publish(settings, at(5))
    assert kinds(settings, now=at(6, 5)) == []
    assert kinds(settings, now=at(6, 6)) == ["gap", "stale"]


def test_a_missed_day_says_since_when_and_the_command_that_brings_it(settings: Settings) -> None:
    land(settings, None, 2)
    publish(settings, at(3))
    assert find(settings, DECLARED, NOON) == [
        Finding(
            "gap",
            "acme",
            "Days from 2026-01-03 are not complete.",
            at(3),
            "They come with the next run, or with: lead-pipeline run --account acme "
            "--from 2026-01-03",
        ),
        Finding(
            "stale",
            "acme",
            "The data is complete through 2026-01-03 00:00Z; by now it should be through "
            "2026-01-05 00:00Z.",
            at(3),
            "lead-pipeline run --account acme; lead-pipeline check says whether the key works.",
        ),
    ]


def test_a_backfill_of_old_days_makes_nothing_fresh(settings: Settings) -> None:
    land(settings, None, 2)
    publish(settings, at(3))
    land(settings, 1, 1, started_at=at(5, 11), crawl_id="20260105T110000000000Z-leads-00000000")
    assert kinds(settings) == ["gap", "stale"]


def test_days_behind_a_hole_make_nothing_fresh(settings: Settings) -> None:
    land(settings, None, 2)
    land(settings, 4, 4)
    publish(settings, at(3))
    assert only(settings, "stale").since == at(3)
    assert only(settings, "gap").since == at(3)


def test_a_declared_account_that_never_landed_anything_is_a_gap(settings: Settings) -> None:
    assert find(settings, DECLARED, NOON) == [
        Finding(
            "gap",
            "acme",
            "The account is declared, and nothing of it has landed.",
            at(1),
            "They come with the next run, or with: lead-pipeline run --account acme "
            "--from 2026-01-01",
        )
    ]


def test_nothing_is_due_before_the_first_day_has_passed(home: Path) -> None:
    assert kinds(settings_in(home, start_date=date(2026, 1, 5))) == []


def test_an_account_that_is_declared_no_longer_is_not_asked_for(settings: Settings) -> None:
    land(settings, None, 2)
    publish(settings, at(3))
    other = Account("other", "vorel", "https://app.vorel.ai", {"api_key": "vapk_live_of_nobody"})
    found = find(settings, Accounts((other,)), NOON)
    assert [(finding.kind, finding.account) for finding in found] == [("gap", "other")]


def test_landed_leads_that_readers_do_not_have_are_stale(settings: Settings) -> None:
    land(settings, None, 4)
    nothing = only(settings, "stale")
    assert (nothing.account, nothing.since) == (None, None)
    assert "readers have nothing" in nothing.what
    publish(settings, at(3))
    behind = only(settings, "stale")
    assert behind == Finding(
        "stale",
        "acme",
        "Readers have the data through 2026-01-03 00:00Z, while it has landed through "
        "2026-01-05 00:00Z.",
        at(3),
        "lead-pipeline publish; it says what is in the way.",
    )


def test_today_s_data_may_wait_for_the_night_to_be_published(settings: Settings) -> None:
    land(settings, None, 5, started_at=at(5, 11))
    publish(settings, at(5))
    assert kinds(settings) == []


def test_a_published_file_that_cannot_be_read_is_stale(settings: Settings) -> None:
    land(settings, None, 4)
    settings.published_path.parent.mkdir(parents=True)
    settings.published_path.write_bytes(b"not a database")
    assert "cannot be read" in only(settings, "stale").what


def test_looking_makes_no_file(settings: Settings) -> None:
    assert kinds(settings) == ["gap"]
    assert not settings.home.exists()


def test_rejected_records_are_counted_since_the_first_without_being_shown(
    settings: Settings,
) -> None:
    land(settings, None, 4)
    publish(settings, at(5))
    page = [{"name": "Ada Lovelace"}, {"name": "Grace Hopper", "email": "grace@example.com"}]
    window = Window(at(3), at(4))
    Landing(settings).land(
        CrawlPlan("reject-1", "vorel", [page], account="acme", at=at(4, 3), window=window)
    )
    later = [{"name": "Edsger Dijkstra"}]
    Landing(settings).land(
        CrawlPlan("reject-2", "vorel", [later], account="acme", at=at(5, 3), window=window)
    )
    found = [finding for finding in find(settings, DECLARED, NOON) if finding.kind == "rejected"]
    assert [(finding.account, finding.since) for finding in found] == [("acme", at(4, 3, 0, 1))]
    assert found[0].what.startswith("Records of leads could not be filed (3): ")
    assert not [name for name in ("Ada", "Grace", "grace@", "Edsger") if name in repr(found)]
    assert found[0].remedy.endswith("lead-pipeline replay-rejected --account acme")


def test_unmapped_stages_are_named_with_their_leads(settings: Settings) -> None:
    land(settings, None, 4)
    publish(
        settings,
        at(5),
        [
            SampleLead("1", ((1, "new", "new"), (3, "unmapped", "limbo\x1b[31m")), "acme"),
            SampleLead("2", ((4, "unmapped", "limbo\x1b[31m"),), "acme"),
            SampleLead("3", ((1, "unmapped", "limbo"), (2, "won", "won")), "acme"),
        ],
    )
    finding = only(settings, "unmapped")
    assert finding.what == "Values have no canonical stage: limbo [31m (2 leads)."
    assert (finding.account, finding.since) == ("acme", at(3, 12))
    assert "stages.csv" in finding.remedy


def test_a_doubtful_crawl_is_a_finding_until_a_later_one_is_believed(settings: Settings) -> None:
    land(settings, None, 3)
    publish(settings, at(5))
    doubt = "3 records came, and the list of 2026-01-03 had 1,000"
    land(settings, 4, 4, state="doubtful", complete=False, doubt=doubt)
    finding = only(settings, "doubtful")
    assert doubt in finding.what
    assert (finding.account, finding.since) == ("acme", at(5, 2, 30))
    assert finding.remedy.endswith(
        "lead-pipeline run --account acme --from 2026-01-04 --to 2026-01-04 --accept-doubtful"
    )
    land(settings, 3, 4, started_at=at(5, 9), crawl_id="20260105T090000000000Z-leads-00000000")
    assert kinds(settings) == []


def test_an_interrupted_crawl_is_a_finding_unless_a_process_is_at_it(settings: Settings) -> None:
    land(settings, None, 4)
    publish(settings, at(5))
    land(
        settings, None, 4, full=True, state="running", complete=False, pages=7, started_at=at(5, 4)
    )
    finding = only(settings, "unfinished")
    assert finding.what == (
        "The crawl of leads for [(everything before), 2026-01-05T00:00Z) was interrupted at page 7."
    )
    assert finding.remedy == "lead-pipeline run --account acme --to 2026-01-04 --full resumes it."
    with held(settings.account_lock("acme"), "pulling"):
        assert kinds(settings) == []
    assert kinds(settings, now=at(5, 4) + timedelta(minutes=5)) == []


def test_an_interrupted_crawl_is_over_once_others_have_proven_its_days(settings: Settings) -> None:
    publish(settings, at(5))
    land(settings, None, 2, state="running", complete=False)
    land(settings, None, 3)
    land(settings, 4, 4)
    assert kinds(settings) == []


def test_an_account_without_its_key_is_named_with_what_to_set(settings: Settings) -> None:
    reason = "set VOREL_API_KEY in the environment or in .env."
    accounts = Accounts((), (UnusableAccount("acme", "vorel", reason),))
    land(settings, None, 4)
    publish(settings, at(5))
    assert find(settings, accounts, NOON) == [
        Finding(
            "missing-account",
            "acme",
            "The account is declared and lacks credentials, so it cannot be pulled.",
            None,
            "Set VOREL_API_KEY in the environment or in .env.",
        )
    ]
    stale = [found for found in find(settings, accounts, at(9, 12)) if found.kind == "stale"]
    assert stale[0].remedy.startswith("First set VOREL_API_KEY")


def test_where_no_account_is_declared_nothing_is_called_well(settings: Settings) -> None:
    land(settings, None, 4)
    publish(settings, at(5))
    assert kinds(settings, Accounts(())) == ["missing-account"]


def test_the_weightiest_kind_comes_first(settings: Settings) -> None:
    land(settings, None, 2)
    Landing(settings).land(
        CrawlPlan("landed", "vorel", [[vorel_lead(1, at(2))]], account="acme", at=at(3, 3))
    )
    land(settings, None, 2, full=True, state="stuck", complete=False, started_at=at(3, 9))
    assert kinds(settings) == ["gap", "stale", "stale", "unfinished"]
