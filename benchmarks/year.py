"""A year of nights: how long the last one takes beside the tenth, and what lies below the home.

    python -m benchmarks year

The providers' clock goes from night to night; ours stays where it is. So files and commit records are
those of a year, and what is kept by age or day by our clock (runs, published files, seen ids) is as if
all of it had happened today. Most nights only land, load and compact: a whole one, with dbt and Dagster,
costs many times as much. Whole are those of `is_whole`.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from lead_pipeline.accounts import load_accounts
from lead_pipeline.commands.console import say, show_table
from lead_pipeline.commands.nights import HOUR_OF_NIGHT, TIME_SCALE
from lead_pipeline.definitions import defs
from lead_pipeline.landing.compaction import compact_landing
from lead_pipeline.landing.pull import pull_stream
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.orchestration.instance import open_instance
from lead_pipeline.orchestration.runner import PipelineRunner, RunOutcome
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline.settings import Settings, load_settings
from lead_pipeline.windows import ONE_DAY, day_start, window_of_days

NIGHTS = 365
LEADS_AT_START, LEADS_PER_DAY = 300, 1
"""Of each of three providers: about 2,000 leads in all at the end."""
SHOWN_EVERY, WHOLE_EVERY = 30, 90
COMPARED = (range(8, 13), range(NIGHTS - 4, NIGHTS + 1))
"""The nights around the tenth, and the last ones: of five the median is told."""

KINDS = ("landed files", "commit records", "warehouse", "bi", "dagster", "other")


@dataclass(frozen=True)
class NightTaken:
    """What one night took, in seconds."""

    number: int
    is_whole: bool
    landing: float
    rest: float
    """The load; of a whole night also marts, tests, publication and what follows it."""
    processor: float
    """Of all of it what processors were busy: other programs on the machine count less here."""

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.landing + self.rest


class _Watch:
    """Times the parts of a night."""

    def __init__(self) -> None:
        self._moments = [time.perf_counter()]
        self._busy = _busy()

    def lap(self) -> None:
        """A part is over."""
        self._moments.append(time.perf_counter())

    def taken(self, number: int, *, is_whole: bool) -> NightTaken:
        """The night, of which the second part is over now."""
        self.lap()
        began, landed, ended = self._moments
        return NightTaken(number, is_whole, landed - began, ended - landed, _busy() - self._busy)


def _busy() -> float:
    """Seconds that processors have worked for this process and those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@dataclass(frozen=True)
class Below:
    """What lies below a home after a night: files and bytes by kind."""

    night: int
    files: Counter[str]
    bytes: Counter[str]


@dataclass
class Year:
    """The nights that were lived through."""

    nights: list[NightTaken] = field(default_factory=list)
    homes: list[Below] = field(default_factory=list)


def is_whole(number: int, nights: int = NIGHTS) -> bool:
    """Whether a night also builds, tests and publishes, each of its parts a run of Dagster."""
    compared = number in COMPARED[0] or number > nights - len(COMPARED[1])
    return compared or number % WHOLE_EVERY == 0


def main() -> None:
    """Live through a year and print the tables."""
    nights = int(os.environ.get("NIGHTS", NIGHTS))
    with tempfile.TemporaryDirectory() as folder:
        year = live(Path(folder) / "home", nights, is_whole)
    whole = [night.number for night in year.nights if night.is_whole]
    say(
        f"{nights} nights. Landed, loaded and compacted in each; built, tested, published and recorded by "
        f"Dagster in {len(whole)} of them: {', '.join(map(str, whole))}."
    )
    show_times(year)
    show_homes(year)


def live(
    home: Path,
    nights: int,
    wholly: Callable[[int, int], bool],
    *,
    leads_at_start: int = LEADS_AT_START,
) -> Year:
    """Live through so many nights below `home`; `wholly` says which of them are whole."""
    first = datetime.now(UTC).date() - ONE_DAY * (nights + 1)
    os.environ["LEAD_PIPELINE_HOME"] = str(home)
    os.environ["LEAD_PIPELINE_START_DATE"] = first.isoformat()
    os.environ.pop("DAGSTER_HOME", None)
    settings = load_settings()
    world = World(start=first, leads_per_day=LEADS_PER_DAY, leads_at_start=leads_at_start)
    year = Year()
    with Sandbox(world, time_scale=TIME_SCALE, limits=False) as sandbox:
        os.environ.update(sandbox.environment())
        accounts = load_accounts(settings).usable
        with open_instance(settings) as instance:
            runner = PipelineRunner(defs(), instance)
            for number in range(1, nights + 1):
                day = first + ONE_DAY * (number - 1)
                sandbox.set_clock(day_start(day + ONE_DAY) + HOUR_OF_NIGHT)
                live_a_night = _whole_night if wholly(number, nights) else _short_night
                year.nights.append(live_a_night(number, day, settings, accounts, runner))
                if number % SHOWN_EVERY == 0 or number == nights:
                    year.homes.append(below(home, number))
                    print(f"night {number} of {nights}", file=sys.stderr, flush=True)
    return year


def _whole_night(
    number: int, day: date, settings: Settings, accounts: Sequence[Account], runner: PipelineRunner
) -> NightTaken:
    watch = _Watch()
    for account in accounts:
        _succeeded(runner.land(account, day, day))
    watch.lap()
    # A business as small as this can lose a fifth of an account's leads in a year.
    _succeeded(runner.load_and_publish(allow_row_count_drop=True, allow_missing=True))
    return watch.taken(number, is_whole=True)


def _short_night(
    number: int, day: date, settings: Settings, accounts: Sequence[Account], runner: PipelineRunner
) -> NightTaken:
    del runner
    watch = _Watch()
    window = window_of_days(day, day, settings.start_date)
    for account in accounts:
        for stream in PROVIDERS[account.provider].streams:
            pull_stream(settings, account, stream.name, window)
    watch.lap()
    load_landing(settings, tell=lambda message: None)
    compact_landing(settings, datetime.now(UTC), lambda message: None)
    return watch.taken(number, is_whole=False)


def _succeeded(outcome: RunOutcome) -> None:
    if outcome.failure:
        raise SystemExit(f"{outcome.name} failed: {outcome.failure}")


def below(home: Path, night: int) -> Below:
    """Count what lies below `home` now."""
    files: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for path in home.rglob("*"):
        if path.is_file():
            kind = _kind_of(path.relative_to(home))
            files[kind] += 1
            sizes[kind] += path.stat().st_size
    return Below(night, files, sizes)


def _kind_of(path: Path) -> str:
    if path.parts[0] == "landing":
        is_record = any(part.startswith("_crawls") for part in path.parts)
        return "commit records" if is_record else "landed files"
    if path.parts[0] in ("bi", "dagster"):
        return path.parts[0]
    return "warehouse" if path.name.startswith("warehouse.duckdb") else "other"


def show_times(year: Year) -> None:
    """The nights around the tenth beside the last ones."""
    whole = [night for night in year.nights if night.is_whole]
    last = year.nights[-1].number
    groups = [
        [night for night in whole if night.number in COMPARED[0]],
        [night for night in whole if night.number > last - len(COMPARED[1])],
    ]
    if not all(groups):
        return
    parts = ("landing", "rest", "seconds", "processor")
    medians = [
        [statistics.median(getattr(n, part) for n in group) for part in parts] for group in groups
    ]
    rows: list[list[object]] = [
        [f"{group[0].number} to {group[-1].number}", *(round(figure, 2) for figure in median)]
        for group, median in zip(groups, medians, strict=True)
    ]
    rows.append(["ratio", *(round(late / early, 2) for early, late in zip(*medians, strict=True))])
    show_table(
        "Seconds of a whole night, median",
        ["nights", "landing", "load to publication", "all", "of processors"],
        rows,
    )


def show_homes(year: Year) -> None:
    """What lay below the home every `SHOWN_EVERY` nights."""
    show_table(
        "Files below the home",
        ["night", *KINDS],
        [[home.night, *(home.files[kind] for kind in KINDS)] for home in year.homes],
    )
    show_table(
        "MB below the home",
        ["night", *KINDS],
        [[home.night, *(round(home.bytes[k] / 1e6, 1) for k in KINDS)] for home in year.homes],
    )


if __name__ == "__main__":
    main()
