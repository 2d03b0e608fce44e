"""The stages that are killed: what each does, through the functions of its command.

A stage is added by one entry in `STAGES`. Belongs here: what is done. Does not belong here: where it
is killed, and what is then expected.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from lead_pipeline.bi.candidate import mark_tested, prepare_candidate
from lead_pipeline.bi.publish import publish
from lead_pipeline.bi.rollback import roll_back
from lead_pipeline.bi.snapshot import keep_snapshot
from lead_pipeline.landing.compaction import compact_landing
from lead_pipeline.landing.crawl import FlushPolicy
from lead_pipeline.landing.pull import PullOptions
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.storage.duckdb_files import connect_utc
from lead_pipeline.storage.locks import held
from lead_pipeline_tests.chaos.homes import (
    CANDIDATE,
    LANDING,
    LATER,
    PUBLISHED,
    RULES,
    TABLES,
    Home,
)
from lead_pipeline_tests.pulling import QUICK_RETRY, days, pull
from lead_pipeline_tests.sample_builds import make_stand_ins

OLDER = "20260101"
"""How the name of the build before begins: said by name, going back can be repeated."""
PULLED = PullOptions(retry=QUICK_RETRY, flush=FlushPolicy(pages=2))


@dataclass(frozen=True)
class Stage:
    """Something that a command does to a home made by `homes.make_home`."""

    name: str
    do: Callable[[Home], object]
    changes: frozenset[str]
    """The parts of the home (`homes.PARTS`) that it may change; the others keep their very bytes."""
    whole: Callable[[Home], object] | None = None
    """The command that it is a part of; None: it is all that its command does."""
    at_night: Callable[[Home], object] | None = None
    """What the next night does in its place; None: the same command."""

    @property
    def command(self) -> Callable[[Home], object]:
        """What somebody does who runs the same command again."""
        return self.whole or self.do

    @property
    def next_run(self) -> Callable[[Home], object]:
        """What comes after a kill when nobody does anything by hand."""
        return self.at_night or self.command


def quiet(message: str) -> None:
    """Nobody reads what is told."""


def land(home: Home) -> None:
    """Three pages of one account, in two flushes; some leads are only seen."""
    pull(home.settings, home.account, days(5, 9), options=PULLED)


def load(home: Home) -> None:
    """The files of the last poll."""
    load_landing(home.settings, tell=quiet)


def rebuild(home: Home) -> None:
    """All files, into a new warehouse."""
    load_landing(home.settings, rebuild=True, tell=quiet)


def build(home: Home, run_id: str = "built") -> None:
    """A tested candidate, with stand-ins for the marts; dbt's own part is in whole cycles."""
    settings = home.settings
    with held(settings.publish_lock, "building the marts", quiet):
        with held(settings.warehouse_lock, "copying leads", quiet):
            prepare_candidate(settings.warehouse_path, settings.candidate_path)
        keep_snapshot(settings.candidate_path, settings.snapshot_path)
        with closing(connect_utc(settings.candidate_path)) as connection:
            make_stand_ins(connection)
        mark_tested(settings.candidate_path, run_id=run_id, tests_passed=1)


def give_readers(home: Home, run_id: str = "new") -> None:
    """The candidate before readers."""
    settings = home.settings
    with held(settings.publish_lock, "publishing", quiet):
        publish(settings.candidate_path, settings.published_path, run_id=run_id, rules=RULES)


def build_and_give_readers(home: Home) -> None:
    """As `lead-pipeline publish` does."""
    build(home, "new")
    give_readers(home)


def go_back(home: Home) -> None:
    """The build before, for readers."""
    settings = home.settings
    with held(settings.publish_lock, "rolling back", quiet):
        roll_back(settings.published_path, to=OLDER, masking_key_id=None)


def compact(home: Home) -> None:
    """Small files of closed days put together, of all accounts."""
    compact_landing(home.settings, LATER, quiet)


STAGES = (
    Stage("landing", land, frozenset({LANDING})),
    Stage("load", load, frozenset({TABLES})),
    Stage("rebuild", rebuild, frozenset({TABLES}), at_night=load),
    Stage("build", build, frozenset({CANDIDATE})),
    Stage("publish", give_readers, frozenset({CANDIDATE, PUBLISHED}), whole=build_and_give_readers),
    Stage("rollback", go_back, frozenset({PUBLISHED})),
    Stage("compact", compact, frozenset({LANDING})),
)
"""All stages, by name in the order of a night."""
