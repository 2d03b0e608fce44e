"""A home of thirty nights of the sandbox: kills, three more nights, and the command as it is typed."""

from __future__ import annotations

import json
import random
import shutil
from datetime import date
from pathlib import Path

import pytest

from lead_pipeline.commands.nights import FIRST_DAY, HOUR_OF_NIGHT
from lead_pipeline.landing.commits import commit_records
from lead_pipeline.landing.erasures import pending_erasures
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.normalized.verify import verify
from lead_pipeline.sandbox import Sandbox
from lead_pipeline.settings import Settings
from lead_pipeline.windows import ONE_DAY, day_start, window_of_days
from lead_pipeline_tests.commands import Demo, environment, lead_pipeline
from lead_pipeline_tests.erasure.homes import ErasureHome, holding, rows_of, tables_without
from lead_pipeline_tests.erasure.killing import run_killed_at
from lead_pipeline_tests.erasure.test_kills import at_home, complete_with, is_refused_or_right
from lead_pipeline_tests.normalized.landings import query
from lead_pipeline_tests.pulling import SLUGS, account_of, pull_all, settings_in

pytestmark = [pytest.mark.long, pytest.mark.timeout(7200)]
NIGHTS = 30
STEP = 9
"""Of the file operations, which are some hundreds here, every so many is killed; `test_kills.py` has all."""


def live_nights(settings: Settings, sandbox: Sandbox, first: date, nights: int) -> None:
    for number in range(nights):
        day = first + ONE_DAY * number
        sandbox.set_clock(day_start(day + ONE_DAY) + HOUR_OF_NIGHT)
        for slug in SLUGS:
            pull_all(settings, account_of(sandbox, slug), window_of_days(day, day, FIRST_DAY))


def test_thirty_nights_kills_and_three_more_nights(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "home")
    with Sandbox(limits=False) as sandbox:
        live_nights(settings, sandbox, FIRST_DAY, NIGHTS)
        load_landing(settings)
        home = ErasureHome(settings)
        served = query(
            settings,
            "select account, lead_id, email from normalized.leads where account = 'vorel' "
            "and missing_since is null and email_normalized in (select email_normalized "
            # Who has a lead elsewhere as well keeps it: only this one is asked for.
            "from normalized.leads group by all having count(*) = 1) "
            "order by first_seen_at, lead_id limit 1",
        )[0]
        who = str(served["lead_id"])
        persons = home.persons(who)
        keys = [lead.lead_key for lead in persons.leads]
        texts = [text for kind, text in persons.texts if kind in ("id", "email") and len(text) > 7]
        others, rows = tables_without(settings, *keys), rows_of(settings)

        done = at_home(home, tmp_path / "done")
        done.forget(who)
        expected = rows_of(done.settings)
        assert len(expected) < len(rows)
        assert tables_without(done.settings) == others
        step, status = 1, -9
        while status:
            killed = at_home(home, tmp_path / "killed")
            status = run_killed_at(step, killed.settings.home, lambda: killed.forget(who))  # noqa: B023
            is_refused_or_right(killed.settings)
            if status:
                complete_with(killed, who)
            assert rows_of(killed.settings) == expected
            assert tables_without(killed.settings) == others
            assert holding(killed.settings.home, *texts) == []
            assert pending_erasures(killed.settings) == []
            shutil.rmtree(killed.settings.home)
            step += STEP

        live_nights(done.settings, sandbox, FIRST_DAY + ONE_DAY * NIGHTS, 3)
        load_landing(done.settings)
        assert holding(done.settings.home, *texts) == []
        crawls = [c for slug in SLUGS for c in commit_records(done.landing, slug)]
        assert sum(crawl.erased for crawl in crawls[-40:]) >= 3
        assert {crawl.state for crawl in crawls} <= {"complete", "compacted"}
        assert all(comparison.is_equal for comparison in verify(done.settings))


def test_the_command_erases_a_person_of_a_published_home(demo: Demo, tmp_path: Path) -> None:
    home = demo.copy_to(tmp_path)
    settings, variables = settings_in(home), environment(home)
    [lead] = random.Random(14).sample(  # noqa: S311 - any lead
        query(
            settings,
            "select lead_key, lead_id, email_normalized from normalized.leads "
            "where email_normalized is not null order by lead_key",
        ),
        1,
    )
    assert lead_pipeline(tmp_path, variables, "rollback", "--hold").status == 0
    count = query(settings, "select count(*) as leads from normalized.leads")[0]["leads"]

    asked = ("forget", lead["email_normalized"], "--reference", "TICKET 7")
    refused = lead_pipeline(tmp_path, variables, *asked)
    assert (refused.status, "--yes" in refused.last_line) == (1, True)
    ran = lead_pipeline(tmp_path, variables, *asked, "--yes")

    assert (ran.status, ran.errors) == (0, "")
    assert "found nothing of them" in ran.output
    assert holding(home, lead["lead_id"], lead["email_normalized"]) == []
    left = query(settings, "select count(*) as leads from normalized.leads")[0]["leads"]
    [receipt] = (home / "erasures").glob("*TICKET-7.json")
    told = json.loads(receipt.read_bytes())
    assert sum(told["leads"].values()) == count - left
    assert told["proof"]["outcome"] == "clean"
    assert not list((home / "bi" / ".builds").glob("*"))

    explained = lead_pipeline(tmp_path, variables, "explain", lead["lead_key"])
    assert (explained.status, "erased on" in explained.output) == (0, True)
    again = lead_pipeline(tmp_path, variables, *asked, "--yes")
    assert (again.status, lead["email_normalized"] in again.errors) == (1, False)
