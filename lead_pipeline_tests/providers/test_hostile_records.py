"""One record that breaks JSON costs itself: the others land, byte for byte, and it is kept.

page with hostile records ──▶ pull ──▶ landed | rejected with its bytes and the reason ──▶ load
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lead_pipeline.errors import MalformedPage
from lead_pipeline.landing.rejected import rejected_groups, replay_rejected
from lead_pipeline.providers.base import UnusableRecord
from lead_pipeline.providers.fields import decode_envelope, decode_record, parse_time, read_identity
from lead_pipeline_tests.properties import examples
from lead_pipeline_tests.providers.hostile_records import HostileRecord, hostile_records
from lead_pipeline_tests.providers.hostile_server import Behaviour, answer
from lead_pipeline_tests.providers.test_hostile_servers import (
    LEADS,
    PATIENT,
    WINDOW,
    Besieged,
    besieged,
)
from lead_pipeline_tests.pulling import (
    MAKE_LEAD,
    SLUGS,
    at,
    landed,
    loaded_leads,
    pull,
    rejected,
    settings_in,
)

NAMES = ("id", "updated_at")


@pytest.fixture(scope="module", params=SLUGS)
def each(request: pytest.FixtureRequest) -> Iterator[Besieged]:
    """Each provider's API behind a hostile server."""
    with besieged(request.param) as found:
        yield found


def records_for(slug: str) -> list[HostileRecord]:
    """The hostile records of a provider."""
    good = {**MAKE_LEAD[slug](90, at(2)), "customer_id": None, "organization_id": None}
    return list(hostile_records(good, NAMES))


def serve(where: Besieged, records: bytes) -> None:
    """From now on the list begins with these bytes."""
    where.hostile.behaviour = Behaviour(
        "records", lambda good: iter([answer(good.starting_with(records))])
    )


def test_page_of_hostile_records_lands_all_that_is_sound(each: Besieged, tmp_path: Path) -> None:
    slug, settings = each.imitation.slug, settings_in(tmp_path)
    hostile = [record for record in records_for(slug) if record.verdict != "page"]
    assert len(records_for(slug)) >= 150
    serve(each, b"".join(record.payload.strip() + b"," for record in hostile))

    commit = pull(settings, each.account, WINDOW, full=True, accept_doubtful=True, options=PATIENT)
    each.hostile.behaviour = None

    sound = {record.payload for record in hostile if record.verdict == "lands"}
    rows = {row["payload"].encode() for row in landed(settings, slug)}
    assert sound <= rows
    assert len(rows) == len(sound) + LEADS
    kept = {row["position"]: row for row in rejected(settings, slug)}
    broken = {n: record for n, record in enumerate(hostile) if record.verdict == "rejected"}
    assert {n: kept[n]["payload"] for n in kept} == {n: r.payload for n, r in broken.items()}
    for number, record in broken.items():
        assert record.reason in kept[number]["reason"], record.name
        assert kept[number]["reason"].isprintable()
    assert commit.rejected == len(broken)
    assert commit.unidentified == sum(not record.is_known for record in broken.values())
    assert len(loaded_leads(settings)) == len(sound) + LEADS


def test_replay_and_status_cope_with_what_was_cut_out(each: Besieged, tmp_path: Path) -> None:
    slug, settings = each.imitation.slug, settings_in(tmp_path)
    broken = [r for r in records_for(slug) if r.verdict == "rejected" and len(r.payload) < 10**6]
    serve(each, b"".join(record.payload + b"," for record in broken))
    pull(settings, each.account, WINDOW, full=True, accept_doubtful=True, options=PATIENT)
    each.hostile.behaviour = None

    groups = rejected_groups(settings.landing_path, slug)
    result = replay_rejected(settings, slug)

    distinct = len({record.payload for record in broken})
    assert sum(group.records for group in groups) == distinct
    assert len(groups) < 40
    assert (result.filed, result.still_rejected) == ({}, distinct)


def test_record_without_an_end_costs_the_page_and_says_so(each: Besieged, tmp_path: Path) -> None:
    slug, settings = each.imitation.slug, settings_in(tmp_path)
    endless = [record for record in records_for(slug) if record.verdict == "page"]
    for record in endless:
        serve(each, record.payload + b",")
        with pytest.raises(MalformedPage, match="a body of") as failure:
            pull(settings, each.account, WINDOW, full=True, options=PATIENT)
        assert "jane" not in str(failure.value), record.name
    each.hostile.behaviour = None

    assert pull(settings, each.account, WINDOW, full=True, options=PATIENT).rejected == 0
    assert len(landed(settings, slug)) == LEADS


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_every_hostile_record_alone_in_its_page(each: Besieged, tmp_path: Path) -> None:
    """What it costs does not hang on the others."""
    slug = each.imitation.slug
    counts: Counter[str] = Counter()
    for number, record in enumerate(records_for(slug)):
        settings = settings_in(tmp_path / str(number))
        serve(each, record.payload + b",")
        try:
            pull(settings, each.account, WINDOW, full=True, accept_doubtful=True, options=PATIENT)
        except MalformedPage:
            found = "page"
        else:
            found = "rejected" if rejected(settings, slug) else "lands"
            assert len(landed(settings, slug)) == LEADS + (found == "lands"), record.name
        assert found == record.verdict, record.name
        each.hostile.behaviour = None
        healed = pull(settings, each.account, WINDOW, full=True, accept_doubtful=True)
        assert healed.complete, record.name
        counts[found] += 1
    print(slug, dict(counts))  # noqa: T201 - what was found, for whoever runs it with -s


def test_broken_single_record_does_not_end_the_stream() -> None:
    """Expert AI Labs reads leads one by one: the answer is the record."""
    for text in (b'{"id": "a", "x": NaN}', b'{"id": "a", "x": "\xff"}', b'{"id":"a","id":"b"}'):
        assert bytes(decode_record(text)) == text
    for text in (b"<html>", b'{"id": "a"', b"[]", b"", b'{"id": "a"} {"id": "b"}', b'{"id": "}'):
        with pytest.raises(MalformedPage):
            decode_record(text)


# Any bytes -----------------------------------------------------------------------------------


class _Page(msgspec.Struct):
    data: list[msgspec.Raw]
    next_cursor: str | None


_decoder = msgspec.json.Decoder(_Page)
GOOD = [
    {"id": f"lead-{n}", "updated_at": "2026-01-02T00:00:00Z", "n": [n, {"x": 'a,b]}\\"{'}]}
    for n in range(4)
]
BODY = json.dumps({"data": GOOD, "next_cursor": "abc", "total": 4}).encode()

_edits = st.lists(
    st.tuples(
        st.integers(0, len(BODY)),
        st.integers(0, 6),
        st.one_of(
            st.sampled_from(
                [
                    b'"',
                    b"{",
                    b"}",
                    b"[",
                    b"]",
                    b",",
                    b":",
                    b"\\",
                    b"NaN",
                    b"\xff",
                    b"",
                    b'"id":"z",',
                ]
            ),
            st.binary(max_size=4),
        ),
    ),
    min_size=1,
    max_size=4,
)


@examples(50)
@given(_edits)
@example([(0, len(BODY), b"")])
def test_any_change_of_a_page_is_a_page_or_rejected_records_or_no_page(
    edits: list[tuple[int, int, bytes]],
) -> None:
    """And what is filed stands in the body with these very bytes, and reads as JSON does."""
    body = BODY
    for place, dropped, added in edits:
        body = body[:place] + added + body[place + dropped :]
    records, told = _told_apart(body)

    assert "lead-" not in told
    for text, identity in records:
        assert text in body
        if identity is not None:
            value = json.loads(text, object_pairs_hook=_each_once)
            assert (value["id"], parse_time(value["updated_at"])) == identity


def _told_apart(body: bytes) -> tuple[list[tuple[bytes, tuple[str, datetime] | None]], str]:
    """The records of a page with what files them, and all that was said of page and records."""
    try:
        records = [bytes(record) for record in decode_envelope(body, _decoder).data]
    except MalformedPage as error:
        return [], str(error)
    found: list[tuple[bytes, tuple[str, datetime] | None]] = []
    told = ""
    for text in records:
        try:
            identity = read_identity(msgspec.Raw(text))
        except UnusableRecord as error:
            found.append((text, None))
            told += str(error)
        else:
            found.append((text, (identity.record_id, identity.updated_at)))
    return found, told


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@examples(20)
@given(st.data())
def test_broken_record_leaves_those_beside_it_as_they_were(data: st.DataObject) -> None:
    """Whatever is written where a value stands, as long as it has no quotes and no brackets."""
    value = data.draw(
        st.binary(min_size=1, max_size=20).filter(lambda b: not set(b) & set(b'"[]{}\\,'))
    )
    broken = b'{"id": "x", "updated_at": "2026-01-02T00:00:00Z", "v": ' + value + b"}"
    place = data.draw(st.integers(0, len(GOOD)))
    texts = [json.dumps(record).encode() for record in GOOD]
    texts.insert(place, broken)
    body = b'{"data": [' + b", ".join(texts) + b'], "next_cursor": null}'

    page = decode_envelope(body, _decoder)

    assert [bytes(record) for record in page.data] == texts
    for number, record in enumerate(page.data):
        if number != place:
            assert read_identity(record).record_id.startswith("lead-")
