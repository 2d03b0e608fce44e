"""The year of `make bench NAME=year`, for three nights: real crawls, loads, and one whole night."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.year import KINDS, below, is_whole, live
from lead_pipeline_tests.sample_builds import read

pytestmark = [pytest.mark.timeout(600), pytest.mark.long]


@pytest.fixture
def environment_afterwards_as_before() -> Iterator[None]:
    """What a year sets for its runs does not reach other tests."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_nights_are_lived_through_and_what_lies_below_the_home_is_counted(
    home: Path, environment_afterwards_as_before: None
) -> None:
    year = live(home, 3, lambda number, nights: number == nights, leads_at_start=20)

    assert [(night.number, night.is_whole) for night in year.nights] == [
        (1, False),
        (2, False),
        (3, True),
    ]
    assert all(night.landing > 0 and night.rest > 0 for night in year.nights)
    published = read(home / "bi" / "leads.duckdb", "select account from meta.publish order by all")
    assert published == [("expert_ai_labs",), ("mega",), ("vorel",)]
    [counted] = year.homes
    assert counted.files == below(home, 3).files
    files = [path for path in home.rglob("*") if path.is_file()]
    assert counted.files.total() == len(files)
    assert counted.bytes.total() == sum(path.stat().st_size for path in files)
    assert set(counted.files) <= set(KINDS)
    assert counted.files["commit records"] >= 3 * 6


def test_nights_around_the_tenth_and_the_last_five_are_whole() -> None:
    whole = [number for number in range(1, 366) if is_whole(number)]
    assert whole == [8, 9, 10, 11, 12, 90, 180, 270, 360, 361, 362, 363, 364, 365]
