"""How each provider's record becomes columns, and that nothing in a record costs its row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from lead_pipeline.normalized.cleaning import repair_json
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.normalized.stages import read_stages
from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import Sandbox
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, lead_id, mega_lead, vorel_lead
from lead_pipeline.sandbox.mega_business import OWNERS, STAGES
from lead_pipeline.sandbox.messages import Record
from lead_pipeline.sandbox.tenants import EXPERT_AI_LABS_ORGANIZATION_ID, MEGA_CUSTOMER_ID
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import POLL, Landing, Row, query, table
from lead_pipeline_tests.pulling import (
    MAKE_LEAD,
    SLUGS,
    account_of,
    at,
    days,
    pull,
    pull_all,
    server_of,
    settings_in,
)

FILLED_BY_THE_PIPELINE = {"first_seen_at", "last_seen_at", "missing_since", "watched_from"}
NOTHING = dict.fromkeys(
    [
        "tenant_id",
        "full_name",
        "email",
        "email_normalized",
        "phone",
        "phone_e164",
        "phone_extension",
        "phone_type",
        "company",
        "source",
        "source_type",
        "provider_status",
        "provider_stage",
        "provider_stage_id",
        "provider_stage_name",
        "score",
        "is_qualified",
        "owner_id",
        "owner_name",
        "owner_role",
        "intent",
        "timeline",
        "budget_range",
        "pain_points",
        "ai_reasoning",
        "industry",
        "company_size",
        "conversation_id",
        "interaction_count",
        "last_interaction_at",
        "qualification_completed_at",
        "custom_fields",
    ]
)
"""Every column that a provider may leave null."""


@pytest.fixture
def landing(settings: Settings) -> Landing:
    return Landing(settings)


def lead(landing: Landing, provider: str, record: Record | bytes, **crawl: Any) -> Row:
    """The one row of `normalized.leads` that a landed record becomes."""
    landing.leads(provider, record, **crawl)
    load_landing(landing.settings)
    [row] = table(landing.settings, "leads")
    return row


def without_sightings(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in FILLED_BY_THE_PIPELINE}


# Every column of the contract ----------------------------------------------------------------


def test_mega_fills_its_columns(landing: Landing) -> None:
    record = mega_lead(
        7,
        at(3, 8),
        at(4, 9, 30, 15, 250),
        contact_name="Ana de Souza",
        contact_email=" Ana@Example.COM ",
        contact_phone="(206) 555-0123",
        source_platform="zillow",
        source_type="portal",
        status="active",
        score=82,
        qualified=True,
        current_stage=STAGES[3],
        owner=OWNERS[1],
        last_interaction_at="2026-01-04T09:29:00.000Z",
        interaction_count=5,
        custom_fields={"lead_line": "seller", "bedrooms": 4, "pre_approved": None},
    )
    assert without_sightings(lead(landing, "mega", record)) == NOTHING | {
        "lead_key": f"mega:{lead_id(7)}",
        "provider": "mega",
        "account": "mega",
        "lead_id": lead_id(7),
        "tenant_id": MEGA_CUSTOMER_ID,
        "full_name": "Ana de Souza",
        "email": " Ana@Example.COM ",
        "email_normalized": "ana@example.com",
        "phone": "(206) 555-0123",
        "phone_e164": "+12065550123",
        "phone_type": "fixed_line_or_mobile",
        "source": "zillow",
        "source_type": "portal",
        "provider_status": "active",
        "provider_stage": "appointment_set",
        "provider_stage_id": STAGES[3]["id"],
        "provider_stage_name": "Appointment set",
        "stage": "booked",
        "score": 82.0,
        "is_qualified": True,
        "owner_id": OWNERS[1]["id"],
        "owner_name": "Noor Haddad",
        "owner_role": "Setter",
        "interaction_count": 5,
        "last_interaction_at": at(4, 9, 29),
        "custom_fields": '{"lead_line":"seller","bedrooms":4,"pre_approved":null}',
        "created_at": at(3, 8),
        "updated_at": at(4, 9, 30, 15, 250),
    }


def test_an_expert_ai_labs_list_record_fills_its_columns(landing: Landing) -> None:
    record = expert_ai_labs_lead(
        7,
        at(3),
        at(4),
        name="Wei Chen",
        company="Chen Roofing",
        email="Wei@chen.example",
        source="website",
        lead_score=61,
        pipeline_stage="proposal",
        industry="commercial",
        company_size="11-50",
    )
    for name in ("pain_points", "timeline", "budget_range", "ai_reasoning"):
        del record[name]
    assert without_sightings(lead(landing, "expert_ai_labs", record)) == NOTHING | {
        "lead_key": f"expert_ai_labs:{lead_id(7)}",
        "provider": "expert_ai_labs",
        "account": "expert_ai_labs",
        "lead_id": lead_id(7),
        "tenant_id": EXPERT_AI_LABS_ORGANIZATION_ID,
        "full_name": "Wei Chen",
        "email": "Wei@chen.example",
        "email_normalized": "wei@chen.example",
        "company": "Chen Roofing",
        "source": "website",
        "provider_stage": "proposal",
        "stage": "qualified",
        "score": 61.0,
        "industry": "commercial",
        "company_size": "11-50",
        "created_at": at(3),
        "updated_at": at(4),
    }


def test_an_expert_ai_labs_single_record_adds_the_ai_fields(landing: Landing) -> None:
    details = {
        "pain_points": "Roof leak above the stairwell",
        "timeline": "this_month",
        "budget_range": "5k_10k",
        "ai_reasoning": "High urgency, in radius",
        "qualification_completed_at": "2026-01-04T10:00:00.000Z",
    }
    record = expert_ai_labs_lead(7, at(3), at(4), **details)
    row = lead(landing, "expert_ai_labs", record, stream="lead_details")
    assert {name: row[name] for name in details} == {
        **details,
        "qualification_completed_at": at(4, 10),
    }


def test_vorel_fills_its_columns(landing: Landing) -> None:
    record = vorel_lead(
        7,
        at(3),
        at(4),
        name="Théo Martin",
        email="Theo@salon.example",
        phone="+33 1 70 18 99 00",
        intent="book_appointment",
        attributes={"preferred_stylist": "Mina", "service_history": [{"price": 49.9}]},
        timeline="within 30 days",
        qualification_score=77.5,
        status="converted",
        source="instagram",
    )
    assert without_sightings(lead(landing, "vorel", record)) == NOTHING | {
        "lead_key": f"vorel:{lead_id(7)}",
        "provider": "vorel",
        "account": "vorel",
        "lead_id": lead_id(7),
        "full_name": "Théo Martin",
        "email": "Theo@salon.example",
        "email_normalized": "theo@salon.example",
        "phone": "+33 1 70 18 99 00",
        "phone_e164": "+33170189900",
        "phone_type": "fixed_line",
        "source": "instagram",
        "provider_stage": "converted",
        "stage": "won",
        "score": 77.5,
        "intent": "book_appointment",
        "timeline": "within 30 days",
        "conversation_id": lead_id(1_000_000_007),
        "custom_fields": '{"preferred_stylist":"Mina","service_history":[{"price":49.9}]}',
        "created_at": at(3),
        "updated_at": at(4),
    }


def test_the_stale_cohort_maps_like_the_list(landing: Landing) -> None:
    row = lead(landing, "vorel", vorel_lead(7, status="qualified"), stream="stale_leads")
    assert (row["full_name"], row["stage"]) == ("Omar Reyes 7", "qualified")


def test_an_account_of_its_own_name_keys_its_leads(landing: Landing) -> None:
    row = lead(landing, "mega", mega_lead(7), account="mega_us")
    assert (row["lead_key"], row["provider"]) == (f"mega_us:{lead_id(7)}", "mega")


def test_a_mega_status_wins_over_the_stage(landing: Landing) -> None:
    row = lead(landing, "mega", mega_lead(1, status="won", current_stage=STAGES[0]))
    assert row["stage"] == "won"


@pytest.mark.parametrize("written", ["Closed_Won", " closed_won "])
def test_a_stage_is_known_however_it_is_written(landing: Landing, written: str) -> None:
    row = lead(landing, "mega", mega_lead(1, current_stage={**STAGES[5], "slug": written}))
    assert (row["stage"], row["provider_stage"]) == ("won", written)


def test_a_stage_that_the_mapping_does_not_know_is_named_not_refused(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1, status="hibernating"), vorel_lead(2))
    unmapped = load_landing(landing.settings).check("stages_are_mapped")
    assert unmapped.examples == ("vorel: hibernating (1 leads)",)


# Absent and null -----------------------------------------------------------------------------


@pytest.mark.parametrize("absent", [False, True], ids=["null", "absent"])
@pytest.mark.parametrize("provider", SLUGS)
def test_a_record_of_nothing_but_its_identity_is_a_lead(
    landing: Landing, provider: str, absent: bool
) -> None:
    full = MAKE_LEAD[provider](1, at(3))
    kept = {"id", "created_at", "updated_at"}
    record = {
        name: value if name in kept else None
        for name, value in full.items()
        if name in kept or not absent
    }
    row = lead(landing, provider, record)
    assert {name: row[name] for name in NOTHING} == NOTHING


def test_without_a_creation_time_a_lead_is_kept(landing: Landing) -> None:
    row = lead(landing, "vorel", vorel_lead(1, at(3)) | {"created_at": None})
    assert (row["created_at"], row["updated_at"]) == (None, at(3))


# Wrong values --------------------------------------------------------------------------------


WRONG_VALUES: list[tuple[str, bytes, str, object]] = [
    ("score", b'"high"', "score", None),
    ("score", b'"85"', "score", 85.0),
    ("score", b"[1]", "score", None),
    ("score", b"1e999", "score", None),
    ("score", b"-1e999", "score", None),
    ("score", b"12.75", "score", 12.75),
    ("interaction_count", b"99999999999999999999", "interaction_count", None),
    ("interaction_count", b"{}", "interaction_count", None),
    ("qualified", b'"perhaps"', "is_qualified", None),
    ("last_interaction_at", b'"yesterday"', "last_interaction_at", None),
    ("last_interaction_at", b'"infinity"', "last_interaction_at", None),
    ("last_interaction_at", b'"99999-01-01T00:00:00Z"', "last_interaction_at", None),
    ("last_interaction_at", b'"2026-01-04 09:29:00+02"', "last_interaction_at", at(4, 7, 29)),
    ("last_interaction_at", b"1767225600", "last_interaction_at", None),
    ("current_stage", b'"new"', "provider_stage", None),
    ("owner", b"[]", "owner_name", None),
    ("contact_name", b"42", "full_name", "42"),
    ("contact_name", b'"a\\u0000b"', "full_name", "a\0b"),
    ("contact_name", b'"cut \\ud83d"', "full_name", "cut �"),
    ("contact_phone", b'"call me"', "phone_e164", None),
    ("contact_phone", b"12065550123", "phone_e164", "+12065550123"),
    ("contact_phone", b'"' + b"9" * 4000 + b'"', "phone_e164", None),
    ("custom_fields", b'"none"', "custom_fields", '"none"'),
    ("custom_fields", b'{"a":"\\ud83d"}', "custom_fields", '{"a":"�"}'),
]
"""(field, bytes sent for it, column, what the column keeps): each is a lead of MEGA by its place."""


@pytest.fixture(scope="module")
def wrong_values(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = settings_in(tmp_path_factory.mktemp("wrong values"), phone_region="US")
    leads = [
        mega_lead(number) | {field: msgspec.Raw(sent)}
        for number, (field, sent, _, _) in enumerate(WRONG_VALUES)
    ]
    Landing(settings).leads("mega", *leads, at=POLL)
    load_landing(settings)
    return settings


@pytest.mark.parametrize("number", range(len(WRONG_VALUES)), ids=lambda n: str(WRONG_VALUES[n][:2]))
def test_a_field_of_the_wrong_type_never_costs_the_row(wrong_values: Settings, number: int) -> None:
    _, _, column, kept = WRONG_VALUES[number]
    rows = query(wrong_values, "from normalized.leads where lead_id = ?", lead_id(number))
    assert [row[column] for row in rows] == [kept]


def test_an_email_that_is_an_object_never_costs_the_row(landing: Landing) -> None:
    row = lead(landing, "vorel", vorel_lead(1, email={"work": "a@b.example"}))
    assert (row["lead_id"], row["full_name"]) == (lead_id(1), "Omar Reyes 1")


def test_repaired_json_has_null_for_numbers_beyond_any_range() -> None:
    assert repair_json('{"a": 1e999, "b": NaN, "c": 1.5}') == '{"a": null, "b": null, "c": 1.5}'


def test_repaired_json_has_the_replacement_character_for_half_an_emoji() -> None:
    assert repair_json('{"a": "x\\ud83dy"}') == '{"a": "x�y"}'


def test_a_whole_emoji_survives_repair() -> None:
    assert repair_json('{"a": "\\ud83d\\ude00"}') == '{"a": "😀"}'


# Contact fields ------------------------------------------------------------------------------


EMAILS = {
    "Jane@Example.COM": "jane@example.com",
    "  jane@example.com ": "jane@example.com",
    "\tjane@example.com\r\n": "jane@example.com",
    "\u00a0jane@example.com\u2003": "jane@example.com",
    "ÅSA@Example.com": "åsa@example.com",
    "Jane <mailto:Jane@Example.com?subject=offer>": "jane@example.com",
    "jane@example.com and others": None,
    "   ": None,
    "": None,
}
"""What is served: its normalized form."""


@pytest.fixture(scope="module")
def emails(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = settings_in(tmp_path_factory.mktemp("emails"))
    leads = [vorel_lead(number, email=email) for number, email in enumerate(EMAILS)]
    Landing(settings).leads("vorel", *leads)
    load_landing(settings)
    return settings


@pytest.mark.parametrize("served", EMAILS)
def test_emails_have_their_normalized_form_beside_the_served_one(
    emails: Settings, served: str
) -> None:
    rows = query(emails, "from normalized.leads where email = ?", served)
    assert [row["email_normalized"] for row in rows] == [EMAILS[served]]


# The payload ---------------------------------------------------------------------------------


def served_bytes(provider: str) -> bytes:
    """A record whose bytes show every way of writing JSON: numbers, escapes, blanks, order."""
    record = MAKE_LEAD[provider](1, at(3))
    name = "contact_name" if provider == "mega" else "name"
    odd = {
        name: msgspec.Raw(b'"Jos\\u00e9 \\/ \\"Pepe\\" \\ud83d\\ude00"'),
        "zeta": msgspec.Raw(b"1.10"),
        "alpha": msgspec.Raw(b'{ "b" : 1e2 ,\n "a": [ -0.0, 12345678901234567890123 ] }'),
        "naïve": msgspec.Raw('"ü"'.encode()),
    }
    for field in ("pain_points", "timeline", "budget_range", "ai_reasoning"):
        if provider == "expert_ai_labs":
            del record[field]
    record.pop("qualification_completed_at", None)
    custom = record.pop("custom_fields", None)
    return msgspec.json.encode(record | odd | ({"custom_fields": custom} if custom else {}))


@pytest.mark.parametrize("provider", SLUGS)
def test_the_payload_is_the_record_s_bytes_from_the_server_to_the_versions(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account], provider: str
) -> None:
    sent = served_bytes(provider)
    fields = msgspec.json.decode(sent, type=dict[str, msgspec.Raw])
    plain = {"id", "created_at", "updated_at", "customer_id", "organization_id", "status"}
    server_of(sandbox, provider).store.put(
        {name: msgspec.json.decode(raw) if name in plain else raw for name, raw in fields.items()}
    )
    pull(settings, accounts[provider], days(1, 31))
    load_landing(settings)
    assert [row["payload"] for row in table(settings, "lead_versions")] == [sent.decode()]


@pytest.mark.parametrize("provider", SLUGS)
def test_half_an_emoji_costs_neither_the_page_nor_its_record_nor_a_byte(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account], provider: str
) -> None:
    name = "contact_name" if provider == "mega" else "name"
    cut = msgspec.Raw(b'"\\ud83d\\ude00 cut \\ud83d, not cut \\\\ud83d"')
    server_of(sandbox, provider).store.put(MAKE_LEAD[provider](1, at(3)) | {name: cut})
    server_of(sandbox, provider).store.put(MAKE_LEAD[provider](2, at(3)))
    pull(settings, accounts[provider], days(1, 31))
    load_landing(settings)
    rows = query(
        settings,
        "select payload, full_name from normalized.lead_versions where lead_id = ?",
        lead_id(1),
    )
    assert [(bytes(cut) in row["payload"].encode(), row["full_name"]) for row in rows] == [
        (True, "😀 cut \N{REPLACEMENT CHARACTER}, not cut \\ud83d")
    ]


def test_an_event_of_another_form_does_not_stop_the_leads_from_being_planned(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    store = sandbox.expert_ai_labs.store
    store.put(expert_ai_labs_lead(1, at(3)))
    store.update(lead_id(1), {"name": "Sarah M."}, at(5, 9))
    [event] = store.events
    store.events.put(event | {"id": lead_id(8), "payload": {"lead_id": 8}})
    store.events.put(
        event | {"id": lead_id(9), "payload": msgspec.Raw(b'"\\ud83d"')} | {"source": "api"}
    )
    pull_all(settings, accounts["expert_ai_labs"], days(5))
    load_landing(settings)
    assert [row["full_name"] for row in table(settings, "leads")] == ["Sarah M."]


def test_fields_that_no_column_takes_stay_in_the_payload(landing: Landing) -> None:
    lead(landing, "vorel", vorel_lead(1, loyalty={"tier": "gold"}))
    rows = query(
        landing.settings,
        "select payload ->> '$.loyalty.tier' as tier from normalized.lead_versions",
    )
    assert rows == [{"tier": "gold"}]


def test_custom_fields_are_json_that_can_be_asked(landing: Landing) -> None:
    lead(landing, "vorel", vorel_lead(1, attributes={"bedrooms": 3, "area": {"name": "Marina"}}))
    rows = query(
        landing.settings,
        "select custom_fields ->> '$.area.name' as area from normalized.leads",
    )
    assert rows == [{"area": "Marina"}]


def test_the_newest_payload_of_an_unchanged_state_is_kept(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1, loyalty="silver"))
    landing.leads("vorel", vorel_lead(1, loyalty="gold"))
    load_landing(landing.settings)
    [version] = table(landing.settings, "lead_versions")
    assert json.loads(version["payload"])["loyalty"] == "gold"


# The mapping of stages -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("mega,stage,x,sold,1,false", "'sold' is no canonical stage"),
        ("mego,stage,x,won,1,false", "provider must be one of expert_ai_labs, mega"),
        ("mega,colour,x,won,1,false", "field status or stage"),
        ("mega,stage,x,won,first,false", "a whole number from 0 to 9999 and"),
        ("mega,stage,x,won,1,perhaps", "is_terminal true or false"),
        ("mega,stage,x", "'' is no canonical stage"),
    ],
)
def test_a_line_of_stages_that_cannot_be_used_is_named(row: str, said: str) -> None:
    header = "provider,field,value,stage,stage_order,is_terminal"
    with pytest.raises(Exception, match=f"line 2: .*{said}"):
        read_stages(f"{header}\n{row}\n", "stages.csv")


def test_a_stage_mapped_twice_is_named() -> None:
    header = "provider,field,value,stage,stage_order,is_terminal"
    line = "mega,stage,Won,won,5,true"
    with pytest.raises(Exception, match="line 3: 'won' is mapped twice"):
        read_stages(f"{header}\n{line}\n{line.lower()}\n", "stages.csv")


@pytest.mark.long
def test_every_lead_of_a_fortnight_in_the_sandbox_s_world_is_mapped(
    settings: Settings,
) -> None:
    with Sandbox(limits=False) as sandbox:
        sandbox.set_clock(at(10))
        for provider in SLUGS:
            pull_all(settings, account_of(sandbox, provider), days(1, 31))
        expected = sum(len(server_of(sandbox, provider).store) for provider in SLUGS)
    result = load_landing(settings)
    unmapped = [
        value for value in result.check("stages_are_mapped").examples if "(no stage)" not in value
    ]
    assert (result.table_rows["leads"], unmapped) == (expected, [])
