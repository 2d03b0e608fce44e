"""How much work is done, counted rather than timed: the same on a busy machine as on a quiet one.

    a fixed world ──crawl──▶ requests, bytes, syncs, calls ──load──▶ statements, rows scanned
                                                    against counted.json

A figure may not grow by more than a tenth without a changed `counted.json` in the same commit
(`lead_pipeline_tests/test_counted_work.py`): `python -m benchmarks.counted --write`. Belongs here:
what is counted, and how. Does not belong here: seconds, which depend on the machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from lead_pipeline.accounts import Accounts, load_accounts
from lead_pipeline.commands.console import show_table
from lead_pipeline.landing import journal
from lead_pipeline.landing.commits import CommitRecord
from lead_pipeline.landing.pull import pull_stream
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.normalized.session import Session
from lead_pipeline.providers import PROVIDERS
from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline.sandbox.examples import expert_ai_labs_lead, mega_lead, vorel_lead
from lead_pipeline.settings import Settings
from lead_pipeline.windows import window_of_days

STORED = Path(__file__).with_name("counted.json")
GROWTH = 0.1
"""By so much a figure may grow unnoticed."""
LEADS = 1_000
"""Of each provider: several pages."""
CHANGED = 20
START = date(2026, 1, 1)
MAKE = {"mega": mega_lead, "expert_ai_labs": expert_ai_labs_lead, "vorel": vorel_lead}
STARTS = {
    "help": "sys.argv[1:] = ['--help']; from lead_pipeline.cli import main; main()",
    "landing process": "import lead_pipeline.orchestration.landing_definitions",
}
"""Programs whose imports are counted: what people wait for before anything begins."""

Figures = dict[str, int]


def count() -> Figures:
    """All figures, by name."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(World.empty(START), limits=False) as sandbox,
        _environment(sandbox.environment()),
    ):
        settings = Settings(home=Path(folder) / "home", start_date=START)
        accounts = load_accounts(settings)
        # What is imported and compiled at the first use is no work of a crawl.
        elsewhere = Settings(home=Path(folder) / "elsewhere", start_date=START)
        for slug in MAKE:
            _put(sandbox, slug, [MAKE[slug](0, _moment(1))])
            _pull(elsewhere, accounts, slug, day=1)
        return {
            **_first_night(settings, accounts, sandbox),
            **_next_night(settings, accounts, sandbox),
            **{f"modules imported: {name}": _imported(STARTS[name]) for name in STARTS},
        }


def grown(counted: Figures, stored: Figures) -> list[str]:
    """Each figure that has grown by more than a tenth, or has no stored one, in words."""
    return [
        f"{name}: {number:,}, stored {stored.get(name, 0):,}"
        for name, number in counted.items()
        if number > stored.get(name, 0) * (1 + GROWTH)
    ]


def stored_figures() -> Figures:
    """What the last change that meant it has counted."""
    return msgspec.json.decode(STORED.read_bytes(), type=Figures)


def _first_night(settings: Settings, accounts: Accounts, sandbox: Sandbox) -> Figures:
    """All leads of all providers, into a new home."""
    figures: Figures = {}
    for slug, make in MAKE.items():
        _put(sandbox, slug, [make(number, _moment(1, number)) for number in range(LEADS)])
    for slug in MAKE:
        with _counting_calls() as calls, _counting_syncs() as syncs:
            landed = _pull(settings, accounts, slug, day=1)
        figures |= {
            f"first crawl, {slug}: requests": sum(record.requests for record in landed),
            f"first crawl, {slug}: bytes landed": sum(
                file.bytes for record in landed for file in record.all_files
            ),
            f"first crawl, {slug}: syncs": syncs[""],
            f"first crawl, {slug}: calls": calls[""],
        }
    return figures | _load(settings, "first load")


def _next_night(settings: Settings, accounts: Accounts, sandbox: Sandbox) -> Figures:
    """A few changed leads of each provider, on top of that."""
    figures: Figures = {}
    for slug, make in MAKE.items():
        changed = [make(number, _moment(1, number), _moment(2)) for number in range(CHANGED)]
        _put(sandbox, slug, changed)
        landed = _pull(settings, accounts, slug, day=2)
        figures[f"next crawl, {slug}: requests"] = sum(record.requests for record in landed)
    return figures | _load(settings, "next load")


def _load(settings: Settings, name: str) -> Figures:
    with _counting_statements() as counted:
        load_landing(settings, tell=lambda message: None)
    return {f"{name}: {what}": number for what, number in sorted(counted.items())}


def _pull(settings: Settings, accounts: Accounts, slug: str, day: int) -> list[CommitRecord]:
    window = window_of_days(START + timedelta(days=day - 1), START + timedelta(days=day - 1), START)
    account = accounts.named(slug)
    return [
        pull_stream(settings, account, stream.name, window) for stream in PROVIDERS[slug].streams
    ]


def _put(sandbox: Sandbox, slug: str, leads: list[Any]) -> None:
    getattr(sandbox, slug).store.put_all(leads)


def _moment(day: int, second: int = 0) -> datetime:
    return datetime(2026, 1, day, tzinfo=UTC) + timedelta(seconds=second)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _counting_calls() -> Iterator[Counter[str]]:
    """Calls of functions, Python's and C's, in this thread."""
    counted: Counter[str] = Counter()

    def hear(frame: object, event: str, argument: object) -> None:
        del frame, argument
        if event in ("call", "c_call"):
            counted[""] += 1

    before = sys.getprofile()
    sys.setprofile(hear)
    try:
        yield counted
    finally:
        sys.setprofile(before)


@contextmanager
def _counting_syncs() -> Iterator[Counter[str]]:
    """Waits for the disk, as of an API that is slower than it: then each page waits."""
    counted: Counter[str] = Counter()
    sync = os.fsync

    def counting(descriptor: int) -> None:
        counted[""] += 1
        sync(descriptor)

    os.fsync, journal.SYNC_SECONDS, seconds = counting, 0.0, journal.SYNC_SECONDS  # type: ignore[assignment]
    try:
        yield counted
    finally:
        os.fsync, journal.SYNC_SECONDS = sync, seconds


@contextmanager
def _counting_statements() -> Iterator[Counter[str]]:
    """Statements of loads, and the rows that DuckDB has scanned for them."""
    counted: Counter[str] = Counter()

    def counting(method: Callable[..., Any]) -> Callable[..., Any]:
        def counted_method(self: Session, *arguments: Any) -> Any:
            self.connection.execute("set enable_profiling = 'no_output'")
            answer = method(self, *arguments)
            told = msgspec.json.decode(self.connection.get_profiling_information())
            counted["statements"] += 1
            counted["rows scanned"] += told.get("cumulative_rows_scanned", 0)
            return answer

        return counted_method

    methods = {name: getattr(Session, name) for name in ("run", "execute", "fetch")}
    for name, method in methods.items():
        setattr(Session, name, counting(method))
    try:
        yield counted
    finally:
        for name, method in methods.items():
            setattr(Session, name, method)


def _imported(program: str) -> int:
    """How many modules an interpreter has imported at the end of `program`."""
    text = f"import atexit, sys\natexit.register(lambda: sys.stderr.write(str(len(sys.modules))))\n{program}"
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-c", text], check=True, capture_output=True, text=True
    )
    return int(ended.stderr)


def main() -> None:
    """Print the figures beside the stored ones; with `--write`, store them."""
    counted = count()
    if "--write" in sys.argv:
        STORED.write_bytes(msgspec.json.format(msgspec.json.encode(counted), indent=1) + b"\n")
    stored = stored_figures()
    show_table(
        "Counted work",
        ["what", "now", "stored", "ratio"],
        [
            [
                name,
                number,
                stored.get(name),
                round(number / stored[name], 3) if name in stored else None,
            ]
            for name, number in counted.items()
        ],
    )


if __name__ == "__main__":
    main()
