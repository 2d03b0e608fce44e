"""The three APIs together, and the clock of the world behind them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime

from lead_pipeline.sandbox import tenants
from lead_pipeline.sandbox.control import control
from lead_pipeline.sandbox.expert_ai_labs import ExpertAiLabsApi
from lead_pipeline.sandbox.limits import (
    Limits,
    expert_ai_labs_limits,
    mega_limits,
    vorel_limits,
)
from lead_pipeline.sandbox.mega import MegaApi
from lead_pipeline.sandbox.server import ApiServer, Control
from lead_pipeline.sandbox.store import ExpertAiLabsStore
from lead_pipeline.sandbox.vorel import VorelApi
from lead_pipeline.sandbox.world import Change, World


class ExpertAiLabsServer(ApiServer[ExpertAiLabsStore]):
    """The server of Expert AI Labs, whose audit log can be closed to the key."""

    def __init__(
        self,
        api: ExpertAiLabsApi,
        limits: Limits,
        control: Control,
        port: int,
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__("expert_ai_labs", api, limits, control, port, clock)
        self.api = api

    @property
    def audit_log_open(self) -> bool:
        """Whether the key may read the audit log; False: 403."""
        return self.api.audit_log_open

    @audit_log_open.setter
    def audit_log_open(self, is_open: bool) -> None:
        self.api.audit_log_open = is_open


class Sandbox:
    """Three lead APIs on loopback; a context manager.

    world: what is behind them, `World()` when None. limits False: the headers are
    sent, nothing is counted or refused. ports: of MEGA, Expert AI Labs and Vorel; 0
    takes any free one. time_scale divides the periods of the limits: at 60, a minute
    of quota lasts one second.

    The clock stands at the beginning of the world's first day.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        limits: bool = True,
        ports: tuple[int, int, int] = (0, 0, 0),
        time_scale: float = 1.0,
    ) -> None:
        self.world = World() if world is None else world
        self._lock = threading.RLock()
        self._running = ExitStack()
        self._now = self.world.starts_at
        self._day = self.world.first_day
        self._place_in_day = 0
        self.mega = ApiServer(
            "mega",
            MegaApi(),
            mega_limits(enforced=limits, time_scale=time_scale),
            control(self, lambda: self.mega),
            ports[0],
            lambda: self.now,
        )
        self.expert_ai_labs = ExpertAiLabsServer(
            ExpertAiLabsApi(clock=lambda: self.now),
            expert_ai_labs_limits(enforced=limits, time_scale=time_scale),
            control(self, lambda: self.expert_ai_labs),
            ports[1],
            lambda: self.now,
        )
        self.vorel = ApiServer(
            "vorel",
            VorelApi(clock=lambda: self.now),
            vorel_limits(
                enforced=limits, time_scale=time_scale, unix_clock=lambda: self.now.timestamp()
            ),
            control(self, lambda: self.vorel),
            ports[2],
            lambda: self.now,
        )
        self._live_until(self._now)

    @property
    def now(self) -> datetime:
        """The time in the world, UTC."""
        return self._now

    def set_clock(self, at: datetime) -> None:
        """Move the world forward to `at`, letting everything happen until then, included.

        Raises ValueError for a time without an offset or before the present one.
        """
        if at.tzinfo is None:
            raise ValueError("the clock needs a time with an offset")
        with self._lock:
            if at < self._now:
                raise ValueError(f"the clock does not go back from {self._now} to {at}")
            self._live_until(at)
            self._now = at

    def environment(self) -> dict[str, str]:
        """The environment variables that point the pipeline at this sandbox."""
        return {
            "MEGA_BASE_URL": self.mega.url,
            "MEGA_TOKEN": tenants.MEGA_TOKEN,
            "MEGA_CUSTOMER_ID": tenants.MEGA_CUSTOMER_ID,
            "EXPERT_AI_LABS_BASE_URL": self.expert_ai_labs.url,
            "EXPERT_AI_LABS_API_KEY": tenants.EXPERT_AI_LABS_API_KEY,
            "VOREL_BASE_URL": self.vorel.url,
            "VOREL_API_KEY": tenants.VOREL_API_KEY,
        }

    def __enter__(self) -> Sandbox:
        with ExitStack() as starting:
            for server in (self.mega, self.expert_ai_labs, self.vorel):
                server.start()
                starting.callback(server.stop)
            self._running = starting.pop_all()
        return self

    def __exit__(self, *unused: object) -> None:
        self._running.close()

    def _live_until(self, at: datetime) -> None:
        """Let everything happen that the world has for the time until `at`, included."""
        while True:
            changes = self.world.changes_of_day(self._day)
            while self._place_in_day < len(changes):
                change = changes[self._place_in_day]
                if change.at > at:
                    return
                self._apply(change)
                self._place_in_day += 1
            if self.world.begin_of_day(self._day + 1) > at:
                return
            self._day, self._place_in_day = self._day + 1, 0

    def _apply(self, change: Change) -> None:
        store = {
            "mega": self.mega.store,
            "expert_ai_labs": self.expert_ai_labs.store,
            "vorel": self.vorel.store,
        }[change.provider]
        match change.kind:
            case "put":
                store.put(change.content)
            case "delete":
                store.delete(change.lead_id)
            case "update":
                self.expert_ai_labs.store.update(
                    change.lead_id, change.content, change.at, source=change.source
                )
            case "message":
                self.vorel.store.set_last_message(change.lead_id, change.at)
            case "event":
                self.expert_ai_labs.store.events.put(change.content)
