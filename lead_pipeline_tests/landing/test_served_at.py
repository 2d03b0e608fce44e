"""When a record was served, by the provider's clock: the `Date` of the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from lead_pipeline.landing.journal import JournalPage
from lead_pipeline.providers.base import Account
from lead_pipeline.providers.fields import parse_http_date
from lead_pipeline.sandbox import Sandbox
from lead_pipeline.settings import Settings
from lead_pipeline_tests.pulling import EACH_PAGE, at, days, landed, pull, put_leads, rejected

Clock = Callable[[], datetime]


def test_record_is_served_at_the_date_of_its_answer(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_leads(sandbox, "mega", 3, at(2))
    sandbox.mega.clock = lambda: at(5, 2, 30, 7, 900)
    pull(settings, accounts["mega"], days(2))
    # `Date` has whole seconds.
    assert {row["served_at"] for row in landed(settings, "mega")} == {at(5, 2, 30, 7)}


def test_each_page_has_the_date_of_its_own_answer(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_leads(sandbox, "mega", 150, at(2))
    moments = iter(at(5, 2, minute) for minute in range(60))
    sandbox.mega.clock = lambda: next(moments)
    pull(settings, accounts["mega"], days(2), options=EACH_PAGE)
    served = {row["page"]: row["served_at"] for row in landed(settings, "mega")}
    assert served[1] < served[2]


def test_answer_without_a_date_was_served_when_it_was_fetched(
    sandbox: Sandbox,
    settings: Settings,
    accounts: Mapping[str, Account],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put_leads(sandbox, "mega", 1, at(2))
    monkeypatch.setattr("lead_pipeline.providers.http.parse_http_date", lambda value: None)
    pull(settings, accounts["mega"], days(2))
    [row] = landed(settings, "mega")
    assert row["served_at"] == row["fetched_at"]


def test_rejected_record_has_its_time_too(
    sandbox: Sandbox, settings: Settings, accounts: Mapping[str, Account]
) -> None:
    put_leads(sandbox, "mega", 1, at(2))
    lead = next(iter(sandbox.mega.store))
    sandbox.mega.store.put({**lead, "customer_id": "another tenant"})
    sandbox.mega.clock = lambda: at(5)
    with pytest.raises(Exception, match="another tenant"):
        pull(settings, accounts["mega"], days(2))
    assert [row["served_at"] for row in rejected(settings, "mega")] == [at(5)]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Fri, 02 Jan 2026 02:30:07 GMT", datetime(2026, 1, 2, 2, 30, 7, tzinfo=UTC)),
        ("Fri, 02 Jan 2026 03:30:07 +0100", datetime(2026, 1, 2, 2, 30, 7, tzinfo=UTC)),
        # The two older forms of RFC 9110.
        ("Friday, 02-Jan-26 02:30:07 GMT", datetime(2026, 1, 2, 2, 30, 7, tzinfo=UTC)),
        ("Fri Jan  2 02:30:07 2026", datetime(2026, 1, 2, 2, 30, 7, tzinfo=UTC)),
        ("Fri, 02 Jan 2200 02:30:07 GMT", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_date_of_an_answer_is_read_or_left(text: str | None, moment: datetime | None) -> None:
    assert parse_http_date(text) == moment


def test_page_of_an_earlier_releases_journal_has_no_served_time() -> None:
    assert JournalPage(1, None, at(2) + timedelta(hours=1), b"{}").served_at is None
