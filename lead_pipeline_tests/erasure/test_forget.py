"""A person is taken out of landing and tables, and nothing else changes."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import sqlite3
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing

import pytest

from lead_pipeline.erasure.erase import Order, begin, resumed
from lead_pipeline.errors import LoadError
from lead_pipeline.landing.digests import SET_ASIDE
from lead_pipeline.landing.erasures import pending_erasures
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.sandbox.examples import lead_id, mega_lead, vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline.storage.erasure_key import make_key
from lead_pipeline_tests.erasure.homes import (
    CONTACT,
    FORMER,
    NAME,
    PERSON,
    ErasureHome,
    holding,
    of_person,
    rows_of,
    tables_without,
)
from lead_pipeline_tests.normalized.landings import Landing
from lead_pipeline_tests.pulling import at

KEYS = tuple(f"{account}:{lead_id(PERSON)}" for account in ("mega", "expert_ai_labs", "vorel"))
TELLING = (lead_id(PERSON), *CONTACT.values(), FORMER, NAME, "+14155550172")


def is_of_person(row: dict[str, object]) -> bool:
    if row["folder"] == "lead_events":
        return f'"lead_id":"{lead_id(PERSON)}"' in str(row["payload"]).replace(" ", "")
    return lead_id(PERSON) in repr(row)


def test_nothing_of_the_person_is_left_and_all_else_is_as_it_was(lived: ErasureHome) -> None:
    rows = rows_of(lived.settings)
    tables = tables_without(lived.settings, *KEYS)
    assert len([row for row in rows if is_of_person(row)]) > 30

    receipt = lived.forget(lead_id(PERSON))

    assert holding(lived.settings.home, *TELLING) == []
    assert receipt.proof.outcome == "clean"
    left = [row for row in rows_of(lived.settings) if "20260107T00" not in repr(row)]
    assert left == [row for row in rows if not is_of_person(row)]
    assert tables_without(lived.settings, *KEYS, "mega:" + lead_id(60)) == tables


def test_a_file_that_holds_the_person_is_named_until_it_is_gone(lived: ErasureHome) -> None:
    settings = lived.settings
    own = settings.home / "export.csv"
    own.write_text(f"name,email\n{NAME},{CONTACT['email'].upper()}\n")
    persons = lived.persons(lead_id(PERSON))
    receipt = lived.forget(lead_id(PERSON))
    assert receipt.proof.outcome == "found"
    assert [(item.file, item.kinds) for item in receipt.proof.found] == [
        ("export.csv", ["email", "name"])
    ]
    [pending] = pending_erasures(settings)
    own.unlink()
    assert lived.complete(resumed(settings, pending), persons).proof.outcome == "clean"
    assert pending_erasures(settings) == []
    assert holding(settings.erasures_path, *TELLING) == []


def test_copies_of_own_seeds_and_what_peoples_dbt_has_written_are_removed(
    lived: ErasureHome,
) -> None:
    for path in ("0123abcd/seeds/own/callers.csv", "try-0123abcd/target/run/callers.sql"):
        copy = lived.settings.merged_dbt_path / path
        copy.parent.mkdir(parents=True)
        copy.write_text(f"name\n{NAME}\n")
    assert lived.forget(lead_id(PERSON)).proof.outcome == "clean"
    assert not lived.settings.merged_dbt_path.exists()


def test_texts_in_databases_and_logs_of_dagster_are_overwritten(lived: ErasureHome) -> None:
    folder = lived.settings.dagster_home / "history"
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "runs.db")) as connection:
        connection.execute("create table event_logs (id integer, event text)")
        texts = [f'{{"examples": ["mega:{lead_id(n)}", "{NAME}"]}}' for n in (PERSON, 2)]
        connection.executemany("insert into event_logs values (?, ?)", list(enumerate(texts)))
        connection.execute("create table gone (event text)")
        connection.executemany("insert into gone values (?)", [(text,) for text in texts * 50])
        connection.execute("delete from gone")
        connection.commit()
    (folder / "run.log").write_text(f"lead mega:{lead_id(PERSON)} and mega:{lead_id(2)}\n")

    receipt = lived.forget(lead_id(PERSON))

    assert receipt.proof.outcome == "clean"
    assert receipt.overwritten == ["dagster/history/run.log", "dagster/history/runs.db"]
    assert (folder / "run.log").read_text() == f"lead mega:[erased] and mega:{lead_id(2)}\n"
    with closing(sqlite3.connect(folder / "runs.db")) as connection:
        rows = connection.execute("select event from event_logs order by id").fetchall()
    assert rows == [
        ('{"examples": ["mega:[erased]", "[erased]"]}',),
        (f'{{"examples": ["mega:{lead_id(2)}", "[erased]"]}}',),
    ]


def test_an_address_of_another_lead_is_told_and_stays(settings: Settings) -> None:
    landing = Landing(settings)
    shared = mega_lead(1, contact_email="both@shared.example", contact_phone=None)
    landing.leads("mega", shared, mega_lead(2))
    landing.leads("vorel", vorel_lead(9, email="Both@Shared.example"))
    home = ErasureHome(settings)
    persons = home.persons(f"mega:{lead_id(1)}")
    assert persons.others == (f"vorel:{lead_id(9)}",)
    receipt = home.forget(f"mega:{lead_id(1)}")
    assert receipt.proof.outcome == "clean"
    assert {tuple(item.kinds) for item in receipt.proof.held_by_others} >= {("email",)}
    assert holding(settings.home, "both@shared.example") == [
        item.file for item in receipt.proof.held_by_others if "email" in item.kinds
    ]


@pytest.mark.parametrize(
    "who", [f"mega:{lead_id(PERSON)}", CONTACT["email"], FORMER.upper(), "(415) 555-0172"]
)
def test_a_person_is_found_by_key_address_and_number_also_former_ones(
    settings: Settings, who: str
) -> None:
    landing = Landing(settings)
    landing.leads("mega", mega_lead(2), of_person("mega", at(4)))
    landing.leads("mega", of_person("mega", at(6)))
    persons = ErasureHome(settings).persons(who)
    assert [lead.lead_key for lead in persons.leads] == [f"mega:{lead_id(PERSON)}"]
    assert persons.unknown == ()


def test_nobody_loads_while_landing_is_half_erased(lived: ErasureHome) -> None:
    begin(lived.settings, lived.persons(lead_id(PERSON)), Order())
    with pytest.raises(LoadError, match=r"expert_ai_labs, mega, vorel.*forget --resume"):
        load_landing(lived.settings)


def test_any_number_of_processes_make_one_key(settings: Settings) -> None:
    with ProcessPoolExecutor(4, multiprocessing.get_context("fork")) as pool:
        keys = {found.key_id for found in pool.map(make_key, [settings] * 12)}
    assert keys == {make_key(settings).key_id}


def test_a_damaged_file_is_named_and_nothing_is_erased(settings: Settings) -> None:
    Landing(settings).leads("mega", mega_lead(1), mega_lead(2))
    [path] = (settings.landing_path / "mega" / "leads").rglob("*.parquet")
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(LoadError, match=f"{path.name}.*digest"):
        ErasureHome(settings).forget(lead_id(1))
    assert path.exists()


def test_copies_and_what_was_set_aside_go_where_they_hold_the_person(settings: Settings) -> None:
    landing = Landing(settings)
    landing.leads("mega", mega_lead(1), mega_lead(2))
    landing.leads("mega", mega_lead(2, updated_at=at(3)))
    theirs, others = sorted((settings.landing_path / "mega" / "leads").rglob("*.parquet"))
    copy = theirs.with_name(f"{theirs.stem} (1).parquet")
    shutil.copy(theirs, copy)
    harmless = others.with_name(f"{others.stem} (1).parquet")
    shutil.copy(others, harmless)
    aside = settings.landing_path / "mega" / "_damaged"
    aside.mkdir()
    (aside / "x.parquet").write_bytes(b"PAR1 cut off")
    (aside / "crawl.json").write_text(f'{{"keep_ids": ["{lead_id(1)}"]')

    receipt = ErasureHome(settings).forget(lead_id(1))

    assert receipt.proof.outcome == "clean"
    assert harmless.exists()
    assert not copy.exists()
    assert list(aside.iterdir()) == []


def test_what_a_repair_has_set_aside_goes_where_it_can_hold_the_person(settings: Settings) -> None:
    """A repair keeps the folders of what it sets aside."""
    landing = Landing(settings)
    landing.leads("mega", mega_lead(1), mega_lead(2))
    aside = settings.landing_path / "mega" / SET_ASIDE
    for name, content in {
        "leads/date=2026-01-05/x.parquet": b"PAR1 cut off",
        "_crawls/crawl.json": f'{{"keep_ids": ["{lead_id(1)}"]'.encode(),
        "_crawls/other.json": f'{{"keep_ids": ["{lead_id(2)}"]'.encode(),
    }.items():
        (aside / name).parent.mkdir(parents=True, exist_ok=True)
        (aside / name).write_bytes(content)
    ErasureHome(settings).forget(lead_id(1))
    left = [path.name for path in aside.rglob("*") if path.is_file()]
    assert left == ["other.json"]


def test_a_rejected_record_of_another_lead_with_the_same_number_stays(settings: Settings) -> None:
    landing = Landing(settings)
    landing.leads("mega", of_person("mega", at(6)), mega_lead(2))
    other = {**mega_lead(3, contact_phone=CONTACT["phone"]), "updated_at": "soon"}
    nobody = {**mega_lead(4, contact_email=CONTACT["email"]), "id": None}
    landing.leads("mega", other, nobody)
    ErasureHome(settings).forget(f"mega:{lead_id(PERSON)}")
    rejected = [row["payload"] for row in rows_of(settings) if row["folder"] == "_rejected"]
    assert [json.loads(payload)["id"] for payload in rejected] == [lead_id(3)]
