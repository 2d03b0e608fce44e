"""From what a user typed to leads: a lead_key, a lead id of any account, or an email."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

import duckdb

from lead_pipeline.explain.catalog import AccountFiles
from lead_pipeline.explain.evidence import other_evidence
from lead_pipeline.explain.mapped import leads_with_email, read_landed


class LeadRef(NamedTuple):
    """One lead of one account."""

    account: str
    lead_id: str

    @property
    def lead_key(self) -> str:
        """The key of the lead in the tables."""
        return f"{self.account}:{self.lead_id}"


def find_leads(catalog: Mapping[str, AccountFiles], text: str) -> list[LeadRef]:
    """The leads that `text` can mean, by key; none when nothing of such a lead has landed.

    A lead_key counts before an id, an id before an email. A lead that was only met, rejected or
    named by an event is found too, by its key or id.
    """
    account, _, lead_id = text.partition(":")
    asked = [LeadRef(account, lead_id)] if account in catalog and lead_id else []
    return (
        _with_records(catalog, asked)
        or _with_records(catalog, [LeadRef(name, text) for name in catalog])
        or (_with_email(catalog, text) if "@" in text else [])
        or _with_other_evidence(catalog, asked)
        or _with_other_evidence(catalog, [LeadRef(name, text) for name in catalog])
    )


def _with_records(catalog: Mapping[str, AccountFiles], asked: Sequence[LeadRef]) -> list[LeadRef]:
    files = [path for ref in asked for path in catalog[ref.account].records]
    if not files:
        return []
    with closing(duckdb.connect()) as connection:
        found = read_landed(
            connection,
            "leads_with_id",
            files=files,
            lead_ids=sorted({ref.lead_id for ref in asked}),
        ).fetchall()
    return [LeadRef(*row) for row in found]


def _with_email(catalog: Mapping[str, AccountFiles], email: str) -> list[LeadRef]:
    providers: dict[str, list[str]] = {}
    for files in catalog.values():
        providers.setdefault(files.provider, []).extend(files.records)
    return sorted(
        LeadRef(*row)
        for provider, files in providers.items()
        for row in leads_with_email(provider, files, email)
    )


def _with_other_evidence(
    catalog: Mapping[str, AccountFiles], asked: Sequence[LeadRef]
) -> list[LeadRef]:
    return [ref for ref in asked if other_evidence(catalog[ref.account], ref.lead_id, ())]
