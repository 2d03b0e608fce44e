"""Which causes there are, and who was told of them when: `alerts.json`.

    Look ──▶ causes that hold, or are over ──▶ what a channel is to be told ──▶ told

A cause is told to each channel once a day, and once when it is over. What could not be delivered
stays to be told. Belongs here: what is to be told. Does not belong here: telling it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec

from lead_pipeline.alerts.alert import Alert, Look
from lead_pipeline.alerts.message import Over
from lead_pipeline.storage.files import remove_temporaries_of, write_atomically

AGAIN_AFTER = timedelta(hours=23)
"""A cause that still holds is told again. An hour less than a day: a nightly run that ends a little
earlier than the night before would else tell of it every other day."""


class Cause(msgspec.Struct):
    """A cause that holds, or that is over and somebody does not know it yet."""

    kind: str
    where: str
    what: str
    remedy: str
    since: datetime
    told: dict[str, datetime] = {}
    """When each channel was told last that it holds."""
    over_since: datetime | None = None

    @property
    def alert(self) -> Alert:
        """What is told of it."""
        return Alert(self.kind, self.where, self.what, self.remedy, self.since)


class Ledger(msgspec.Struct):
    """All causes by their name, and the last day with a heartbeat."""

    causes: dict[str, Cause] = {}
    heartbeat_on: date | None = None

    def take(self, look: Look, now: datetime) -> None:
        """Enter what a look has shown."""
        for alert in look.alerts:
            self._enter(alert, now)
        seen = {alert.cause for alert in look.alerts}
        for name, cause in list(self.causes.items()):
            if name in seen or cause.over_since or not look.covers(cause.kind, cause.where):
                continue
            if cause.told:
                cause.over_since = now
            else:
                # Nobody knows of it, so nobody needs to know that it is over.
                del self.causes[name]

    def _enter(self, alert: Alert, now: datetime) -> None:
        known = self.causes.get(alert.cause)
        if known is None or known.over_since is not None:
            known = Cause(alert.kind, alert.where, "", "", now)
            self.causes[alert.cause] = known
        known.what, known.remedy = alert.what, alert.remedy
        known.since = alert.since or known.since

    def due(self, channel: str, now: datetime) -> tuple[list[Alert], list[Over]]:
        """What the channel is to be told: causes that hold, and told ones that are over."""
        alerts, overs = [], []
        for cause in self.causes.values():
            told = cause.told.get(channel)
            if cause.over_since is not None:
                if told is not None:
                    overs.append(Over(cause.alert, cause.over_since))
            # Told in the future: the clock was set back.
            elif told is None or not timedelta(0) <= now - told < AGAIN_AFTER:
                alerts.append(cause.alert)
        return alerts, overs

    def told(
        self, channel: str, alerts: Collection[Alert], overs: Collection[Over], now: datetime
    ) -> None:
        """The channel has been told of these."""
        for alert in alerts:
            self.causes[alert.cause].told[channel] = now
        for over in overs:
            del self.causes[over.alert.cause].told[channel]

    def forget_what_all_know(self, channels: Collection[str]) -> None:
        """Drop causes that are over where no channel that is still set is left to be told."""
        for name, cause in list(self.causes.items()):
            if cause.over_since is not None and not set(channels) & cause.told.keys():
                del self.causes[name]

    def holding(self) -> list[Cause]:
        """The causes that hold."""
        return [cause for cause in self.causes.values() if cause.over_since is None]


def load_ledger(path: Path) -> Ledger:
    """The ledger at `path`; an empty one where there is none, or none that can be read.

    What a damaged one held is told once more: better than never.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Ledger)
    except (FileNotFoundError, msgspec.DecodeError):
        return Ledger()


def save_ledger(path: Path, ledger: Ledger) -> None:
    """Write the ledger; the caller holds its lock. Raises `OSError` where the disk takes nothing."""
    remove_temporaries_of(path)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(ledger), indent=1))
