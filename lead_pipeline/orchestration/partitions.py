"""The daily partitions of the landing assets, in UTC. What a range of them asks for: `windows.py`."""

from __future__ import annotations

from datetime import date

import dagster as dg


def daily_partitions(start_date: date) -> dg.DailyPartitionsDefinition:
    """Daily UTC partitions from `start_date` through today (today's is provisional)."""
    return dg.DailyPartitionsDefinition(
        start_date=start_date.isoformat(), timezone="UTC", end_offset=1
    )
