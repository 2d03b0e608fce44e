"""What several marts need to know of a world, computed lead by lead in plain loops.

Belongs here: visits, horizons, persons, breaches and quiet leads, by another method than the
SQL's. Does not belong here: the marts themselves (`reference`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline_tests.marts.persons import Persons

PATH = ("new", "engaged", "qualified", "booked", "won")
DAY = 86400.0
LIMITS = {"new": 48.0, "engaged": 336.0, "qualified": 504.0, "booked": 720.0}
"""seeds/stage_limits.csv."""
STALE_AFTER_DAYS = 14
DAILY_HISTORY_DAYS = 400
REQUIRED_STREAMS = {"expert_ai_labs": ("leads", "lead_details")}
"""Streams of an account that must all be complete, where they are more than its leads."""
FIRST = datetime(1900, 1, 1, tzinfo=UTC)

Row = dict[str, Any]


def text(value: Any) -> Any:
    """None for what pandas has in the place of nothing."""
    return None if value is None or value is pd.NaT or value != value else value


def seconds(start: Any, end: Any) -> int | None:
    if text(start) is None or text(end) is None:
        return None
    return max(int((end - start) / pd.Timedelta(seconds=1) // 1), 0)


def quantile(values: Iterable[float | None], share: float) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.percentile(known, share * 100)) if known else None


def mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@dataclass
class Facts:
    """What the tables in `frames` say of each lead; how far, the commit records `crawls` say."""

    frames: Mapping[str, pd.DataFrame]
    crawls: Sequence[CommitRecord]

    def __post_init__(self) -> None:
        self.leads: list[Row] = [
            {str(key): text(value) for key, value in row.items()}
            for row in self.frames["leads"].to_dict("records")
        ]
        self.history: dict[str, list[Row]] = defaultdict(list)
        for row in self.frames["lead_stage_history"].to_dict("records"):
            self.history[row["lead_key"]].append({str(k): text(v) for k, v in row.items()})
        self.versions: dict[str, list[Row]] = defaultdict(list)
        for row in self.frames["lead_versions"].to_dict("records"):
            self.versions[row["lead_key"]].append({str(k): text(v) for k, v in row.items()})
        for rows in self.versions.values():
            rows.sort(key=lambda row: (row["updated_at"], row["last_seen_at"], row["version_id"]))
        self.listed = {
            row["lead_key"]: row for row in self.frames["provider_stale_leads"].to_dict("records")
        }
        self.said = {
            (row["account"], row["provider_status"], row["provider_stage"], row["stage"]): row
            for row in ({str(k): text(v) for k, v in row.items()} for row in self._mapped())
        }
        self.proven = {
            account: self._proven_through(account)
            for account in {lead["account"] for lead in self.leads}
        }
        self.until = self._horizons()
        self.unseen: dict[str, list[Row]] = defaultdict(list)
        for row in self.frames["unobserved_changes"].to_dict("records"):
            self.unseen[row["lead_key"]].append({str(k): text(v) for k, v in row.items()})
        self.watched = {
            row["account"]: row["history_from"] for row in self.frames["watches"].to_dict("records")
        }
        persons = Persons(self.leads)
        self.people_of, self.own = persons.of_leads(), persons.own
        self.facts = [self._facts(lead) for lead in self.leads]

    def _mapped(self) -> list[dict[Hashable, Any]]:
        return self.frames["mapped_stages"].to_dict("records")

    def of_mapping(self, row: Row) -> Row:
        """What the stage mapping says of the stage that a lead or interval shows."""
        names = ("account", "provider_status", "provider_stage", "stage")
        return self.said[tuple(row[name] for name in names)]

    def _place(self, step: Row) -> int:
        """How far along the path an interval is, from 0; its row can only place it further."""
        if step["stage"] not in PATH:
            return 0
        place: int = max(PATH.index(step["stage"]), self.of_mapping(step)["stage_order"] - 1)
        return min(place, len(PATH) - 1)

    def _horizons(self) -> dict[str, pd.Timestamp]:
        """To the end of what crawls prove, or to a newer change once a crawl has seen it."""
        until = {}
        for account in {lead["account"] for lead in self.leads}:
            ends = [self._newest_change(lead) for lead in self.leads if lead["account"] == account]
            through = self.proven[account]
            until[account] = max(ends if through is None else [*ends, through])
        return until

    def _newest_change(self, lead: Row) -> pd.Timestamp:
        """The newest update or stage entry, each not later than a crawl saw a new state."""
        versions = self.versions[lead["lead_key"]]
        seen = max(version["first_seen_at"] for version in versions)
        entered = max(step["entered_at"] for step in self.history[lead["lead_key"]])
        updates = [min(version["updated_at"], version["first_seen_at"]) for version in versions]
        newest_change: pd.Timestamp = max([*updates, min(entered, seen)])
        return newest_change

    def _proven_through(self, account: str) -> pd.Timestamp | None:
        """Follows the account's complete crawls, one after the other, until one is lacking.

        A crawl proves nothing later than its own start, whether or not it met a lead.
        """
        ends: list[pd.Timestamp] = []
        for stream in REQUIRED_STREAMS.get(account, ("leads",)):
            mine = [
                (pd.Timestamp(crawl.window.start or FIRST), min(crawl.window.end, crawl.started_at))
                for crawl in self.crawls
                if (crawl.account, crawl.stream, crawl.complete) == (account, stream, True)
            ]
            if not mine:
                return None
            reached = pd.Timestamp(min(start for start, _ in mine))
            while ahead := [end for start, end in mine if start <= reached < end]:
                reached = pd.Timestamp(max(ahead))
            ends.append(reached)
        return min(ends)

    def first_day(self, lead: Row) -> date:
        """When the lead was created or, where that is not known, first known."""
        entered = self.history[lead["lead_key"]][0]["entered_at"]
        first: date = min(entered, lead["created_at"] or entered).date()
        return first

    def is_certain(self, lead: Row, end: pd.Timestamp) -> bool:
        """Whether the stage shown at the moment `end` is the lead's, whatever nobody saw."""
        proven = self.proven[lead["account"]]
        return (
            proven is not None
            and end <= proven
            and (lead["missing_since"] is None or end <= self.known_until(lead))
            and not any(
                (row["changed_after"] is None or row["changed_after"] < end)
                and end < row["changed_until"]
                for row in self.unseen[lead["lead_key"]]
            )
        )

    def known_until(self, lead: Row) -> pd.Timestamp:
        until = self.until[lead["account"]]
        return min(until, lead["last_seen_at"]) if lead["missing_since"] is not None else until

    def visits(self, lead: Row) -> list[Row]:
        """Intervals with neighbours of the same canonical stage put together."""
        visits: list[Row] = []
        for step in self.history[lead["lead_key"]]:
            if not visits or visits[-1]["stage"] != step["stage"]:
                visits.append(dict(step))
        for visit, following in zip(visits, [*visits[1:], None], strict=True):
            visit["exited_at"] = following["entered_at"] if following else None
            visit["exited_after"] = following["entered_after"] if following else None
            visit["is_current"] = following is None
            end = visit["exited_at"] or self.known_until(lead)
            earliest_end = (following["entered_after"] or visit["entered_at"]) if following else end
            visit["seconds"] = seconds(visit["entered_at"], end)
            visit["min_seconds"] = seconds(visit["entered_at"], earliest_end)
            visit["max_seconds"] = seconds(visit["entered_after"], end)
        return visits

    def _facts(self, lead: Row) -> Row:
        visits = self.visits(lead)
        steps = self.history[lead["lead_key"]]
        reached = max(self._place(step) for step in steps)
        responses = [step for step in steps if self._place(step) > 0]
        created_at = lead["created_at"]
        source = lead["source"]
        return {
            **lead,
            "lead": lead,
            "visits": visits,
            "source": source if source and source.strip() else "unknown",
            "owner_key": f"{lead['account']}:{lead['owner_id'] or 'unassigned'}",
            "owner_name": lead["owner_name"] if lead["owner_id"] else "unassigned",
            "is_missing": lead["missing_since"] is not None,
            "stage_order": self.of_mapping(lead)["stage_order"],
            "is_terminal": self.of_mapping(lead)["is_terminal"],
            "is_open": lead["missing_since"] is None and not self.of_mapping(lead)["is_terminal"],
            "reached": reached,
            "has_lost": any(visit["stage"] == "lost" for visit in visits),
            "response": seconds(created_at, responses[0]["entered_at"]) if responses else None,
            "min_response": seconds(created_at, responses[0]["entered_after"])
            if responses
            else None,
            "has_response": bool(responses),
            "is_watched": lead["watched_from"] is not None
            and created_at is not None
            and lead["watched_from"] <= created_at,
            "hides": lead["missing_since"] is not None or bool(self.unseen[lead["lead_key"]]),
            "unseen_after": min(
                [
                    row["changed_after"]
                    for row in self.unseen[lead["lead_key"]]
                    if row["changed_after"] is not None
                ]
                + ([self.known_until(lead)] if lead["missing_since"] is not None else []),
                default=None,
            ),
            "observed": seconds(created_at, self.until[lead["account"]]),
            "week": None
            if created_at is None
            else (created_at - timedelta(days=created_at.weekday())).date(),
        }

    def _breaches(self, facts: Row) -> list[Row]:
        found = []
        for number, visit in enumerate(facts["visits"], 1):
            limit = LIMITS.get(visit["stage"])
            if limit is not None and visit["seconds"] > limit * 3600:
                found.append({**visit, "visit_number": number, "limit": limit})
        return found

    def _quiet(self, facts: Row) -> Row:
        activity = max(
            moment
            for moment in (
                facts["updated_at"],
                facts["last_interaction_at"],
                facts["visits"][-1]["entered_at"],
            )
            if moment is not None
        )
        days = (seconds(activity, self.until[facts["account"]]) or 0) // int(DAY)
        is_open = facts["is_open"]
        return {
            "last_activity_at": activity,
            "days_quiet": days,
            "is_open": is_open,
            "is_stale": is_open and days >= STALE_AFTER_DAYS,
        }

    def _grouped(self, *keys: str) -> Iterable[tuple[Row, list[Row]]]:
        groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        for facts in self.facts:
            groups[tuple(facts[key] for key in keys)].append(facts)
        for values, group in groups.items():
            yield dict(zip(keys, values, strict=True)), group


def newest(group: list[Row], column: str) -> Any:
    """The column of the lead that was updated last; None of no leads."""
    if not group:
        return None
    return max(group, key=lambda facts: (facts["updated_at"], facts["lead_key"]))[column]
