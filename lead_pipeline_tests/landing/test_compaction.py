"""Small files of closed days are put together, and nobody can tell by the rows."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from lead_pipeline.errors import LoadError
from lead_pipeline.explain.answer import answer
from lead_pipeline.explain.document import Explanation
from lead_pipeline.landing import compaction
from lead_pipeline.landing.commits import CommitRecord, commit_records, load, save
from lead_pipeline.landing.compaction import Compacted, compact_account, compact_landing
from lead_pipeline.landing.landed import LandedRecords
from lead_pipeline.landing.places import Places, read_in_place
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.normalized.verify import verify
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, lead_id, mega_lead, vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline.storage.locks import held
from lead_pipeline_tests.commands import environment, lead_pipeline
from lead_pipeline_tests.normalized.landings import (
    CrawlPlan,
    Landing,
    all_tables,
    files_below,
    without_digests,
)
from lead_pipeline_tests.normalized.test_stage_history import event
from lead_pipeline_tests.pulling import at, settings_in

LATER = datetime(2026, 4, 1, tzinfo=UTC)
"""All days of the tests are closed by then."""
CRAWLS = 10


def poll(landing: Landing, number: int) -> None:
    """One of many polls of three accounts: what changed, the log of it, the cohort, ids only seen."""
    moment = at(5) + timedelta(minutes=10 * number)
    name, began_at = f"{at(6):%Y%m%d}T{number:02}", at(6) + timedelta(minutes=number)
    plans: Iterable[tuple[str, str, list[Any]]] = [
        ("mega", "leads", [mega_lead(n, at(1), moment, score=number) for n in (1, number + 1)]),
        ("expert_ai_labs", "lead_events", [event(number + 1, moment, "new", "contacted")]),
        ("expert_ai_labs", "lead_details", [expert_ai_labs_lead(1, at(1), moment)]),
        ("vorel", "leads", [vorel_lead(1, at(1), at(4)), vorel_lead(2, at(1), moment)]),
        ("vorel", "stale_leads", [vorel_lead(3, at(1), at(2), status="qualified")]),
    ]
    for provider, stream, records in plans:
        landing.land(
            CrawlPlan(
                f"{name}-{stream}",
                provider,
                [records],
                stream,
                at=began_at,
                keep_from=at(5) if stream == "leads" else None,
            )
        )


def land(settings: Settings, polls: range = range(CRAWLS)) -> Settings:
    landing = Landing(settings)
    for number in polls:
        poll(landing, number)
    return settings


@pytest.fixture
def landed(tmp_path: Path) -> Settings:
    """A home with many small files of a few days, not loaded yet."""
    return land(settings_in(tmp_path / "home"))


def compact(settings: Settings, now: datetime = LATER) -> dict[str, Compacted]:
    return compact_landing(settings, now, lambda message: None)


def every_row(settings: Settings, pattern: str = "*/*/date=*/*.parquet") -> list[Any]:
    """What a reader of the Parquet files finds, all columns, in the order of the values."""
    found = duckdb.sql(
        f"select * from read_parquet('{settings.landing_path}/{pattern}', union_by_name = true,"  # noqa: S608
        " hive_partitioning = false)"
    )
    return [found.columns, sorted(map(str, found.fetchall()))]


def parquet_files(settings: Settings) -> list[str]:
    return [path for path in files_below(settings.landing_path) if path.endswith(".parquet")]


# The files -----------------------------------------------------------------------------------


def test_each_landed_row_is_in_the_files_once_with_all_its_columns(landed: Settings) -> None:
    rows, seen = every_row(landed), every_row(landed, "*/_seen/*.parquet")
    before = parquet_files(landed)

    done = compact(landed)

    assert done == {
        "expert_ai_labs": Compacted(20, 2, 20),
        "mega": Compacted(10, 1, 20),
        "vorel": Compacted(30, 3, 30),
    }
    assert (len(before), len(parquet_files(landed))) == (60, 6)
    assert every_row(landed) == rows
    assert every_row(landed, "*/_seen/*.parquet") == seen


def test_a_commit_record_names_the_new_files_and_what_they_replace(landed: Settings) -> None:
    before = {path for path in parquet_files(landed) if path.startswith("mega/")}
    compact(landed)
    *crawls, record = commit_records(landed.landing_path, "mega")
    assert (record.state, record.stream, record.complete) == ("compacted", "_compactions", False)
    [file] = record.files
    assert (landed.landing_path / file.path).stat().st_size == file.bytes
    [replaced] = record.compactions
    assert replaced.path == file.path
    assert {source.path for source in replaced.replaces} == before
    assert [len(crawl.files) for crawl in crawls] == [1] * CRAWLS


def test_what_was_put_together_stays_when_more_comes(landed: Settings) -> None:
    compact(landed)
    first = parquet_files(landed)
    assert not any(compact(landed).values())
    land(landed, range(CRAWLS, 2 * CRAWLS))
    assert all(compact(landed).values())
    assert set(first) < set(parquet_files(landed))
    assert len(parquet_files(landed)) == 2 * len(first)


def test_days_that_are_not_closed_stay_as_they_are(landed: Settings) -> None:
    assert not any(compact(landed, now=at(8)).values())
    done = compact(landed, now=at(9, 1))
    # The cohort is of the next day, and the month of the seen ids is not over.
    assert {account: found.before for account, found in done.items()} == {
        "expert_ai_labs": 20,
        "mega": 10,
        "vorel": 10,
    }


def test_a_few_files_a_day_are_left_alone(tmp_path: Path) -> None:
    settings = land(settings_in(tmp_path), range(7))
    assert not any(compact(settings).values())


def test_files_of_a_crawl_that_can_be_resumed_are_left_alone(landed: Settings) -> None:
    path = landed.landing_path / "mega" / "_crawls" / "20260106T00-leads.json"
    crawl = load(path)
    crawl.state, crawl.complete, crawl.finished_at = "running", False, None
    save(landed.landing_path, crawl)
    assert compact(landed)["mega"].before == CRAWLS - 1
    assert (landed.landing_path / crawl.files[0].path).exists()


@pytest.mark.long
def test_files_without_a_time_served_stay_without_one(landed: Settings) -> None:
    for path in (landed.landing_path / "mega").glob("leads/*/*.parquet"):
        with path.open("rb") as source:
            table = pq.read_table(source)
        pq.write_table(table.drop_columns(["served_at"]), path)
    without_digests(landed)
    load_landing(landed)
    before = all_tables(landed)
    compact(landed)
    load_landing(landed, rebuild=True)
    assert all_tables(landed) == before


@pytest.mark.parametrize("damage", ["cut off", "other rows", "gone"])
def test_a_damaged_file_is_named_and_nothing_is_removed(landed: Settings, damage: str) -> None:
    first, second, *_ = sorted((landed.landing_path / "mega").glob("leads/*/*.parquet"))
    if damage == "cut off":
        first.write_bytes(first.read_bytes()[:100])
    elif damage == "other rows":
        with second.open("rb") as source:
            pq.write_table(pq.read_table(source).slice(1), first)
    else:
        first.unlink()
    before = files_below(landed.landing_path / "mega")
    with pytest.raises(LoadError, match=rf"{first}.*Restore the file"):
        compact_account(landed.landing_path, "mega", LATER)
    assert files_below(landed.landing_path / "mega") == before


def test_replaced_files_are_not_removed_where_the_new_one_is_gone(landed: Settings) -> None:
    compact(landed)
    [new] = (landed.landing_path / "mega").glob("leads/*/*.parquet")
    new.unlink()
    with pytest.raises(LoadError, match=rf"{new} is gone"):
        compact_account(landed.landing_path, "mega", LATER)


def test_an_account_that_is_being_pulled_is_left_for_another_time(landed: Settings) -> None:
    told: list[str] = []
    with held(landed.account_lock("mega"), "pulling mega"):
        done = compact_landing(landed, LATER, told.append, patience=0)
    assert sorted(done) == ["expert_ai_labs", "vorel"]
    [line] = [line for line in told if "another time" in line]
    assert "mega" in line
    assert "pulling mega" in line


# The tables ----------------------------------------------------------------------------------


def test_a_rebuild_gives_the_same_tables_to_the_last_row(landed: Settings) -> None:
    load_landing(landed)
    before = all_tables(landed)
    compact(landed)
    result = load_landing(landed)
    assert (result.files, result.rows, result.leads_changed) == (0, 0, 0)
    assert all(comparison.is_equal for comparison in verify(landed))
    load_landing(landed, rebuild=True)
    assert all_tables(landed) == before


@pytest.mark.long
def test_what_was_put_together_before_it_was_loaded_loads_equally(
    landed: Settings, tmp_path: Path
) -> None:
    other = land(settings_in(tmp_path / "other"))
    load_landing(other)
    compact(landed)
    assert load_landing(landed).check("every_landed_file_is_loaded").failures == 0
    assert all_tables(landed) == all_tables(other)


@pytest.mark.long
def test_of_a_file_that_is_loaded_in_part_only_the_other_rows_are_loaded(tmp_path: Path) -> None:
    settings, other = settings_in(tmp_path / "home"), settings_in(tmp_path / "other")
    land(settings, range(0, CRAWLS, 2))
    load_landing(settings)
    land(settings, range(1, CRAWLS, 2))
    compact(settings)

    result = load_landing(settings)

    assert (result.files, result.rows) == (30, 35)
    load_landing(land(other))
    assert all_tables(settings) == all_tables(other)
    assert all(comparison.is_equal for comparison in verify(settings))


def test_a_file_with_other_rows_than_were_put_together_is_named(landed: Settings) -> None:
    compact(landed)
    [new] = (landed.landing_path / "mega").glob("leads/*/*.parquet")
    with new.open("rb") as source:
        pq.write_table(pq.read_table(source).slice(1), new)
    without_digests(landed)
    with pytest.raises(LoadError, match=rf"{new} holds 19 rows, its crawl wrote 20"):
        load_landing(landed)


# Questions to landed files -------------------------------------------------------------------


def explained(settings: Settings, lead_key: str) -> Explanation:
    lead = answer(settings, lead_key, lambda message: None).lead
    assert lead is not None
    return lead


@pytest.mark.long
def test_a_lead_is_explained_by_the_same_observations(landed: Settings) -> None:
    load_landing(landed)
    leads = [f"mega:{lead_id(1)}", f"vorel:{lead_id(1)}", f"expert_ai_labs:{lead_id(1)}"]
    before = [explained(landed, key) for key in leads]
    compact(landed)
    after = [explained(landed, key) for key in leads]

    def told(lead: Explanation) -> list[Any]:
        return [
            (e.number, e.kind, e.crawl_id, e.page, e.is_loaded, e.changes, e.payload)
            for e in lead.timeline
        ]

    assert [told(lead) for lead in after] == [told(lead) for lead in before]
    assert [lead.current_values for lead in after] == [lead.current_values for lead in before]
    assert all(entry.is_loaded for lead in after for entry in lead.timeline)
    for entry in after[0].timeline:
        assert (landed.landing_path / entry.file).exists()


def questions(settings: Settings) -> list[Any]:
    """What planning asks of each account."""
    answers: list[Any] = []
    for slug, provider in PROVIDERS.items():
        records = LandedRecords(settings.landing_path, slug, provider)
        crawls = [
            crawl
            for crawl in commit_records(settings.landing_path, slug)
            if crawl.stream == provider.records_stream.name
        ]
        answers += [
            sorted(records.leads_without_details()),
            records.newest_states([lead_id(number) for number in range(12)]),
            records.count_created_between(at(1), at(2)),
            sorted(records.payloads("lead_events", at(5), at(6))),
            *([records.held_leads(crawls[-1])] if crawls else []),
        ]
    return answers


def test_the_next_crawl_is_planned_in_the_same_way(landed: Settings) -> None:
    before = questions(landed)
    compact(landed)
    assert questions(landed) == before


def test_who_reads_without_a_lock_while_files_are_put_together_reads_again(
    landed: Settings,
) -> None:
    tries: list[list[str]] = []

    def read() -> int:
        records = list(commit_records(landed.landing_path, "mega"))
        paths = Places(records).paths(file for r in records for file in r.files)
        if not tries:
            compact(landed)
        tries.append(paths)
        found = [str(landed.landing_path / path) for path in paths]
        return int(duckdb.read_parquet(found).aggregate("count(*)").fetchall()[0][0])

    assert read_in_place(landed.landing_path, read) == 20
    assert [len(paths) for paths in tries] == [10, 1]


# Kills ---------------------------------------------------------------------------------------


def rows_that_count(landing: Path) -> list[str]:
    """The rows of the files that commit records list, wherever they lie."""
    records = list(commit_records(landing, "mega"))
    crawls = [record for record in records if not record.compactions]
    paths = Places(records).paths(file for crawl in crawls for file in crawl.files)
    return sorted(map(str, duckdb.read_parquet([str(landing / p) for p in paths]).fetchall()))


def killed_at(step: int, landing: Path) -> int:
    """The status of a child that is killed before the `step`-th line of the module is executed."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    lines: set[int] = set()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != compaction.__file__:
            return None
        lines.add(frame.f_lineno)
        if len(lines) == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    compact_account(landing, "mega", LATER)
    os._exit(0)


def test_a_kill_at_any_step_loses_nothing_and_the_next_call_makes_it_good(
    landed: Settings, tmp_path: Path
) -> None:
    rows = rows_that_count(landed.landing_path)
    compacted = tmp_path / "compacted"
    shutil.copytree(landed.landing_path, compacted)
    compact_account(compacted, "mega", LATER)
    expected = [path for path in files_below(compacted / "mega") if path.endswith(".parquet")]
    for step in count(1):
        killed = tmp_path / f"killed-{step}"
        shutil.copytree(landed.landing_path, killed)
        status = killed_at(step, killed)
        assert rows_that_count(killed) == rows
        compact_account(killed, "mega", LATER)
        left = [path for path in files_below(killed / "mega") if path.endswith(".parquet")]
        assert left == expected
        assert not [path for path in files_below(killed) if path.endswith(".tmp")]
        assert rows_that_count(killed) == rows
        shutil.rmtree(killed)
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert step > 40


def test_half_a_record_of_a_killed_call_is_removed_by_the_next_one(landed: Settings) -> None:
    left = landed.landing_path / "mega" / "_crawls" / ".x.json.4711-0a1b2c3d.tmp"
    left.write_text("{")
    compact(landed)
    assert not left.exists()


def test_a_record_of_put_together_files_asks_for_nothing(landed: Settings) -> None:
    compact(landed)
    record: CommitRecord = list(commit_records(landed.landing_path, "mega"))[-1]
    assert not record.complete
    assert (record.records, record.rows_by_date, record.unchanged_until) == (0, {}, None)


def test_the_command_puts_together_what_is_due_and_says_so(landed: Settings) -> None:
    rows = every_row(landed)
    variables = environment(landed.home)
    ran = lead_pipeline(landed.home, variables, "compact")
    assert (ran.status, ran.errors) == (0, "")
    assert "60 small files were put together." in ran.output
    assert every_row(landed) == rows
    again = lead_pipeline(landed.home, variables, "compact")
    assert (again.status, again.output.splitlines()[-1]) == (0, "No small files are due.")


def test_the_command_names_a_home_without_landing(tmp_path: Path) -> None:
    ran = lead_pipeline(tmp_path, environment(tmp_path / "home"), "compact")
    assert ran.status == 1
    assert "nothing to put together" in ran.last_line
