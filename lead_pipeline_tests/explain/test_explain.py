"""What `lead-pipeline explain` tells of one lead: observations, changes, sources of values."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lead_pipeline.explain.document import (
    Answer,
    Change,
    CurrentValue,
    Entry,
    Explanation,
    LeadMatch,
    StageInterval,
)
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, lead_id, mega_lead, vorel_lead
from lead_pipeline.sandbox.mega_business import STAGES
from lead_pipeline.settings import Settings
from lead_pipeline_tests.explain.conftest import Explained
from lead_pipeline_tests.normalized.landings import POLL, Landing, query
from lead_pipeline_tests.normalized.test_stage_history import event, expert_lead
from lead_pipeline_tests.pulling import at

ONE = lead_id(1)


def changes(entry: Any) -> list[tuple[str, Any, Any]]:
    return [(change["field"], change["before"], change["after"]) for change in entry["changes"]]


def kinds(lead: Any) -> list[str]:
    return [entry["kind"] for entry in lead["timeline"]]


def value_of(lead: Any, column: str) -> Any:
    return next(value for value in lead["current_values"] if value["column"] == column)


# Records -------------------------------------------------------------------------------------


def test_each_observation_says_where_it_lies_and_when_it_came(
    landing: Landing, explained: Explained
) -> None:
    commit = landing.leads("mega", mega_lead(2), mega_lead(1, at(5), at(6)))
    load_landing(landing.settings)
    (entry,) = explained(f"mega:{ONE}")["timeline"]
    assert {name: entry[name] for name in ("kind", "stream", "crawl_id", "page", "file")} == {
        "kind": "record",
        "stream": "leads",
        "crawl_id": commit.crawl_id,
        "page": 1,
        "file": f"mega/leads/date=2026-01-06/{commit.crawl_id}-000001-000001.parquet",
    }
    assert datetime.fromisoformat(entry["provider_at"]) == at(6)
    assert datetime.fromisoformat(entry["observed_at"]) == POLL + timedelta(seconds=61)
    assert json.loads(entry["payload"]) == mega_lead(1, at(5), at(6))


def test_a_state_observed_again_is_an_observation_without_changes(
    landing: Landing, explained: Explained
) -> None:
    for _ in range(3):
        landing.leads("mega", mega_lead(1))
    load_landing(landing.settings)
    lead = explained(ONE)
    assert kinds(lead) == ["record", "record", "record"]
    assert [bool(entry["changes"]) for entry in lead["timeline"]] == [True, False, False]
    assert len({entry["file"] for entry in lead["timeline"]}) == 3


def test_a_change_is_told_before_and_after(landing: Landing, explained: Explained) -> None:
    landing.leads("mega", mega_lead(1, score=50, current_stage=STAGES[0]))
    landing.leads("mega", mega_lead(1, updated_at=at(3), score=62, current_stage=STAGES[1]))
    load_landing(landing.settings)
    told = changes(explained(ONE)["timeline"][1])
    assert ("score", 50, 62) in told
    assert ("provider_stage", STAGES[0]["slug"], STAGES[1]["slug"]) in told
    assert {name for name, _, _ in told} <= {
        "score", "stage", "provider_stage", "provider_stage_id", "provider_stage_name",
        "payload.current_stage.color", "payload.current_stage.order",
    }  # fmt: skip


def test_a_field_that_no_column_takes_is_told_by_its_path(
    landing: Landing, explained: Explained
) -> None:
    landing.leads("mega", mega_lead(1, tags=[{"name": "hot"}]))
    landing.leads("mega", mega_lead(1, updated_at=at(3), tags=[{"name": "cold"}, "new"]))
    landing.leads("mega", mega_lead(1, updated_at=at(4)))
    load_landing(landing.settings)
    assert [changes(entry) for entry in explained(ONE)["timeline"][1:]] == [
        [("payload.tags[0].name", '"hot"', '"cold"'), ("payload.tags[1]", None, '"new"')],
        [("payload.tags[0].name", '"cold"', None), ("payload.tags[1]", '"new"', None)],
    ]


def test_a_mapped_field_that_leaves_its_column_alone_is_told_by_its_path(
    landing: Landing, explained: Explained
) -> None:
    landing.leads("mega", mega_lead(1, last_interaction_at="soon"))
    landing.leads("mega", mega_lead(1, updated_at=at(3), last_interaction_at="later"))
    load_landing(landing.settings)
    assert changes(explained(ONE)["timeline"][1]) == [
        ("payload.last_interaction_at", '"soon"', '"later"')
    ]


NUMBERS = b'{"plot": 123456789012345678901234567890, "rate": 1.0, "far": 1e5}'


def test_numbers_of_custom_fields_are_shown_just_as_landed(
    landing: Landing, explained: Explained
) -> None:
    plain = json.dumps(vorel_lead(1, attributes="HERE")).encode()
    landing.leads("vorel", plain.replace(b'"HERE"', b'{"rate": 1}'))
    landing.leads("vorel", plain.replace(b'"HERE"', NUMBERS))
    load_landing(landing.settings)
    lead = explained(ONE)
    assert changes(lead["timeline"][1]) == [
        ("custom_fields.plot", None, "123456789012345678901234567890"),
        ("custom_fields.rate", "1", "1.0"),
        ("custom_fields.far", None, "1e5"),
    ]
    assert [value_of(lead, f"custom_fields.{name}")["value"] for name in ("plot", "rate")] == [
        "123456789012345678901234567890",
        "1.0",
    ]


def test_two_contents_at_one_updated_at_are_both_told_and_the_later_counts(
    landing: Landing, explained: Explained
) -> None:
    landing.leads("mega", mega_lead(1, score=50))
    landing.leads("mega", mega_lead(1, score=70))
    load_landing(landing.settings)
    lead = explained(ONE)
    second = lead["timeline"][1]
    assert second["note"] == "the same updated_at as #1, other content"
    assert changes(second) == [("score", 50, 70)]
    score = value_of(lead, "score")
    assert (score["value"], score["entry"], score["since"]) == (70, 2, 2)


def test_a_state_whose_update_time_went_back_counts_because_it_was_served_last(
    landing: Landing, explained: Explained
) -> None:
    landing.leads("mega", mega_lead(1, updated_at=at(5), score=70))
    landing.leads("mega", mega_lead(1, updated_at=at(3), score=50))
    landing.leads("mega", mega_lead(1, updated_at=at(6), score=80))
    load_landing(landing.settings)
    _, late, newest = explained(ONE)["timeline"]
    assert late["note"] == "updated_at went back behind that of #1; served last, this counts"
    assert (changes(late), changes(newest)) == ([("score", 70, 50)], [("score", 50, 80)])


def test_a_record_that_json_readers_refuse_is_explained_like_any_other(
    landing: Landing, explained: Explained
) -> None:
    text = json.dumps(vorel_lead(1, name="HERE"))
    landing.leads("vorel", text.replace("HERE", r"Ann \ud83d").encode())
    load_landing(landing.settings)
    lead = explained(ONE)
    assert r"Ann \ud83d" in lead["timeline"][0]["payload"]
    assert value_of(lead, "full_name")["entry"] == 1


# Details -------------------------------------------------------------------------------------


def test_details_come_from_the_single_record_and_the_rest_from_the_newest_version(
    landing: Landing, explained: Explained
) -> None:
    listed = {k: v for k, v in expert_ai_labs_lead(1).items() if k not in ("timeline", "notes")}
    landing.leads("expert_ai_labs", listed)
    landing.leads(
        "expert_ai_labs",
        expert_ai_labs_lead(1, timeline="this_month", notes="call"),
        stream="lead_details",
    )
    landing.leads("expert_ai_labs", {**listed, "lead_score": 80, "updated_at": "2026-01-04T00:00Z"})
    load_landing(landing.settings)
    lead = explained(ONE)
    timeline, score = value_of(lead, "timeline"), value_of(lead, "score")
    assert (timeline["value"], timeline["entry"], timeline["since"]) == ("this_month", 2, 2)
    assert (score["value"], score["entry"], score["since"]) == (80, 3, 3)
    assert [entry["note"] for entry in lead["timeline"]] == [None, None, None]
    assert [changes(entry) for entry in lead["timeline"][1:]] == [
        [("timeline", None, "this_month"), ("payload.notes", None, '"call"')],
        [("score", 50, 80)],
    ]


# The audit log and the stages ----------------------------------------------------------------


def test_audit_log_events_stand_in_the_timeline_with_what_they_say(
    landing: Landing, explained: Explained
) -> None:
    landing.leads("expert_ai_labs", expert_lead(1, "new", at(1)))
    logged = event(1, at(2, 10), "new", "contacted")
    logged["payload"]["diff"]["lead_score"] = {"from": 1.0, "to": 2}
    landing.leads("expert_ai_labs", logged, event(2, at(2), "a", "b"), stream="lead_events")
    landing.leads("expert_ai_labs", expert_lead(1, "contacted", at(2, 10)))
    load_landing(landing.settings)
    lead = explained(ONE)
    assert kinds(lead) == ["record", "event", "record"]
    told = lead["timeline"][1]
    assert datetime.fromisoformat(told["provider_at"]) == at(2, 10)
    assert changes(told) == [("pipeline_stage", '"new"', '"contacted"'), ("lead_score", "1.0", "2")]


def test_stage_intervals_have_bounds_evidence_and_what_shows_them(
    landing: Landing, explained: Explained
) -> None:
    landing.leads("expert_ai_labs", expert_lead(1, "new", at(1)))
    landing.leads("expert_ai_labs", event(1, at(2, 10), "new", "contacted"), stream="lead_events")
    landing.leads("expert_ai_labs", expert_lead(1, "contacted", at(2, 10)))
    landing.leads("expert_ai_labs", expert_lead(1, "won", at(9)))
    load_landing(landing.settings)
    lead = explained(ONE)
    assert [
        (interval["stage"], interval["evidence"], interval["entry"])
        for interval in lead["stage_intervals"]
    ] == [("new", "audit_log", 1), ("engaged", "audit_log", 2), ("won", "observed", 4)]
    assert datetime.fromisoformat(lead["stage_intervals"][2]["entered_after"]) == at(2, 10)


# Without a record ----------------------------------------------------------------------------


def test_a_lead_that_vanished_shows_the_walk_that_did_not_meet_it(
    landing: Landing, explained: Explained
) -> None:
    landing.leads("mega", mega_lead(1), mega_lead(2), is_full=True)
    walk = landing.leads("mega", mega_lead(2), is_full=True)
    landing.leads("mega", mega_lead(2), is_full=False)
    load_landing(landing.settings)
    lead = explained(ONE)
    assert kinds(lead) == ["record", "not_met"]
    assert lead["timeline"][1]["file"] == f"mega/_crawls/{walk.crawl_id}.json"
    missing = value_of(lead, "missing_since")
    assert missing["entry"] == 2
    assert datetime.fromisoformat(missing["value"]) == walk.finished_at


def test_a_lead_that_counts_did_not_find_shows_the_search(
    landing: Landing, explained: Explained
) -> None:
    landing.leads("mega", mega_lead(1), mega_lead(2))
    search = landing.search(landing.leads("mega", mega_lead(2)), ONE)
    load_landing(landing.settings)
    lead = explained(ONE)
    assert kinds(lead) == ["record", "not_listed"]
    assert lead["timeline"][1]["file"] == f"mega/_crawls/{search.crawl_id}.json"
    missing = value_of(lead, "missing_since")
    assert missing["entry"] == 2
    assert datetime.fromisoformat(missing["value"]) == search.started_at


def test_a_lead_that_was_met_again_is_only_seen(landing: Landing, explained: Explained) -> None:
    landing.leads("vorel", vorel_lead(1, at(1)), is_full=True)
    for _ in range(2):
        landing.leads("vorel", vorel_lead(1, at(1)), keep_from=at(5), is_full=True)
    load_landing(landing.settings)
    lead = explained(ONE)
    assert kinds(lead) == ["record", "seen", "seen"]
    assert value_of(lead, "last_seen_at")["entry"] == 3


def test_rejected_records_that_name_the_lead_are_told_with_the_reason(
    landing: Landing, explained: Explained
) -> None:
    landing.leads("mega", mega_lead(1))
    broken = {**mega_lead(1, contact_name="caf\udce9"), "updated_at": "soon"}
    named_elsewhere = {**mega_lead(2, contact_name=ONE), "updated_at": "soon"}
    landing.leads(
        "mega",
        json.dumps(broken, ensure_ascii=False).encode(errors="surrogateescape"),
        named_elsewhere,
    )
    load_landing(landing.settings)
    rejected = [e for e in explained(ONE)["timeline"] if e["kind"] == "rejected"]
    assert [entry["note"] for entry in rejected] == ["broken JSON: it is not UTF-8 text"]


def test_a_lead_that_was_only_rejected_is_found(landing: Landing, explained: Explained) -> None:
    landing.leads("mega", {**mega_lead(1), "updated_at": "soon"}, mega_lead(2))
    load_landing(landing.settings)
    lead = explained(f"mega:{ONE}")
    assert kinds(lead) == ["rejected", "seen"] or kinds(lead) == ["seen", "rejected"]
    assert lead["notes"] == ["No record of this lead has landed, so the tables do not have it."]


# What the tables hold ------------------------------------------------------------------------


def test_every_value_of_the_leads_row_that_is_not_null_is_told(
    landing: Landing, settings: Settings, explained: Explained
) -> None:
    landing.leads("mega", mega_lead(1, contact_phone="(206) 555-0123"))
    load_landing(settings)
    (row,) = query(settings, "select * from normalized.leads")
    told = {value["column"].partition(".")[0] for value in explained(ONE)["current_values"]}
    keys = {"lead_key", "provider", "account", "lead_id"}
    assert told == {name for name, value in row.items() if value is not None} - keys


def test_what_has_landed_but_is_not_loaded_is_said(landing: Landing, explained: Explained) -> None:
    landing.leads("mega", mega_lead(1, score=50))
    load_landing(landing.settings)
    landing.leads("mega", mega_lead(1, updated_at=at(3), score=70))
    lead = explained(ONE)
    assert [entry["is_loaded"] for entry in lead["timeline"]] == [True, False]
    assert lead["not_loaded"] == 1
    assert lead["notes"][0].startswith("Not loaded yet: 1 of these observations")
    score = value_of(lead, "score")
    assert (score["value"], score["entry"], score["since"]) == (50, 1, 1)


def test_landing_is_explained_without_a_warehouse(landing: Landing, explained: Explained) -> None:
    landing.leads("mega", mega_lead(1))
    lead = explained(ONE)
    assert kinds(lead) == ["record"]
    assert (lead["current_values"], lead["not_loaded"]) == ([], None)
    assert lead["notes"][0].startswith("There is no warehouse yet")


@pytest.mark.parametrize("content", [b"", b"not a database"])
def test_landing_is_explained_beside_a_damaged_warehouse(
    landing: Landing, explained: Explained, content: bytes
) -> None:
    landing.leads("mega", mega_lead(1))
    landing.settings.warehouse_path.write_bytes(content)
    lead = explained(ONE)
    assert kinds(lead) == ["record"]
    assert "lead-pipeline rebuild" in lead["notes"][0]


# The document --------------------------------------------------------------------------------


DOCUMENTED = Path(__file__).parents[2] / "docs" / "operations.md"
OF_THE_TABLE = {field.name for field in fields(StageInterval)} - {"entry"}


@pytest.mark.parametrize("part", [Answer, LeadMatch, Explanation, Entry, Change, CurrentValue])
def test_every_field_of_the_document_is_described(part: type[Any]) -> None:
    section = DOCUMENTED.read_text().partition("`--json` prints one document")[2]
    described = section.partition("\n## ")[0]
    assert [field.name for field in fields(part) if f"`{field.name}`" not in described] == []


def test_stage_intervals_have_columns_of_the_table(landing: Landing) -> None:
    load_landing(landing.settings)
    columns = query(
        landing.settings,
        "select column_name from information_schema.columns "
        "where table_name = 'lead_stage_history'",
    )
    assert OF_THE_TABLE - {row["column_name"] for row in columns} == set()
