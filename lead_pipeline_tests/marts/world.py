"""Invented histories of several hundred leads, as loading would have written them.

Belongs here: leads of five accounts with everything that makes marts go wrong (stages that come
back, leads that vanish, unknown creations, several records of one person, switchboards, an
account in which nothing happens any more), and how such a world changes from one night to the
next. Does not belong here: when accounts are crawled (`invented_crawls`), landed files, and what
the marts should make of it (`reference`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pandas as pd

from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.marts.invented_crawls import coverage_rows, crawls_until
from lead_pipeline_tests.marts.invented_leads import (
    ACCOUNTS,
    UNWATCHED,
    WATCHED_FROM,
    InventedLead,
    Step,
    Version,
    history_rows,
    lead_row,
    observation_rows,
    unobserved_rows,
    version_rows,
)
from lead_pipeline_tests.marts.invented_stages import (
    STAGES,
    canonical_rows,
    mapped_rows,
    mapping_rows,
)
from lead_pipeline_tests.sample_warehouse import SCHEMA

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SOURCES = ("facebook", "website", "referral", None, "  ")
SWITCHBOARD = "+15550000000"
CHAINED_LEADS = 40
QUIET_ACCOUNT = "mega_quiet"
QUIET_SINCE = BEGIN + timedelta(days=20)
"""Nothing happens in the quiet account from here on, and no crawl meets a lead of it again."""

Change = Callable[["InventedLead", datetime], "InventedLead"]


@dataclass
class World:
    """All leads of all accounts, at one night's end."""

    random: Random
    night: datetime
    leads: dict[str, InventedLead] = field(default_factory=dict)
    count: int = 0

    @classmethod
    def invent(cls, leads: int, days: int, seed: int) -> World:
        """A world of `leads` leads after its first `days` days."""
        world = cls(Random(seed), BEGIN + timedelta(days=days))  # noqa: S311 - not a secret
        for _ in range(leads):
            world._add_lead(BEGIN, world.night)
        world._chain(sorted(world.leads)[:CHAINED_LEADS])
        return world

    @property
    def crawls(self) -> list[CommitRecord]:
        """What was crawled until now, account by account."""
        return crawls_until(self.night, BEGIN)

    def live_on(self, days: int) -> None:
        """Let `days` days pass: new leads, new stages, late evidence, erasures, corrections."""
        self.stay_quiet(days)
        night = self.night
        busy = sorted(key for key, lead in self.leads.items() if lead.account != QUIET_ACCOUNT)
        for key in self.random.sample(busy, len(busy) // 6):
            lead = self.leads[key]
            changes: list[Change] = [
                self._move_on,
                self._learn_of_an_earlier_stage,
                self._observe,
                self._vanish,
                self._remap,
            ]
            change = self.random.choice(changes)
            self.leads[key] = change(lead, night)
        for key in self.random.sample(sorted(self.leads), 2):
            del self.leads[key]
        for _ in range(len(self.leads) // 20):
            self._add_lead(night - timedelta(days=3), night)

    def stay_quiet(self, days: int) -> None:
        """Let `days` days pass on which accounts are crawled and nothing changes."""
        self.night += timedelta(days=days)

    def frames(self) -> dict[str, pd.DataFrame]:
        """The warehouse's tables, by name."""
        return {
            "leads": pd.DataFrame([lead_row(lead) for lead in self.leads.values()]),
            "lead_stage_history": pd.DataFrame(
                [row for lead in self.leads.values() for row in history_rows(lead)]
            ),
            "lead_versions": pd.DataFrame(
                [row for lead in self.leads.values() for row in version_rows(lead)]
            ),
            "lead_observations": pd.DataFrame(
                [row for lead in self.leads.values() for row in observation_rows(lead)]
            ),
            "coverage": pd.DataFrame(coverage_rows(self.crawls)),
            "watches": pd.DataFrame(
                [
                    {
                        "account": row["account"],
                        "watched_from": WATCHED_FROM,
                        "history_from": WATCHED_FROM,
                        "proven_until": row["complete_through"],
                    }
                    for row in coverage_rows(self.crawls)
                    if row["account"] != UNWATCHED
                ]
            ),
            "unobserved_changes": pd.DataFrame(
                [row for lead in self.leads.values() for row in unobserved_rows(lead)]
            ),
            "canonical_stages": canonical_rows(),
            "stages": pd.DataFrame(mapping_rows()),
            "mapped_stages": pd.DataFrame(mapped_rows(self.leads.values())),
            "provider_stale_leads": pd.DataFrame(
                [
                    {
                        "lead_key": lead.key,
                        "account": lead.account,
                        "provider": "vorel",
                        "lead_id": lead.lead_id,
                        "first_listed_at": lead.last_seen_at - timedelta(days=2),
                        "last_listed_at": lead.last_seen_at,
                        "is_listed": lead.is_listed,
                    }
                    for lead in self.leads.values()
                    if lead.is_listed is not None
                ]
            ),
        }

    def write_warehouse(self, path: Path) -> Path:
        """Write a new warehouse file that holds this world."""
        path.unlink(missing_ok=True)
        with closing(connect_utc(path)) as connection:
            connection.execute(SCHEMA)
            for name, frame in self.frames().items():
                if len(frame):
                    connection.register("frame", frame)
                    connection.execute(f"insert into normalized.{name} by name from frame")
                    connection.unregister("frame")
        return path

    def _add_lead(self, after: datetime, before: datetime) -> None:
        random = self.random
        self.count += 1
        account = random.choice(sorted(ACCOUNTS))
        if account == QUIET_ACCOUNT:
            after, before = BEGIN, QUIET_SINCE
        created_at = self._moment(after, before)
        person = random.randrange(self.count // 2 + 3)
        is_created_known = random.random() > 0.06
        exact = account == "expert_ai_labs"
        steps = [
            Step(
                "new",
                "new",
                created_at,
                created_at if is_created_known else None,
                "created" if is_created_known else "observed",
            )
        ]
        lead = InventedLead(
            account=account,
            lead_id=f"{self.count:05}",
            created_at=created_at if is_created_known else None,
            steps=tuple(steps),
            versions=(self._version(created_at, None, account),),
            source=random.choice(SOURCES),
        )
        lead = self._with_contact(lead, person)
        for _ in range(random.randrange(6)):
            lead = self._move_on(lead, before, exact=exact)
        if random.random() < 0.08:
            lead = self._vanish(lead, before)
        if lead.account == "vorel" and random.random() < 0.3:
            lead = replace(lead, is_listed=random.random() < 0.7)
        if lead.account == "mega" and random.random() < 0.4:
            lead = replace(lead, last_interaction_at=self._moment(created_at, before))
        self.leads[lead.key] = lead

    def _chain(self, keys: list[str]) -> None:
        """Each shares an address with one neighbour and a number with the other; few have names."""
        for place, key in enumerate(keys):
            self.leads[key] = replace(
                self.leads[key],
                full_name=f"Bo {place}" if place % 5 == 0 else None,
                email=f"desk{(place + 1) // 2}@chain.example",
                phone=f"+1666{place // 2:07}",
                extension=None,
            )

    def _with_contact(self, lead: InventedLead, person: int) -> InventedLead:
        """What a form says of a person; some give the address or number of the one beside them."""
        random = self.random
        beside = person + 1 if random.random() < 0.15 else person
        return replace(
            lead,
            full_name=random.choice([f"Ada  {person}", f"ÁDA {person}", None]),
            email=random.choice(
                [
                    f"ada{beside}@example.com",
                    f"ada{person}+x@example.org",
                    *("info@example.com", "test@example.com", "ada@none.com", None),
                ]
            ),
            phone=random.choice(
                [f"+1555{person:07}", f"+1555{beside:07}", SWITCHBOARD, None, None]
            ),
            extension=random.choice([None, None, None, None, "7"]),
        )

    def _move_on(
        self, lead: InventedLead, before: datetime, *, exact: bool | None = None
    ) -> InventedLead:
        last = lead.steps[-1].entered_at
        if last >= before:
            return lead
        entered_at = self._moment(last, before)
        is_exact = self.random.random() < 0.5 if exact is None else exact
        step = self._step(entered_at, self._moment(last, entered_at), is_exact=is_exact)
        version = self._version(entered_at, lead.versions[-1], lead.account)
        return replace(lead, steps=(*lead.steps, step), versions=(*lead.versions, version))

    def _learn_of_an_earlier_stage(self, lead: InventedLead, before: datetime) -> InventedLead:
        """Late evidence: an interval between two others, so that the later ones are renumbered."""
        if len(lead.steps) < 2:
            return self._observe(lead, before)
        place = self.random.randrange(1, len(lead.steps))
        entered_at = self._moment(lead.steps[place - 1].entered_at, lead.steps[place].entered_at)
        step = self._step(entered_at, entered_at, is_exact=True)
        later = lead.steps[place]
        if later.entered_after is not None and later.evidence == "observed":
            later = replace(later, entered_after=max(later.entered_after, entered_at))
        return replace(lead, steps=(*lead.steps[:place], step, later, *lead.steps[place + 1 :]))

    def _observe(self, lead: InventedLead, before: datetime) -> InventedLead:
        """A new version in the same stage, with another score and perhaps another owner."""
        moment = self._moment(lead.updated_at, before)
        return replace(
            lead,
            versions=(*lead.versions, self._version(moment, lead.versions[-1], lead.account)),
        )

    def _vanish(self, lead: InventedLead, before: datetime) -> InventedLead:
        return replace(
            lead,
            missing_since=None
            if lead.missing_since
            else self._moment(lead.last_seen_at, before + timedelta(days=1)),
        )

    def _remap(self, lead: InventedLead, before: datetime) -> InventedLead:
        """As after an edit of stages.csv: the same provider stage is another stage."""
        place = self.random.randrange(len(lead.steps))
        step = replace(lead.steps[place], stage=self.random.choice(sorted(STAGES)))
        return replace(lead, steps=(*lead.steps[:place], step, *lead.steps[place + 1 :]))

    def _step(self, entered_at: datetime, after: datetime, *, is_exact: bool) -> Step:
        stage = self.random.choice(["engaged", "engaged", "qualified", "booked", *STAGES])
        status = self.random.choice([None, None, "active"])
        return Step(
            stage,
            self.random.choice(STAGES[stage]),
            entered_at,
            entered_at if is_exact else after,
            "audit_log" if is_exact else "observed",
            status,
        )

    def _version(self, moment: datetime, last: Version | None, account: str) -> Version:
        owner = last.owner if last else None
        if account == "mega" and self.random.random() < 0.5:
            number = self.random.randrange(4)
            owner = self.random.choice([None, (f"o{number}", f"Owner {number}")])
        return Version(
            moment,
            moment + timedelta(hours=self.random.randrange(1, 30)),
            self.random.choice([None, 10.0, 55.5, 90.0]),
            owner,
        )

    def _moment(self, after: datetime, before: datetime) -> datetime:
        """A moment in [after, before], often a midnight, often the start itself."""
        if before <= after:
            return after
        kind = self.random.random()
        if kind < 0.1:
            return after
        moment = after + (before - after) * (self.random.random() ** 3)
        if kind < 0.3:
            midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
            return max(midnight, after)
        return moment
