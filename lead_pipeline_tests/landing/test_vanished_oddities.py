"""Whatever happens while vanished leads are looked for, nobody is said to have vanished who has not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lead_pipeline.sandbox.examples import lead_id, mega_lead
from lead_pipeline_tests.landing.vanishing import Business, business, spread

LEADS = 600


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Business]:
    """Six hundred leads, all landed the night before."""
    with business(tmp_path / "home", spread(LEADS)) as found:
        yield found


# Leads that live on --------------------------------------------------------------------------


@dataclass(frozen=True)
class Happening:
    """What happens before the request of this number of a night, counted from 1."""

    before_request: int
    kind: str
    lead: int


_happenings = st.lists(
    st.builds(
        Happening,
        st.integers(1, 30),
        st.sampled_from(("create", "change", "vanish", "import")),
        st.integers(0, LEADS - 1),
    ),
    max_size=25,
)


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sets(st.integers(0, LEADS - 1), max_size=9), _happenings)
def test_all_that_vanished_before_a_night_and_only_what_vanished_is_found(
    before: set[int], happenings: list[Happening]
) -> None:
    with tempfile.TemporaryDirectory() as home, business(Path(home), spread(LEADS)) as shop:
        gone = set(shop.delete(before))
        imported = 0

        def happen(request: int) -> None:
            nonlocal imported
            for number, each in enumerate(happenings):
                if each.before_request != request:
                    continue
                if each.kind == "create":
                    shop.create(LEADS + number)
                elif each.kind == "change":
                    shop.change(each.lead)
                elif each.kind == "import":
                    # As of long ago, but only now.
                    created = shop.times[each.lead] + timedelta(seconds=1)
                    shop.store.put(mega_lead(9_000 + number, created, datetime.now(UTC)))
                    imported += 1
                elif shop.store.get(lead_id(each.lead)) is not None:
                    gone.update(shop.delete([each.lead]))

        with shop.at_each_request(happen):
            found = set(shop.found()) if shop.night() and shop.searches else set()
        assert found <= gone
        # What was imported since the crawl may cancel out what vanished.
        if not imported:
            assert {lead_id(lead) for lead in before} <= found
