"""Landed Parquet files: the columns of the contract, one folder a day, whole or not at all."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lead_pipeline.landing.commits import CommitRecord, Window
from lead_pipeline.landing.files import FlushedFiles, remove_uncommitted, write_flush
from lead_pipeline.landing.landed import LandedRecords
from lead_pipeline.landing.records import file_records
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Page, Walk
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, lead_id, vorel_lead
from lead_pipeline.sandbox.messages import Record
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import Landing, files_below
from lead_pipeline_tests.pulling import at


def commit_of(name: str = "crawl", stream: str = "leads") -> CommitRecord:
    return CommitRecord(
        crawl_id=name,
        account="vorel",
        provider="vorel",
        stream=stream,
        window=Window(None, at(31)),
        started_at=at(30),
    )


def flush(landing: Path, commit: CommitRecord, *records: Record, **walk: Any) -> FlushedFiles:
    """One page, number 3, as files."""
    page = file_records(
        PROVIDERS["vorel"],
        commit.stream,
        Walk("/leads", {}, lambda body: Page([], None), **walk),
        [msgspec.Raw(msgspec.json.encode(record)) for record in records],
        None,
        number=3,
        fetched_at=at(30, 1),
        served_at=at(30, 0, 59),
    )
    return write_flush(landing, commit, [page])


def read(path: Path) -> pa.Table:
    # Opened by hand: a path with date=… would add a column of that name.
    with path.open("rb") as source:
        return pq.read_table(source)


def test_a_landed_row_has_the_columns_of_the_contract(tmp_path: Path) -> None:
    record = vorel_lead(1, at(1), at(5, 23, 59, 59, 999))
    [file] = flush(tmp_path, commit_of(), record).records
    assert read(tmp_path / file.path).to_pylist() == [
        {
            "provider": "vorel",
            "account": "vorel",
            "stream": "leads",
            "record_id": lead_id(1),
            "updated_at": at(5, 23, 59, 59, 999),
            "created_at": at(1),
            "payload": msgspec.json.encode(record).decode(),
            "fetched_at": at(30, 1),
            "served_at": at(30, 0, 59),
            "crawl_id": "crawl",
            "page": 3,
        }
    ]


def test_records_lie_in_the_folder_of_the_day_they_were_updated_on(tmp_path: Path) -> None:
    midnight = at(6)
    files = flush(
        tmp_path,
        commit_of(),
        vorel_lead(1, at(1), midnight - timedelta(milliseconds=1)),
        vorel_lead(2, at(1), midnight),
    )
    assert [(file.path, file.rows) for file in files.records] == [
        ("vorel/leads/date=2026-01-05/crawl-000003-000003.parquet", 1),
        ("vorel/leads/date=2026-01-06/crawl-000003-000003.parquet", 1),
    ]


def test_a_cohort_lies_in_the_folder_of_the_day_its_crawl_began_on(tmp_path: Path) -> None:
    quiet_since = [vorel_lead(number, at(number)) for number in range(1, 5)]
    [file] = flush(tmp_path, commit_of(stream="stale_leads"), *quiet_since).records
    assert (file.path, file.rows) == (
        "vorel/stale_leads/date=2026-01-30/crawl-000003-000003.parquet",
        4,
    )
    rows = read(tmp_path / file.path).to_pylist()
    assert [row["updated_at"] for row in rows] == [at(number) for number in range(1, 5)]


def test_rows_are_counted_by_day(tmp_path: Path) -> None:
    leads = [vorel_lead(number, at(1), at(5 + number // 3)) for number in range(5)]
    assert flush(tmp_path, commit_of(), *leads).rows_by_date == {"2026-01-05": 3, "2026-01-06": 2}


def test_files_are_compressed_with_zstd(tmp_path: Path) -> None:
    [file] = flush(tmp_path, commit_of(), vorel_lead(1)).records
    metadata = pq.ParquetFile(tmp_path / file.path).metadata
    assert metadata.row_group(0).column(0).compression == "ZSTD"


def test_a_file_is_listed_with_its_size(tmp_path: Path) -> None:
    [file] = flush(tmp_path, commit_of(), vorel_lead(1)).records
    assert file.bytes == (tmp_path / file.path).stat().st_size


def test_a_record_that_cannot_be_filed_is_kept_with_its_bytes_and_the_reason(
    tmp_path: Path,
) -> None:
    broken = vorel_lead(1) | {"updated_at": "soon"}
    [file] = flush(tmp_path, commit_of(), vorel_lead(2), broken).rejected
    [row] = read(tmp_path / file.path).to_pylist()
    assert (row["payload"], row["position"], row["reason"]) == (
        msgspec.json.encode(broken),
        1,
        "no usable time: `updated_at` must be an ISO-8601 time",
    )


def test_of_records_met_but_not_landed_only_the_ids_are_kept(tmp_path: Path) -> None:
    files = flush(tmp_path, commit_of(), vorel_lead(1, at(1)), keep_from=at(2))
    [seen] = files.seen
    [row] = read(tmp_path / seen.path).to_pylist()
    assert (files.records, sorted(row)) == (
        [],
        ["account", "crawl_id", "fetched_at", "record_id", "served_at"],
    )


def test_nothing_temporary_is_left_beside_the_files(tmp_path: Path) -> None:
    files = flush(tmp_path, commit_of(), vorel_lead(1))
    assert files_below(tmp_path) == [file.path for file in files.records]


def test_removing_what_is_uncommitted_spares_listed_files_and_other_crawls(tmp_path: Path) -> None:
    commit, other = commit_of("mine"), commit_of("other")
    commit.files += flush(tmp_path, commit, vorel_lead(1, at(1))).records
    flush(tmp_path, commit, vorel_lead(2, at(2)))
    others = flush(tmp_path, other, vorel_lead(3, at(3))).records
    remove_uncommitted(tmp_path, commit)
    assert files_below(tmp_path) == [file.path for file in (*commit.files, *others)]


# Questions to landed records -----------------------------------------------------------------


@pytest.fixture
def landing(settings: Settings) -> Landing:
    return Landing(settings)


def landed_records(landing: Landing) -> LandedRecords:
    return LandedRecords(
        landing.settings.landing_path, "expert_ai_labs", PROVIDERS["expert_ai_labs"]
    )


def test_the_newest_state_of_a_lead_comes_from_lists_and_single_records(landing: Landing) -> None:
    landing.leads("expert_ai_labs", expert_ai_labs_lead(1, at(1), at(3)))
    landing.leads("expert_ai_labs", expert_ai_labs_lead(1, at(1), at(5)), stream="lead_details")
    states = landed_records(landing).newest_states([lead_id(1), lead_id(2)])
    assert {key: state.updated_at for key, state in states.items()} == {lead_id(1): at(5)}


def test_a_file_that_no_commit_record_lists_answers_no_question(landing: Landing) -> None:
    commit = landing.leads("expert_ai_labs", expert_ai_labs_lead(1, at(1), at(3)))
    path = landing.settings.landing_path / "expert_ai_labs" / "_crawls" / f"{commit.crawl_id}.json"
    path.unlink()
    landing.leads("expert_ai_labs", expert_ai_labs_lead(2, at(1), at(3)))
    states = landed_records(landing).newest_states([lead_id(1), lead_id(2)])
    assert list(states) == [lead_id(2)]


def test_payloads_are_those_of_the_half_open_time_asked_for(landing: Landing) -> None:
    leads = [expert_ai_labs_lead(n, at(1), at(n)) for n in (3, 4, 5)]
    landing.leads("expert_ai_labs", *leads)
    payloads = landed_records(landing).payloads("leads", at(4), at(5))
    assert list(payloads) == [msgspec.json.encode(leads[1]).decode()]


def test_payloads_since_ever_are_all_before_the_end(landing: Landing) -> None:
    leads = [expert_ai_labs_lead(n, at(1), at(n)) for n in (3, 4, 5)]
    landing.leads("expert_ai_labs", *leads)
    assert len(list(landed_records(landing).payloads("leads", None, at(5)))) == 2


def test_leads_whose_details_are_older_than_their_list_state_lack_details(
    landing: Landing,
) -> None:
    for number, detailed in ((1, at(3)), (2, at(2)), (3, None)):
        landing.leads("expert_ai_labs", expert_ai_labs_lead(number, at(1), at(3)))
        if detailed is not None:
            record = expert_ai_labs_lead(number, at(1), detailed)
            landing.leads("expert_ai_labs", record, stream="lead_details")
    assert landed_records(landing).leads_without_details() == [lead_id(2), lead_id(3)]


def test_leads_created_in_a_half_open_time_are_counted_once(landing: Landing) -> None:
    for updated in (at(6), at(7)):
        leads = [expert_ai_labs_lead(n, at(n), updated) for n in (3, 4, 5)]
        landing.leads("expert_ai_labs", *leads)
    assert landed_records(landing).count_created_between(at(3), at(5)) == 2
