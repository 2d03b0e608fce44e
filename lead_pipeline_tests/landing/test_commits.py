"""Commit records: what of a crawl is durable, kept whole, found in order."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lead_pipeline.errors import LoadError
from lead_pipeline.landing.commits import (
    CommitRecord,
    LandedFile,
    Wait,
    Window,
    accounts_with_landing,
    commit_records,
    crawls_folder,
    load,
    new_crawl_id,
    pack_digests,
    save,
    summarize_commits,
    unpack_digests,
)
from lead_pipeline.storage.sealed import seal_document
from lead_pipeline_tests.normalized.landings import files_below
from lead_pipeline_tests.pulling import at


def commit(crawl_id: str = "crawl", account: str = "mega", **fields: Any) -> CommitRecord:
    plain = {
        "crawl_id": crawl_id,
        "account": account,
        "provider": "mega",
        "stream": "leads",
        "window": Window(at(5), at(6)),
        "started_at": at(7, 2),
    }
    return CommitRecord(**{**plain, **fields})


def test_a_commit_record_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    record = commit(
        cursor="n;2",
        pages=120,
        files=[LandedFile("mega/leads/date=2026-01-05/a.parquet", 3, 4000)],
        quota_waits=[Wait(1.5, "the minute's requests are used up")],
        rows_by_date={"2026-01-05": 3},
    )
    save(tmp_path, record)
    assert load(tmp_path / "mega" / "_crawls" / "crawl.json") == record


def test_saving_again_replaces_the_record_and_leaves_nothing_else(tmp_path: Path) -> None:
    for pages in (1, 2):
        save(tmp_path, commit(pages=pages))
    assert files_below(tmp_path) == ["mega/_crawls/crawl.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"crawl_id": 1}'])
def test_a_damaged_commit_record_is_named_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "crawl.json"
    path.write_bytes(content)
    with pytest.raises(LoadError, match=r"crawl\.json cannot be read .* Restore it from a backup"):
        load(path)


def test_a_commit_record_of_a_newer_version_with_more_fields_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "crawl.json"
    document = msgspec.json.encode(commit()).replace(b"{", b'{"colour": "blue",', 1)
    path.write_bytes(seal_document(msgspec.json.format(document, indent=1)))
    assert load(path).crawl_id == "crawl"


def test_commit_records_come_oldest_first(tmp_path: Path) -> None:
    starts = [at(5), at(4), at(6)]
    for start in starts:
        save(tmp_path, commit(new_crawl_id(start, "leads"), started_at=start))
    assert [record.started_at for record in commit_records(tmp_path, "mega")] == sorted(starts)


def test_commit_records_known_already_are_not_read(tmp_path: Path) -> None:
    save(tmp_path, commit("new"))
    (tmp_path / "mega" / "_crawls" / "known.json").write_bytes(b"damaged since")
    records = commit_records(tmp_path, "mega", leave_out={"known"})
    assert [record.crawl_id for record in records] == ["new"]


def test_a_record_that_is_just_being_written_is_not_met(tmp_path: Path) -> None:
    save(tmp_path, commit())
    (tmp_path / "mega" / "_crawls" / ".other.json.tmp").write_bytes(b"{")
    assert [record.crawl_id for record in commit_records(tmp_path, "mega")] == ["crawl"]


def test_accounts_are_those_that_have_commit_records(tmp_path: Path) -> None:
    for account in ("vorel", "mega"):
        save(tmp_path, commit(account=account))
    (tmp_path / "notes").mkdir()
    assert accounts_with_landing(tmp_path) == ["mega", "vorel"]


def test_without_any_landing_there_are_no_accounts(tmp_path: Path) -> None:
    assert accounts_with_landing(tmp_path / "nowhere") == []


def test_crawl_ids_tell_the_start_in_utc_and_the_stream() -> None:
    start = datetime(2026, 1, 15, 3, 0, 0, 123456, timezone(timedelta(hours=1)))
    assert new_crawl_id(start, "leads").startswith("20260115T020000123456Z-leads-")


def test_two_crawls_of_one_instant_have_two_ids() -> None:
    assert new_crawl_id(at(1), "leads") != new_crawl_id(at(1), "leads")


def test_cursor_digests_survive_the_commit_record() -> None:
    digests = {bytes(range(8)), bytes(8), b"12345678"}
    assert unpack_digests(pack_digests(digests)) == digests


def test_two_records_share_no_lists() -> None:
    first, second = commit(), commit()
    first.files.append(LandedFile("a", 1, 1))
    assert second.files == []


@pytest.mark.parametrize(
    ("started_at", "proven"), [(at(5, 9), at(5, 9)), (at(6), at(6)), (at(9), at(6))]
)
def test_a_crawl_proves_nothing_later_than_its_own_start(
    started_at: datetime, proven: datetime
) -> None:
    assert commit(started_at=started_at).proven_until == proven


@pytest.mark.parametrize(
    ("fields", "proven"),
    [
        ({}, at(5)),
        ({"proves_everything": True}, None),
        ({"full": True, "is_full": False}, at(5)),
        ({"full": False, "is_full": True}, at(5)),
        ({"window": Window(None, at(6))}, None),
    ],
)
def test_only_a_walk_that_landed_everything_proves_what_was_before_its_window(
    fields: dict[str, Any], proven: datetime | None
) -> None:
    assert commit(**fields).proven_from == proven


def test_times_are_read_back_as_utc(tmp_path: Path) -> None:
    save(tmp_path, commit(started_at=datetime(2026, 1, 5, 1, tzinfo=timezone(timedelta(hours=1)))))
    loaded = load(tmp_path / "mega" / "_crawls" / "crawl.json")
    assert loaded.started_at == datetime(2026, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    [
        "._crawl.json",
        ".crawl.json",
        "crawl (conflicted copy).json",
        "crawl copy.json",
        "other.json",
    ],
)
def test_files_of_other_programs_beside_commit_records_are_passed_over(
    name: str, tmp_path: Path
) -> None:
    save(tmp_path, commit())
    folder = crawls_folder(tmp_path, "mega")
    own = (folder / "crawl.json").read_bytes()
    (folder / name).write_bytes(own if "copy" in name or name == "other.json" else b"\x00\x05\x16")
    assert [record.crawl_id for record in commit_records(tmp_path, "mega")] == ["crawl"]


def test_a_folder_called_like_a_commit_record_is_passed_over(tmp_path: Path) -> None:
    save(tmp_path, commit())
    (crawls_folder(tmp_path, "mega") / "older.json").mkdir()
    assert [record.crawl_id for record in commit_records(tmp_path, "mega")] == ["crawl"]


def test_a_record_that_was_saved_again_is_read_again(tmp_path: Path) -> None:
    save(tmp_path, commit(finished_at=at(7, 3), state="complete", complete=True))
    assert [record.late_arrivals for record in commit_records(tmp_path, "mega")] == [0]
    save(tmp_path, commit(finished_at=at(7, 3), state="complete", complete=True, late_arrivals=4))
    assert [record.late_arrivals for record in commit_records(tmp_path, "mega")] == [4]


def test_a_crawl_under_way_may_be_changed_by_whoever_asked_for_its_record(tmp_path: Path) -> None:
    save(tmp_path, commit())
    [record] = commit_records(tmp_path, "mega")
    record.pages = 120
    assert [found.pages for found in commit_records(tmp_path, "mega")] == [0]


def test_a_record_that_is_damaged_after_it_was_read_is_named(tmp_path: Path) -> None:
    save(tmp_path, commit(finished_at=at(7, 3), state="complete", complete=True))
    assert len(list(commit_records(tmp_path, "mega"))) == 1
    (tmp_path / "mega" / "_crawls" / "crawl.json").write_bytes(b"{")
    with pytest.raises(LoadError, match=r"crawl\.json cannot be read"):
        list(commit_records(tmp_path, "mega"))


def test_records_are_the_same_with_and_without_their_summary(tmp_path: Path) -> None:
    for number in range(60):
        started_at = at(5) + timedelta(hours=number)
        save(
            tmp_path,
            commit(
                new_crawl_id(started_at, "leads"),
                started_at=started_at,
                finished_at=started_at + timedelta(minutes=1),
                state="complete",
                complete=True,
                files=[LandedFile("mega/leads/date=2026-01-05/a.parquet", 3, 4000)],
                parameters={"limit": "100"},
            ),
        )
    expected = list(commit_records(tmp_path, "mega"))
    summarize_commits(tmp_path, "mega")
    assert (tmp_path / "mega" / "_crawls.summary").exists()
    program = (
        "import pathlib, sys, msgspec\n"
        "from lead_pipeline.landing.commits import CommitRecord, commit_records\n"
        "records = list(commit_records(pathlib.Path(sys.argv[1]), 'mega'))\n"
        "sys.stdout.buffer.write(msgspec.json.encode(records))"
    )
    told = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program, str(tmp_path)], check=True, capture_output=True
    ).stdout
    assert msgspec.json.decode(told, type=list[CommitRecord]) == expected
