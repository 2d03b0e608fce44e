"""Rejected records: kept with their bytes and reason, and filed after all once that is fixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.landing.landed import LandedRecords
from lead_pipeline.landing.records import FiledPage, file_records
from lead_pipeline.landing.rejected import rejected_groups, replay_rejected
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers import fields as reading
from lead_pipeline.providers.base import Account, Page, Walk
from lead_pipeline.sandbox import Fault, Sandbox
from lead_pipeline.settings import Settings
from lead_pipeline_tests.pulling import (
    MAKE_LEAD,
    SLUGS,
    at,
    changed,
    commits,
    days,
    landed,
    landed_ids,
    pull,
    put_leads,
    rejected,
    server_of,
)

WINDOW = days(2)


def _no_page(body: bytes) -> Page:
    raise AssertionError(len(body))


def filed(provider: str, *payloads: bytes, tenant: str | None = None) -> FiledPage:
    """What filing makes of a page with these records."""
    return file_records(
        PROVIDERS[provider],
        "leads",
        Walk("", {}, _no_page),
        [msgspec.Raw(payload) for payload in payloads],
        tenant,
        number=1,
        fetched_at=at(3),
        served_at=None,
    )


def reason(payload: bytes, provider: str = "vorel") -> str | None:
    """Why the record is rejected; None when it is filed."""
    page = filed(provider, payload)
    return page.rejected[0].reason if page.rejected else None


@pytest.mark.parametrize(
    "payload", [b"null", b"7", b'"text"', b"[]", b"true", b'{"id": "a", "updated_at"', b"\xff"]
)
def test_what_is_no_object_is_rejected(payload: bytes) -> None:
    assert reason(payload) == "the record is not a JSON object"


@pytest.mark.parametrize("value", ["null", "7", '""', '"  "', "[]", "{}", "true"])
def test_id_that_is_no_text_is_rejected(value: str) -> None:
    record = f'{{"id": {value}, "updated_at": "2026-01-02T00:00:00.000Z"}}'

    assert reason(record.encode()) == "no id: `id` must be a text that is not empty"


@pytest.mark.parametrize(
    "value",
    [
        *(
            "null",
            "7",
            "1768000000",
            '""',
            '"not a time"',
            '"2026-01-02"',
            '"2026-13-01T00:00:00Z"',
        ),
        *('"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:59-01:00"', "[]", '"2026-01-02T25:00:00Z"'),
    ],
)
def test_time_that_is_none_is_rejected_and_the_id_counts_as_seen(value: str) -> None:
    page = filed("vorel", f'{{"id": "a", "updated_at": {value}}}'.encode())

    assert page.rejected[0].reason == ("no usable time: `updated_at` must be an ISO-8601 time")
    assert page.seen_ids == ["a"]


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-01-02T05:00:00.000Z", 5),
        ("2026-01-02T05:00:00Z", 5),
        ("2026-01-02T05:00:00", 5),
        ("2026-01-02T05:00:00.123456Z", 5),
        ("2026-01-02T05:00:00+05:00", 0),
        ("2026-01-01T22:00:00-03:00", 1),
    ],
)
def test_time_is_filed_in_utc(text: str, hour: int) -> None:
    page = filed("vorel", f'{{"id": "a", "updated_at": "{text}"}}'.encode())

    moment = page.filed[0].identity.updated_at
    assert (moment.day, moment.hour) == (2, hour)


def test_lead_is_not_lost_for_a_created_at_that_is_none() -> None:
    record = b'{"id": "a", "updated_at": "2026-01-02T00:00:00Z", "created_at": "never"}'

    assert filed("vorel", record).filed[0].identity.created_at is None


@pytest.mark.parametrize(
    "payload",
    [
        b'{ "id" : "a",  "score": 1250.50, "updated_at":"2026-01-02T00:00:00Z" }',
        b'{"updated_at":"2026-01-02T00:00:00Z","n":12345678901234567890.12345,"id":"a"}',
        '{"id":"a","updated_at":"2026-01-02T00:00:00Z","name":"Zoë \\ud83d\\ude00"}'.encode(),
        b'{"id":"a","updated_at":"2026-01-02T00:00:00Z","name":"half \\ud83d"}',
        b'{"id":"a","updated_at":"2026-01-02T00:00:00Z","unknown":{"deep":[1,{"x":null}]}}',
    ],
)
def test_payload_is_filed_exactly_as_its_bytes_came(payload: bytes) -> None:
    assert filed("vorel", payload).filed[0].payload.encode() == payload


def test_bytes_that_are_no_text_are_rejected_with_the_bytes() -> None:
    payload = b'{"id":"a","updated_at":"2026-01-02T00:00:00Z","name":"\xff\xfe"}'
    page = filed("vorel", payload)

    assert [record.payload for record in page.rejected] == [payload]


@pytest.mark.parametrize("tenant", ["ACME", "acme"])
def test_tenant_is_compared_regardless_of_case(tenant: str) -> None:
    record = b'{"id":"a","updated_at":"2026-01-02T00:00:00Z","customer_id":"Acme"}'

    assert filed("mega", record, tenant=tenant).rejected == []


def test_record_of_another_tenant_is_rejected_as_such() -> None:
    record = b'{"id":"a","updated_at":"2026-01-02T00:00:00Z","customer_id":"other"}'

    assert [r.kind for r in filed("mega", record, tenant="acme").rejected] == ["foreign_tenant"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just("2026-01-02T00:00:00Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    st.sampled_from(SLUGS),
    st.lists(
        st.one_of(
            st.binary(max_size=30),
            _JSON.map(msgspec.json.encode),
            st.fixed_dictionaries(
                {}, optional={"id": _JSON, "updated_at": _JSON, "created_at": _JSON}
            ).map(msgspec.json.encode),
        ),
        max_size=8,
    ),
)
def test_whatever_a_record_is_it_is_filed_or_rejected_and_never_lost(
    provider: str, payloads: list[bytes]
) -> None:
    page = filed(provider, *payloads)

    kept = [record.payload.encode() for record in page.filed]
    kept += [record.payload for record in page.rejected]
    assert sorted(kept) == sorted(payloads)


@given(st.sampled_from(SLUGS), st.text(min_size=1), st.text())
def test_reason_holds_nothing_of_the_record(provider: str, name: str, value: str) -> None:
    record = {"id": {name: value}, "updated_at": value}

    assert reason(msgspec.json.encode(record), provider) in (
        "no id: `id` must be a text that is not empty",
    )


@pytest.mark.parametrize("provider", SLUGS)
def test_rejected_record_is_kept_with_bytes_page_and_place(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_leads(sandbox, provider, 3, at(2))
    server_of(sandbox, provider).faults.add(Fault("missing_id", path_contains="/leads", position=1))

    pull(settings, accounts[provider], WINDOW)

    row = rejected(settings, provider)[0]
    assert (row["page"], row["position"], row["kind"]) == (1, 1, "unusable")
    assert b'"email":' in row["payload"] or b'"contact_email":' in row["payload"]


@pytest.mark.parametrize("provider", SLUGS)
def test_rejected_records_are_shown_by_reason_once_however_often_they_came(
    provider: str, sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_leads(sandbox, provider, 3, at(2))
    faults = server_of(sandbox, provider).faults
    for _ in range(2):
        faults.clear()
        faults.add(Fault("null_record", path_contains="/leads"))
        pull(settings, accounts[provider], WINDOW)

    groups = rejected_groups(settings.landing_path, provider)
    assert [(g.stream, g.reason, g.records) for g in groups] == [
        ("leads", "the record is not a JSON object", 1)
    ]


@pytest.fixture
def too_long_id(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> Callable[[], Any]:
    """A lead that was rejected for its long id; calling it fixes the limit and replays."""
    long_id = "x" * 600
    lead = {**MAKE_LEAD["mega"](1, at(2)), "id": long_id}
    sandbox.mega.store.put(lead)
    put_leads(sandbox, "mega", 3, at(2), first=10)
    pull(settings, accounts["mega"], WINDOW)
    assert long_id not in landed_ids(settings, "mega")

    def mend_and_replay() -> Any:
        with changed(reading, "MAX_ID_CHARACTERS", 1000):
            return replay_rejected(settings, "mega")

    return mend_and_replay


def test_replay_files_what_can_be_filed_now(
    too_long_id: Callable[[], Any], settings: Settings
) -> None:
    result = too_long_id()

    assert (result.filed, result.still_rejected) == ({"leads": 1}, 0)
    assert len(landed_ids(settings, "mega")) == 4


def test_replayed_record_has_the_time_at_which_it_was_fetched(
    too_long_id: Callable[[], Any], settings: Settings
) -> None:
    fetched_at = rejected(settings, "mega")[0]["fetched_at"]
    too_long_id()

    row = next(row for row in landed(settings, "mega") if len(row["record_id"]) == 600)
    assert row["fetched_at"] == fetched_at
    assert row["served_at"] == rejected(settings, "mega")[0]["served_at"]


def test_replay_again_changes_nothing(too_long_id: Callable[[], Any], settings: Settings) -> None:
    too_long_id()
    again = too_long_id()

    assert (again.filed, again.still_rejected) == ({}, 0)
    assert len(landed_ids(settings, "mega")) == 4


def test_replayed_records_are_no_longer_shown(
    too_long_id: Callable[[], Any], settings: Settings
) -> None:
    too_long_id()

    assert rejected_groups(settings.landing_path, "mega") == []


def test_replay_before_the_fix_files_nothing(
    too_long_id: Callable[[], Any], settings: Settings
) -> None:
    result = replay_rejected(settings, "mega")

    assert (result.filed, result.still_rejected) == ({}, 1)


def test_replay_neither_proves_nor_disproves_a_window(
    too_long_id: Callable[[], Any], settings: Settings
) -> None:
    too_long_id()

    assert commits(settings, "mega")[-1].state == "replayed"
    assert LandedRecords(settings.landing_path, "mega", PROVIDERS["mega"]).is_complete(
        "leads", WINDOW
    )


def test_replay_of_an_account_that_never_landed_anything_does_nothing(settings: Settings) -> None:
    assert replay_rejected(settings, "mega").filed == {}
