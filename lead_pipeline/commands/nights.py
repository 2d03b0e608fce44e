"""What `lead-pipeline demo` does: live through nights with the sandbox, then publish.

    sandbox clock to the next night ──▶ landing of that day, per account ──▶ … ──▶ publish

Run again, it continues with the nights after.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec

from lead_pipeline.accounts import load_accounts
from lead_pipeline.commands.demo_home import marker_path
from lead_pipeline.commands.edge import settings_of_command
from lead_pipeline.definitions import defs
from lead_pipeline.errors import ConfigurationError
from lead_pipeline.orchestration.instance import open_log_of_runs
from lead_pipeline.orchestration.processes import end_dead_runs
from lead_pipeline.orchestration.runner import PipelineRunner, RunOutcome
from lead_pipeline.sandbox import Sandbox
from lead_pipeline.settings import Settings, load_settings, setting_variables
from lead_pipeline.storage.files import write_atomically
from lead_pipeline.storage.locks import held
from lead_pipeline.windows import ONE_DAY, day_start

FIRST_DAY = date(2026, 1, 1)
HOUR_OF_NIGHT = timedelta(hours=2, minutes=30)
TIME_SCALE = 60.0
"""A minute of the sandbox's request limits lasts a second."""


class DemoState(msgspec.Struct):
    """The marker of a demo's folder: through which day its nights have been lived."""

    last_day: date | None = None


@dataclass(frozen=True)
class Night:
    """One night of the demo."""

    number: int
    day: date
    outcomes: tuple[RunOutcome, ...]


def prepare_demo() -> Settings:
    """Settings for the demo: its own folder, unless LEAD_PIPELINE_HOME names one.

    Raises `ConfigurationError` rather than mixing invented leads into real ones.
    """
    refuse_shared_demo(load_settings())
    settings = settings_of_command()
    if settings.accounts is not None:
        raise ConfigurationError(
            "The demo uses accounts of its own. Unset LEAD_PIPELINE_ACCOUNTS for it."
        )
    home = settings.home if "home" in settings.model_fields_set else settings.home / "demo"
    settings = settings.model_copy(update={"home": home, "start_date": FIRST_DAY})
    # The runs read them again.
    os.environ["LEAD_PIPELINE_HOME"] = str(home)
    os.environ["LEAD_PIPELINE_START_DATE"] = FIRST_DAY.isoformat()
    # The demo's runs belong beside its data, not into an instance that serves real ones.
    os.environ.pop("DAGSTER_HOME", None)
    if settings.landing_path.exists() and not marker_path(settings.home).exists():
        raise ConfigurationError(
            f"{settings.home} holds landed leads that are not the demo's. Set LEAD_PIPELINE_HOME "
            "to another folder for the demo."
        )
    return settings


def refuse_shared_demo(settings: Settings) -> None:
    """Raise `ConfigurationError` where invented leads would get into what a team shares."""
    shared = {"shared": settings.shared, "database": settings.database, "lake": settings.lake}
    if found := [setting_variables()[name] for name, value in shared.items() if value is not None]:
        raise ConfigurationError(
            f"The demo is for a folder on this machine. Unset {', '.join(found)} for it."
        )


def live_through_nights(
    settings: Settings, nights: int, tell: Callable[[Night], None]
) -> list[RunOutcome]:
    """Live through `nights` more nights and publish; returns the outcomes of all runs."""
    outcomes: list[RunOutcome] = []
    with (
        held(settings.home / ".locks" / "demo", "living through nights"),
        Sandbox(time_scale=TIME_SCALE) as sandbox,
    ):
        state = _load_state(settings.home)
        first = FIRST_DAY if state.last_day is None else state.last_day + ONE_DAY
        _refuse_the_future(first + ONE_DAY * (nights - 1))
        os.environ.update(sandbox.environment())
        _save_state(settings.home, state)
        accounts = load_accounts(settings).usable
        with open_log_of_runs(settings) as instance:
            end_dead_runs(instance)
            runner = PipelineRunner(defs(), instance)
            for number in range(1, nights + 1):
                day = first + ONE_DAY * (number - 1)
                sandbox.set_clock(day_start(day + ONE_DAY) + HOUR_OF_NIGHT)
                landed = tuple(runner.land(account, day, day) for account in accounts)
                outcomes += landed
                if any(outcome.failure for outcome in landed):
                    return outcomes
                _save_state(settings.home, DemoState(day))
                tell(Night(number, day, landed))
            outcomes.append(runner.load_and_publish())
    return outcomes


def _refuse_the_future(last: date) -> None:
    """There are no partitions for days that have not begun."""
    today = datetime.now(UTC).date()
    if last > today:
        raise ConfigurationError(
            f"The demo's nights would reach {last}, and today is {today} (UTC). Ask for fewer "
            "with --nights, or remove the demo's folder to begin again."
        )


def _load_state(home: Path) -> DemoState:
    path = marker_path(home)
    return msgspec.json.decode(path.read_bytes(), type=DemoState) if path.exists() else DemoState()


def _save_state(home: Path, state: DemoState) -> None:
    write_atomically(marker_path(home), msgspec.json.encode(state))
