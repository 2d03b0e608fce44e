"""The columns of landed records, in words: for the files and for Dagster's column schema.

Belongs here: names, types and meanings. Does not belong here: Arrow's schemas (`files.py`), which take
longer to import than definitions may.
"""

from __future__ import annotations

from dataclasses import dataclass

MOMENT = "timestamp[us, tz=UTC]"


@dataclass(frozen=True)
class Column:
    """A column of landed files: its type as Arrow writes it, and what it means."""

    name: str
    type: str
    text: str


RECORD_COLUMNS = (
    Column("provider", "string", "Provider that the record comes from, by its slug."),
    Column("account", "string", "Set of credentials that the record was read with."),
    Column("stream", "string", "Stream of the account that the record belongs to, such as leads."),
    Column("record_id", "string", "The provider's own id of the record."),
    Column(
        "updated_at",
        MOMENT,
        "When the provider last changed it; an event's own time. Its UTC day is `date`.",
    ),
    Column("created_at", MOMENT, "When the provider made it; null where it does not say."),
    Column("payload", "string", "The record's JSON, exactly as the bytes came. Personal data."),
    Column("fetched_at", MOMENT, "When it came, by our clock."),
    Column("served_at", MOMENT, "When it was served, by the provider's clock."),
    Column("crawl_id", "string", "The crawl that brought it; its commit record is in `_crawls`."),
    Column("page", "int32", "The page of the crawl that it was on, from 1."),
)
"""Type and meaning of each landing column, in the order of the files."""
