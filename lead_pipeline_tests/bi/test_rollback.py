"""Earlier builds are kept, and readers can have them again."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from lead_pipeline.bi import masking
from lead_pipeline.bi.gate import PublishRules
from lead_pipeline.bi.publish import publish
from lead_pipeline.bi.retained_builds import name_of, retained_builds
from lead_pipeline.bi.rollback import hold_build, release_build, roll_back
from lead_pipeline.errors import PublishError
from lead_pipeline.storage.publication import retained_folder
from lead_pipeline_tests.pulling import at
from lead_pipeline_tests.sample_builds import (
    MASK,
    Bi,
    as_an_earlier_version_masked_it,
    leads_of,
    run_of,
)

RULES = PublishRules(allow_row_count_drop=True, retained_builds=3)
MASKED = PublishRules(masking_key_id=MASK.key_id, allow_row_count_drop=True)


@pytest.fixture
def bi(tmp_path: Path) -> Bi:
    return Bi(tmp_path)


def publish_runs(bi: Bi, *run_ids: str, retained_builds: int = 3, first_day: int = 1) -> None:
    """One publication per run, each on the day after, with one lead more each time."""
    for number, run_id in enumerate(run_ids, start=1):
        bi.build_and_publish(
            leads_of("mega", number),
            run_id=run_id,
            rules=PublishRules(allow_row_count_drop=True, retained_builds=retained_builds),
            published_at=at(first_day + number - 1, 2, 40),
        )


def publish_on(bi: Bi, day: int, *run_ids: str, rules: PublishRules = RULES) -> None:
    """Several publications on one day of January, an hour apart."""
    for hour, run_id in enumerate(run_ids):
        bi.build_and_publish(
            leads_of("mega", 1), run_id=run_id, rules=rules, published_at=at(day, hour)
        )


def kept_runs(bi: Bi) -> list[str]:
    """The runs of the retained builds, newest first."""
    return [build.run_id for build in retained_builds(bi.published)]


def back(bi: Bi, to: str | None = None) -> str:
    """The run that readers have after a rollback."""
    roll_back(bi.published, to=to, masking_key_id=None)
    return run_of(bi.published)


@pytest.mark.long
def test_of_many_publications_in_a_day_the_last_stays_beside_what_readers_have(bi: Bi) -> None:
    publish_on(bi, 1, "night")
    bi.build_loaded(run_id="poll")
    tested = bi.candidate.read_bytes()
    for minute in range(12):
        bi.candidate.write_bytes(tested)
        bi.publish(f"poll {minute}", RULES, at(2, 0, minute))
    assert run_of(bi.published) == "poll 11"
    assert kept_runs(bi) == ["poll 10", "night"]


@pytest.mark.long
def test_the_last_build_of_each_day_is_kept_for_as_many_days_as_are_set(bi: Bi) -> None:
    for day in range(1, 6):
        publish_on(bi, day, f"{day} night", f"{day} noon", f"{day} evening")
    assert run_of(bi.published) == "5 evening"
    assert kept_runs(bi) == ["5 noon", "4 evening", "3 evening"]


@pytest.mark.long
def test_days_without_a_publication_do_not_count(bi: Bi) -> None:
    for day in (1, 8, 20, 28):
        publish_on(bi, day, f"day {day}")
    assert kept_runs(bi) == ["day 20", "day 8", "day 1"]


@pytest.mark.long
def test_a_build_on_hold_stays_whatever_its_age_until_it_is_released(bi: Bi) -> None:
    publish_on(bi, 1, "audited")
    held = hold_build(bi.published, None, None)
    assert (held.run_id, run_of(bi.published)) == ("audited", "audited")
    publish_runs(bi, "2", "3", "4", "5", retained_builds=1, first_day=2)
    assert kept_runs(bi) == ["4", "audited"]
    assert back(bi, to=name_of(held)) == "audited"
    publish_runs(bi, "6", retained_builds=1, first_day=6)
    assert kept_runs(bi) == ["5", "audited"]
    release_build(bi.published, name_of(held))
    publish_runs(bi, "7", retained_builds=1, first_day=7)
    assert kept_runs(bi) == ["6"]
    assert [path.suffix for path in retained_folder(bi.published).iterdir()] == [".duckdb"]


def test_a_retained_build_is_put_on_hold_by_the_beginning_of_its_name(bi: Bi) -> None:
    publish_runs(bi, "1", "2", "3")
    assert hold_build(bi.published, "20260101", None).run_id == "1"
    publish_runs(bi, "4", retained_builds=0, first_day=4)
    assert kept_runs(bi) == ["1"]


def test_masking_wins_over_a_hold(bi: Bi) -> None:
    publish_on(bi, 1, "plain")
    hold_build(bi.published, None, None)
    told: list[str] = []
    bi.build(leads_of("mega", 1), mask=MASK)
    publish(bi.candidate, bi.published, run_id="masked", rules=MASKED, tell=told.append)
    assert list(retained_folder(bi.published).iterdir()) == []
    [line] = told
    assert "masked otherwise than what readers have" in line


def test_a_build_that_readers_must_not_have_cannot_be_put_on_hold(bi: Bi) -> None:
    publish_on(bi, 1, "plain")
    with pytest.raises(PublishError, match="readers must not get it"):
        hold_build(bi.published, None, MASK.key_id)
    assert not retained_folder(bi.published).exists()


def test_release_of_what_is_not_on_hold_says_so(bi: Bi) -> None:
    publish_runs(bi, "1", "2")
    with pytest.raises(PublishError, match=r"20260102T024000000000Z-2 is not on hold.*--list"):
        release_build(bi.published, None)


READER = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
print("open", flush=True)
sys.stdin.readline()
print(connection.execute("select distinct run_id from meta.publish").fetchall())
"""


def test_a_reader_with_the_file_open_does_not_notice_holds_publications_and_removals(
    bi: Bi,
) -> None:
    publish_on(bi, 1, "opened")
    # A process of its own: within one, DuckDB shares the open file.
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", READER, str(bi.published)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "open\n"
        hold_build(bi.published, None, None)
        publish_runs(bi, "2", "3", retained_builds=1, first_day=2)
        release_build(bi.published, "20260101")
        publish_runs(bi, "4", retained_builds=1, first_day=4)
        assert kept_runs(bi) == ["3"]
        assert reader.communicate("now\n", timeout=60)[0] == "[('opened',)]\n"


def test_builds_can_be_listed_while_publications_remove_them(bi: Bi) -> None:
    publish_runs(bi, "1", "2")
    [path] = bi.kept
    spare = path.with_name("spare")
    os.link(path, spare)
    done = threading.Event()

    def come_and_go() -> None:
        while not done.is_set():
            path.unlink()
            os.link(spare, path)

    coming_and_going = threading.Thread(target=come_and_go)
    coming_and_going.start()
    try:
        seen = [kept_runs(bi) for _ in range(100)]
    finally:
        done.set()
        coming_and_going.join()
    assert all(runs in ([], ["1"]) for runs in seen)


@pytest.mark.long
def test_newest_builds_before_the_published_one_are_kept(bi: Bi) -> None:
    publish_runs(bi, "1", "2", "3", "4", retained_builds=2)
    assert [build.run_id for build in retained_builds(bi.published)] == ["3", "2"]
    assert [build.lead_count for build in retained_builds(bi.published)] == [3, 2]


def test_no_build_is_kept_where_none_is_wanted(bi: Bi) -> None:
    publish_runs(bi, "1", "2", retained_builds=0)
    assert bi.kept == []


@pytest.mark.long
def test_lowering_the_number_removes_what_is_beyond_it(bi: Bi) -> None:
    publish_runs(bi, "1", "2", "3", retained_builds=3)
    publish_runs(bi, "4", retained_builds=1, first_day=4)
    assert [build.run_id for build in retained_builds(bi.published)] == ["3"]


def test_keeping_a_build_takes_no_room_but_its_own(bi: Bi) -> None:
    publish_runs(bi, "1")
    inode = bi.published.stat().st_ino
    publish_runs(bi, "2")
    assert [path.stat().st_ino for path in bi.kept] == [inode]


def test_file_system_without_hard_links_gets_copies(
    bi: Bi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    publish_runs(bi, "1", "2")
    assert [path.stat().st_nlink for path in bi.kept] == [1]
    assert back(bi) == "1"
    assert sorted(path.name for path in retained_folder(bi.published).iterdir()) == [
        path.name for path in bi.kept
    ]


def test_rollback_gives_the_build_before_and_again_the_one_before_that(bi: Bi) -> None:
    publish_runs(bi, "1", "2", "3")
    assert [back(bi), back(bi)] == ["2", "1"]
    with pytest.raises(PublishError, match=r"earliest build .*rollback --to \d{8}T\d{12}Z-3"):
        back(bi)


def test_rollback_goes_to_a_named_build_and_forward_again(bi: Bi) -> None:
    publish_runs(bi, "1", "2", "3")
    oldest = name_of(retained_builds(bi.published)[-1])
    assert back(bi, to=oldest) == "1"
    newest = name_of(retained_builds(bi.published)[0])
    assert newest.endswith("-3")
    assert back(bi, to=newest[:-1]) == "3"


def test_rollback_names_the_choices_when_a_name_fits_none_or_several(bi: Bi) -> None:
    publish_runs(bi, "1", "2", "3")
    names = [name_of(build) for build in retained_builds(bi.published)]
    with pytest.raises(PublishError, match=f"0 retained builds .* {names[0]}, {names[1]}"):
        back(bi, to="1999")
    with pytest.raises(PublishError, match="2 retained builds"):
        back(bi, to="2")
    assert run_of(bi.published) == "3"


def test_rollback_that_is_repeated_after_a_kill_finds_it_done(bi: Bi) -> None:
    publish_runs(bi, "older", "old")
    assert back(bi, to="20260101") == "older"
    given = bi.published.read_bytes()
    assert back(bi, to="20260101") == "older"
    assert bi.published.read_bytes() == given
    assert list(bi.home.rglob("*.tmp")) == []


def test_rollback_without_a_retained_build_says_where_to_set_it(bi: Bi) -> None:
    publish_runs(bi, "1")
    with pytest.raises(PublishError, match="LEAD_PIPELINE_RETAINED_BUILDS"):
        back(bi)


@pytest.mark.long
def test_publication_after_a_rollback_goes_forward_and_keeps_what_was_left(bi: Bi) -> None:
    publish_runs(bi, "1", "2", "3")
    back(bi)
    bi.build_and_publish(leads_of("mega", 4), run_id="4")
    assert run_of(bi.published) == "4"
    assert [build.run_id for build in retained_builds(bi.published)] == ["3", "2", "1"]


def test_lost_file_can_be_had_again(bi: Bi) -> None:
    publish_runs(bi, "1", "2")
    bi.published.unlink()
    assert back(bi) == "1"


def test_rollback_that_the_disk_refuses_changes_nothing(
    bi: Bi, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_runs(bi, "1", "2")
    before = bi.published.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PublishError, match=r"No space left on device.*keep what they"):
        back(bi)
    assert bi.published.read_bytes() == before


def test_rollback_leaves_no_file_behind_that_the_disk_refused(
    bi: Bi, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_runs(bi, "older", "old")

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("lead_pipeline.storage.files.sync", refuse)
    with pytest.raises(PublishError, match="Input/output error"):
        back(bi)
    assert list(bi.home.rglob("*.tmp")) == []


def test_rollback_removes_what_a_killed_one_has_left(bi: Bi) -> None:
    publish_runs(bi, "older", "old")
    left = bi.published.with_name(".leads.duckdb.4711-0a1b2c3d.tmp")
    left.write_bytes(b"half a file")
    assert back(bi) == "older"
    assert not left.exists()


def test_builds_masked_otherwise_go_with_the_next_publication(bi: Bi) -> None:
    publish_runs(bi, "plain 1", "plain 2")
    rules = PublishRules(masking_key_id=MASK.key_id)
    bi.build_and_publish(leads_of("mega", 3), run_id="masked", mask=MASK, rules=rules)
    assert bi.kept == []
    bi.build_and_publish(leads_of("mega", 3), run_id="masked 2", mask=MASK, rules=rules)
    assert [build.masking_key_id for build in retained_builds(bi.published)] == [MASK.key_id]


def test_readers_never_get_a_build_that_is_masked_otherwise_than_the_settings_say(bi: Bi) -> None:
    publish_runs(bi, "1", "2")
    with pytest.raises(PublishError, match="readers must not get it"):
        roll_back(bi.published, to=None, masking_key_id=MASK.key_id)
    assert run_of(bi.published) == "2"


@pytest.fixture
def masked_earlier(bi: Bi) -> Bi:
    """A home that an earlier version left: two masked builds, one of them kept."""
    for run_id in ("old 1", "old 2"):
        bi.build_and_publish(leads_of("mega", 3), run_id=run_id, mask=MASK, rules=MASKED)
    for path in (*bi.kept, bi.published):
        as_an_earlier_version_masked_it(path)
    return bi


def test_masked_builds_of_an_earlier_version_go_with_the_next_publication(
    masked_earlier: Bi,
) -> None:
    bi = masked_earlier
    [kept] = bi.kept
    told: list[str] = []
    bi.build(leads_of("mega", 3), mask=MASK)
    publish(bi.candidate, bi.published, run_id="new", rules=MASKED, tell=told.append)
    assert bi.kept == []
    assert [line for line in told if "an earlier version" in line and str(kept) in line] == told


def test_readers_never_get_a_build_again_that_an_earlier_version_masked(
    masked_earlier: Bi,
) -> None:
    with pytest.raises(PublishError, match=r"earlier version.*can tell who.*lead-pipeline publish"):
        roll_back(masked_earlier.published, to=None, masking_key_id=MASK.key_id)
    assert run_of(masked_earlier.published) == "old 2"


def test_plain_builds_of_an_earlier_version_can_still_be_had_again(bi: Bi) -> None:
    publish_runs(bi, "1", "2")
    for path in (*bi.kept, bi.published):
        as_an_earlier_version_masked_it(path)
    publish_runs(bi, "3", first_day=3)
    assert [build.run_id for build in retained_builds(bi.published)] == ["2", "1"]
    assert back(bi) == "2"


def test_builds_masked_before_a_column_was_to_be_hashed_go_with_the_next_publication(
    bi: Bi, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        before = tuple(
            replace(line, treatment="keep") if line.column == "company" else line
            for line in masking.treatments()
        )
        patch.setattr(masking, "treatments", lambda: before)
        for run_id in ("1", "2"):
            bi.build_and_publish(leads_of("mega", 3), run_id=run_id, mask=MASK, rules=MASKED)
    bi.build_and_publish(leads_of("mega", 3), run_id="3", mask=MASK, rules=MASKED)
    assert bi.kept == []
