"""Landing proves itself: what is damaged, lost or somebody else's is told apart, and set right."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lead_pipeline.accounts import load_accounts
from lead_pipeline.errors import LoadError
from lead_pipeline.health.findings import find
from lead_pipeline.landing.chain import broken_links, relink
from lead_pipeline.landing.commits import (
    CommitRecord,
    commit_records,
    load,
    new_crawl_id,
    save,
)
from lead_pipeline.landing.compaction import compact_landing
from lead_pipeline.landing.coverage import coverage_of, proven_windows
from lead_pipeline.landing.digests import check_file
from lead_pipeline.landing.places import Places
from lead_pipeline.landing.repair import repair_account
from lead_pipeline.landing.rewriting import FileChange, rewrite
from lead_pipeline.landing.scrub import NIGHTS, Scrubbed, known_problems, scrub_landing
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.sandbox.examples import lead_id, mega_lead, vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import (
    CrawlPlan,
    Landing,
    all_tables,
    table,
    without_digests,
)
from lead_pipeline_tests.pulling import at, settings_in

NOW = datetime(2026, 3, 1, 4, tzinfo=UTC)


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(settings_in(tmp_path))


def crawl(landing: Landing, number: int, *, complete: bool = True) -> CommitRecord:
    """Crawl `number` of MEGA: lead 0 changed again, one new lead."""
    moment = at(5) + timedelta(hours=number)
    leads = [mega_lead(n, at(1), moment, score=number) for n in (0, number)]
    crawl_id = new_crawl_id(moment, "leads")
    return landing.land(
        CrawlPlan(crawl_id, "mega", [leads], at=moment, is_full=True, complete=complete)
    )


def scrub(settings: Settings) -> Scrubbed:
    return scrub_landing(settings, NOW, every_file=True)


def repair(settings: Settings) -> list[str]:
    """Set right all that a scrub finds; what was told."""
    told: list[str] = []
    problems = scrub(settings).problems
    for account in sorted({problem.account for problem in problems}):
        own = [problem for problem in problems if problem.account == account]
        repair_account(settings, account, own, told.append)
    return told


def record_path(settings: Settings, record: CommitRecord) -> Path:
    return settings.landing_path / record.account / "_crawls" / f"{record.crawl_id}.json"


def lead_ids(settings: Settings) -> list[str]:
    load_landing(settings, rebuild=True)
    return sorted(row["lead_id"] for row in table(settings, "leads"))


# What is whole ---------------------------------------------------------------------------------


def test_landing_as_it_was_written_has_no_problems(landing: Landing) -> None:
    for number in range(1, 4):
        crawl(landing, number)
    found = scrub(landing.settings)
    assert (found.problems, found.foreign, found.without_digest) == ([], [], 0)
    assert found.read_files == found.listed_files == 3
    assert found.records == 3


def test_each_record_names_the_one_that_ended_before_it(landing: Landing) -> None:
    records = [crawl(landing, number) for number in range(1, 4)]
    assert [record.previous for record in records] == [
        None,
        records[0].crawl_id,
        records[1].crawl_id,
    ]
    assert all(record.previous_sha256 for record in records[1:])


def test_a_killed_crawl_that_ends_later_is_linked_where_it_ends(landing: Landing) -> None:
    first, second = crawl(landing, 1), crawl(landing, 2)
    killed = CommitRecord(
        crawl_id=new_crawl_id(at(4), "leads"),
        account="mega",
        provider="mega",
        stream="leads",
        window=first.window,
        started_at=at(4),
    )
    save(landing.settings.landing_path, killed)
    assert killed.previous is None
    killed.state, killed.finished_at = "restarted", at(9)
    save(landing.settings.landing_path, killed)
    assert killed.previous == second.crawl_id
    assert broken_links(landing.settings.landing_path, "mega") == []


def test_records_of_an_earlier_release_are_loaded_and_said_not_to_be_comparable(
    landing: Landing,
) -> None:
    crawl(landing, 1)
    without_digests(landing.settings)
    found = scrub(landing.settings)
    assert (found.problems, found.without_digest) == ([], 1)
    assert lead_ids(landing.settings) == sorted(lead_id(n) for n in (0, 1))


def test_every_file_is_read_once_in_thirty_nights(landing: Landing) -> None:
    for number in range(1, 41):
        crawl(landing, number)
    read = [
        scrub_landing(landing.settings, NOW + timedelta(days=day)).read_files
        for day in range(NIGHTS)
    ]
    assert sum(read) == 40
    assert max(read) < 20


# What is damaged -------------------------------------------------------------------------------


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << (bit % 8)
    path.write_bytes(content)


def test_of_four_hundred_flipped_bits_none_is_read_as_another_value(landing: Landing) -> None:
    """In files, in those that were put together, in lists of seen ids, in commit records."""
    settings = landing.settings
    for number in range(1, 12):
        crawl(landing, number)
    for number in range(3):
        name = new_crawl_id(at(6) + timedelta(hours=number), "leads")
        known = vorel_lead(1, at(1), at(2)), vorel_lead(2, at(1), at(6))
        landing.land(CrawlPlan(name, "vorel", [known], at=at(7), keep_from=at(5)))
    compact_landing(settings, datetime(2026, 5, 1, tzinfo=UTC), lambda _: None)
    before = {name: list(commit_records(settings.landing_path, name)) for name in ("mega", "vorel")}
    files = [
        path
        for path in sorted(settings.landing_path.rglob("*"))
        if path.is_file() and path.suffix in (".parquet", ".json")
    ]
    assert any("compacted-" in path.name for path in files)
    assert any("_seen" in path.parts for path in files)
    chance = random.Random(14)  # noqa: S311 - not for secrets
    unnoticed = 0
    for _ in range(400):
        path = chance.choice(files)
        content = path.read_bytes()
        flip(path, chance.randrange(len(content) * 8))
        try:
            for account, records in before.items():
                now = list(commit_records(settings.landing_path, account))
                # The name of the digest itself may be hit: the values are then those of before.
                assert now == records
                places = Places(now)
                for record in now:
                    for file in (*record.files, *record.seen_files):
                        check_file(settings.landing_path, places.holder(file))
            unnoticed += 1
            assert path.suffix == ".json"
        except LoadError:
            pass
        finally:
            path.write_bytes(content)
    assert unnoticed < 40


@pytest.mark.parametrize("bit", [1_000, 5_001, 9_002])
def test_a_load_names_the_file_with_a_flipped_bit(landing: Landing, bit: int) -> None:
    record = crawl(landing, 1)
    flip(landing.settings.landing_path / record.files[0].path, bit)
    with pytest.raises(LoadError, match=rf"{record.crawl_id}.*parquet cannot be read: its digest"):
        load_landing(landing.settings)


def test_a_load_names_the_commit_record_with_a_flipped_digit(landing: Landing) -> None:
    path = record_path(landing.settings, crawl(landing, 1))
    path.write_text(path.read_text().replace('"2026-02-01T', '"2026-02-03T'))
    with pytest.raises(LoadError, match=r"\.json cannot be read .* scrub --repair"):
        load_landing(landing.settings)


def test_files_are_not_put_together_with_a_damaged_one(landing: Landing) -> None:
    records = [crawl(landing, number) for number in range(1, 12)]
    flip(landing.settings.landing_path / records[3].files[0].path, 3_000)
    with pytest.raises(LoadError, match=records[3].crawl_id):
        compact_landing(landing.settings, datetime(2026, 5, 1, tzinfo=UTC), lambda _: None)
    assert all((landing.settings.landing_path / r.files[0].path).exists() for r in records)


def test_a_damaged_and_a_lost_file_are_named_with_their_rows(landing: Landing) -> None:
    damaged, lost, _ = (crawl(landing, number) for number in range(1, 4))
    flip(landing.settings.landing_path / damaged.files[0].path, 4_000)
    (landing.settings.landing_path / lost.files[0].path).unlink()
    problems = scrub(landing.settings).problems
    assert {(problem.path, problem.kind, problem.rows) for problem in problems} == {
        (damaged.files[0].path, "file", 2),
        (lost.files[0].path, "file", 2),
    }


def test_what_was_found_is_looked_at_each_night_and_goes_once_it_is_restored(
    landing: Landing,
) -> None:
    record = crawl(landing, 1)
    path = landing.settings.landing_path / record.files[0].path
    content = path.read_bytes()
    flip(path, 4_000)
    scrub(landing.settings)
    for day in range(NIGHTS):
        scrub_landing(landing.settings, NOW + timedelta(days=day))
        assert [problem.path for problem in known_problems(landing.settings)] == [
            record.files[0].path
        ]
    path.write_bytes(content)
    scrub_landing(landing.settings, NOW)
    assert known_problems(landing.settings) == []


def test_status_finds_what_a_scrub_has_found(landing: Landing) -> None:
    record = crawl(landing, 1)
    (landing.settings.landing_path / record.files[0].path).unlink()
    scrub(landing.settings)
    found = find(landing.settings, load_accounts(landing.settings), NOW)
    [finding] = [finding for finding in found if finding.kind == "damaged"]
    assert finding.account == "mega"
    assert record.files[0].path in finding.what
    assert "scrub --repair" in finding.remedy


# What is lost ----------------------------------------------------------------------------------


def test_a_rebuild_names_a_lost_commit_record(landing: Landing) -> None:
    records = [crawl(landing, number) for number in range(1, 4)]
    record_path(landing.settings, records[1]).unlink()
    with pytest.raises(LoadError, match=rf"{records[1].crawl_id}\.json is gone"):
        load_landing(landing.settings, rebuild=True)


def test_a_rebuild_names_a_record_that_was_replaced_by_an_older_one(landing: Landing) -> None:
    first = crawl(landing, 1)
    path = record_path(landing.settings, first)
    older = path.read_bytes()
    first.late_arrivals = 7
    save(landing.settings.landing_path, first)
    crawl(landing, 2)
    path.write_bytes(older)
    with pytest.raises(LoadError, match=rf"{first.crawl_id}\.json is not the one that was written"):
        load_landing(landing.settings, rebuild=True)


def test_the_record_that_ended_last_is_missed_by_its_files(landing: Landing) -> None:
    records = [crawl(landing, number) for number in range(1, 3)]
    record_path(landing.settings, records[1]).unlink()
    [problem] = scrub(landing.settings).problems
    assert (problem.kind, Path(problem.path).stem) == ("lost_record", records[1].crawl_id)


# Other programs' files -------------------------------------------------------------------------


def test_files_of_other_programs_are_passed_over_and_named(landing: Landing) -> None:
    record = crawl(landing, 1)
    day = (landing.settings.landing_path / record.files[0].path).parent
    copy = day / f"{record.crawl_id}-000001-000001 (conflicted copy).parquet"
    copy.write_bytes(b"PAR1")
    for name in (".DS_Store", f"._{record.crawl_id}-000001-000001.parquet", "notes.txt~"):
        (day / name).write_bytes(b"\0")
    found = scrub(landing.settings)
    assert found.problems == []
    assert len(found.foreign) == 4
    assert lead_ids(landing.settings) == sorted(lead_id(n) for n in (0, 1))


# Setting right ---------------------------------------------------------------------------------


def damage_file(settings: Settings, record: CommitRecord) -> None:
    flip(settings.landing_path / record.files[0].path, 4_000)


def lose_file(settings: Settings, record: CommitRecord) -> None:
    (settings.landing_path / record.files[0].path).unlink()


@pytest.mark.parametrize("spoil", [damage_file, lose_file])
def test_a_repair_goes_on_without_the_file_and_has_its_window_asked_for_again(
    landing: Landing, spoil: Callable[[Settings, CommitRecord], None]
) -> None:
    records = [crawl(landing, number) for number in range(1, 4)]
    spoil(landing.settings, records[1])
    told = repair(landing.settings)
    assert any("2 landed rows are lost" in line for line in told)
    assert scrub(landing.settings).problems == []
    assert lead_ids(landing.settings) == sorted(lead_id(n) for n in (0, 1, 3))
    [repaired] = [
        record
        for record in commit_records(landing.settings.landing_path, "mega")
        if record.crawl_id == records[1].crawl_id
    ]
    assert (repaired.complete, repaired.state) == (False, "repaired")


def test_a_repair_lets_nothing_be_proven_by_the_only_crawl_that_lost_a_file(
    landing: Landing,
) -> None:
    record = crawl(landing, 1)
    lose_file(landing.settings, record)
    repair(landing.settings)
    records = list(commit_records(landing.settings.landing_path, "mega"))
    assert coverage_of("mega", "mega", proven_windows(records)).complete_through is None


def lose_record(settings: Settings, record: CommitRecord) -> None:
    record_path(settings, record).unlink()


def damage_record(settings: Settings, record: CommitRecord) -> None:
    flip(record_path(settings, record), 1_000)


@pytest.mark.parametrize(
    ("spoil", "which"), [(lose_record, 0), (damage_record, 1), (lose_record, 2)]
)
def test_a_repair_takes_up_the_files_of_a_lost_record(
    landing: Landing, spoil: Callable[[Settings, CommitRecord], None], which: int
) -> None:
    records = [crawl(landing, number) for number in range(1, 4)]
    before = lead_ids(landing.settings)
    spoil(landing.settings, records[which])
    repair(landing.settings)
    assert scrub(landing.settings).problems == []
    assert lead_ids(landing.settings) == before
    crawl(landing, 9)
    assert scrub(landing.settings).problems == []


def test_a_repair_takes_up_a_file_as_it_was_written_again(landing: Landing) -> None:
    """An erasure was killed before it removed the file in which the erased rows still are."""
    records = [crawl(landing, number) for number in range(1, 3)]
    [file] = records[0].files
    old = landing.settings.landing_path / file.path
    content = old.read_bytes()
    rewrite(
        landing.settings.landing_path,
        "mega",
        {file.path: FileChange(dropped=frozenset({1}))},
        lambda record: record,
    )
    old.write_bytes(content)
    lose_record(landing.settings, records[0])
    repair(landing.settings)
    assert lead_ids(landing.settings) == sorted(lead_id(n) for n in (0, 2))


def test_a_repair_recognizes_files_that_were_put_together(landing: Landing) -> None:
    for number in range(1, 12):
        crawl(landing, number)
    before = lead_ids(landing.settings)
    compact_landing(landing.settings, datetime(2026, 5, 1, tzinfo=UTC), lambda _: None)
    [compaction] = [
        record
        for record in commit_records(landing.settings.landing_path, "mega")
        if record.compactions
    ]
    lose_record(landing.settings, compaction)
    crawl(landing, 20)
    repair(landing.settings)
    assert scrub(landing.settings).problems == []
    assert lead_ids(landing.settings) == sorted([*before, lead_id(20)])


def test_a_repair_that_is_repeated_changes_nothing(landing: Landing) -> None:
    records = [crawl(landing, number) for number in range(1, 4)]
    damage_file(landing.settings, records[0])
    lose_record(landing.settings, records[1])
    repair(landing.settings)
    folder = landing.settings.landing_path / "mega" / "_crawls"
    before = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    assert repair(landing.settings) == []
    assert {path.name: path.read_bytes() for path in folder.glob("*.json")} == before


def test_links_agree_again_after_a_record_was_changed_on_purpose(landing: Landing) -> None:
    records = [crawl(landing, number) for number in range(1, 5)]
    first = load(record_path(landing.settings, records[0]))
    first.note = "changed"
    relink(landing.settings.landing_path, "mega", {first.crawl_id: first})
    assert broken_links(landing.settings.landing_path, "mega") == []
    assert load(record_path(landing.settings, records[0])).note == "changed"


# A backup --------------------------------------------------------------------------------------


def test_landing_alone_brings_everything_back(landing: Landing, tmp_path: Path) -> None:
    for number in range(1, 12):
        crawl(landing, number)
    compact_landing(landing.settings, datetime(2026, 5, 1, tzinfo=UTC), lambda _: None)
    load_landing(landing.settings)
    restored = settings_in(tmp_path / "restored")
    shutil.copytree(landing.settings.landing_path, restored.landing_path)
    load_landing(restored)
    assert scrub(restored).problems == []
    assert all_tables(restored) == all_tables(landing.settings)
