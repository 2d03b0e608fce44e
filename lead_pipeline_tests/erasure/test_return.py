"""Who was erased does not come back: by later pulls, a restored backup, a replay, or a rebuild."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lead_pipeline.errors import ConfigurationError, LoadError
from lead_pipeline.explain.answer import answer
from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline.landing.rejected import replay_rejected
from lead_pipeline.landing.tombstones import erased_of
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import Sandbox
from lead_pipeline.sandbox.examples import lead_id, mega_lead, vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline.windows import ONE_DAY, UpdatedWindow
from lead_pipeline_tests.erasure.homes import ErasureHome, holding, rows_of
from lead_pipeline_tests.normalized.landings import Landing, query
from lead_pipeline_tests.pulling import (
    MAKE_LEAD,
    SLUGS,
    at,
    commits,
    days,
    landed_ids,
    pull,
    pull_all,
    put_leads,
    server_of,
)

ERASED = lead_id(3)
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def forget(settings: Settings, *who: str, **options: Any) -> Any:
    return ErasureHome(settings).forget(*who, **options)


def ids_in_tables(settings: Settings) -> list[str]:
    return [
        row["lead_id"] for row in query(settings, "select lead_id from normalized.leads order by 1")
    ]


def nights(settings: Settings, account: Account, number: int) -> list[list[CommitRecord]]:
    """The same yesterday, asked for again and again."""
    yesterday = UpdatedWindow(TODAY - ONE_DAY, TODAY)
    return [pull_all(settings, account, yesterday) for _ in range(number)]


def change(sandbox: Sandbox, provider: str, number: int, moment: datetime) -> None:
    """The lead is updated, which the audit log tells where there is one."""
    if provider == "expert_ai_labs":
        sandbox.expert_ai_labs.store.update(lead_id(number), {"lead_score": 77}, moment)
    else:
        lead = MAKE_LEAD[provider](number, TODAY - timedelta(days=4), moment)
        server_of(sandbox, provider).store.put(lead)


# Pulls ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", SLUGS)
def test_three_nights_with_the_lead_still_served_change_nothing(
    settings: Settings, accounts: Mapping[str, Account], sandbox: Sandbox, provider: str
) -> None:
    account, server = accounts[provider], server_of(sandbox, provider)
    put_leads(sandbox, provider, 30, TODAY - timedelta(days=4))
    pull_all(settings, account, UpdatedWindow(None, TODAY - ONE_DAY))
    moment = TODAY - timedelta(hours=3)
    change(sandbox, provider, 3, moment)
    nights(settings, account, 1)
    load_landing(settings)
    forget(settings, ERASED)
    leads = query(settings, "select * exclude (last_seen_at) from normalized.leads order by 1")
    history = query(settings, "select * from normalized.lead_stage_history order by all")

    change(sandbox, provider, 3, moment + timedelta(hours=1))
    requests = []
    for _ in range(3):
        server.requests.clear()
        [crawls] = nights(settings, account, 1)
        requests.append(len(server.requests))
        assert all(crawl.complete for crawl in crawls)
        assert sum(crawl.erased for crawl in crawls) >= 1
        load_landing(settings)

    assert ERASED not in landed_ids(settings, provider)
    assert holding(settings.home, ERASED) == []
    assert (
        query(settings, "select * exclude (last_seen_at) from normalized.leads order by 1") == leads
    )
    assert query(settings, "select * from normalized.lead_stage_history order by all") == history
    assert query(settings, "select 1 from normalized.leads where missing_since is not null") == []
    searches = [c.absences for c in commits(settings, provider) if c.absences is not None]
    assert {search.outcome for search in searches} <= {"agreed"}
    assert requests[2] <= requests[0]


def test_a_walk_over_the_whole_list_is_believed_after_many_were_erased(
    settings: Settings, accounts: Mapping[str, Account], sandbox: Sandbox
) -> None:
    put_leads(sandbox, "vorel", 60, at(2))
    pull(settings, accounts["vorel"], days(1, 5))
    load_landing(settings)
    forget(settings, *(lead_id(number) for number in range(45)))
    commit = pull(settings, accounts["vorel"], days(6))
    assert (commit.state, commit.erased) == ("complete", 45)
    checks = load_landing(settings).checks
    assert [outcome.check.name for outcome in checks if outcome.failures] == []
    assert len(ids_in_tables(settings)) == 15


def test_a_new_lead_with_a_blocked_address_or_number_is_not_landed(
    settings: Settings, accounts: Mapping[str, Account], sandbox: Sandbox
) -> None:
    store = sandbox.vorel.store
    store.put(vorel_lead(3, at(2), email="Jane@Forgotten.example", phone="+14155550172"))
    pull(settings, accounts["vorel"], days(1, 5))
    forget(settings, "jane@forgotten.example", blocks_contact=True)
    store.put(vorel_lead(8, at(6), email="JANE@forgotten.example", phone=None))
    store.put(vorel_lead(9, at(6), email="x@other.example", phone="(415) 555-0172"))
    store.put(vorel_lead(10, at(6), email="y@other.example", phone=None))
    commit = pull(settings, accounts["vorel"], days(6))
    assert (landed_ids(settings, "vorel"), commit.erased) == ([lead_id(10)], 3)


def test_a_new_lead_with_the_same_address_lands_where_it_is_not_blocked(
    settings: Settings, accounts: Mapping[str, Account], sandbox: Sandbox
) -> None:
    sandbox.vorel.store.put(vorel_lead(3, at(2), email="jane@forgotten.example"))
    pull(settings, accounts["vorel"], days(1, 5))
    forget(settings, "jane@forgotten.example")
    sandbox.vorel.store.put(vorel_lead(8, at(6), email="jane@forgotten.example"))
    pull(settings, accounts["vorel"], days(6))
    assert landed_ids(settings, "vorel") == [lead_id(8)]


# Landings that were restored -----------------------------------------------------------------


@pytest.fixture
def landing(settings: Settings) -> Landing:
    found = Landing(settings)
    found.leads("mega", mega_lead(1), mega_lead(3), mega_lead(4))
    found.leads("mega", mega_lead(3, updated_at=at(3), score=7))
    return found


@pytest.mark.long
def test_what_a_restored_landing_brings_back_is_neither_loaded_nor_kept(
    settings: Settings,
    landing: Landing,
    accounts: Mapping[str, Account],
) -> None:
    backup = settings.home.with_name("backup")
    shutil.copytree(settings.landing_path, backup)
    load_landing(settings)
    forget(settings, ERASED)
    shutil.rmtree(settings.landing_path)
    shutil.copytree(backup, settings.landing_path)

    told: list[str] = []
    load_landing(settings, rebuild=True, tell=told.append)
    assert ids_in_tables(settings) == [lead_id(1), lead_id(4)]
    assert any("Left out 2 records of erased persons" in line for line in told)

    pull(settings, accounts["mega"], days(5))
    assert holding(settings.home, ERASED) == []
    load_landing(settings)
    assert ids_in_tables(settings) == [lead_id(1), lead_id(4)]


def test_landing_alone_keeps_who_was_erased_away(
    settings: Settings, landing: Landing, accounts: Mapping[str, Account], sandbox: Sandbox
) -> None:
    forget(settings, ERASED)
    shutil.rmtree(settings.erasures_path)
    sandbox.mega.store.put(mega_lead(3, at(1), at(4)))
    pull(settings, accounts["mega"], days(1, 5))
    assert ERASED not in landed_ids(settings, "mega")
    load_landing(settings, rebuild=True)
    assert ids_in_tables(settings) == [lead_id(1), lead_id(4)]


def test_a_replay_of_rejected_records_files_nothing_of_an_erased_lead(
    settings: Settings, landing: Landing
) -> None:
    forget(settings, ERASED)
    stranger = mega_lead(3, at(1), at(5), customer_id="somebody else's")
    landing.leads("mega", stranger, mega_lead(5), tenant_id="ours")
    assert [row["folder"] for row in rows_of(settings) if ERASED in repr(row)] == ["_rejected"]
    assert replay_rejected(settings, "mega").filed == {}


# The key -------------------------------------------------------------------------------------


def test_without_the_key_nothing_lands_and_no_other_key_is_made(
    settings: Settings, landing: Landing, accounts: Mapping[str, Account]
) -> None:
    forget(settings, ERASED)
    settings.erasure_key_path.unlink()
    remedy = rf"Restore {settings.erasure_key_path}"
    with pytest.raises(LoadError, match=remedy):
        pull(settings, accounts["mega"], days(5))
    with pytest.raises(LoadError, match=remedy):
        forget(settings, lead_id(4))
    assert not settings.erasure_key_path.exists()
    assert lead_id(4) in repr(rows_of(settings))


def test_another_key_is_named(settings: Settings, landing: Landing) -> None:
    forget(settings, ERASED)
    settings.erasure_key_path.write_text("0" * 64)
    with pytest.raises(LoadError, match=r"which is another one \([0-9a-f]{16}\)"):
        erased_of(settings, "mega")


def test_the_key_is_private_and_lies_apart_from_landing(
    settings: Settings, landing: Landing
) -> None:
    forget(settings, ERASED)
    assert settings.erasure_key_path.stat().st_mode & 0o777 == 0o600
    secret = settings.erasure_key_path.read_text().strip()
    assert holding(settings.home, secret) == ["erasure.key"]


# Questions afterwards ------------------------------------------------------------------------


def test_explain_says_when_it_was_erased(settings: Settings, landing: Landing) -> None:
    forget(settings, ERASED, reference="TICKET-7")
    for asked in (ERASED, f"mega:{ERASED}"):
        [erased] = answer(settings, asked, lambda message: None).erased
        assert (erased.account, erased.reference) == ("mega", "TICKET-7")


def test_who_was_erased_is_not_found_again(settings: Settings, landing: Landing) -> None:
    forget(settings, ERASED)
    assert ErasureHome(settings).persons(ERASED, lead_id(4)).unknown == (1,)


def test_nobody_is_erased_from_an_empty_home(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="Nothing has landed"):
        ErasureHome(settings).persons(ERASED)
