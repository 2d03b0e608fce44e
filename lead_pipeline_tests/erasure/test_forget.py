"""A person is taken out of landing and tables, and nothing else changes."""

from __future__ import annotations

from lead_pipeline.sandbox.examples import lead_id
from lead_pipeline_tests.erasure.homes import (
    CONTACT,
    FORMER,
    NAME,
    PERSON,
    ErasureHome,
    holding,
    rows_of,
    tables_without,
)

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
