"""Keeping erased persons out of the tables, also where an older landing was restored.

    landed rows of a batch ──ids with a tombstone──▶ rows that are left out

The files themselves are written again by the next pull, or by `lead-pipeline forget --resume`. Belongs
here: leaving rows of a batch out. Does not belong here: tombstones (`landing/tombstones.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from lead_pipeline.landing.naming import named_leads, unescaped, written_forms
from lead_pipeline.landing.tombstones import Erased
from lead_pipeline.normalized.session import Session
from lead_pipeline.providers.base import Provider

ErasedPersons = Mapping[str, Erased]
"""By account; those without any are not in it."""


def leave_out_records(session: Session, erased: ErasedPersons, provider: Provider) -> int:
    """Take the records of erased leads out of `landed_records`; how many there were."""
    if not erased:
        return 0
    events = list(provider.streams_of("events"))
    rows = [
        (account, lead_id)
        for account, lead_id in session.query("erased/distinct_leads", {"events": events})
        if account in erased and erased[account].has(lead_id)
    ]
    left_out = _delete(session, rows, events)
    return left_out + _leave_out_events(session, erased, provider, events)


def leave_out_seen(session: Session, erased: ErasedPersons) -> None:
    """Take erased leads out of `seen_leads`."""
    if not erased:
        return
    keys = [key for (key,) in session.fetch("select distinct lead_key from seen_leads")]
    if gone := [key for key in keys if _is_erased(key, erased)]:
        session.execute(
            "delete from seen_leads where list_contains(?::varchar[], lead_key)", [gone]
        )


def _is_erased(lead_key: str, erased: ErasedPersons) -> bool:
    account, _, lead_id = lead_key.partition(":")
    return account in erased and erased[account].has(lead_id)


def _delete(session: Session, rows: list[tuple[str, str]], events: list[str]) -> int:
    if not rows:
        return 0
    accounts, lead_ids = (list(column) for column in zip(*rows, strict=True))
    parameters = {"accounts": accounts, "lead_ids": lead_ids, "events": events}
    return len(session.query("erased/without_erased", parameters))


def _leave_out_events(
    session: Session, erased: ErasedPersons, provider: Provider, events: list[str]
) -> int:
    if not events:
        return 0
    texts = session.query("erased/texts_of_events", {"events": events})
    ids = {
        written
        for account, written in texts
        if account in erased and erased[account].has(unescaped(written))
    }
    if not ids:
        return 0
    rows = [
        row
        for row, account, stream, payload in session.query(
            "erased/events_with_texts", {"events": events, "written": written_forms(ids)}
        )
        if account in erased
        and erased[account].among(named_leads(provider, stream, payload.encode()))
    ]
    session.execute("delete from landed_records where list_contains(?::bigint[], rowid)", [rows])
    return len(rows)
