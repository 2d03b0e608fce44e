"""What each mart should say of a world, computed with pandas and plain loops.

Belongs here: a second computation of each mart that shares neither code nor method with the SQL:
it goes through leads one by one and through days one by one. Does not belong here: making the
world (`world`), and what is known of a single lead (`facts`).
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta

import pandas as pd

from lead_pipeline_tests.marts.facts import (
    DAILY_HISTORY_DAYS,
    DAY,
    PATH,
    Facts,
    Row,
    mean,
    newest,
    rate,
    seconds,
    text,
)


def day_end(day: date) -> pd.Timestamp:
    """24:00 UTC."""
    return pd.Timestamp(day, tz="UTC") + pd.Timedelta(days=1)


class Reference(Facts):
    """The marts of the tables in `frames`."""

    def leads_mart(self) -> list[Row]:
        rows = []
        for facts in self.facts:
            lead, visits = facts["lead"], facts["visits"]
            first = {
                f"first_{stage}_at": next(
                    (visit["entered_at"] for visit in visits if visit["stage"] == stage), None
                )
                for stage in ("engaged", "qualified", "booked", "won", "lost")
            }
            rows.append(
                {
                    **lead,
                    **first,
                    "person_key": self.people_of[lead["lead_key"]],
                    "previous_stage": visits[-2]["stage"] if len(visits) > 1 else None,
                    "stage_entered_at": visits[-1]["entered_at"],
                    "stage_entered_after": visits[-1]["entered_after"],
                    "stage_evidence": visits[-1]["evidence"],
                    "stage_known_until": self.known_until(lead),
                    "days_in_stage": visits[-1]["seconds"] // int(DAY),
                    "stage_changes": len(visits) - 1,
                    "is_missing": facts["is_missing"],
                    "stage_order": facts["stage_order"],
                    "is_terminal": facts["is_terminal"],
                    "is_open": facts["is_open"],
                    "is_watched": facts["is_watched"],
                }
            )
        return rows

    def stages(self) -> list[Row]:
        mapping, canonical = (
            [
                {str(k): text(v) for k, v in row.items()}
                for row in self.frames[name].to_dict("records")
            ]
            for name in ("stages", "canonical_stages")
        )
        rows: list[Row] = []
        for provider, account in {(lead["provider"], lead["account"]) for lead in self.leads}:
            counting = {
                row["value"]: row
                for row in mapping
                if (row["provider"], row["account"]) == (provider, None)
            }
            counting |= {row["value"]: row for row in mapping if row["account"] == account}
            for row in canonical:
                orders = [
                    other["stage_order"]
                    for other in counting.values()
                    if other["stage"] == row["stage"]
                ]
                rows.append(
                    {
                        **row,
                        "provider": provider,
                        "account": account,
                        "first": (min(orders, default=row["stage_order"]), row["stage_order"]),
                    }
                )
        for row in rows:
            firsts = sorted(other["first"] for other in rows if other["account"] == row["account"])
            row["place"] = firsts.index(row["first"]) + 1
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
            day = max(self.first_day(lead), last - timedelta(days=DAILY_HISTORY_DAYS - 1))
            while day <= last:
                rows.append(self._day_row(lead, steps, day))
                day += timedelta(days=1)
        return rows

    def _day_row(self, lead: Row, steps: list[Row], day: date) -> Row:
        end = day_end(day)
        begun = [step for step in steps if step["entered_at"] < end]
        step = begun[-1] if begun else {"stage": "unknown"}
        stage_entered_at = step.get("entered_at")
        for earlier in reversed(begun):
            if earlier["stage"] != step["stage"]:
                break
            stage_entered_at = earlier["entered_at"]
        seen = [
            version for version in self.versions[lead["lead_key"]] if version["updated_at"] < end
        ]
        version = seen[-1] if seen else {}
        missing_since = lead["missing_since"]
        length = seconds(stage_entered_at, end)
        return {
            "date_day": day,
            **{key: lead[key] for key in ("lead_key", "provider", "account", "lead_id")},
            **{
                key: step.get(key)
                for key in (
                    "stage",
                    "provider_stage",
                    "provider_status",
                    "stage_number",
                    "evidence",
                )
            },
            "days_in_stage": None if length is None else length // int(DAY),
            "is_certain": bool(begun) and self.is_certain(lead, end),
            "score": version.get("score"),
            "owner_id": version.get("owner_id"),
            "owner_name": version.get("owner_name"),
            "is_missing": missing_since is not None and missing_since.date() <= day,
        }

    def stage_funnel_daily(self) -> list[Row]:
        """Each day goes through all leads; where each stood at its end, and what it did on it."""
        last = max(
            max(until - pd.Timedelta(microseconds=1) for until in self.until.values()),
            max(visit["entered_at"] for facts in self.facts for visit in facts["visits"]),
        ).date()
        first = min(self.first_day(lead) for lead in self.leads)
        groups: dict[str, list[Row]] = defaultdict(list)
        for facts in self.facts:
            groups[facts["account"]].append(facts)
        return [
            row
            for mine in groups.values()
            for offset in range((last - first).days + 1)
            for row in self._funnel_rows(mine, first + timedelta(days=offset))
        ]

    def _funnel_rows(self, mine: list[Row], day: date) -> list[Row]:
        account, end = mine[0]["account"], day_end(day)
        stages = {visit["stage"] for facts in mine for visit in facts["visits"]}
        late = any(f["created_at"] is not None for f in mine) and any(
            f["created_at"] is not None and f["created_at"] < f["visits"][0]["entered_at"]
            for f in mine
        )
        shown: dict[str, list[Row]] = defaultdict(list)
        for facts in mine:
            begun = [v["stage"] for v in facts["visits"] if v["entered_at"].date() <= day]
            if begun or self.first_day(facts["lead"]) <= day:
                shown[begun[-1] if begun else "unknown"].append(facts)
        certain = {
            stage: sum(self.is_certain(facts["lead"], end) for facts in shown[stage])
            for stage in stages
        }
        movable = sum(len(group) for group in shown.values()) - sum(certain.values())
        proven = self.proven[account]
        has_flows = (
            account in self.watched
            and proven is not None
            and self.watched[account] <= end - pd.Timedelta(days=1)
            and end <= proven
        )
        changed = [facts for facts in mine if self._can_have_changed(facts, day)]
        rows = []
        for stage in [*stages, *["unknown"] * late]:
            lower = certain.get(stage, len(shown[stage]))
            flows = {
                f"leads_{name}{suffix}": None
                for name in ("entered", "exited")
                for suffix in ("", "_lower", "_upper")
            }
            if has_flows and stage != "unknown":
                flows = self._flows(mine, changed, stage, day)
            rows.append(
                {
                    "date_day": day,
                    "provider": mine[0]["provider"],
                    "account": account,
                    "stage": stage,
                    **flows,
                    "leads_in_stage": len(shown[stage]),
                    "leads_in_stage_lower": lower,
                    "leads_in_stage_upper": lower + (movable if stage in certain else 0),
                }
            )
        return rows

    def _can_have_changed(self, facts: Row, day: date) -> bool:
        missing = facts["lead"]["missing_since"]
        return any(
            (row["changed_after"] is None or row["changed_after"].date() <= day)
            and day <= row["changed_until"].date()
            for row in self.unseen[facts["lead_key"]]
        ) or (
            missing is not None and self.known_until(facts["lead"]).date() <= day <= missing.date()
        )

    @staticmethod
    def _flows(mine: list[Row], changed: list[Row], stage: str, day: date) -> Row:
        flows: Row = {}
        for name, at, after in (
            ("entered", "entered_at", "entered_after"),
            ("exited", "exited_at", "exited_after"),
        ):
            moved = [
                (facts, visit)
                for facts in mine
                for visit in facts["visits"]
                if visit["stage"] == stage and visit[at] is not None and visit[at].date() == day
            ]
            certain = [f for f, v in moved if v[after] is not None and v[after].date() == day]
            flows[f"leads_{name}"] = len({f["lead_key"] for f, _ in moved})
            flows[f"leads_{name}_lower"] = len({f["lead_key"] for f in certain})
            flows[f"leads_{name}_upper"] = len(
                {f["lead_key"] for f, _ in moved} | {f["lead_key"] for f in changed}
            )
        return flows

    def funnel_by_cohort(self) -> list[Row]:
        rows = []
        names = ("engaged", "qualified", "booked", "won", "lost")
        for key, group in self._grouped("week", "source", "provider"):
            reached = self._reached(group, names)
            observed = [facts["observed"] for facts in group if facts["observed"] is not None]
            row = {
                "cohort_week": key["week"],
                "source": key["source"],
                "provider": key["provider"],
                "leads": len(group),
                "leads_missing": sum(facts["is_missing"] for facts in group),
                **reached,
                "observed_days": min(observed) // int(DAY) if observed else None,
            }
            for earlier, later in itertools.pairwise(names[:4]):
                name = f"{earlier}_to_{later}_rate"
                low, high = reached[f"reached_{earlier}"], reached[f"reached_{earlier}_upper"]
                row[name] = rate(reached[f"reached_{later}"], low)
                row[f"{name}_lower"] = rate(reached[f"reached_{later}"], high)
                most = rate(reached[f"reached_{later}_upper"], low)
                row[f"{name}_upper"] = (
                    None if high == 0 else min(1.0, 1.0 if most is None else most)
                )
            rows.append(row)
        return rows

    @staticmethod
    def _reached(group: list[Row], names: tuple[str, ...]) -> Row:
        """How many of the watched leads were seen in each stage or beyond, and can have been."""
        watched = [facts for facts in group if facts["is_watched"]]
        row: Row = {"leads_watched": len(watched)}
        for name in names:
            seen = [
                facts["has_lost"] if name == "lost" else facts["reached"] >= PATH.index(name)
                for facts in watched
            ]
            most = sum(s or facts["hides"] for s, facts in zip(seen, watched, strict=True))
            row[f"reached_{name}"] = sum(seen)
            row[f"reached_{name}_upper"] = most
            row[f"{name}_rate"] = rate(sum(seen), len(watched))
            row[f"{name}_rate_upper"] = rate(most, len(watched))
        return row

    @classmethod
    def _outcomes(cls, group: list[Row]) -> Row:
        won = sum(facts["stage"] == "won" for facts in group)
        lost = sum(facts["stage"] == "lost" for facts in group)
        return {
            "leads": len(group),
            "leads_missing": sum(facts["is_missing"] for facts in group),
            "leads_open": sum(facts["is_open"] for facts in group),
            "leads_won": won,
            "leads_lost": lost,
            **cls._reached(group, ("qualified", "booked", "won")),
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
                    "mean_score": mean([facts["score"] for facts in group]),
                    "first_created_at": min(created, default=None),
                    "last_created_at": max(created, default=None),
                }
            )
        return rows

    def speed_to_lead(self) -> list[Row]:
        rows = []
        for key, group in self._grouped("provider", "account", "source", "owner_key"):
            watched = [facts for facts in group if facts["is_watched"]]
            due = [f for f in watched if f["observed"] is not None and f["observed"] >= DAY]
            in_time = sum(f["response"] is not None and f["response"] <= DAY for f in due)
            can_be = sum(
                (f["min_response"] is not None and f["min_response"] <= DAY)
                or (
                    f["unseen_after"] is not None
                    and (seconds(f["created_at"], f["unseen_after"]) or 0) <= DAY
                )
                for f in due
            )
            responded = sum(facts["has_response"] for facts in watched)
            most = sum(facts["has_response"] or facts["hides"] for facts in watched)
            rows.append(
                {
                    **key,
                    "owner_name": newest(group, "owner_name"),
                    "leads": len(group),
                    "leads_watched": len(watched),
                    "leads_responded": responded,
                    "leads_responded_upper": most,
                    "leads_waiting": sum(not f["has_response"] and f["is_open"] for f in watched),
                    "leads_due": len(due),
                    "due_within_24_hours": in_time,
                    "due_within_24_hours_upper": can_be,
                    "responded_rate": rate(responded, len(watched)),
                    "responded_rate_upper": rate(most, len(watched)),
                    "within_24_hours_rate": rate(in_time, len(due)),
                    "within_24_hours_rate_upper": rate(can_be, len(due)),
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
                    facts["is_open"]
                    and any(breach["is_current"] for breach in self._breaches(facts))
                    for facts in group
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
                    "own_line": own.get("phone_e164 in full"),
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
                    "phones": len({f["own_line"] for f in group} - {None}),
                    "leads": len(group),
                    "leads_missing": sum(f["is_missing"] for f in group),
                    "providers": len({f["provider"] for f in group}),
                    "accounts": len({f["account"] for f in group}),
                    "provider_list": ", ".join(sorted({f["provider"] for f in group})),
                    "first_source": oldest["lead"]["source"],
                    "newest_lead_key": newest(group, "lead_key"),
                    "newest_stage": newest(group, "stage"),
                    "has_won": any(f["stage"] == "won" for f in group),
                    "is_open": any(f["is_open"] for f in group),
                    "first_created_at": min(created, default=None),
                    "last_updated_at": max(f["updated_at"] for f in group),
                }
            )
        return rows

    def sla_breaches(self) -> list[Row]:
        return [
            {
                **facts["lead"],
                "visit_number": breach["visit_number"],
                "stage": breach["stage"],
                "entered_at": breach["entered_at"],
                "entered_after": breach["entered_after"],
                "exited_at": breach["exited_at"],
                "breached_at": breach["entered_at"] + timedelta(hours=breach["limit"]),
                "limit_hours": breach["limit"],
                "hours_in_stage": breach["seconds"] / 3600,
                "hours_over": breach["seconds"] / 3600 - breach["limit"],
                "is_open": breach["is_current"] and facts["is_open"],
                "is_certain": breach["min_seconds"] > breach["limit"] * 3600,
                "is_missing": facts["is_missing"],
            }
            for facts in self.facts
            for breach in self._breaches(facts)
        ]


MARTS: dict[str, tuple[Callable[[Reference], list[Row]], tuple[str, ...]]] = {
    "leads": (Reference.leads_mart, ("lead_key",)),
    "lead_stage_history": (Reference.lead_stage_history, ("lead_key", "stage_number")),
    "lead_daily_history": (Reference.lead_daily_history, ("lead_key", "date_day")),
    "stage_funnel_daily": (
        Reference.stage_funnel_daily,
        ("date_day", "provider", "account", "stage"),
    ),
    "funnel_by_cohort": (Reference.funnel_by_cohort, ("cohort_week", "source", "provider")),
    "source_performance": (Reference.source_performance, ("provider", "source")),
    "speed_to_lead": (
        Reference.speed_to_lead,
        ("provider", "account", "source", "owner_key"),
    ),
    "stale_leads": (Reference.stale_leads, ("lead_key",)),
    "owner_performance": (Reference.owner_performance, ("owner_key",)),
    "people": (Reference.people, ("person_key",)),
    "stages": (Reference.stages, ("account", "stage")),
    "sla_breaches": (Reference.sla_breaches, ("lead_key", "visit_number")),
}
"""Each mart's second computation, and its key. Lengths of time are compared with worlds of which the
truth is known (`lead_pipeline_tests/truth`), since a second estimate would share the first one's
assumptions."""
