"""What each mart should say of a world, computed with pandas and plain loops.

Belongs here: a second computation that shares neither code nor method with the SQL: it goes
through leads one by one and through days one by one. Does not belong here: making the world.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

PATH = ("new", "engaged", "qualified", "booked", "won")
CLOSED = ("won", "lost", "archived")
DAY = 86400.0
LIMITS = {"new": 48.0, "engaged": 336.0, "qualified": 504.0, "booked": 720.0}
"""seeds/stage_limits.csv."""
STALE_AFTER_DAYS = 14
DAILY_HISTORY_DAYS = 400
MAX_IDENTITIES = 3

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
class Reference:
    """The marts of the tables in `frames`."""

    frames: Mapping[str, pd.DataFrame]

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
        self.until = self._horizons()
        self.people_of = self._people()
        self.facts = [self._facts(lead) for lead in self.leads]

    # What several marts need -------------------------------------------------------------------

    def _horizons(self) -> dict[str, pd.Timestamp]:
        through = {
            row["account"]: text(row["complete_through"])
            for row in self.frames["coverage"].to_dict("records")
        }
        until = {}
        for account in {lead["account"] for lead in self.leads}:
            mine = [lead for lead in self.leads if lead["account"] == account]
            known = [lead["updated_at"] for lead in mine]
            known += [
                step["entered_at"] for lead in mine for step in self.history[lead["lead_key"]]
            ]
            known += [through[account]] if through.get(account) is not None else []
            until[account] = min(max(known), max(lead["last_seen_at"] for lead in mine))
        return until

    def known_until(self, lead: Row) -> pd.Timestamp:
        until = self.until[lead["account"]]
        return min(until, lead["last_seen_at"]) if lead["missing_since"] is not None else until

    def stays(self, lead: Row) -> list[Row]:
        """Intervals with neighbours of the same canonical stage put together."""
        stays: list[Row] = []
        for step in self.history[lead["lead_key"]]:
            if not stays or stays[-1]["stage"] != step["stage"]:
                stays.append(dict(step))
        for stay, following in zip(stays, [*stays[1:], None], strict=True):
            stay["exited_at"] = following["entered_at"] if following else None
            stay["is_current"] = following is None
            end = stay["exited_at"] or self.known_until(lead)
            earliest_end = (following["entered_after"] or stay["entered_at"]) if following else end
            stay["seconds"] = seconds(stay["entered_at"], end)
            stay["min_seconds"] = seconds(stay["entered_at"], earliest_end)
            stay["max_seconds"] = seconds(stay["entered_after"], end)
        return stays

    def _facts(self, lead: Row) -> Row:
        stays = self.stays(lead)
        reached = max([PATH.index(stay["stage"]) for stay in stays if stay["stage"] in PATH] or [0])
        responses = [stay for stay in stays if stay["stage"] in PATH[1:]]
        wins = [stay["entered_at"] for stay in stays if stay["stage"] == "won"]
        created_at = lead["created_at"]
        source = lead["source"]
        return {
            **lead,
            "lead": lead,
            "stays": stays,
            "source": source if source and source.strip() else "unknown",
            "owner_key": f"{lead['account']}:{lead['owner_id'] or 'unassigned'}",
            "owner_name": lead["owner_name"] if lead["owner_id"] else "unassigned",
            "is_missing": lead["missing_since"] is not None,
            "is_open": lead["stage"] not in CLOSED,
            "reached": reached,
            "has_lost": any(stay["stage"] == "lost" for stay in stays),
            "response": seconds(created_at, responses[0]["entered_at"]) if responses else None,
            "min_response": seconds(created_at, responses[0]["entered_after"])
            if responses
            else None,
            "has_response": bool(responses),
            "to_win": seconds(created_at, wins[0]) if wins else None,
            "observed": seconds(created_at, self.until[lead["account"]]),
            "week": None
            if created_at is None
            else (created_at - timedelta(days=created_at.weekday())).date(),
        }

    def _breaches(self, facts: Row) -> list[Row]:
        found = []
        for number, stay in enumerate(facts["stays"], 1):
            limit = LIMITS.get(stay["stage"])
            if limit is not None and stay["seconds"] > limit * 3600:
                found.append({**stay, "stay_number": number, "limit": limit})
        return found

    def _quiet(self, facts: Row) -> Row:
        activity = max(
            moment
            for moment in (
                facts["updated_at"],
                facts["last_interaction_at"],
                facts["stays"][-1]["entered_at"],
            )
            if moment is not None
        )
        days = (seconds(activity, self.until[facts["account"]]) or 0) // int(DAY)
        is_open = facts["is_open"] and not facts["is_missing"]
        return {
            "last_activity_at": activity,
            "days_quiet": days,
            "is_open": is_open,
            "is_stale": is_open and days >= STALE_AFTER_DAYS,
        }

    def _people(self) -> dict[str, str]:  # noqa: C901 - one story, told once
        """Person by lead: leads that share an identifier are merged until nothing changes."""
        name = {
            lead["lead_key"]: re.sub(r"\s+", " ", lead["full_name"]).strip().lower()
            for lead in self.leads
            if lead["full_name"]
        }
        self.own: dict[str, dict[str, str]] = defaultdict(dict)
        for kind, other in (("email_normalized", "phone_e164"), ("phone_e164", "email_normalized")):
            groups: dict[str, list[Row]] = defaultdict(list)
            for lead in self.leads:
                if lead[kind]:
                    groups[lead[kind]].append(lead)
            for value, group in groups.items():
                names = {name[lead["lead_key"]] for lead in group if lead["lead_key"] in name}
                others = {lead[other] for lead in group if lead[other]}
                if max(len(names), len(others)) > MAX_IDENTITIES or value.startswith("info@"):
                    continue
                for lead in group:
                    self.own[lead["lead_key"]][kind] = value
        person = {lead["lead_key"]: lead["lead_key"] for lead in self.leads}
        changed = True
        while changed:
            changed = False
            smallest: dict[str, str] = {}
            for key, own in self.own.items():
                for value in own.values():
                    smallest[value] = min(smallest.get(value, person[key]), person[key])
            for key, own in self.own.items():
                best = min([person[key], *(smallest[value] for value in own.values())])
                if best != person[key]:
                    person[key], changed = best, True
        return person

    # The marts ---------------------------------------------------------------------------------

    def leads_mart(self) -> list[Row]:
        rows = []
        for facts in self.facts:
            lead, stays = facts["lead"], facts["stays"]
            first = {
                f"first_{stage}_at": next(
                    (stay["entered_at"] for stay in stays if stay["stage"] == stage), None
                )
                for stage in ("engaged", "qualified", "booked", "won", "lost")
            }
            rows.append(
                {
                    **lead,
                    **first,
                    "person_key": self.people_of[lead["lead_key"]],
                    "previous_stage": stays[-2]["stage"] if len(stays) > 1 else None,
                    "stage_entered_at": stays[-1]["entered_at"],
                    "stage_entered_after": stays[-1]["entered_after"],
                    "stage_evidence": stays[-1]["evidence"],
                    "stage_known_until": self.known_until(lead),
                    "days_in_stage": stays[-1]["seconds"] // int(DAY),
                    "stage_changes": len(stays) - 1,
                    "is_missing": facts["is_missing"],
                }
            )
        return rows

    def lead_stage_history(self) -> list[Row]:
        rows = []
        for lead in self.leads:
            steps = self.history[lead["lead_key"]]
            for before, step, following in zip(
                [None, *steps], steps, [*steps[1:], None], strict=False
            ):
                end = step["exited_at"] or self.known_until(lead)
                earliest_end = (
                    (following["entered_after"] or step["entered_at"]) if following else end
                )
                length = seconds(step["entered_at"], end) or 0
                rows.append(
                    {
                        **step,
                        "previous_stage": before["stage"] if before else None,
                        "known_until": end,
                        "seconds_in_stage": length,
                        "min_seconds_in_stage": seconds(step["entered_at"], earliest_end),
                        "max_seconds_in_stage": seconds(step["entered_after"], end),
                        "days_in_stage": length // int(DAY),
                    }
                )
        return rows

    def lead_daily_history(self) -> list[Row]:
        rows = []
        for lead in self.leads:
            steps = self.history[lead["lead_key"]]
            until = self.until[lead["account"]]
            last = (until - pd.Timedelta(microseconds=1)).date()
            day = max(steps[0]["entered_at"].date(), last - timedelta(days=DAILY_HISTORY_DAYS - 1))
            while day <= last:
                rows.append(self._day_row(lead, steps, day))
                day += timedelta(days=1)
        return rows

    def _day_row(self, lead: Row, steps: list[Row], day: date) -> Row:
        end = pd.Timestamp(day, tz="UTC") + pd.Timedelta(days=1)
        begun = [step for step in steps if step["entered_at"] < end]
        step = begun[-1]
        stage_entered_at = step["entered_at"]
        for earlier in reversed(begun):
            if earlier["stage"] != step["stage"]:
                break
            stage_entered_at = earlier["entered_at"]
        seen = [
            version for version in self.versions[lead["lead_key"]] if version["updated_at"] < end
        ]
        version = seen[-1] if seen else {}
        missing_since = lead["missing_since"]
        return {
            "date_day": day,
            **{key: lead[key] for key in ("lead_key", "provider", "account", "lead_id")},
            **{
                key: step[key]
                for key in (
                    "stage",
                    "provider_stage",
                    "provider_status",
                    "stage_number",
                    "evidence",
                )
            },
            "days_in_stage": (seconds(stage_entered_at, end) or 0) // int(DAY),
            "score": version.get("score"),
            "owner_id": version.get("owner_id"),
            "owner_name": version.get("owner_name"),
            "is_missing": missing_since is not None and missing_since.date() <= day,
        }

    def stage_funnel_daily(self) -> list[Row]:
        stays = [(facts, stay) for facts in self.facts for stay in facts["stays"]]
        first = min(stay["entered_at"] for _, stay in stays).date()
        last = max(
            [stay["entered_at"] for _, stay in stays] + [lead["updated_at"] for lead in self.leads]
        ).date()
        groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
        for facts, stay in stays:
            groups[facts["provider"], facts["account"], stay["stage"]].append(stay)
        rows = []
        for offset in range((last - first).days + 1):
            day = first + timedelta(days=offset)
            for (provider, account, stage), mine in groups.items():
                rows.append(
                    {
                        "date_day": day,
                        "provider": provider,
                        "account": account,
                        "stage": stage,
                        "leads_entered": sum(s["entered_at"].date() == day for s in mine),
                        "leads_exited": sum(
                            s["exited_at"] is not None and s["exited_at"].date() == day
                            for s in mine
                        ),
                        "leads_in_stage": sum(
                            s["entered_at"].date() <= day
                            and (s["exited_at"] is None or s["exited_at"].date() > day)
                            for s in mine
                        ),
                    }
                )
        return rows

    def _grouped(self, *keys: str) -> Iterable[tuple[Row, list[Row]]]:
        groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        for facts in self.facts:
            groups[tuple(facts[key] for key in keys)].append(facts)
        for values, group in groups.items():
            yield dict(zip(keys, values, strict=True)), group

    def funnel_by_cohort(self) -> list[Row]:
        rows = []
        for key, group in self._grouped("week", "source", "provider"):
            reached = {
                stage: sum(facts["reached"] >= rank for facts in group)
                for rank, stage in enumerate(PATH)
            }
            reached["lost"] = sum(facts["has_lost"] for facts in group)
            observed = [facts["observed"] for facts in group if facts["observed"] is not None]
            names = ("engaged", "qualified", "booked", "won", "lost")
            rows.append(
                {
                    "cohort_week": key["week"],
                    "source": key["source"],
                    "provider": key["provider"],
                    "leads": len(group),
                    "leads_missing": sum(facts["is_missing"] for facts in group),
                    **{f"reached_{name}": reached[name] for name in names},
                    "observed_days": min(observed) // int(DAY) if observed else None,
                    **{f"{name}_rate": rate(reached[name], len(group)) for name in names},
                    "engaged_to_qualified_rate": rate(reached["qualified"], reached["engaged"]),
                    "qualified_to_booked_rate": rate(reached["booked"], reached["qualified"]),
                    "booked_to_won_rate": rate(reached["won"], reached["booked"]),
                }
            )
        return rows

    def stage_velocity(self) -> list[Row]:
        groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
        for facts in self.facts:
            for stay in facts["stays"]:
                groups[facts["provider"], facts["account"], stay["stage"]].append(stay)
        rows = []
        for (provider, account, stage), stays in groups.items():
            ended = [stay for stay in stays if not stay["is_current"]]
            measured = [stay for stay in ended if stay["max_seconds"] is not None]
            row: Row = {
                "provider": provider,
                "account": account,
                "stage": stage,
                "stays_measured": len(measured),
                "stays_of_unknown_start": len(ended) - len(measured),
                "stays_open": len(stays) - len(ended),
                "p50_open_days": quantile(
                    [stay["seconds"] / DAY for stay in stays if stay["is_current"]], 0.5
                ),
            }
            for suffix, field in (
                ("", "seconds"),
                ("_lower", "min_seconds"),
                ("_upper", "max_seconds"),
            ):
                days = [stay[field] / DAY for stay in measured]
                row[f"p50_days{suffix}"] = quantile(days, 0.5)
                row[f"p90_days{suffix}"] = quantile(days, 0.9)
                row[f"mean_days{suffix}"] = mean(days)
            rows.append(row)
        return rows

    @staticmethod
    def _outcomes(group: list[Row]) -> Row:
        won = sum(facts["stage"] == "won" for facts in group)
        lost = sum(facts["stage"] == "lost" for facts in group)
        reached = {
            stage: sum(facts["reached"] >= PATH.index(stage) for facts in group)
            for stage in ("qualified", "booked", "won")
        }
        return {
            "leads": len(group),
            "leads_missing": sum(facts["is_missing"] for facts in group),
            "leads_open": sum(facts["is_open"] for facts in group),
            "leads_won": won,
            "leads_lost": lost,
            **{f"reached_{stage}": count for stage, count in reached.items()},
            **{f"{stage}_rate": rate(count, len(group)) for stage, count in reached.items()},
            "win_rate": rate(won, won + lost),
        }

    def source_performance(self) -> list[Row]:
        rows = []
        for key, group in self._grouped("provider", "source"):
            created = [facts["created_at"] for facts in group if facts["created_at"] is not None]
            rows.append(
                {
                    **key,
                    **self._outcomes(group),
                    "leads_unmapped": sum(facts["stage"] == "unmapped" for facts in group),
                    "p50_days_to_win": quantile(
                        [f["to_win"] / DAY for f in group if f["to_win"] is not None], 0.5
                    ),
                    "mean_score": mean([facts["score"] for facts in group]),
                    "first_created_at": min(created, default=None),
                    "last_created_at": max(created, default=None),
                }
            )
        return rows

    def speed_to_lead(self) -> list[Row]:
        rows = []
        for key, group in self._grouped("provider", "account", "source", "owner_key"):
            upper = [f["response"] / 60 for f in group if f["response"] is not None]
            lower = [f["min_response"] / 60 for f in group if f["min_response"] is not None]
            due = [f for f in group if f["observed"] is not None and f["observed"] >= DAY]
            in_time = sum(f["response"] is not None and f["response"] <= DAY for f in due)
            responded = sum(facts["has_response"] for facts in group)
            rows.append(
                {
                    **key,
                    "owner_name": newest(group, "owner_name"),
                    "leads": len(group),
                    "leads_responded": responded,
                    "leads_waiting": sum(
                        not f["has_response"] and f["is_open"] and not f["is_missing"]
                        for f in group
                    ),
                    "responses_of_unknown_start": sum(
                        f["has_response"] and f["created_at"] is None for f in group
                    ),
                    "p50_minutes": quantile(upper, 0.5),
                    "p50_minutes_lower": quantile(lower, 0.5),
                    "p90_minutes": quantile(upper, 0.9),
                    "p90_minutes_lower": quantile(lower, 0.9),
                    "mean_minutes": mean(upper),
                    "mean_minutes_lower": mean(lower),
                    "leads_due": len(due),
                    "due_within_24_hours": in_time,
                    "responded_rate": rate(responded, len(group)),
                    "within_24_hours_rate": rate(in_time, len(due)),
                }
            )
        return rows

    def stale_leads(self) -> list[Row]:
        listing = {facts["account"] for facts in self.facts if facts["lead_key"] in self.listed}
        rows = []
        for facts in self.facts:
            quiet = self._quiet(facts)
            listed = self.listed.get(facts["lead_key"])
            is_listed = bool(listed is not None and listed["is_listed"])
            if quiet["is_stale"] or is_listed:
                rows.append(
                    {
                        **facts["lead"],
                        **quiet,
                        "data_until": self.until[facts["account"]],
                        "is_stale_for_provider": is_listed if facts["account"] in listing else None,
                        "first_listed_at": listed["first_listed_at"] if listed else None,
                        "last_listed_at": listed["last_listed_at"] if listed else None,
                    }
                )
        return rows

    def owner_performance(self) -> list[Row]:
        return [
            {
                **key,
                **self._outcomes(group),
                "provider": group[0]["provider"],
                "account": group[0]["account"],
                "owner_id": group[0]["owner_id"],
                "owner_name": newest(group, "owner_name"),
                "owner_role": newest(
                    [facts for facts in group if facts["owner_role"] is not None], "owner_role"
                ),
                "leads_stale": sum(self._quiet(facts)["is_stale"] for facts in group),
                "leads_over_limit": sum(
                    not facts["is_missing"]
                    and any(breach["is_current"] for breach in self._breaches(facts))
                    for facts in group
                ),
                "p50_response_minutes": quantile(
                    [f["response"] / 60 for f in group if f["response"] is not None], 0.5
                ),
            }
            for key, group in self._grouped("owner_key")
        ]

    def people(self) -> list[Row]:
        groups: dict[str, list[Row]] = defaultdict(list)
        for facts in self.facts:
            own = self.own.get(facts["lead_key"], {})
            groups[self.people_of[facts["lead_key"]]].append(
                {
                    **facts,
                    "own_email": own.get("email_normalized"),
                    "own_phone": own.get("phone_e164"),
                }
            )
        rows = []
        for person, group in groups.items():
            created = [facts["created_at"] for facts in group if facts["created_at"] is not None]
            oldest = min(
                group,
                key=lambda f: (
                    f["created_at"] is None,
                    f["created_at"] or pd.Timestamp.min.tz_localize("UTC"),
                    f["lead_key"],
                ),
            )
            rows.append(
                {
                    "person_key": person,
                    **{
                        column: newest([f for f in group if f[own] is not None], own)
                        for column, own in (
                            ("full_name", "full_name"),
                            ("email_normalized", "own_email"),
                            ("phone_e164", "own_phone"),
                        )
                    },
                    "emails": len({f["own_email"] for f in group} - {None}),
                    "phones": len({f["own_phone"] for f in group} - {None}),
                    "leads": len(group),
                    "leads_missing": sum(f["is_missing"] for f in group),
                    "providers": len({f["provider"] for f in group}),
                    "accounts": len({f["account"] for f in group}),
                    "provider_list": ", ".join(sorted({f["provider"] for f in group})),
                    "first_source": oldest["lead"]["source"],
                    "newest_lead_key": newest(group, "lead_key"),
                    "newest_stage": newest(group, "stage"),
                    "has_won": any(f["stage"] == "won" for f in group),
                    "is_open": any(f["is_open"] and not f["is_missing"] for f in group),
                    "first_created_at": min(created, default=None),
                    "last_updated_at": max(f["updated_at"] for f in group),
                }
            )
        return rows

    def sla_breaches(self) -> list[Row]:
        return [
            {
                **facts["lead"],
                "stay_number": breach["stay_number"],
                "stage": breach["stage"],
                "entered_at": breach["entered_at"],
                "entered_after": breach["entered_after"],
                "exited_at": breach["exited_at"],
                "breached_at": breach["entered_at"] + timedelta(hours=breach["limit"]),
                "limit_hours": breach["limit"],
                "hours_in_stage": breach["seconds"] / 3600,
                "hours_over": breach["seconds"] / 3600 - breach["limit"],
                "is_open": breach["is_current"] and not facts["is_missing"],
                "is_certain": breach["min_seconds"] > breach["limit"] * 3600,
                "is_missing": facts["is_missing"],
            }
            for facts in self.facts
            for breach in self._breaches(facts)
        ]


def newest(group: list[Row], column: str) -> Any:
    """The column of the lead that was updated last; None of no leads."""
    if not group:
        return None
    return max(group, key=lambda facts: (facts["updated_at"], facts["lead_key"]))[column]


MARTS: dict[str, tuple[Callable[[Reference], list[Row]], tuple[str, ...]]] = {
    "leads": (Reference.leads_mart, ("lead_key",)),
    "lead_stage_history": (Reference.lead_stage_history, ("lead_key", "stage_number")),
    "lead_daily_history": (Reference.lead_daily_history, ("lead_key", "date_day")),
    "stage_funnel_daily": (
        Reference.stage_funnel_daily,
        ("date_day", "provider", "account", "stage"),
    ),
    "funnel_by_cohort": (Reference.funnel_by_cohort, ("cohort_week", "source", "provider")),
    "stage_velocity": (Reference.stage_velocity, ("provider", "account", "stage")),
    "source_performance": (Reference.source_performance, ("provider", "source")),
    "speed_to_lead": (
        Reference.speed_to_lead,
        ("provider", "account", "source", "owner_key"),
    ),
    "stale_leads": (Reference.stale_leads, ("lead_key",)),
    "owner_performance": (Reference.owner_performance, ("owner_key",)),
    "people": (Reference.people, ("person_key",)),
    "sla_breaches": (Reference.sla_breaches, ("lead_key", "stay_number")),
}
"""Each mart's second computation, and its key."""
