"""Records of a page read together: as each would be read on its own, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lead_pipeline.landing import arrays
from lead_pipeline.providers.base import Identity, UnusableRecord
from lead_pipeline.providers.fields import MAX_ID_CHARACTERS, parse_time
from lead_pipeline.providers.identities import Forms, IdentityFields
from lead_pipeline_tests.properties import examples
from lead_pipeline_tests.providers.hostile_records import hostile_records

FIELDS = IdentityFields(tenant_id="customer_id")
LEAD = {
    "id": "lead-1",
    "customer_id": "3188627d",
    "created_at": "2026-01-01T00:00:00.000Z",
    "updated_at": "2026-01-02T00:00:00.123Z",
    "owner": {"name": "Zoë", "tags": ["a", {"b": None}]},
    "score": 7.5,
}


def compact(record: object) -> bytes:
    return msgspec.json.encode(record)


def read_each(records: Sequence[bytes]) -> list[Identity] | None:
    """What the careful way makes of them; None where one is refused."""
    try:
        return [FIELDS.read(msgspec.Raw(record)) for record in records]
    except UnusableRecord:
        return None


def read_together(records: Sequence[bytes]) -> list[Identity] | None:
    """The same, read at once, with the times as files have them. Tenants are put in from outside."""
    found = FIELDS.read_page(records)
    # Whatever the page before looked like, the same is read.
    assert FIELDS.read_page(records, after(compact(LEAD))) == found
    assert FIELDS.read_page(records, after(*records)) == found
    if found is None:
        return None
    each = read_each(records)
    assert each is not None, "a page was taken of which one record is refused"
    assert found.tenant_ids == {identity.tenant_id for identity in each} - {None}
    updated = arrays.texts(found.updated_at).cast(arrays.MOMENT).to_pylist()
    created = [
        None if text is None else arrays.texts([text]).cast(arrays.MOMENT)[0].as_py()
        for text in found.created_at
    ]
    return [
        Identity(record_id, updated_at, created_at, identity.tenant_id)
        for record_id, updated_at, created_at, identity in zip(
            found.record_ids, updated, created, each, strict=True
        )
    ]


def after(*records: bytes) -> Forms:
    """The forms of a list that has had two pages with these records."""
    forms = Forms()
    for _ in range(2):
        FIELDS.read_page(records, forms)
    return forms


def assert_agree(records: Sequence[bytes]) -> None:
    """What is read together is what is read one by one."""
    together = read_together(records)
    assert together is None or together == read_each(records)


def test_ordinary_page_is_read_at_once() -> None:
    records = [compact(LEAD | {"id": f"lead-{number}"}) for number in range(3)]
    assert read_together(records) == read_each(records)


@pytest.mark.parametrize("field", [{"created_at": None}, {"customer_id": None}, {"customer_id": 7}])
def test_what_may_be_missing_keeps_no_page_from_being_read_at_once(field: dict[str, Any]) -> None:
    records = [compact(LEAD), compact(LEAD | field)]
    assert read_together(records) == read_each(records) != None  # noqa: E711
    del records[1:]
    records.append(compact({k: v for k, v in LEAD.items() if k not in field}))
    assert read_together(records) == read_each(records) != None  # noqa: E711


@pytest.mark.parametrize("good", [compact(LEAD), json.dumps(LEAD).encode()])
def test_hostile_record_is_never_read_with_others(good: bytes) -> None:
    for record in hostile_records(LEAD, ("id", "updated_at")):
        without_blanks = record.payload.replace(b'": ', b'":').replace(b', "', b',"')
        for hostile in (record.payload, without_blanks):
            if record.verdict != "lands":
                assert FIELDS.read_page([good, hostile]) is None, record.name
                assert FIELDS.read_page([good, hostile], after(good)) is None, record.name
                same_fields = compact(LEAD | {"extra": None})
                assert FIELDS.read_page([hostile], after(same_fields)) is None, record.name
            else:
                assert_agree([good, hostile])


@pytest.mark.parametrize(
    "written",
    [
        json.dumps,
        lambda record: json.dumps(record, ensure_ascii=False, indent=2),
        lambda record: json.dumps(record, separators=(" ,", " : ")),
        lambda record: json.dumps(record).replace("7.5", "75e-1"),
        lambda record: json.dumps(record, sort_keys=True).replace("/", "\\/"),
    ],
    ids=["Python", "for people", "blanks everywhere", "numbers", "keys and escapes"],
)
def test_page_is_read_at_once_however_its_server_writes_json(
    written: Callable[[object], str],
) -> None:
    leads = [LEAD | {"id": f"lead-{number}", "note": "a/b: ä"} for number in range(3)]
    records = [written(lead).encode() for lead in leads]
    assert read_together(records) == read_each(records) != None  # noqa: E711


@pytest.mark.parametrize("blank", ["", " "])
def test_name_that_is_said_twice_is_never_read_with_others(blank: str) -> None:
    for twice in ('"score":1,"score":2', '"owner":{"a":1,"a":2}', '"owner":[{"a":{"b":1,"b":1}}]'):
        text = json.dumps(LEAD, separators=("," + blank, ":" + blank))
        record = text.replace("}", "}", 1)[:-1] + "," + twice.replace(":", f"{blank}:{blank}") + "}"
        assert FIELDS.read_page([record.encode()]) is None
        assert FIELDS.read_page([record.encode()], after(compact(LEAD))) is None


def test_text_that_looks_like_a_name_does_not_hide_one_that_is_said_twice() -> None:
    """The text has an escape that the record has for a letter, and so one name more."""
    for text in (rb"\u0022:", rb"\":", rb'\\":', rb"a\u0022 :"):
        record = compact(LEAD)[:-1] + b',"score":1,"x":"%b"}' % text
        assert FIELDS.read_page([record]) is None


@pytest.mark.parametrize(
    "records",
    [
        [],
        [b""],
        [b"{}"],
        # One record for two, two for one, and two whose border is elsewhere.
        [compact(LEAD) + b"," + compact(LEAD)],
        [compact(LEAD) + b"\n" + compact(LEAD)],
        [b'{"id":"a","updated_at":"2026-01-02T00:00:00Z","x":[1', b"2]}"],
        [
            b'{"id":"a","updated_at":"2026-01-02T00:00:00Z","x":[1',
            b"2]}",
            compact(LEAD) + b"," + compact(LEAD),
        ],
        [b'{"id":"a","x":1}', b'{"id":"b"}'],
    ],
)
def test_what_is_no_list_of_records_is_not_read(records: list[bytes]) -> None:
    assert FIELDS.read_page(records) is None


def test_lists_whose_records_look_different_each_time_are_read_at_once() -> None:
    forms = Forms()
    for number in range(50):
        record = compact(LEAD | {f"field-{number}": {"a": number}, 'with "quotes"': {}})
        for records in ([record, record], [record]):
            found = FIELDS.read_page(records, forms)
            assert found == FIELDS.read_page(records) != None  # noqa: E711


@pytest.mark.parametrize("field", ["record_id", "updated_at", "created_at", "tenant_id"])
def test_fields_in_objects_are_left_to_the_careful_way(field: str) -> None:
    assert IdentityFields(**{field: "owner.name"}).read_page([compact(LEAD)]) is None


@pytest.mark.parametrize(
    ("record_id", "is_read"),
    [
        ("x" * MAX_ID_CHARACTERS, True),
        ("x" * (MAX_ID_CHARACTERS + 1), False),
        ("\ufffd", True),
        (" \u2003\n", False),
    ],
)
def test_ids_are_those_that_the_careful_way_takes(record_id: str, is_read: bool) -> None:
    records = [compact(LEAD | {"id": record_id})]
    assert (FIELDS.read_page(records) is not None, read_each(records) is not None) == (
        is_read,
        is_read,
    )


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
_times = (
    st.datetimes(datetime(1960, 1, 1), datetime(2110, 1, 1)).flatmap(  # noqa: DTZ001
        lambda moment: st.sampled_from(
            [
                f"{moment.isoformat()}{zone}"
                for zone in ("Z", "z", "", "+00:00", "-03:30", "+0100", "123Z")
            ]
            + [f"{moment:%Y-%m-%dT%H:%M:%S}.{'123456789'[:digits]}Z" for digits in range(1, 10)]
            + [
                f"{moment:%Y-%m-%d %H:%M:%S}Z",
                f"{moment:%Y-%m-%dt%H:%M}Z",
                f"{moment:%Y%m%dT%H%M%S}Z",
            ]
        )
    )
    | st.from_regex(r"\A20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]Z\Z")
    | st.just("2026-01-02T24:00:00Z")
    | _json
)
_records = st.fixed_dictionaries(
    {"id": st.text(min_size=1, max_size=5) | _json, "updated_at": _times},
    optional={"created_at": _times, "customer_id": st.text(max_size=3) | _json, "more": _json},
)


@examples(150)
@given(st.lists(_records, min_size=1, max_size=3), st.booleans())
def test_records_are_read_together_as_each_on_its_own(
    records: list[dict[str, Any]], is_compact: bool
) -> None:
    assert_agree(
        [compact(r) if is_compact else json.dumps(r).encode("utf-8", "replace") for r in records]
    )


_edits = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.integers(0, 3),
        st.sampled_from(
            [
                *(b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"NaN", b"\xff", b"", b" "),
                *(b"\n", b'"id":"z",', b"\\ud83d", b"1e999", b"{}"),
            ]
        )
        | st.binary(max_size=3),
    ),
    min_size=1,
    max_size=3,
)


@examples(150)
@given(_edits, st.integers(0, 2))
@example([(0, 0, b" ")], 0)
def test_changed_record_is_read_together_with_others_as_on_its_own(
    edits: list[tuple[int, int, bytes]], place: int
) -> None:
    records = [compact(LEAD | {"id": f"lead-{number}"}) for number in range(3)]
    for start, dropped, added in edits:
        records[place] = records[place][:start] + added + records[place][start + dropped :]
    assert_agree(records)


@examples(60)
@given(st.datetimes(datetime(1970, 1, 1), datetime(2099, 12, 31, 23, 59)))  # noqa: DTZ001
def test_times_of_every_length_are_read_at_once(moment: datetime) -> None:
    texts = [f"{moment:%Y-%m-%dT%H:%M:%S}Z", f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"]
    for text in texts:
        found = read_together([compact(LEAD | {"updated_at": text})])
        assert found is not None
        assert found[0].updated_at == parse_time(text)
        assert found[0].updated_at.tzinfo is UTC or found[0].updated_at.utcoffset() is not None
