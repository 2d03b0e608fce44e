"""Builds whose figures are known, published one after another while clients ask.

    warehouse ──won by ten more leads──▶ candidates put aside ──publish──▶ the file of the clients

Belongs here: making the builds, and publishing them. Does not belong here: the clients
(`readers`, `superset`).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from lead_pipeline.bi.gate import PublishRules
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline_tests.bi.readers import Asking
from lead_pipeline_tests.sample_builds import Bi, leads_of

PUBLICATIONS = 10
LEADS = 2_000
"""So many that a query takes a while and reads many blocks."""
WON_PER_BUILD = 10
PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 120
"""Many clients at once start slowly where other tests run beside them."""

FIGURES = """
select run_ids || ' ' || figures as answer from (
    select string_agg(run_id, ',' order by run_id) as run_ids from (
        select run_id from meta.publish
        union select run_id from meta.build
        union select full_name from normalized.leads
        union select full_name from marts.leads
        union select provider_stage_name from normalized.lead_stage_history
    )
), (
    select string_agg(stage || '=' || leads, ' ' order by stage) as figures from (
        select stage, count(*) as leads from normalized.leads group by stage
    )
)
"""
"""Every table says which build it belongs to: one name is one build. The figures say the same."""


@dataclass(frozen=True)
class KnownBuild:
    """A tested candidate that has been put aside, and what it holds."""

    number: int
    candidate: Path

    @property
    def run_id(self) -> str:
        """The run that made it; later ones sort later."""
        return f"build-{self.number:02}"

    @property
    def leads_by_stage(self) -> dict[str, int]:
        """Each build has other figures."""
        won = WON_PER_BUILD * (self.number + 1)
        return {"new": LEADS - won, "won": won}

    @property
    def figures(self) -> str:
        """What `FIGURES` answers."""
        figures = " ".join(f"{stage}={leads}" for stage, leads in self.leads_by_stage.items())
        return f"{self.run_id} {figures}"

    def publish(self, bi: Bi) -> None:
        """Publish it, once in a home: a run publishes once."""
        bi.candidate.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.candidate, bi.candidate)
        bi.publish(self.run_id, PublishRules(retained_builds=1))


def known_builds(folder: Path, count: int) -> list[KnownBuild]:
    """As many builds, below a folder."""
    bi = Bi(folder)
    _fill_warehouse(bi)
    builds = [KnownBuild(number, folder / f"{number:02}.duckdb") for number in range(count)]
    for build in builds:
        with closing(connect_utc(bi.warehouse)) as connection:
            connection.execute(
                "update normalized.leads set stage = 'won' where lead_id::int <= ?",
                [build.leads_by_stage["won"]],
            )
        bi.build_loaded(run_id=build.run_id, stamp=build.run_id)
        bi.candidate.rename(build.candidate)
    return builds


def _fill_warehouse(bi: Bi) -> None:
    bi.load(leads_of("mega", 1))
    with closing(connect_utc(bi.warehouse)) as connection:
        for table in ("leads", "lead_stage_history"):
            connection.execute(
                f"create or replace temporary table one as from normalized.{table};"  # noqa: S608
                f" delete from normalized.{table};"
                f" insert into normalized.{table} select one.* replace ('mega:' || n as lead_key,"
                " n::varchar as lead_id) from one, range(1, $leads + 1) as numbers(n)",
                {"leads": LEADS},
            )


def publish_each(bi: Bi, builds: Sequence[KnownBuild]) -> None:
    """Publish one build after another, with a moment between them."""
    for build in builds:
        build.publish(bi)
        time.sleep(PAUSE_SECONDS)


def publish_while_asking(bi: Bi, builds: Sequence[KnownBuild], asking: Sequence[Asking]) -> None:
    """Publish each build but the first, which all have seen then; end when all have seen the last."""
    _wait_for(asking, lambda client: bool(client.seen()))
    publish_each(bi, builds[1:])
    _wait_for(asking, lambda client: client.seen()[-1] == builds[-1].figures)


def _wait_for(asking: Sequence[Asking], condition: Callable[[Asking], bool]) -> None:
    """Until all fulfil it or have ended; raises AssertionError with those that do not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    waiting = list(asking)
    while waiting := [one for one in waiting if one.is_running and not condition(one)]:
        assert time.monotonic() < deadline, [(one.name, one.seen()[-3:]) for one in waiting]
        time.sleep(0.05)
