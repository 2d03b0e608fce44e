"""What servers state in headers: which texts are waits and counts, and what they mean.

Times are seconds after an arbitrary moment, 2026-01-09 23:06:40 UTC.
"""

from __future__ import annotations

from email.utils import formatdate

import pytest

from lead_pipeline.providers.stated import NOT_CREDIBLE, shown, stated_count, stated_seconds

NOW = 1_768_000_000.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("-5", 0),
        (formatdate(NOW + 90, usegmt=True), 90),
        (formatdate(NOW - 90, usegmt=True), 0),
        (None, None),
        ("", None),
        ("soon", None),
        ("²", None),
        ("nan", None),
        ("inf", None),
        ("9" * 400, NOT_CREDIBLE),
        ("1e18", NOT_CREDIBLE),
        ("1e999", NOT_CREDIBLE),
        ("3600", 3600),
        ("3601", 3600),
        ("3700", NOT_CREDIBLE),
        ("30000", NOT_CREDIBLE),
        ("-1e18", 0),
        (str(int(NOW + 90)), 90),
        (str(int(NOW + 90) * 1000), 90),
        (str(int(NOW + 90) * 10**6), 90),
        (str(int(NOW + 90) * 10**9), 90),
        (str(int(NOW - 90) * 1000), 0),
        ("2026-01-09T23:08:20Z", 100),
        ("2026-01-10T00:08:20+01:00", 100),
        ("2026-01-09T23:08:20", 100),
        ("Fri, 31 Dec 9999 23:59:59 GMT", NOT_CREDIBLE),
        ("9999-12-31T23:59:59Z", NOT_CREDIBLE),
        ("0001-01-01", 0),
        ("0x10", None),
        ("1_000", None),
        ("\uff11\uff12\uff10", None),
        ("60, 60", None),
        ("Wed, 99 Jan 2026 00:00:00 GMT", None),
    ],
)
def test_wait_is_a_number_or_a_date_and_anything_else_is_none(
    value: str | None, seconds: float | None
) -> None:
    assert stated_seconds(value, NOW) == seconds


def test_date_is_by_the_clock_of_the_server() -> None:
    date, server_now = formatdate(NOW + 90, usegmt=True), formatdate(NOW, usegmt=True)

    assert stated_seconds(date, NOW + 3600, server_now) == 90


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("59", 59),
        ("0.5", 0),
        ("-5", 0),
        ("9" * 40, 1_000_000_000),
        ("1e999", 1_000_000_000),
        ("nan", None),
        ("many", None),
        ("", None),
        (None, None),
    ],
)
def test_count_is_a_whole_number_from_none_to_a_billion(
    value: str | None, count: int | None
) -> None:
    assert stated_count(value) == count


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("60", "60"),
        (" 60 ", "60"),
        ("60\x1b[31m", "60?[31m"),
        ("6\u200b0", "6?0"),
        ("9" * 40, "9" * 40),
        ("9" * 41, "9" * 37 + "..."),
    ],
)
def test_text_is_shown_in_part_and_without_what_a_terminal_would_obey(
    value: str, text: str
) -> None:
    assert shown(value) == text
