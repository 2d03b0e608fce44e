"""What an API serves and no mapping knows is counted, and breaks nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lead_pipeline.normalized.load import load_landing
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.contract import KnownField, known_fields
from lead_pipeline.sandbox import Sandbox
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, mega_lead, vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import POLL, Landing, query, table
from lead_pipeline_tests.normalized.test_stage_history import event
from lead_pipeline_tests.pulling import SLUGS, account_of, at, days, pull_all


@pytest.fixture
def landing(settings: Settings) -> Landing:
    return Landing(settings)


def drift(landing: Landing) -> list[tuple[object, ...]]:
    """(account, stream, kind, field, value, records) of all drift after a load."""
    load_landing(landing.settings)
    names = ("account", "stream", "kind", "field", "value", "records")
    rows = table(landing.settings, "contract_drift")
    return [tuple(row[name] for name in names) for row in rows]


def test_documented_records_are_no_drift(landing: Landing) -> None:
    landing.leads("mega", mega_lead(1))
    landing.leads("vorel", vorel_lead(1))
    landing.leads("expert_ai_labs", expert_ai_labs_lead(1), stream="lead_details")
    landing.leads("expert_ai_labs", event(1, at(3), "new", "won"), stream="lead_events")
    assert drift(landing) == []


@pytest.mark.long
def test_whatever_the_sandbox_s_world_serves_is_no_drift_of_fields_and_types(
    settings: Settings,
) -> None:
    with Sandbox(limits=False) as sandbox:
        sandbox.set_clock(at(5))
        for provider in SLUGS:
            pull_all(settings, account_of(sandbox, provider), days(1, 31))
    load_landing(settings)
    rows = query(settings, "select * from normalized.contract_drift where kind <> 'value'")
    assert rows == []


def test_an_unknown_field_is_counted_per_account(landing: Landing) -> None:
    landing.leads("mega", mega_lead(1, colour="red"), mega_lead(2, colour="blue"), mega_lead(3))
    landing.leads("mega", mega_lead(1, colour="red"), account="second")
    assert drift(landing) == [
        ("mega", "leads", "field", "colour", None, 2),
        ("second", "leads", "field", "colour", None, 1),
    ]


def test_an_unknown_member_of_a_known_object_is_counted(landing: Landing) -> None:
    owner = {"id": "o", "name": "Alex", "role_name": "Closer", "team": "north"}
    landing.leads("mega", mega_lead(1, owner=owner))
    assert drift(landing) == [("mega", "leads", "field", "owner.team", None, 1)]


def test_members_of_free_form_objects_are_no_drift(landing: Landing) -> None:
    landing.leads("mega", mega_lead(1, custom_fields={"anything": 1}))
    landing.leads("vorel", vorel_lead(1, attributes={"pets": {"dogs": 2}}))
    change = event(1, at(3), "new", "won")
    change["payload"]["diff"]["anything"] = {"from": 1, "to": 2}
    landing.leads("expert_ai_labs", change, stream="lead_events")
    assert drift(landing) == []


def test_a_field_of_another_type_is_counted_and_its_lead_kept(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1, qualification_score="high"))
    assert drift(landing) == [("vorel", "leads", "type", "qualification_score", "string", 1)]
    assert [row["score"] for row in table(landing.settings, "leads")] == [None]


def test_null_and_absent_fields_are_no_drift(landing: Landing) -> None:
    record = vorel_lead(1, name=None)
    del record["intent"]
    landing.leads("vorel", record)
    assert drift(landing) == []


def test_an_unknown_value_of_an_enumerated_field_is_counted(landing: Landing) -> None:
    landing.leads("mega", mega_lead(1, status="paused"), mega_lead(2, status="active"))
    assert drift(landing) == [("mega", "leads", "value", "status", "paused", 1)]


def test_a_stage_is_known_when_the_stage_mapping_has_it_however_it_is_written(
    landing: Landing,
) -> None:
    landing.leads("expert_ai_labs", expert_ai_labs_lead(1, pipeline_stage=" Won "))
    landing.leads("expert_ai_labs", expert_ai_labs_lead(2, pipeline_stage="ghosted"))
    unknown = [row for row in drift(landing) if row[2] == "value"]
    assert unknown == [("expert_ai_labs", "leads", "value", "pipeline_stage", "ghosted", 1)]


def test_a_long_value_is_cut(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1, status="x" * 500))
    [row] = drift(landing)
    assert row[4] == "x" * 60


def test_drift_knows_when_it_was_first_and_last_seen(landing: Landing) -> None:
    for minute in (5, 1, 9):
        landing.leads("vorel", vorel_lead(1, colour="red"), at=POLL + timedelta(minutes=minute))
        load_landing(landing.settings)
    [row] = table(landing.settings, "contract_drift")
    second = timedelta(seconds=1)
    assert (row["records"], row["first_seen_at"], row["last_seen_at"]) == (
        3,
        POLL + timedelta(minutes=1) + second,
        POLL + timedelta(minutes=9) + second,
    )


def test_the_check_names_what_is_unknown(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1, status="hibernating", colour="red"))
    outcome = load_landing(landing.settings).check("contract_is_known")
    assert (outcome.check.is_blocking, outcome.failures, outcome.examples) == (
        False,
        2,
        (
            "vorel/leads colour (1 records)",
            "vorel/leads status value hibernating (1 records)",
        ),
    )


def all_known_fields() -> list[KnownField]:
    return [field for provider in PROVIDERS.values() for field in known_fields(provider)]


def test_every_stream_of_every_provider_has_its_documented_fields() -> None:
    streams = {(p.slug, stream.name) for p in PROVIDERS.values() for stream in p.streams}
    assert {(field.provider, field.stream) for field in all_known_fields()} == streams


def test_a_field_is_documented_once() -> None:
    keys = [(field.provider, field.stream, field.field) for field in all_known_fields()]
    assert len(keys) == len(set(keys))


# Times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("created_at", "0001-01-01T00:00:00Z", "unusable"),
        ("created_at", "1970-01-01T00:00:00.000Z", "unusable"),
        ("created_at", "9999-12-31T00:00:00Z", "unusable"),
        ("created_at", "yesterday", "unusable"),
        ("created_at", "2031-05-05T00:00:00Z", "future"),
        ("updated_at", "2099-01-01T00:00:00Z", "future"),
        ("last_interaction_at", "0001-01-01T00:00:00Z", "unusable"),
        ("last_interaction_at", "soon", "unusable"),
        ("last_interaction_at", "2088-01-01T00:00:00Z", "future"),
        ("last_interaction_at", "2026-03-01T10:00:00Z", "planned"),
    ],
)
def test_a_time_that_no_lead_can_have_is_counted(
    landing: Landing, field: str, value: str, said: str
) -> None:
    landing.leads(
        "mega",
        {**mega_lead(1), field: value},
        {**mega_lead(2), field: value},
        mega_lead(3, last_interaction_at="2026-01-01T10:00:00Z"),
        served_at=POLL,
    )
    assert drift(landing) == [("mega", "leads", "time", field, said, 2)]


def test_times_are_counted_over_loads_and_by_field(landing: Landing) -> None:
    never = mega_lead(1, created_at="1970-01-01T00:00:00.000Z", last_interaction_at="never")
    landing.leads("mega", never)
    load_landing(landing.settings)
    landing.leads("mega", {**never, "score": 1}, mega_lead(2))
    assert drift(landing) == [
        ("mega", "leads", "time", "created_at", "unusable", 2),
        ("mega", "leads", "time", "last_interaction_at", "unusable", 2),
    ]


def test_a_time_that_is_null_or_absent_is_none(landing: Landing) -> None:
    lead = mega_lead(1, created_at=None)
    del lead["last_interaction_at"]
    landing.leads("mega", lead)
    assert drift(landing) == []


def test_a_check_names_the_fields_and_leaves_planned_meetings_out(landing: Landing) -> None:
    landing.leads(
        "mega",
        mega_lead(1, created_at="1970-01-01T00:00:00.000Z"),
        mega_lead(2, last_interaction_at="2026-03-01T10:00:00Z"),
        served_at=POLL,
    )
    result = load_landing(landing.settings)
    outcome = result.check("times_are_usable")
    assert (outcome.failures, outcome.examples) == (
        1,
        ("mega/leads created_at unusable (1 records)",),
    )
    assert not outcome.check.is_blocking
    assert result.check("contract_is_known").failures == 0
