"""The stage mapping: our rows, and the users' own, which win one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_pipeline.errors import LoadError
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.normalized.stages import load_stages
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, mega_lead, vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import Landing, table
from lead_pipeline_tests.normalized.test_stage_history import event
from lead_pipeline_tests.pulling import at, settings_in

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
    assert (changed, both.keys()) == ({("", "vorel", "stage", "booked")}, ours.keys())


def test_order_and_terminal_flag_come_with_the_users_row(tmp_path: Path) -> None:
    mine = write(tmp_path / "mine.csv", "vorel,stage,booked,engaged,9,true")
    row = next(row for row in load_stages(mine) if row.key == ("", "vorel", "stage", "booked"))
    assert (row.stage_order, row.is_terminal) == (9, True)


def test_an_edited_file_leads_to_a_rebuild(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1, status="booked"))
    before = stages(landing.settings)
    write(landing.settings.home / "stages.csv", "vorel,stage,booked,engaged,2,false")
    result = load_landing(landing.settings)
    assert (before, result.rebuilt, stages(landing.settings)) == (["booked"], True, ["engaged"])


def test_rows_that_change_nothing_lead_to_no_rebuild(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1))
    load_landing(landing.settings)
    write(landing.settings.home / "stages.csv", "vorel,stage,Booked,booked,4,false")
    assert not load_landing(landing.settings).rebuilt


def test_another_order_of_lines_leads_to_no_rebuild(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1))
    rows = ("vorel,stage,a,won,5,true", "vorel,stage,b,lost,6,true")
    write(landing.settings.home / "stages.csv", *rows)
    load_landing(landing.settings)
    write(landing.settings.home / "stages.csv", *reversed(rows))
    assert not load_landing(landing.settings).rebuilt


def test_a_spreadsheet_s_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(HEADER + "vorel,stage,booked,engaged,2,false\n", "utf-8-sig")
    assert ("", "vorel", "stage", "booked") in {row.key for row in load_stages(path)}


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


# Whose row counts ----------------------------------------------------------------------------

OF_ACCOUNTS = "account,provider,field,value,stage\n"


def written(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def stage_by_account(settings: Settings) -> dict[object, object]:
    load_landing(settings)
    return {row["account"]: row["stage"] for row in table(settings, "leads")}


def test_a_row_for_an_account_counts_there_and_nowhere_else(landing: Landing) -> None:
    for account in ("vorel", "vorel_eu"):
        landing.leads("vorel", vorel_lead(1, status="booked"), account=account)
    mine = OF_ACCOUNTS + "vorel_eu,vorel,stage,Booked,qualified\n,vorel,stage,booked,engaged\n"
    written(landing.settings.home / "stages.csv", mine)
    assert stage_by_account(landing.settings) == {"vorel": "engaged", "vorel_eu": "qualified"}


def test_a_status_counts_before_a_stage_of_the_account(landing: Landing) -> None:
    landing.leads("mega", mega_lead(1, status="lost"))
    mine = OF_ACCOUNTS + "mega,mega,stage,new,booked\n"
    written(landing.settings.home / "stages.csv", mine)
    assert stage_by_account(landing.settings) == {"mega": "lost"}


def test_a_stage_mapped_for_one_account_is_drift_in_the_others(landing: Landing) -> None:
    for account in ("vorel", "vorel_eu"):
        landing.leads("vorel", vorel_lead(1, status="asleep"), account=account)
    written(
        landing.settings.home / "stages.csv", OF_ACCOUNTS + "vorel_eu,vorel,stage,Asleep,nurture"
    )
    load_landing(landing.settings)
    drift = table(landing.settings, "contract_drift")
    assert [(row["account"], row["value"]) for row in drift] == [("vorel", "asleep")]


def test_a_stage_of_the_audit_log_is_mapped_as_the_file_writes_it(landing: Landing) -> None:
    landing.leads("expert_ai_labs", event(1, at(3), "İLK", "new"), stream="lead_events")
    landing.leads("expert_ai_labs", expert_ai_labs_lead(1, at(1), at(3), pipeline_stage="new"))
    mine = OF_ACCOUNTS + ",expert_ai_labs,stage,ilk,engaged\n"
    written(landing.settings.home / "stages.csv", mine)
    load_landing(landing.settings)
    history = table(landing.settings, "lead_stage_history")
    assert [row["stage"] for row in history] == ["engaged", "new"]


def test_every_stage_that_leads_have_shown_tells_the_order_and_flag_of_its_row(
    landing: Landing,
) -> None:
    landing.leads("vorel", vorel_lead(1, status=" HIBERNATING "), vorel_lead(2, status="booked"))
    landing.leads("vorel", vorel_lead(3, status="???"))
    write(landing.settings.home / "stages.csv", "vorel,stage,hibernating,nurture,3,true")
    load_landing(landing.settings)
    mapped = {
        row["provider_stage"]: (row["stage"], row["stage_order"], row["is_terminal"])
        for row in table(landing.settings, "mapped_stages")
    }
    assert mapped == {
        " HIBERNATING ": ("nurture", 3, True),
        "booked": ("booked", 4, False),
        "???": ("unmapped", 9, False),
    }


def test_order_and_flag_that_a_row_leaves_out_are_those_of_the_canonical_stage(
    tmp_path: Path,
) -> None:
    mine = written(tmp_path / "mine.csv", "provider,field,value,stage\nvorel,stage,sold,won\n")
    [row] = [row for row in load_stages(mine) if row.value == "sold"]
    assert (row.account, row.stage_order, row.is_terminal) == (None, 5, True)


# How files are written -----------------------------------------------------------------------

EDITED = HEADER + "vorel,stage,gagné,won,5,true\nvorel,stage,perdu,lost,6,true\n"


@pytest.mark.parametrize(
    "text",
    [
        EDITED.replace("\n", "\r\n"),
        EDITED.replace("\n", "\r"),
        EDITED.encode("utf-8-sig"),
        EDITED.replace(",", ";"),
        EDITED.replace(",", "\t"),
        EDITED.replace("gagné", '"Gagné "').replace("perdu", '"perdu"'),
        EDITED.replace("gagné", "gagne\u0301"),
        EDITED.replace("true", "TRUE"),
        EDITED + "\n\n",
        EDITED + ",,,,,\n   \n",
        EDITED.replace("vorel,stage,perdu", "\n\nvorel,stage,perdu"),
        EDITED.replace(",", " , "),
        EDITED.replace("provider,field", "Provider,Field"),
        EDITED.rstrip("\n"),
    ],
)
def test_a_file_means_the_same_however_a_program_saves_it(
    text: str | bytes, tmp_path: Path
) -> None:
    plain = load_stages(written(tmp_path / "plain.csv", EDITED))
    assert load_stages(written(tmp_path / "other.csv", text)) == plain


def test_a_value_in_quotes_can_hold_commas_and_quotes(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1, status='won, "really"'))
    write(landing.settings.home / "stages.csv", 'vorel,stage,"Won, ""really""",won,5,true')
    assert stages(landing.settings) == ["won"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"mine\.csv, line 1: the header lacks provider, field, value, stage"),
        ("vorel,stage,x,won,5,true\n", r"line 1: the header lacks provider, field, value"),
        ("provider|field|value|stage\n", r"line 1: the header lacks .* separated by commas"),
        ("acount," + HEADER, r"line 1: 'acount' is no column"),
        ("provider," + HEADER, r"line 1: 'provider' is no column, or is there twice"),
        (HEADER + "vorel,stage,won, really,won,5,true\n", r"line 2: 7 cells for 6 columns"),
        (HEADER + 'vorel,stage,"won,won,5,true\n', r"line 2: .*Quotes enclose a whole value"),
        (HEADER + "vorel,stage,x,won,-1,true\n", r"line 2: stage_order is a whole number"),
        (HEADER + "vorel,stage,x,won,99999999999,true\n", r"line 2: stage_order is a whole"),
        (HEADER + "vorel,stage,x,won,5.0,true\n", r"line 2: stage_order is a whole number"),
        (HEADER + "vorel,stage,x,won,5,wahr\n", r"line 2: .*is_terminal true or false"),
        (
            HEADER + "\nhubspot,stage,x,won,5,true\n",
            r"line 3: provider must be one of expert_ai_labs, mega",
        ),
        (HEADER + "vorel,state,x,won,5,true\n", r"line 2: .*field status or stage"),
        (HEADER + "vorel,stage,x,sold,5,true\n", r"line 2: 'sold' is no canonical stage"),
        (
            HEADER + "vorel,stage,Straße,won,5,true\n\nvorel,stage, STRASSE,lost,6,true\n",
            r"line 4: 'STRASSE' is mapped twice, first in line 2 as 'Straße'",
        ),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=said):
        load_stages(written(tmp_path / "mine.csv", text))


def test_a_file_in_another_encoding_says_how_to_save_it(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"mine\.csv cannot be read .* Save it as UTF-8"):
        load_stages(written(tmp_path / "mine.csv", EDITED.encode("utf-16")))


def test_an_account_that_does_not_exist_is_named_with_its_line(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1))
    mine = OF_ACCOUNTS + "vorel,vorel,stage,x,won\nvorel_uk,vorel,stage,x,won\n"
    written(landing.settings.home / "stages.csv", mine)
    with pytest.raises(LoadError, match=r"line 3: there is no account 'vorel_uk'"):
        load_landing(landing.settings)


def test_an_account_of_another_provider_is_named_with_its_line(landing: Landing) -> None:
    landing.leads("mega", mega_lead(1), account="us")
    written(landing.settings.home / "stages.csv", OF_ACCOUNTS + "us,vorel,stage,x,won\n")
    with pytest.raises(LoadError, match=r"line 2: account 'us' is one of mega, not of vorel"):
        load_landing(landing.settings)


def test_an_account_that_is_configured_need_not_have_landed(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOREL_API_KEY", "key")
    landing.leads("mega", mega_lead(1))
    written(landing.settings.home / "stages.csv", OF_ACCOUNTS + "vorel,vorel,stage,x,won\n")
    assert load_landing(landing.settings).table_rows["leads"] == 1
