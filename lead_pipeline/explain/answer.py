"""Answering `explain`: one lead explained, or the leads that can be meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from lead_pipeline.errors import ConfigurationError
from lead_pipeline.explain.catalog import AccountFiles, read_catalog
from lead_pipeline.explain.document import Answer, ErasedLead, LeadMatch
from lead_pipeline.explain.explanation import explain_lead
from lead_pipeline.explain.find import LeadRef, find_leads
from lead_pipeline.explain.mapped import MappedRecord, mapped_records
from lead_pipeline.explain.person import read_person
from lead_pipeline.landing.naming import mentioned_contacts
from lead_pipeline.landing.places import read_in_place
from lead_pipeline.landing.tombstones import erased_persons
from lead_pipeline.normalized.stages import StageMapping, stages_of
from lead_pipeline.settings import Settings


def answer(
    settings: Settings, text: str, tell: Callable[[str], None], *, with_linked: bool = False
) -> Answer:
    """Find what `text` means, and explain it when it means one lead.

    `with_linked` explains the other leads of the person, too: all that is held of somebody.

    `tell` receives what is waited for, one sentence each. Raises `ConfigurationError` when
    nothing is found, `LoadError` when landed files or the stage mapping cannot be read.
    """
    return read_in_place(
        settings.landing_path, lambda: _answer(settings, text, tell, with_linked=with_linked)
    )


def _answer(
    settings: Settings, text: str, tell: Callable[[str], None], *, with_linked: bool
) -> Answer:
    text = text.strip()
    catalog = read_catalog(settings.landing_path)
    refs = find_leads(catalog, text) if text else []
    if not refs and (erased := _erased(settings, text)):
        return Answer(text, (), None, erased)
    if not refs:
        raise ConfigurationError(_nothing_found(settings, catalog))
    stages = stages_of(settings)
    records = _records(catalog, refs, stages)
    lead = None
    if len(refs) == 1:
        lead = explain_lead(settings, catalog[refs[0].account], refs[0], records[refs[0]], tell)
    matches = (_match(catalog[ref.account].provider, ref, own) for ref, own in records.items())
    found = Answer(text, tuple(matches), lead)
    if lead is None or not with_linked:
        return found
    others = [LeadRef(*link.lead_key.split(":", 1)) for link in lead.person_links]
    landed = [ref for ref in others if ref.account in catalog]
    linked = [
        explain_lead(settings, catalog[ref.account], ref, own, tell)
        for ref, own in _records(catalog, landed, stages).items()
    ]
    unreadable = read_person(settings, lead.lead_key).unreadable
    return replace(found, linked=tuple(linked), not_linked=unreadable)


def _nothing_found(settings: Settings, catalog: Mapping[str, AccountFiles]) -> str:
    # The argument may be somebody's email: it is not repeated.
    if not catalog:
        return (
            f"Nothing has landed in {settings.landing_path}, so there is nothing to explain. Is "
            "LEAD_PIPELINE_HOME right?"
        )
    return (
        f"No such lead in what has landed of {', '.join(catalog)}: searched as a lead_key "
        "(account:id), as a lead id, and as an email, also a former one. Try the lead_key that "
        "marts.lead_facts shows; `lead-pipeline status` says how far the data reaches."
    )


def _erased(settings: Settings, text: str) -> tuple[ErasedLead, ...]:
    """The tombstones of a lead_key or an id; an address has one only where it must not land again."""
    found = []
    for account, erased in sorted(erased_persons(settings).items()):
        name, _, lead_id = text.partition(":")
        stone = erased.tombstone(text) or (erased.tombstone(lead_id) if name == account else None)
        if stone is None and erased.contacts:
            contacts = mentioned_contacts([text], settings.phone_region)
            stone = erased.contact_tombstone(contacts)
        if stone is not None:
            found.append(ErasedLead(account, stone.erased_at, stone.reference))
    return tuple(found)


def _records(
    catalog: Mapping[str, AccountFiles], refs: Sequence[LeadRef], stages: Sequence[StageMapping]
) -> dict[LeadRef, list[MappedRecord]]:
    """The landed records of the leads, in the order of `refs`; empty where only ids are known."""
    found: dict[LeadRef, list[MappedRecord]] = {ref: [] for ref in refs}
    for account in sorted({ref.account for ref in refs}):
        files = catalog[account]
        lead_ids = [ref.lead_id for ref in refs if ref.account == account]
        for record in mapped_records(files.provider, files.records, lead_ids, stages):
            found[LeadRef(account, record.lead_id)].append(record)
    return found


def _match(provider: str, ref: LeadRef, records: Sequence[MappedRecord]) -> LeadMatch:
    newest = max(records, key=lambda record: (record.updated_at, record.fetched_at), default=None)
    return LeadMatch(
        lead_key=ref.lead_key,
        provider=provider,
        full_name=newest.columns["full_name"] if newest else None,
        email=newest.columns["email"] if newest else None,
        updated_at=newest.updated_at if newest else None,
        records=len(records),
    )
