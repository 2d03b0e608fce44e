"""Retention: what is due by age, in days that the settings say. Off where they say nothing.

Belongs here: what is due now. Does not belong here: asking, publishing (`commands/retention.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

from lead_pipeline.erasure.persons import Persons, texts_of_leads
from lead_pipeline.errors import LoadError
from lead_pipeline.explain.find import LeadRef
from lead_pipeline.landing.commits import accounts_with_landing
from lead_pipeline.landing.retention import Reduction, find_due, reduce_landing
from lead_pipeline.landing.turns import account_turn
from lead_pipeline.settings import Settings
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.sql import read_sql
from lead_pipeline.storage.warehouse import read_warehouse, warehouse_at

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Due:
    """What is due at a moment."""

    reductions: tuple[Reduction, ...]
    missing: tuple[LeadRef, ...]
    """Leads to be erased."""

    def __bool__(self) -> bool:
        return bool(self.missing) or any(self.reductions)


def is_on(settings: Settings) -> bool:
    """Whether anything is to go by age."""
    days = (settings.superseded_days, settings.missing_days, settings.rejected_days)
    return any(limit is not None for limit in days)


def due_now(settings: Settings, now: datetime, tell: Tell) -> Due:
    """What is due at `now`. Changes nothing. Raises `LoadError` where something cannot be read."""
    reductions = tuple(
        find_due(
            settings.landing_path,
            account,
            superseded=_before(now, settings.superseded_days),
            rejected=_before(now, settings.rejected_days),
        )
        for account in accounts_with_landing(settings.landing_path)
    )
    before = _before(now, settings.missing_days)
    missing = () if before is None else _missing(settings, before, tell)
    return Due(reductions, missing)


def reduce(settings: Settings, due: Due, now: datetime, tell: Tell) -> int:
    """Reduce payloads and remove rejected records; how many files were written again.

    The tables are rebuilt by the next load. Looked for again under the locks, since files may have
    been put together meanwhile.
    """
    files = 0
    for account in [reduction.account for reduction in due.reductions if reduction]:
        purpose = f"reducing what landing keeps of {account}"
        with (
            account_turn(settings, account, purpose, tell),
            held(settings.warehouse_lock, purpose, tell),
        ):
            found = find_due(
                settings.landing_path,
                account,
                superseded=_before(now, settings.superseded_days),
                rejected=_before(now, settings.rejected_days),
            )
            # Derived, and made of what goes: a kill from here on costs a rebuild.
            warehouse_at(settings.warehouse_path).discard()
            files += reduce_landing(settings.landing_path, found)
    return files


def persons_of(settings: Settings, leads: tuple[LeadRef, ...]) -> Persons:
    """The leads as an erasure takes them; their addresses and numbers may land again."""
    texts = texts_of_leads(settings, set(leads))
    return Persons(leads, frozenset(), texts, (), ())


def _before(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else now - timedelta(days=days)


def _missing(settings: Settings, before: datetime, tell: Tell) -> tuple[LeadRef, ...]:
    if not warehouse_at(settings.warehouse_path).exists():
        raise LoadError(
            f"There is no warehouse at {settings.warehouse_path}, so it is not known which leads are "
            "missing. Make it: lead-pipeline rebuild."
        )
    with (
        held(settings.warehouse_lock, "looking for missing leads", tell),
        read_warehouse(settings.warehouse_path) as connection,
    ):
        try:
            rows = connection.execute(
                read_sql("erasure", "missing_leads"), {"before": before}
            ).fetchall()
        except duckdb.Error as error:
            raise LoadError(
                f"The warehouse does not say which leads are missing ({type(error).__name__}). Rebuild "
                "it: lead-pipeline rebuild."
            ) from None
    return tuple(LeadRef(*row) for row in rows)
