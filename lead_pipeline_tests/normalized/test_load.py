"""Loading is a pure function of the landed files, in one transaction."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.errors import LoadError
from lead_pipeline.landing.commits import CommitRecord, LandedFile, Window, save
from lead_pipeline.normalized import batches, declared_steps, load
from lead_pipeline.normalized.load import LoadResult, load_landing
from lead_pipeline.normalized.session import Session
from lead_pipeline.normalized.steps import SqlStep, StepContext
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, lead_id, mega_lead, vorel_lead
from lead_pipeline.sandbox.mega_business import STAGES
from lead_pipeline.sandbox.messages import Record
from lead_pipeline.settings import Settings
from lead_pipeline.storage.duckdb_files import spill_of, wal_of
from lead_pipeline_tests.normalized.landings import (
    POLL,
    CrawlPlan,
    Landing,
    all_tables,
    query,
    table,
)
from lead_pipeline_tests.normalized.test_stage_history import event, expert_lead
from lead_pipeline_tests.properties import examples
from lead_pipeline_tests.pulling import at, changed, settings_in

DETAIL_FIELDS = ("pain_points", "timeline", "budget_range", "ai_reasoning")


@pytest.fixture
def landing(settings: Settings) -> Landing:
    return Landing(settings)


def listed(record: Record) -> Record:
    """The record as the list of Expert AI Labs serves it: without the AI fields."""
    hidden = {*DETAIL_FIELDS, "qualification_completed_at"}
    return {name: value for name, value in record.items() if name not in hidden}


def column(settings: Settings, name: str) -> list[Any]:
    """One column of `normalized.leads`, ordered by lead."""
    rows = query(settings, "select * from normalized.leads order by lead_key")
    return [row[name] for row in rows]


# Versions ------------------------------------------------------------------------------------


def test_a_state_seen_again_is_one_version(landing: Landing) -> None:
    for _ in range(3):
        landing.leads("mega", mega_lead(1))
    assert load_landing(landing.settings).table_rows["lead_versions"] == 1


def test_a_version_knows_when_it_was_first_and_last_seen(landing: Landing) -> None:
    for minute in (5, 1, 9):
        landing.leads("mega", mega_lead(1), at=POLL + timedelta(minutes=minute))
    load_landing(landing.settings)
    [version] = table(landing.settings, "lead_versions")
    second = timedelta(seconds=1)
    assert (version["first_seen_at"], version["last_seen_at"]) == (
        POLL + timedelta(minutes=1) + second,
        POLL + timedelta(minutes=9) + second,
    )


def test_each_state_of_a_lead_is_a_version_of_its_own(landing: Landing) -> None:
    for score in (10, 20, 30):
        landing.leads("mega", mega_lead(1, at(1), at(score // 10), score=score))
    assert load_landing(landing.settings).table_rows["lead_versions"] == 3


def test_two_states_with_one_time_are_two_versions_of_which_the_last_seen_is_newest(
    landing: Landing,
) -> None:
    landing.leads("mega", mega_lead(1, score=10))
    landing.leads("mega", mega_lead(1, score=20))
    result = load_landing(landing.settings)
    assert (result.table_rows["lead_versions"], column(landing.settings, "score")) == (2, [20.0])


def test_the_newest_version_is_the_lead_whatever_was_landed_last(landing: Landing) -> None:
    landing.leads("mega", mega_lead(1, at(1), at(9), score=90))
    load_landing(landing.settings)
    landing.leads("mega", mega_lead(1, at(1), at(3), score=30))
    load_landing(landing.settings)
    assert column(landing.settings, "score") == [90.0]


def test_one_id_in_two_accounts_is_two_leads(landing: Landing) -> None:
    landing.leads("mega", mega_lead(1), account="mega_us")
    landing.leads("mega", mega_lead(1), account="mega_eu")
    load_landing(landing.settings)
    assert column(landing.settings, "lead_key") == [
        f"mega_eu:{lead_id(1)}",
        f"mega_us:{lead_id(1)}",
    ]


def test_a_cohort_that_an_earlier_release_filed_by_updated_at_loads_equally(
    tmp_path: Path,
) -> None:
    quiet = [vorel_lead(number, at(1), at(number + 1), status="qualified") for number in (1, 2)]
    tables = []
    for name in ("by crawl", "by update"):
        settings = settings_in(tmp_path / name)
        for number, record in enumerate(quiet):
            crawl = Landing(settings).land(
                CrawlPlan(f"crawl-{number}", "vorel", [[record]], "stale_leads")
            )
            if name == "by update":
                _file_by_update(settings, crawl, f"date={at(number + 2):%Y-%m-%d}")
        load_landing(settings)
        tables.append({**all_tables(settings), "loaded_files": []})
    assert tables[0] == tables[1]
    assert len(tables[0]["provider_stale_leads"]) == 2


def _file_by_update(settings: Settings, crawl: CommitRecord, folder: str) -> None:
    """Put the crawl's only file where earlier releases filed it."""
    [file] = crawl.files
    path = settings.landing_path / file.path
    moved = path.parent.with_name(folder) / path.name
    moved.parent.mkdir(parents=True)
    path.rename(moved)
    place = moved.relative_to(settings.landing_path).as_posix()
    crawl.files = [LandedFile(place, file.rows, file.bytes)]
    save(settings.landing_path, crawl)


# Repetition ----------------------------------------------------------------------------------


def test_loading_again_without_new_files_changes_nothing(landing: Landing) -> None:
    landing.leads("mega", mega_lead(1), mega_lead(2))
    load_landing(landing.settings)
    before = all_tables(landing.settings)
    result = load_landing(landing.settings)
    assert (result.files, all_tables(landing.settings)) == (0, before)


def test_pulling_the_same_states_again_adds_no_row(landing: Landing) -> None:
    landing.leads("mega", mega_lead(1), mega_lead(2))
    before = load_landing(landing.settings).table_rows
    landing.leads("mega", mega_lead(1), mega_lead(2))
    assert load_landing(landing.settings).table_rows == before


def test_an_old_window_pulled_again_with_fewer_leads_removes_nothing(landing: Landing) -> None:
    window = Window(at(3), at(4))
    both = mega_lead(1, at(3), score=1), mega_lead(2, at(3), score=2)
    landing.leads("mega", *both, window=window)
    landing.leads("mega", mega_lead(1, at(3), at(8), score=8), window=Window(at(8), at(9)))
    load_landing(landing.settings)
    landing.leads("mega", both[1], window=window)
    result = load_landing(landing.settings)
    assert (result.table_rows["lead_versions"], column(landing.settings, "score")) == (
        3,
        [8.0, 2.0],
    )


def test_a_day_run_again_keeps_the_other_states_of_the_leads_that_it_brings(
    landing: Landing,
) -> None:
    earlier = mega_lead(1, at(3), score=3)
    landing.leads("mega", earlier, window=Window(at(3), at(4)))
    landing.leads("mega", mega_lead(1, at(3), at(8), score=8), window=Window(at(8), at(9)))
    load_landing(landing.settings)
    landing.leads("mega", earlier, window=Window(at(3), at(4)))
    result = load_landing(landing.settings)
    assert (result.table_rows["lead_versions"], column(landing.settings, "score")) == (2, [8.0])


def test_flushes_of_a_crawl_that_still_runs_are_loaded_as_they_come(landing: Landing) -> None:
    plan = CrawlPlan("running", "mega", [[mega_lead(1)], [mega_lead(2)], [mega_lead(3)]])
    counts = []
    for number in range(3):
        landing.flush(plan, number)
        counts.append(load_landing(landing.settings).table_rows["leads"])
    assert counts == [1, 2, 3]


def test_a_file_that_no_commit_record_lists_is_not_loaded(landing: Landing) -> None:
    commit = landing.leads("mega", mega_lead(1))
    listed_file = landing.settings.landing_path / commit.files[0].path
    orphan = listed_file.with_name("20260201T000000000000Z-leads-00000000-000001-000001.parquet")
    orphan.write_bytes(b"half a file")
    assert load_landing(landing.settings).table_rows["leads"] == 1


# Rebuilding ----------------------------------------------------------------------------------


def test_a_changed_mapping_of_stages_builds_the_tables_again(
    landing: Landing, tmp_path: Path
) -> None:
    landing.leads("vorel", vorel_lead(1, status="booked"))
    load_landing(landing.settings)
    provider = PROVIDERS["vorel"]
    for file in provider.folder.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_text(file.read_text("utf-8"), "utf-8")
    stages = tmp_path / "stages.csv"
    stages.write_text(
        stages.read_text("utf-8").replace("stage,booked,booked", "stage,booked,engaged"), "utf-8"
    )
    with changed(provider, "folder", tmp_path):
        result = load_landing(landing.settings)
    assert (result.rebuilt, column(landing.settings, "stage")) == (True, ["engaged"])


def test_another_phone_region_builds_the_tables_again(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1, phone="020 7946 0018"))
    load_landing(landing.settings)
    result = load_landing(settings_in(landing.settings.home, phone_region="GB"))
    assert (result.rebuilt, column(landing.settings, "phone_e164")) == (True, ["+442079460018"])


def test_unchanged_settings_build_nothing_again(landing: Landing) -> None:
    landing.leads("mega", mega_lead(1))
    load_landing(landing.settings)
    assert not load_landing(landing.settings).rebuilt


# Failing -------------------------------------------------------------------------------------


def test_a_load_that_fails_leaves_the_tables_as_they_were(landing: Landing) -> None:
    landing.leads("mega", mega_lead(1))
    load_landing(landing.settings)
    before = all_tables(landing.settings)
    landing.leads("mega", mega_lead(2))
    commit = landing.leads("vorel", vorel_lead(3))
    (landing.settings.landing_path / commit.files[0].path).write_bytes(b"not Parquet")
    with pytest.raises(LoadError, match="cannot be read"):
        load_landing(landing.settings)
    assert all_tables(landing.settings) == before


def test_a_rebuild_that_fails_leaves_the_tables_as_they_were(landing: Landing) -> None:
    commit = landing.leads("mega", mega_lead(1))
    load_landing(landing.settings)
    before = all_tables(landing.settings)
    (landing.settings.landing_path / commit.files[0].path).unlink()
    with pytest.raises(LoadError, match="cannot be read"):
        load_landing(landing.settings, rebuild=True)
    assert all_tables(landing.settings) == before


def test_a_file_of_seen_ids_that_cannot_be_read_is_named(landing: Landing) -> None:
    commit = landing.leads("vorel", vorel_lead(1, at(1)), keep_from=at(2))
    (landing.settings.landing_path / commit.seen_files[0].path).unlink()
    with pytest.raises(LoadError, match="cannot be read"):
        load_landing(landing.settings)


def test_the_load_after_a_failed_one_loads_what_is_left(landing: Landing) -> None:
    commit = landing.leads("mega", mega_lead(1))
    path = landing.settings.landing_path / commit.files[0].path
    content = path.read_bytes()
    path.write_bytes(b"not Parquet")
    with pytest.raises(LoadError):
        load_landing(landing.settings)
    path.write_bytes(content)
    assert load_landing(landing.settings).table_rows["leads"] == 1


# Missing leads -------------------------------------------------------------------------------


def full_crawl(landing: Landing, *records: Record | bytes, **fields: Any) -> None:
    landing.leads("vorel", *records, is_full=True, **fields)


def test_a_lead_is_missing_since_the_first_complete_walk_that_no_longer_showed_it(
    landing: Landing,
) -> None:
    full_crawl(landing, vorel_lead(1), vorel_lead(2), at=POLL)
    full_crawl(landing, vorel_lead(1), at=POLL + timedelta(days=1))
    full_crawl(landing, vorel_lead(1), at=POLL + timedelta(days=2))
    load_landing(landing.settings)
    ended = POLL + timedelta(days=1, seconds=2)
    assert column(landing.settings, "missing_since") == [None, ended]


def test_a_lead_that_comes_back_is_no_longer_missing(landing: Landing) -> None:
    full_crawl(landing, vorel_lead(1), vorel_lead(2))
    full_crawl(landing, vorel_lead(1))
    load_landing(landing.settings)
    full_crawl(landing, vorel_lead(1), vorel_lead(2))
    load_landing(landing.settings)
    assert column(landing.settings, "missing_since") == [None, None]


@pytest.mark.parametrize("lacking", [{"complete": False}, {"is_full": False}])
def test_a_walk_that_did_not_see_everything_makes_no_lead_missing(
    landing: Landing, lacking: Mapping[str, Any]
) -> None:
    full_crawl(landing, vorel_lead(1), vorel_lead(2))
    landing.leads("vorel", vorel_lead(1), **{"is_full": True, **lacking})
    load_landing(landing.settings)
    assert column(landing.settings, "missing_since") == [None, None]


def test_a_lead_met_but_not_landed_again_is_not_missing(landing: Landing) -> None:
    full_crawl(landing, vorel_lead(1, at(1)))
    full_crawl(landing, vorel_lead(1, at(1)), keep_from=at(20))
    load_landing(landing.settings)
    assert column(landing.settings, "missing_since") == [None]


def test_a_rejected_lead_whose_id_could_be_read_is_not_missing(landing: Landing) -> None:
    full_crawl(landing, vorel_lead(1))
    full_crawl(landing, vorel_lead(1) | {"updated_at": "tomorrow"})
    load_landing(landing.settings)
    assert column(landing.settings, "missing_since") == [None]


def test_a_lead_met_after_a_walk_began_is_not_missing_from_it(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(2), at=POLL + timedelta(seconds=1))
    landing.land(
        CrawlPlan("walk", "vorel", [[vorel_lead(1)], [vorel_lead(3)]], at=POLL, is_full=True)
    )
    load_landing(landing.settings)
    assert column(landing.settings, "missing_since") == [None, None, None]


def test_a_walk_of_one_account_says_nothing_of_another_s_leads(landing: Landing) -> None:
    full_crawl(landing, vorel_lead(1), account="north")
    full_crawl(landing, vorel_lead(2), account="south")
    load_landing(landing.settings)
    assert column(landing.settings, "missing_since") == [None, None]


def test_a_lead_knows_when_any_crawl_first_and_last_met_it(landing: Landing) -> None:
    full_crawl(landing, vorel_lead(1, at(1)), at=POLL)
    load_landing(landing.settings)
    full_crawl(landing, vorel_lead(1, at(1)), keep_from=at(20), at=POLL + timedelta(days=1))
    load_landing(landing.settings)
    second = timedelta(seconds=1)
    assert (
        column(landing.settings, "first_seen_at"),
        column(landing.settings, "last_seen_at"),
    ) == ([POLL + second], [POLL + timedelta(days=1) + second])


# Details of Expert AI Labs -------------------------------------------------------------------


def test_details_and_list_state_of_one_moment_are_one_version(landing: Landing) -> None:
    record = expert_ai_labs_lead(1, timeline="this_week")
    landing.leads("expert_ai_labs", record, stream="lead_details")
    landing.leads("expert_ai_labs", listed(record))
    result = load_landing(landing.settings)
    assert (result.table_rows["lead_versions"], column(landing.settings, "timeline")) == (
        1,
        ["this_week"],
    )


def test_a_younger_list_state_keeps_the_details_of_the_newest_single_record(
    landing: Landing,
) -> None:
    for day, timeline in ((1, "no_rush"), (2, "this_week")):
        record = expert_ai_labs_lead(1, at(1), at(day), timeline=timeline)
        landing.leads("expert_ai_labs", record, stream="lead_details")
    younger = expert_ai_labs_lead(1, at(1), at(3), pipeline_stage="won")
    landing.leads("expert_ai_labs", listed(younger))
    load_landing(landing.settings)
    assert (
        column(landing.settings, "timeline"),
        column(landing.settings, "stage"),
    ) == (["this_week"], ["won"])


def test_a_detail_that_became_null_is_null(landing: Landing) -> None:
    for day, timeline in ((1, "this_week"), (2, None)):
        record = expert_ai_labs_lead(1, at(1), at(day), timeline=timeline)
        landing.leads("expert_ai_labs", record, stream="lead_details")
    load_landing(landing.settings)
    assert column(landing.settings, "timeline") == [None]


# The property --------------------------------------------------------------------------------

_days = st.integers(1, 3)


@st.composite
def _vorel_records(draw: st.DrawFn) -> Record:
    return vorel_lead(
        draw(st.integers(1, 3)),
        at(1),
        at(draw(_days)),
        status=draw(st.sampled_from(("new", "booked"))),
        phone=draw(st.sampled_from(("+12065550123", "206 555 0123", "none"))),
        loyalty=draw(st.integers(1, 2)),
    )


@st.composite
def _mega_records(draw: st.DrawFn) -> Record:
    return mega_lead(
        draw(st.integers(1, 3)),
        at(1),
        at(draw(_days)),
        status=draw(st.sampled_from(("active", "lost"))),
        current_stage=draw(st.sampled_from((None, STAGES[0], STAGES[1]))),
    )


@st.composite
def _expert_records(draw: st.DrawFn) -> Record:
    return expert_lead(
        draw(st.integers(1, 3)),
        draw(st.sampled_from(("new", "won"))),
        at(draw(_days), second=draw(st.sampled_from((0, 3)))),
    ) | {"timeline": draw(st.sampled_from((None, "this_week")))}


@st.composite
def _events(draw: st.DrawFn) -> Record:
    before, after = draw(st.permutations(("new", "won", "lost")))[:2]
    return event(draw(st.integers(1, 3)), at(draw(_days)), before, after)


@st.composite
def _plans(draw: st.DrawFn, number: int) -> CrawlPlan:
    provider, stream, records = draw(
        st.sampled_from(
            (
                ("mega", "leads", _mega_records()),
                ("vorel", "leads", _vorel_records()),
                ("vorel", "stale_leads", _vorel_records()),
                ("expert_ai_labs", "leads", _expert_records().map(listed)),
                ("expert_ai_labs", "lead_details", _expert_records()),
                ("expert_ai_labs", "lead_events", _events()),
            )
        )
    )
    pages = draw(st.lists(st.lists(records, max_size=3), min_size=1, max_size=2))
    begins = draw(st.sampled_from((None, at(1), at(2))))
    return CrawlPlan(
        f"crawl-{number}",
        provider,
        pages,
        stream=stream,
        account=f"{provider}_{draw(st.sampled_from('ab'))}",
        at=POLL + timedelta(minutes=number),
        window=Window(begins, at(draw(st.sampled_from((3, 4, 20))))),
        complete=draw(st.booleans()),
        is_full=stream == "leads" and draw(st.booleans()),
        keep_from=draw(st.sampled_from((None, at(2)))) if stream == "leads" else None,
    )


@st.composite
def _stories(draw: st.DrawFn) -> tuple[list[CrawlPlan], list[int], set[int]]:
    """Crawls, an order in which their flushes land, and after which of these a load runs."""
    plans = [draw(_plans(number)) for number in range(draw(st.integers(2, 5)))]
    flushes = [index for index, plan in enumerate(plans) for _ in plan.flushes]
    order = draw(st.permutations(flushes))
    loads = draw(st.sets(st.integers(0, len(order) - 1), min_size=1, max_size=3))
    return plans, list(order), loads


@examples(2)
@given(story=_stories())
def test_any_order_of_landing_and_loading_ends_with_the_same_tables(
    story: tuple[list[CrawlPlan], list[int], set[int]],
) -> None:
    plans, order, loads = story
    with tempfile.TemporaryDirectory() as folder:
        at_once = settings_in(Path(folder) / "at once")
        for plan in plans:
            Landing(at_once).land(plan)
        expected_result = load_landing(at_once)
        expected = all_tables(at_once)

        bit_by_bit = settings_in(Path(folder) / "bit by bit")
        land_in_order(bit_by_bit, plans, order, loads)
        load_landing(bit_by_bit)
        assert all_tables(bit_by_bit) == expected

        load_landing(bit_by_bit, rebuild=True)
        assert all_tables(bit_by_bit) == expected
    assert [c.message for c in expected_result.checks if c.failures and c.check.is_blocking] == []


def land_in_order(
    settings: Settings, plans: Sequence[CrawlPlan], order: Sequence[int], loads: set[int]
) -> None:
    landing, done = Landing(settings), [0] * len(plans)
    for step, index in enumerate(order):
        landing.flush(plans[index], done[index])
        done[index] += 1
        if step in loads:
            load_landing(settings)


def test_a_crawl_that_lands_twice_under_two_names_changes_only_when_leads_were_seen(
    landing: Landing,
) -> None:
    plan = CrawlPlan("first", "mega", [[mega_lead(1, score=5), mega_lead(2)]])
    landing.land(plan)
    before = load_landing(landing.settings).table_rows
    landing.land(replace(plan, name="second", at=POLL + timedelta(days=1)))
    assert load_landing(landing.settings).table_rows == before


def test_what_killed_processes_have_left_is_removed_by_the_next_load(settings: Settings) -> None:
    Landing(settings).leads("vorel", vorel_lead(1, at(1), at(2)))
    load_landing(settings)
    scratch = settings.scratch_warehouse_path
    scratch.parent.mkdir(exist_ok=True)
    left = [scratch, wal_of(scratch)]
    for path in (settings.warehouse_path, scratch):
        spill_of(path).mkdir()
        left.append(spill_of(path) / "duckdb_temp_storage_DEFAULT-0.tmp")
    for path in left:
        path.write_bytes(b"left by a kill")
    load_landing(settings)
    assert [path for path in left if path.exists()] == []
    assert table(settings, "leads") != []


# Memory ----------------------------------------------------------------------------------------


def long_leads(landing: Landing, leads: int, letters: int) -> None:
    """Land a lead a crawl, each with a custom field of so many letters of its own."""
    for number in range(leads):
        text = f"{number:08}" * (letters // 8)
        landing.leads("mega", mega_lead(number, at(5), custom_fields={"notes": text}))


def sessions_of(settings: Settings, limits: list[str], failures: int) -> LoadResult:
    """Load, noting the memory limits; the first `failures` loads find theirs too little."""
    original = load._load

    def short_of_memory(settings: Settings, **options: Any) -> LoadResult:
        limits.append(settings.memory_limit)
        if len(limits) <= failures:
            raise duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate")
        return original(settings, **options)

    with changed(load, "_load", short_of_memory):
        return load_landing(settings)


def test_long_records_are_loaded_in_more_batches_to_the_same_tables(landing: Landing) -> None:
    long_leads(landing, leads=6, letters=4_000)
    told: list[str] = []
    with changed(batches, "BATCH_BYTES", 5_000), changed(load, "BATCH_ROWS", 1):
        load_landing(landing.settings, tell=told.append)
    assert told == [f"Loaded {number} of 6 landed records." for number in range(1, 7)]
    together = all_tables(landing.settings)
    load_landing(landing.settings, rebuild=True)
    assert all_tables(landing.settings) == together


def test_a_load_that_the_default_memory_is_too_little_for_takes_more(landing: Landing) -> None:
    landing.leads("mega", mega_lead(1, at(5)))
    limits: list[str] = []
    assert sessions_of(landing.settings, limits, failures=1).rows == 1
    assert limits == ["500MB", "2GB"]


def test_a_memory_limit_of_the_user_is_kept_and_named_where_it_is_too_little(
    landing: Landing,
) -> None:
    landing.leads("mega", mega_lead(1, at(5)))
    load_landing(landing.settings)
    before = all_tables(landing.settings)
    long_leads(landing, leads=40, letters=400_000)
    small = landing.settings.model_copy(update={"memory_limit": "20MB"})
    with pytest.raises(LoadError, match=r"LEAD_PIPELINE_MEMORY_LIMIT allows \(20MB\): set it high"):
        load_landing(small)
    assert all_tables(landing.settings) == before


def test_memory_that_is_never_enough_is_an_error_that_names_the_larger_limit(
    landing: Landing,
) -> None:
    landing.leads("mega", mega_lead(1, at(5)))
    limits: list[str] = []
    with pytest.raises(LoadError, match=r"LEAD_PIPELINE_MEMORY_LIMIT allows \(2GB\)"):
        sessions_of(landing.settings, limits, failures=5)
    assert limits == ["500MB", "2GB"]


# Large first loads, which need no transaction ---------------------------------------------------


def test_a_large_first_load_makes_the_tables_of_a_small_one(landing: Landing) -> None:
    several_states(landing)
    load_landing(landing.settings)
    small = all_tables(landing.settings)
    with changed(load, "SMALL_ROWS", 0):
        load_landing(landing.settings, rebuild=True)
    assert all_tables(landing.settings) == small


@pytest.mark.parametrize("phase", ["LEDGER", "LEADS", "ABSENCE", "WATCH"])
def test_a_large_rebuild_that_ends_halfway_leaves_the_tables_as_they_were(
    landing: Landing, phase: str
) -> None:
    several_states(landing)
    load_landing(landing.settings)
    before = all_tables(landing.settings)

    class Ended(SqlStep):
        def run(self, session: Session, context: StepContext) -> None:
            raise KeyboardInterrupt

    ended = (Ended("load/7_leads/leads", writes=()),)
    with (
        changed(load, "SMALL_ROWS", 0),
        changed(declared_steps, phase, ended),
        pytest.raises(KeyboardInterrupt),
    ):
        load_landing(landing.settings, rebuild=True)
    assert all_tables(landing.settings) == before
    with changed(load, "SMALL_ROWS", 0):
        load_landing(landing.settings, rebuild=True)
    assert all_tables(landing.settings) == before


def several_states(landing: Landing) -> None:
    """Leads that are new, seen again, changed, and reported by a log."""
    landing.leads("mega", mega_lead(1, at(5)), mega_lead(2, at(5)))
    landing.leads("mega", mega_lead(1, at(5)), mega_lead(2, at(5), at(6), score=80))
    landing.leads("vorel", vorel_lead(3, at(5)))
    landing.leads("expert_ai_labs", expert_lead(1, "qualified", at(6)))
    landing.leads("expert_ai_labs", event(1, at(6), "new", "qualified"), stream="lead_events")
