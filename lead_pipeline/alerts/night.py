"""Telling what has become of a night: the one place that commands and Dagster call.

    ended runs ─┐
    findings ───┼──▶ causes ──▶ ledger, under its lock ──▶ channels ──▶ ledger
    drift ──────┘                                    └──all well──▶ heartbeat

Whatever happens here, the night is what it was: nothing is raised, and it ends within `SECONDS`. What
was not delivered is said in a sentence, and is tried again at the next look.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from lead_pipeline.accounts import load_accounts
from lead_pipeline.alerts.alert import PUBLICATION, Alert, Look, together
from lead_pipeline.alerts.channels import HEARTBEAT, Channel, beat, channels_of
from lead_pipeline.alerts.delivery import SECONDS, Send, deliver
from lead_pipeline.alerts.drift import look_at_drift
from lead_pipeline.alerts.failures import FAILURES, Ended, look_at
from lead_pipeline.alerts.findings import look_at_findings
from lead_pipeline.alerts.ledger import Ledger, load_ledger, save_ledger
from lead_pipeline.alerts.message import Over, message_of, trial_message
from lead_pipeline.errors import LeadPipelineError
from lead_pipeline.health.findings import find
from lead_pipeline.settings import Settings
from lead_pipeline.storage.disks import disk_error, unwritable
from lead_pipeline.storage.locks import held
from lead_pipeline.storage.seams import seams_of

Tell = Callable[[str], None]

CAUSES_PER_MESSAGE = 25
"""More go into another message: chats cut long ones."""

BAD = frozenset({*FAILURES, "gap", "stale", "doubtful", "missing-account"})
"""While one of these holds, a night that nobody commanded as a whole is not good."""


def is_anybody_told(settings: Settings) -> bool:
    """Whether a channel or a heartbeat is set."""
    return bool(channels_of(settings)) or settings.heartbeat_url is not None


def try_channels(settings: Settings, now: datetime) -> dict[str, str | None]:
    """Send a test by each channel that is set: why it did not arrive, by channel; None: it did.

    The heartbeat is left alone: it would say that a night was good.
    """
    sends: dict[str, list[Send]] = {
        channel.name: [partial(channel.send, trial_message(now))]
        for channel in channels_of(settings)
    }
    delivered = deliver(sends, time.monotonic() + SECONDS)
    return {name: result.failure for name, result in delivered.items()}


def after_night(
    settings: Settings,
    ended: Sequence[Ended],
    tell: Tell,
    *,
    is_whole: bool,
    now: datetime | None = None,
) -> None:
    """Tell of causes after a command has done what it was asked for; `tell` hears what went wrong.

    `is_whole`: it was asked for all accounts, so that it is a good night when nothing has failed.
    """
    is_good = is_whole and not any(item.failure for item in ended)
    _look_and_tell(settings, ended, tell, now or datetime.now(UTC), lambda *_: is_good)


def after_runs(
    settings: Settings,
    ended: Sequence[Ended],
    tell: Tell,
    *,
    is_published: bool,
    now: datetime | None = None,
) -> None:
    """Tell of causes after some runs, of which nobody knows which belong together.

    `is_published`: readers have been given a file. If nothing bad is known then, the night was a
    good one; of a day, one heartbeat says so.
    """
    now = now or datetime.now(UTC)

    def is_good(ledger: Ledger, look: Look) -> bool:
        is_known = look.covers("gap", PUBLICATION)
        is_bad = any(cause.kind in BAD for cause in ledger.holding())
        is_new = ledger.heartbeat_on != now.astimezone(UTC).date()
        return is_published and is_known and not is_bad and is_new

    _look_and_tell(settings, ended, tell, now, is_good)


def _look_and_tell(
    settings: Settings,
    ended: Sequence[Ended],
    tell: Tell,
    now: datetime,
    is_good: Callable[[Ledger, Look], bool],
) -> None:
    if not is_anybody_told(settings):
        return
    with _harmless("Alerts could not be sent", tell):
        look = together([look_at(ended), *_looks_at_data(settings, now, tell)])
        deadline = time.monotonic() + SECONDS
        with held(settings.alerts_lock, "telling of alerts", tell, patience=SECONDS / 2):
            ledger = load_ledger(settings.alerts_path)
            ledger.take(_without_repeats(look), now)
            _tell_all(settings, ledger, now, deadline, tell, is_good(ledger, look))
            save_ledger(settings.alerts_path, ledger)


def _looks_at_data(settings: Settings, now: datetime, tell: Tell) -> list[Look]:
    """What is found now; what cannot be looked at is said, and is as it was."""
    looks: list[Look] = []
    with _harmless("Whether the data is healthy was not evaluated", tell):
        seams_of(settings).landing.refresh()
        looks.append(look_at_findings(find(settings, load_accounts(settings), now)))
    with _harmless("Contract drift was not evaluated", tell):
        looks.append(look_at_drift(settings))
    return looks


def _without_repeats(look: Look) -> Look:
    """Without failures of accounts that could not but fail, since they lack credentials."""
    missing = {alert.where for alert in look.alerts if alert.kind == "missing-account"}
    return replace(
        look,
        alerts=tuple(
            alert
            for alert in look.alerts
            if alert.kind not in FAILURES or alert.where not in missing
        ),
    )


def _tell_all(
    settings: Settings,
    ledger: Ledger,
    now: datetime,
    deadline: float,
    tell: Tell,
    is_good: bool,
) -> None:
    """Tell each channel what it is to be told, and note in the ledger what arrived."""
    channels = channels_of(settings)
    parcels = {channel.name: _parcels(ledger, channel.name, now) for channel in channels}
    sends: dict[str, list[Send]] = {
        channel.name: [_send(channel, *parcel) for parcel in parcels[channel.name]]
        for channel in channels
    }
    if is_good and settings.heartbeat_url is not None:
        sends[HEARTBEAT] = [partial(beat, settings)]
    for name, delivered in deliver(sends, deadline).items():
        for alerts, overs in parcels.get(name, [])[: delivered.count]:
            ledger.told(name, alerts, overs, now)
        if name == HEARTBEAT and delivered.failure is None:
            ledger.heartbeat_on = now.astimezone(UTC).date()
        if delivered.failure is not None:
            what = "The heartbeat" if name == HEARTBEAT else f"An alert by {name}"
            tell(f"{what} was not delivered: {delivered.failure}")
    ledger.forget_what_all_know([channel.name for channel in channels])


def _parcels(ledger: Ledger, channel: str, now: datetime) -> list[tuple[list[Alert], list[Over]]]:
    """What the channel is to be told, message by message."""
    alerts, overs = ledger.due(channel, now)
    pieces: list[Alert | Over] = [*alerts, *overs]
    chunks = [
        pieces[start : start + CAUSES_PER_MESSAGE]
        for start in range(0, len(pieces), CAUSES_PER_MESSAGE)
    ]
    return [
        (
            [piece for piece in chunk if isinstance(piece, Alert)],
            [piece for piece in chunk if isinstance(piece, Over)],
        )
        for chunk in chunks
    ]


def _send(channel: Channel, alerts: list[Alert], overs: list[Over]) -> Send:
    return partial(channel.send, message_of(alerts, overs))


@contextmanager
def _harmless(what: str, tell: Tell) -> Iterator[None]:
    """Say in a sentence what went wrong in the block, and go on."""
    try:
        yield
    except TimeoutError as error:
        tell(f"{what}: {error} takes too long. It is tried again at the next look.")
    except Exception as error:
        tell(f"{what}: {_said(error)}")


def _said(error: Exception) -> str:
    """One sentence. Texts of errors that are not ours can hold what was read."""
    if isinstance(error, LeadPipelineError):
        return str(error)
    cause = disk_error(error)
    if cause is not None:
        return unwritable("A file", cause)
    return f"unexpected {type(error).__name__}. This is a defect; report it."
