"""Sending events, so that no run ever fails or waits for long because of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from lead_pipeline.lineage.events import Job, Table, event_of
from lead_pipeline.settings import Settings

Tell = Callable[[str], object]

TIMEOUT_SECONDS = 3.0
"""For one event: to connect, and between two bytes of the answer."""
BUDGET_SECONDS = 10.0
"""For the events of one step; what is left over is not sent."""
PAUSE_SECONDS = 300.0
"""How long a process leaves a server alone that has not answered."""

_silent_until = 0.0


class Done:
    """What a job has written, as far as its end tells more than its beginning."""

    def __init__(self, outputs: Sequence[Table]) -> None:
        self.outputs = outputs


class Lineage:
    """The events of one step of a Dagster run."""

    def __init__(self, settings: Settings, run_id: str, job_name: str, tell: Tell) -> None:
        """`tell` hears, once, that events could not be sent."""
        self._settings = settings
        self._run = run_id, job_name
        self._tell = tell
        self._spent = 0.0

    @property
    def is_wanted(self) -> bool:
        """Whether a server is set, and it answers as far as is known."""
        return (
            self._settings.openlineage_url is not None
            and self._spent < BUDGET_SECONDS
            and time.monotonic() >= _silent_until
        )

    def job(self, name: str, inputs: Sequence[Table] = (), outputs: Sequence[Table] = ()) -> Job:
        """A run of its own of the job."""
        namespace = self._settings.openlineage_namespace
        return Job(namespace, name, str(uuid4()), *self._run, tuple(inputs), tuple(outputs))

    @contextmanager
    def telling(
        self, name: str, inputs: Sequence[Table] = (), outputs: Sequence[Table] = ()
    ) -> Iterator[Done]:
        """Tell that the job begins, and how the block ended: COMPLETE, or FAIL where it raises.

        What is yielded takes outputs that are only known at the end.
        """
        done = Done(outputs)
        job = self.job(name, inputs, outputs)
        self.send([(job, "START", datetime.now(UTC), None)])
        try:
            yield done
        except BaseException as error:
            # Its message can name what is of this machine only.
            self.send([(job, "FAIL", datetime.now(UTC), type(error).__name__)])
            raise
        self.send([(replace(job, outputs=done.outputs), "COMPLETE", datetime.now(UTC), None)])

    def send(self, events: Iterable[tuple[Job, str, datetime, str | None]]) -> None:
        """Send events of jobs: state, time, kind of error. Never raises."""
        if not self.is_wanted:
            return
        started = time.monotonic()
        try:
            self._send(events)
        except ImportError:
            self._give_up("the package is missing: pip install 'lead-pipeline[openlineage]'")
        except Exception as error:
            # Messages of HTTP clients quote the address, which can hold a secret.
            self._give_up(type(error).__name__)
        finally:
            self._spent += time.monotonic() - started

    def _send(self, events: Iterable[tuple[Job, str, datetime, str | None]]) -> None:
        from openlineage.client.transport.http import (
            ApiKeyTokenProvider,
            HttpConfig,
            HttpTransport,
            TokenProvider,
        )

        url, key = self._settings.openlineage_url, self._settings.openlineage_api_key
        if url is None:
            return
        key_given = {} if key is None else {"api_key": key.get_secret_value()}
        config = HttpConfig(
            # Without the last slash, the client would leave a part of the path away.
            url=f"{url.get_secret_value().rstrip('/')}/",
            timeout=TIMEOUT_SECONDS,
            auth=ApiKeyTokenProvider(key_given) if key_given else TokenProvider({}),
            retry={"total": 0},
        )
        # Not `OpenLineageClient`, which reads variables and files that are meant for other programs.
        transport = HttpTransport(config)
        try:
            deadline = time.monotonic() + BUDGET_SECONDS - self._spent
            for job, state, at, error in events:
                if time.monotonic() > deadline:
                    raise TimeoutError
                transport.emit(event_of(job, state, at, error))
        finally:
            transport.close()

    def _give_up(self, why: str) -> None:
        global _silent_until
        _silent_until = time.monotonic() + PAUSE_SECONDS
        self._tell(
            f"Lineage could not be sent ({why}); nothing else is concerned. Look at the server of "
            "LEAD_PIPELINE_OPENLINEAGE_URL, or unset it."
        )
