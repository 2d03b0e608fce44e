"""The stage mapping: our rows, and the users' own, which win one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_pipeline.errors import LoadError
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.normalized.stages import load_stages, stages_digest
from lead_pipeline.sandbox.examples import vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import Landing, table
from lead_pipeline_tests.pulling import settings_in

HEADER = "provider,field,value,stage,stage_order,is_terminal\n"


@pytest.fixture
def landing(settings: Settings) -> Landing:
    return Landing(settings)


def write(path: Path, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows), "utf-8")
    return path


def stages(settings: Settings) -> list[object]:
    load_landing(settings)
    return [row["stage"] for row in table(settings, "leads")]


def test_users_rows_are_taken_from_stages_csv_in_the_home_folder(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1, status="hibernating"))
    write(landing.settings.home / "stages.csv", "vorel,stage,hibernating,nurture,7,false")
    assert stages(landing.settings) == ["nurture"]


def test_users_rows_are_taken_from_the_file_that_a_variable_names(
    landing: Landing, tmp_path: Path
) -> None:
    landing.leads("vorel", vorel_lead(1, status="booked"))
    mine = write(tmp_path / "mine.csv", "vorel,stage,booked,engaged,2,false")
    assert stages(settings_in(landing.settings.home, stages=mine)) == ["engaged"]


def test_a_users_row_wins_over_ours_and_the_other_rows_stay(tmp_path: Path) -> None:
    ours = {row.key: row for row in load_stages(None)}
    mine = write(tmp_path / "mine.csv", "vorel,stage,Booked,engaged,9,true")
    both = {row.key: row for row in load_stages(mine)}
    changed = {key for key in both if both[key] != ours.get(key)}
    assert (changed, both.keys()) == ({("vorel", "stage", "booked")}, ours.keys())


def test_order_and_terminal_flag_come_with_the_users_row(tmp_path: Path) -> None:
    mine = write(tmp_path / "mine.csv", "vorel,stage,booked,engaged,9,true")
    row = next(row for row in load_stages(mine) if row.key == ("vorel", "stage", "booked"))
    assert (row.stage_order, row.is_terminal) == (9, True)


def test_an_edited_file_builds_the_tables_anew(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1, status="booked"))
    before = stages(landing.settings)
    write(landing.settings.home / "stages.csv", "vorel,stage,booked,engaged,2,false")
    result = load_landing(landing.settings)
    assert (before, result.rebuilt, stages(landing.settings)) == (["booked"], True, ["engaged"])


def test_rows_that_change_nothing_build_nothing_anew(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1))
    load_landing(landing.settings)
    write(landing.settings.home / "stages.csv", "vorel,stage,Booked,booked,4,false")
    assert not load_landing(landing.settings).rebuilt


def test_the_digest_does_not_depend_on_the_order_of_lines(tmp_path: Path) -> None:
    rows = ("vorel,stage,a,won,5,true", "vorel,stage,b,lost,6,true")
    one = write(tmp_path / "one.csv", *rows)
    other = write(tmp_path / "other.csv", *reversed(rows))
    assert stages_digest(load_stages(one)) == stages_digest(load_stages(other))


def test_a_spreadsheet_s_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(HEADER + "vorel,stage,booked,engaged,2,false\n", "utf-8-sig")
    assert ("vorel", "stage", "booked") in {row.key for row in load_stages(path)}


def test_a_wrong_line_of_the_users_file_is_named_with_the_file(tmp_path: Path) -> None:
    mine = write(tmp_path / "mine.csv", "vorel,stage,booked,sold,2,false")
    with pytest.raises(LoadError, match=r"mine\.csv, line 2: 'sold' is no canonical stage"):
        load_stages(mine)


def test_a_named_file_that_is_not_there_is_an_error_and_the_tables_stay(
    landing: Landing, tmp_path: Path
) -> None:
    landing.leads("vorel", vorel_lead(1))
    before = stages(landing.settings)
    settings = settings_in(landing.settings.home, stages=tmp_path / "none.csv")
    with pytest.raises(LoadError, match="LEAD_PIPELINE_STAGES"):
        load_landing(settings)
    assert [row["stage"] for row in table(landing.settings, "leads")] == before
