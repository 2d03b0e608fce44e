"""What each mart should say of a world, computed with pandas and plain loops.

Belongs here: a second computation of each mart that shares neither code nor method with the SQL:
it goes through leads one by one and through days one by one. Does not belong here: making the
world (`world`), and what is known of a single lead (`facts`).
"""

from __future__ import annotations

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
    quantile,
    rate,
    seconds,
    text,
)


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
        visits = [(facts, visit) for facts in self.facts for visit in facts["visits"]]
        first = min(visit["entered_at"] for _, visit in visits).date()
        ends = [until - pd.Timedelta(microseconds=1) for until in self.until.values()]
        last = max([visit["entered_at"] for _, visit in visits] + ends).date()
        groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
        for facts, visit in visits:
            groups[facts["provider"], facts["account"], visit["stage"]].append(visit)
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
            for visit in facts["visits"]:
                groups[facts["provider"], facts["account"], visit["stage"]].append(visit)
        rows = []
        for (provider, account, stage), visits in groups.items():
            ended = [visit for visit in visits if not visit["is_current"]]
            measured = [visit for visit in ended if visit["max_seconds"] is not None]
            row: Row = {
                "provider": provider,
                "account": account,
                "stage": stage,
                "visits_measured": len(measured),
                "visits_of_unknown_start": len(ended) - len(measured),
                "visits_open": len(visits) - len(ended),
                "p50_open_days": quantile(
                    [visit["seconds"] / DAY for visit in visits if visit["is_current"]], 0.5
                ),
            }
            for suffix, field in (
                ("", "seconds"),
                ("_lower", "min_seconds"),
                ("_upper", "max_seconds"),
            ):
                days = [visit[field] / DAY for visit in measured]
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
                    "leads_waiting": sum(not f["has_response"] and f["is_open"] for f in group),
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
                    facts["is_open"]
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
    "stage_velocity": (Reference.stage_velocity, ("provider", "account", "stage")),
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
"""Each mart's second computation, and its key."""
