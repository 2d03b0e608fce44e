"""Days and windows: half-open, UTC, and the first one takes everything before it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_pipeline.orchestration.partitions import daily_partitions
from lead_pipeline.windows import UpdatedWindow, merge, window_of_days

START = date(2026, 1, 1)
MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

_DAYS = st.dates(date(2026, 1, 1), date(2026, 2, 28))
_MOMENTS = st.integers(0, 50).map(lambda hours: MIDNIGHT + timedelta(hours=hours))
_WINDOWS = st.lists(
    st.tuples(st.one_of(st.none(), _MOMENTS), _MOMENTS).filter(
        lambda bounds: bounds[0] is None or bounds[0] < bounds[1]
    ),
    max_size=8,
)


def days_from(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


@pytest.mark.parametrize(
    ("moment", "is_inside"),
    [
        (MIDNIGHT - MILLISECOND, False),
        (MIDNIGHT, True),
        (MIDNIGHT + timedelta(days=1) - MILLISECOND, True),
        (MIDNIGHT + timedelta(days=1), False),
    ],
)
def test_day_begins_at_its_midnight_and_ends_before_the_next(
    moment: datetime, is_inside: bool
) -> None:
    assert (moment in window_of_days(date(2026, 1, 5), date(2026, 1, 5), START)) is is_inside


def test_midnight_is_that_of_utc() -> None:
    in_kathmandu = datetime(2026, 1, 5, 5, 45, tzinfo=timezone(timedelta(hours=5, minutes=45)))

    assert in_kathmandu in window_of_days(date(2026, 1, 5), date(2026, 1, 5), START)


def test_first_partition_takes_everything_before_it() -> None:
    assert datetime(1999, 1, 1, tzinfo=UTC) in window_of_days(START, START, START)


def test_other_partitions_take_nothing_before_them() -> None:
    second = START + timedelta(days=1)

    assert datetime(1999, 1, 1, tzinfo=UTC) not in window_of_days(second, second, START)


@given(_DAYS, _DAYS, st.datetimes(datetime(2025, 12, 1), datetime(2026, 3, 31)))  # noqa: DTZ001
def test_partitions_of_a_range_share_its_window_without_gap_or_overlap(
    one: date, other: date, moment: datetime
) -> None:
    first, last = min(one, other), max(one, other)
    moment = moment.replace(tzinfo=UTC)
    owners = [day for day in days_from(first, last) if moment in window_of_days(day, day, START)]

    assert len(owners) == (moment in window_of_days(first, last, START))


def test_window_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        UpdatedWindow(None, datetime(2026, 1, 5))  # noqa: DTZ001


def test_window_that_holds_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        UpdatedWindow(MIDNIGHT, MIDNIGHT)


def test_window_reads_as_an_interval() -> None:
    window = UpdatedWindow(None, MIDNIGHT)

    assert str(window) == "[(everything before), 2026-01-05T00:00Z)"


def test_todays_partition_exists_as_a_provisional_one() -> None:
    now = datetime(2026, 1, 5, 12, tzinfo=UTC)

    assert daily_partitions(START).get_partition_keys(current_time=now)[-1] == "2026-01-05"


@given(_WINDOWS, st.randoms(use_true_random=False))
def test_merge_is_the_same_in_any_order(
    windows: list[tuple[datetime | None, datetime]], random: object
) -> None:
    shuffled = list(windows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert merge(shuffled + windows) == merge(windows)


@given(_WINDOWS, _MOMENTS)
def test_merge_holds_the_very_moments_of_its_windows(
    windows: list[tuple[datetime | None, datetime]], moment: datetime
) -> None:
    inside = any(moment in UpdatedWindow(start, end) for start, end in windows)

    assert any(moment in window for window in merge(windows)) is inside


@given(_WINDOWS)
def test_merged_windows_are_in_order_and_do_not_touch(
    windows: list[tuple[datetime | None, datetime]],
) -> None:
    merged = merge(windows)

    assert all(
        later.start is not None and earlier.end < later.start for earlier, later in pairwise(merged)
    )
