"""`explain` exports all that is held of a lead: every row of landing that is its own."""

from __future__ import annotations

import json

import msgspec

from lead_pipeline.explain.answer import answer
from lead_pipeline.sandbox.examples import lead_id
from lead_pipeline_tests.erasure.homes import NIGHTS, PERSON, ErasureHome, rows_of

KINDS = {"leads": "record", "lead_details": "record", "stale_leads": "record"}


def test_everything_that_landing_holds_of_a_lead_is_in_the_document(lived: ErasureHome) -> None:
    for account in ("mega", "expert_ai_labs", "vorel"):
        found = answer(lived.settings, f"{account}:{lead_id(PERSON)}", lambda message: None)
        document = json.loads(msgspec.json.encode(found))["lead"]
        entries = document["timeline"]
        held = [row for row in rows_of(lived.settings) if _is_of(account, row)]
        assert len(held) >= NIGHTS
        payloads = sorted(
            row["payload"].decode() if isinstance(row["payload"], bytes) else row["payload"]
            for row in held
            if row["folder"] != "_seen"
        )
        told = sorted(entry["payload"] for entry in entries if entry["payload"] is not None)
        assert told == payloads
        seen = [row["fetched_at"].isoformat() for row in held if row["folder"] == "_seen"]
        times = [entry["observed_at"] for entry in entries if entry["kind"] == "seen"]
        assert len(times) == len({*seen})
    mega = answer(lived.settings, f"mega:{lead_id(PERSON)}", lambda message: None).lead
    assert mega is not None
    assert [entry.kind for entry in mega.timeline].count("not_listed") == 1


def _is_of(account: str, row: dict[str, object]) -> bool:
    if row["account"] != account:
        return False
    if row["folder"] == "lead_events":
        return bool(json.loads(str(row["payload"]))["payload"]["lead_id"] == lead_id(PERSON))
    return lead_id(PERSON) in repr(row)
