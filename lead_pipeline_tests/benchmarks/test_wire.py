"""The server that clients are timed against: windows, pages and counts as MEGA's list has them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import msgspec
import pytest

from benchmarks.programs.floors import by_httpx, by_socket, read_all
from benchmarks.wire import served

PATH = "/api/agents/crm/leads"
LEADS, CHANGED = 250, 10


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with served(LEADS, CHANGED) as origin, httpx.Client(base_url=origin) as client:
        yield client


def listed(client: httpx.Client, **parameters: str) -> tuple[list[dict[str, object]], list[int]]:
    """All leads of a query, and what each page said how many there are."""
    leads: list[dict[str, object]] = []
    totals, cursor = [], None
    while True:
        asked = {"limit": "100", **parameters, **({"cursor": cursor} if cursor else {})}
        page = msgspec.json.decode(client.get(PATH, params=asked).content)
        leads += page["leads"]
        totals.append(page["total"])
        cursor = page["next_cursor"]
        if cursor is None:
            return leads, totals


def test_list_has_each_lead_once_in_the_order_of_updates(client: httpx.Client) -> None:
    leads, totals = listed(client)

    times = [str(lead["updated_at"]) for lead in leads]
    assert len({lead["id"] for lead in leads}) == LEADS
    assert times == sorted(times)
    assert totals == [LEADS] * 3


def test_no_two_leads_share_a_phone_number_an_address_or_a_note(client: httpx.Client) -> None:
    leads, _ = listed(client)

    for field in ("contact_phone", "contact_email"):
        assert len({lead[field] for lead in leads}) == LEADS
    assert len({msgspec.json.encode(lead["custom_fields"]) for lead in leads}) == LEADS


def test_window_by_update_has_what_has_changed_and_the_bound_itself(client: httpx.Client) -> None:
    leads, _ = listed(client)
    first_changed = str(leads[-CHANGED]["updated_at"])

    changed, totals = listed(client, updated_since=first_changed)

    assert changed == leads[-CHANGED:]
    assert totals == [CHANGED]


def test_window_by_creation_counts_what_was_created_since(client: httpx.Client) -> None:
    leads, _ = listed(client, sort_by="created_at", sort_dir="asc")
    since = str(leads[100]["created_at"])

    oldest, totals = listed(
        client, sort_by="created_at", sort_dir="asc", created_since=since, limit="1", cursor="249"
    )
    newest = client.get(
        PATH, params={"sort_by": "created_at", "sort_dir": "desc", "limit": "1"}
    ).json()

    assert totals[0] == 150
    assert oldest == [leads[-1]]
    assert newest["leads"] == [leads[-1]]


@pytest.mark.parametrize("way", [by_httpx, by_socket])
def test_floors_read_the_whole_list(client: httpx.Client, way: object) -> None:
    assert read_all(way, str(client.base_url)) == LEADS  # type: ignore[arg-type]
