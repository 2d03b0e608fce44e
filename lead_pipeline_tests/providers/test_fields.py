"""Reading the fields that file a record, in the forms in which APIs write them."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from lead_pipeline.providers.base import Identity, UnusableRecord
from lead_pipeline.providers.fields import parse_epoch_milliseconds, read_identity


def identity(text: str) -> Identity:
    """The identity of a record with whole numbers as ids and milliseconds as times."""
    return read_identity(
        msgspec.Raw(text.encode()),
        updated_at="meta.changed",
        created_at="meta.made",
        read_time=parse_epoch_milliseconds,
        integer_ids=True,
    )


def test_dots_lead_into_objects() -> None:
    found = identity('{"id": 7, "meta": {"changed": 1767225600123, "made": 1767225600000}}')
    assert found == Identity(
        "7", datetime(2026, 1, 1, 0, 0, 0, 123_000, UTC), datetime(2026, 1, 1, tzinfo=UTC)
    )


@pytest.mark.parametrize("text", ['"7"', "7.0", "true", "null", "[7]"])
def test_id_that_is_no_whole_number_makes_the_record_unusable(text: str) -> None:
    with pytest.raises(UnusableRecord, match="`id` must be a whole number"):
        identity(f'{{"id": {text}, "meta": {{"changed": 1767225600000}}}}')


def test_id_of_a_record_without_a_usable_time_is_still_known() -> None:
    with pytest.raises(UnusableRecord, match=r"`meta\.changed` must be a time") as failure:
        identity('{"id": 7, "meta": {"changed": "yesterday"}}')
    assert failure.value.record_id == "7"


@pytest.mark.parametrize("meta", ["null", "[]", "3", "{}"])
def test_object_that_is_not_there_has_no_time(meta: str) -> None:
    with pytest.raises(UnusableRecord, match="no usable time"):
        identity(f'{{"id": 7, "meta": {meta}}}')


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("1767225600000", datetime(2026, 1, 1, tzinfo=UTC)),
        (1767225600001, datetime(2026, 1, 1, 0, 0, 0, 1_000, UTC)),
        (4102444799999, datetime(2099, 12, 31, 23, 59, 59, 999_000, UTC)),
    ],
)
def test_milliseconds_since_1970_are_times(value: object, moment: datetime) -> None:
    assert parse_epoch_milliseconds(value) == moment


@pytest.mark.parametrize(
    "value", [-1, 4102444800000, 10**30, 1767225600.5, "soon", "", True, None, "\u0661"]
)
def test_what_no_lead_can_have_is_no_time(value: object) -> None:
    assert parse_epoch_milliseconds(value) is None
