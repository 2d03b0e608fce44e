"""Cases that real data brings sooner or later, each by its name, from landing to the tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from lead_pipeline.landing.commits import Window
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, lead_id, mega_lead, vorel_lead
from lead_pipeline.sandbox.messages import Record
from lead_pipeline.settings import Settings
from lead_pipeline_tests.normalized.landings import POLL, Landing, files_below, query, table
from lead_pipeline_tests.normalized.test_stage_history import event, expert_lead
from lead_pipeline_tests.pulling import at


@pytest.fixture
def landing(settings: Settings) -> Landing:
    return Landing(settings)


def column(landing: Landing, name: str, source: str = "leads") -> list[Any]:
    load_landing(landing.settings)
    rows = query(landing.settings, f"select * from normalized.{source} order by all")  # noqa: S608
    return [row[name] for row in rows]


def served_at(record: Record, **times: str) -> bytes:
    """The record with times written just so."""
    return msgspec.json.encode({**record, **times})


# Ties ----------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_thousand_leads_of_one_millisecond_stay_a_thousand_however_often_they_come(
    landing: Landing,
) -> None:
    records = [mega_lead(number, at(1), at(2)) for number in range(1_000)]
    for _ in range(3):
        landing.leads("mega", *records)
        load_landing(landing.settings)
    assert len(column(landing, "lead_key")) == 1_000


def test_two_contents_at_one_millisecond_are_two_versions_and_the_later_fetched_is_the_lead(
    landing: Landing,
) -> None:
    landing.leads("vorel", vorel_lead(1, at(1), at(2), status="booked"), at=POLL)
    landing.leads(
        "vorel", vorel_lead(1, at(1), at(2), status="lost"), at=POLL + timedelta(minutes=1)
    )
    assert sorted(column(landing, "stage", "lead_versions")) == ["booked", "lost"]
    assert column(landing, "stage") == ["lost"]


def test_of_two_contents_at_one_millisecond_the_one_fetched_again_later_is_the_lead(
    landing: Landing,
) -> None:
    for minute, status in ((0, "booked"), (1, "lost"), (2, "booked")):
        landing.leads(
            "vorel",
            vorel_lead(1, at(1), at(2), status=status),
            at=POLL + timedelta(minutes=minute),
        )
    assert column(landing, "stage") == ["booked"]


def test_two_logged_changes_of_one_millisecond_leave_a_contiguous_history(
    landing: Landing,
) -> None:
    landing.leads(
        "expert_ai_labs",
        event(1, at(3), "new", "contacted", "a"),
        event(1, at(3), "contacted", "won", "b"),
        stream="lead_events",
    )
    landing.leads("expert_ai_labs", expert_lead(1, "won", at(3)))
    load_landing(landing.settings)
    entered = column(landing, "entered_at", "lead_stage_history")
    assert column(landing, "exited_at", "lead_stage_history") == [*entered[1:], None]
    assert column(landing, "provider_stage", "lead_stage_history")[-1] == "won"


# Days ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 1, 5, tzinfo=UTC), "2026-01-05"),
        (datetime(2026, 1, 4, 23, 59, 59, 999_000, tzinfo=UTC), "2026-01-04"),
        (datetime(2028, 2, 29, 12, tzinfo=UTC), "2028-02-29"),
        (datetime(2028, 2, 29, 23, 59, 59, 999_000, tzinfo=UTC), "2028-02-29"),
        (datetime(2026, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC), "2026-12-31"),
    ],
    ids=["midnight", "before midnight", "leap day", "end of leap day", "end of the year"],
)
def test_a_record_lies_on_its_utc_day(landing: Landing, moment: datetime, day: str) -> None:
    later = moment + timedelta(days=1)
    landing.leads("vorel", vorel_lead(1, moment), at=later, window=Window(None, later))
    stream = landing.settings.landing_path / "vorel" / "leads"
    folders = {path.split("/")[0] for path in files_below(stream)}
    assert (folders, column(landing, "updated_at")) == ({f"date={day}"}, [moment])


def test_a_leap_second_written_as_sixty_is_kept_apart_not_loaded_wrong(landing: Landing) -> None:
    record = served_at(vorel_lead(1), updated_at="2016-12-31T23:59:60Z")
    commit = landing.leads("vorel", record)
    assert (commit.rejected, column(landing, "lead_key")) == (1, [])


# Times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-05T10:00:00Z",
        "2026-01-05T10:00:00.000Z",
        "2026-01-05T10:00:00.000000Z",
        "2026-01-05T10:00:00+00:00",
        "2026-01-05T12:30:00+02:30",
        "2026-01-04T23:00:00-11:00",
    ],
)
def test_one_moment_is_one_version_however_its_time_is_written(
    landing: Landing, written: str
) -> None:
    landing.leads("vorel", vorel_lead(1, at(1), at(5, 10)))
    landing.leads("vorel", served_at(vorel_lead(1, at(1), at(5, 10)), updated_at=written))
    assert column(landing, "updated_at", "lead_versions") == [at(5, 10)]


@pytest.mark.parametrize(
    ("written", "microsecond"), [("10:00:00.1Z", 100_000), ("10:00:00.123456Z", 123_456)]
)
def test_fractions_of_a_second_are_kept(landing: Landing, written: str, microsecond: int) -> None:
    landing.leads("vorel", served_at(vorel_lead(1), updated_at=f"2026-01-05T{written}"))
    assert column(landing, "updated_at") == [at(5, 10).replace(microsecond=microsecond)]


# Texts and numbers ---------------------------------------------------------------------------


def test_a_null_name_stays_null_and_an_empty_one_empty(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1, name=None), vorel_lead(2, name=""))
    load_landing(landing.settings)
    rows = table(landing.settings, "leads")
    assert {row["lead_id"]: row["full_name"] for row in rows} == {lead_id(1): None, lead_id(2): ""}


def test_a_null_and_an_empty_email_match_nobody(landing: Landing) -> None:
    landing.leads("vorel", vorel_lead(1, email=None), vorel_lead(2, email=" "))
    assert column(landing, "email_normalized") == [None, None]


@pytest.mark.parametrize(
    "name",
    ["Zoë Ångström", "李小龍", "محمد", "👩‍👩‍👧", "e\u0301", "a\u0000b", 'O"Brien\\\n\t'],
    ids=["latin", "han", "arabic", "family", "combining", "null character", "escapes"],
)
def test_a_name_in_any_script_comes_through(landing: Landing, name: str) -> None:
    landing.leads("mega", mega_lead(1, contact_name=name))
    assert column(landing, "full_name") == [name]


def with_attributes(attributes: bytes) -> bytes:
    return msgspec.json.encode({**vorel_lead(1), "attributes": msgspec.Raw(attributes)})


def test_big_integers_and_whole_floats_in_attributes_are_kept_to_the_byte(
    landing: Landing,
) -> None:
    attributes = b'{"big":12345678901234567890123,"one":1.0,"minus":-0.0,"long":9007199254740993}'
    landing.leads("vorel", with_attributes(attributes))
    assert column(landing, "custom_fields") == [attributes.decode()]


def test_a_payload_keeps_every_number_as_it_was_written(landing: Landing) -> None:
    record = with_attributes(b'{"exponent": 1e5, "price":0.10,"big":123456789012345678901234}')
    landing.leads("vorel", record)
    assert column(landing, "payload", "lead_versions") == [record.decode()]


def test_details_of_an_empty_text_are_details(landing: Landing) -> None:
    landing.leads("expert_ai_labs", expert_ai_labs_lead(1, timeline=""), stream="lead_details")
    assert column(landing, "timeline") == [""]
