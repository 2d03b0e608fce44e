"""The stores: order and pages stay right whatever is written between two reads."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.sandbox.examples import lead_id, mega_lead
from lead_pipeline.sandbox.messages import read_time
from lead_pipeline.sandbox.store import LeadStore

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

writes = st.lists(
    st.tuples(
        st.sampled_from(["put", "delete", "read"]),
        st.integers(0, 9),
        st.integers(0, 5),
    ),
    max_size=40,
)


def walk(store: LeadStore, field: str, *, descending: bool, size: int) -> list[str]:
    """All ids, page after page."""
    ids: list[str] = []
    after, more = None, True
    while more:
        page, more = store.page(field, size, descending=descending, after=after)
        ids += [record["id"] for record in page]
        if page:
            after = (read_time(page[-1][field]), page[-1]["id"])
    return ids


@given(steps=writes, size=st.integers(1, 4), descending=st.booleans())
def test_pages_show_what_the_store_holds_in_order(
    steps: list[tuple[str, int, int]], size: int, descending: bool
) -> None:
    store, model = LeadStore(), dict[str, dict[str, Any]]()
    for kind, number, hours in steps:
        record = mega_lead(number, BEGIN, BEGIN + timedelta(hours=hours))
        if kind == "put":
            store.put(record)
            model[record["id"]] = record
        elif kind == "delete" and record["id"] in model:
            store.delete(record["id"])
            del model[record["id"]]
        else:
            store.page("updated_at", 1)
    expected = sorted(model.values(), key=lambda one: (one["updated_at"], one["id"]))
    ids = [record["id"] for record in expected]
    found = walk(store, "updated_at", descending=descending, size=size)
    assert found == (ids[::-1] if descending else ids)


def test_bounds_are_both_included() -> None:
    store = LeadStore()
    for number in range(5):
        store.put(mega_lead(number, BEGIN + timedelta(hours=number)))
    page, more = store.page(
        "created_at", 10, low=BEGIN + timedelta(hours=1), high=BEGIN + timedelta(hours=3)
    )
    assert ([record["id"] for record in page], more) == ([lead_id(n) for n in (1, 2, 3)], False)


def test_a_copy_given_out_does_not_change_the_store() -> None:
    store = LeadStore()
    store.put(mega_lead(1))
    copy = store.get(lead_id(1))
    assert copy is not None
    copy["status"] = "stolen"
    assert store.get(lead_id(1)) == mega_lead(1)


def test_what_is_not_there_cannot_be_deleted() -> None:
    with pytest.raises(KeyError):
        LeadStore().delete(lead_id(1))


@pytest.mark.parametrize("missing", ["id", "updated_at"])
def test_a_record_needs_an_id_and_its_times(missing: str) -> None:
    record = mega_lead(1)
    del record[missing]
    with pytest.raises(KeyError):
        LeadStore().put(record)


def test_a_page_of_many_records_does_not_sort_them_all() -> None:
    store = LeadStore()
    store.put_all(mega_lead(n, BEGIN + timedelta(seconds=n)) for n in range(50_000))
    store.page("updated_at", 1)
    begin = time.perf_counter()
    for number in range(100):
        store.put(mega_lead(number, BEGIN, BEGIN + timedelta(days=1, seconds=number)))
        store.page("updated_at", 100, after=(BEGIN + timedelta(seconds=25_000), ""))
    # Sorting again each time takes some five seconds; the slack is for busy machines.
    assert time.perf_counter() - begin < 2
