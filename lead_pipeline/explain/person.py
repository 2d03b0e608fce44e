"""Which leads are the same person, and what joined each of them, as the published file says.

bi/leads.duckdb, marts.person_links ──▶ shortest paths from the lead, stronger links first ──▶ PersonLink each
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import duckdb

from lead_pipeline.explain.document import PersonLink
from lead_pipeline.settings import Settings
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline.storage.publication import refreshed
from lead_pipeline.storage.sql import read_sql


class Link(NamedTuple):
    """A row of `marts.person_links` that joined two leads."""

    lead_key: str
    other_lead_key: str
    identifier_kind: str
    is_same_name: bool
    strength: int


@dataclass(frozen=True)
class Person:
    """The other leads of a lead's person."""

    links: Sequence[PersonLink] = ()
    unreadable: str | None = None
    """Why the published file could not be asked, and what to do."""


def read_person(settings: Settings, lead_key: str) -> Person:
    """Ask the published file; a reason in place of an answer where it cannot tell."""
    if not refreshed(settings.published_path).exists():
        return Person(
            unreadable="Nothing is published yet, so it is not known whether other leads are the same "
            "person; `lead-pipeline publish` publishes what has landed."
        )
    try:
        with closing(connect_utc(settings.published_path, read_only=True)) as connection:
            rows = connection.execute(
                read_sql("explain", "person_links"), {"lead_key": lead_key}
            ).fetchall()
    except duckdb.Error as error:
        return Person(
            unreadable=f"The published file does not say what joined the person's leads "
            f"({type(error).__name__}). `lead-pipeline publish` makes a new one."
        )
    return Person(links_from(lead_key, [Link(*row) for row in rows]))


def links_from(lead_key: str, links: Iterable[Link]) -> tuple[PersonLink, ...]:
    """One link for each other lead, by which it is nearest to `lead_key`; the strongest of these."""
    neighbours: dict[str, list[tuple[str, Link]]] = defaultdict(list)
    for link in links:
        neighbours[link.lead_key].append((link.other_lead_key, link))
        neighbours[link.other_lead_key].append((link.lead_key, link))
    reached = {lead_key}
    found: list[PersonLink] = []
    nearest = [lead_key]
    while nearest:
        steps = [(key, near, link) for near in nearest for key, link in neighbours[near]]
        steps.sort(key=lambda step: (-step[2].strength, step[0], step[1]))
        nearest = []
        for key, near, link in steps:
            if key not in reached:
                reached.add(key)
                nearest.append(key)
                found.append(
                    PersonLink(key, near, link.identifier_kind, link.is_same_name, link.strength)
                )
    return tuple(found)
