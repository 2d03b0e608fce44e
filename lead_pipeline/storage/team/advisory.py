"""An advisory lock of PostgreSQL, on a connection of its own.

    try ──got──▶ held ──the connection is lost──▶ lost ──nobody else took it──▶ held again
                  │                                └──somebody did──▶ theirs: we are fenced off
                  └──released, or the process dies──▶ free at once; after a dead machine in 45 s

A lock that is lost stops nobody: what the holder writes next is refused by the conditional puts of
the object store. Every statement carries a note of the holder, which the server shows to those who
wait; it is gone with the connection. Belongs here: one lock. Does not belong here: which locks there
are (`locks.py`), waiting (`storage/locks.py`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2

from lead_pipeline.errors import ConfigurationError, LeadPipelineError, StoreUnavailable
from lead_pipeline.storage.file_locks import NOBODY_KNOWN, now
from lead_pipeline.storage.sql import read_sql
from lead_pipeline.storage.team.postgres import VARIABLE, Database

_logger = logging.getLogger(__name__)

POLL_SECONDS = 0.1
"""How long a lock that others have is left alone before it is tried again."""
WATCH_SECONDS = 10.0
"""How often a holder looks whether its connection is alive."""
GRACE_SECONDS = 60.0
"""How long a server may be away from those who wait, as when it is started again."""

_BITS = 64


def key_of(identity: str, name: str) -> int:
    """The key of a lock: the same in every version, on every machine, and no other team's.

    `identity` tells the shared store from all others in the same database.
    """
    text = f"lead_pipeline\0{identity}\0{name}".encode()
    digest = hashlib.blake2b(text, digest_size=_BITS // 8).digest()
    return int.from_bytes(digest, "big", signed=True)


class AdvisoryLock:
    """The lock with that key; `name` is for messages."""

    def __init__(self, database: Database, key: int, name: str) -> None:
        self._database = database
        self._key = key
        self._name = name
        self._connection: Any = None
        self._answered_at: float | None = None
        self._is_away = False
        self._note = ""
        self._released = threading.Event()
        self._watch: threading.Thread | None = None

    def acquire(self, purpose: str, seconds: float) -> bool:
        """Try for so many seconds; whether it was got.

        Raises `ConfigurationError` where advisory locks do not hold, `StoreUnavailable` where the
        server does not answer.
        """
        deadline = time.monotonic() + seconds
        while not self._try(purpose):
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        _prove(self._database, self._key)
        self._watch = threading.Thread(
            target=self._watch_over, name=f"lock {self._name}", daemon=True
        )
        self._watch.start()
        return True

    def release(self) -> None:
        """Give the lock back, if it was got, and close the connection."""
        self._released.set()
        if self._watch is not None:
            # Whoever takes a lost lock again must not do so after it was released.
            self._watch.join()
            self._watch = None
            self._unlock()
        self._close()
        self._released.clear()

    def is_held(self) -> bool:
        """Whether a living process has the lock at this moment."""
        return self._note_of_holder() is not None

    def holder(self) -> str | None:
        """Who holds the lock, in words; None where nobody does."""
        if self._is_away:
            return f"an answer of PostgreSQL at {self._database.where}"
        note = self._note_of_holder()
        if note is None:
            return None
        try:
            holder = json.loads(note.partition(" -- ")[2])
            return (
                f"process {holder['pid']} on {holder['machine']} ({holder['purpose']}, since "
                f"{holder['since']})"
            )
        except (ValueError, KeyError, TypeError):
            # Another role's statements are not shown to everybody.
            return NOBODY_KNOWN

    def _try(self, purpose: str) -> bool:
        """Try once. A server that has answered before may be away for `GRACE_SECONDS`."""
        holder = {
            "machine": socket.gethostname(),
            "pid": os.getpid(),
            "purpose": purpose,
            "since": now(),
        }
        # JSON has no line break, so the comment ends with the statement.
        self._note = f" -- {json.dumps(holder)}"
        try:
            got = self._ask_for_lock()
        except StoreUnavailable:
            at = self._answered_at
            if at is None or time.monotonic() - at > GRACE_SECONDS:
                raise
            self._is_away = True
            return False
        self._is_away = False
        self._answered_at = time.monotonic()
        return got

    def _ask_for_lock(self) -> bool:
        if self._connection is None:
            self._connection = self._database.connect()
        try:
            return bool(self._answer(f"select pg_try_advisory_lock({self._key})"))
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            self._close()
            raise self._database.unavailable(error) from None

    def _answer(self, statement: str) -> object:
        with self._connection.cursor() as cursor:
            cursor.execute(statement + self._note)
            (answer,) = cursor.fetchone()
            return answer

    def _unlock(self) -> None:
        """Free the lock before the connection ends, which the server may notice a moment later."""
        if self._connection is not None:
            try:
                self._answer(f"select pg_advisory_unlock({self._key})")
            except psycopg2.Error as error:
                _logger.info(
                    "The lock %s went with its connection: %s", self._name, type(error).__name__
                )

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _watch_over(self) -> None:
        """Look at the connection until the lock is released; take a lost lock again if nobody has it."""
        while not self._released.wait(WATCH_SECONDS):
            if self._is_alive():
                continue
            self._close()
            _logger.warning(
                "The lock %s is lost: the connection to PostgreSQL at %s ended. What this process "
                "writes is refused if another one takes its work over.",
                self._name,
                self._database.where,
            )
            if not self._take_again():
                return

    def _is_alive(self) -> bool:
        try:
            self._answer("select 1")
        except psycopg2.Error:
            return False
        return True

    def _take_again(self) -> bool:
        """Whether the lost lock is ours again, rather than somebody else's or released."""
        while not self._released.is_set():
            try:
                if self._ask_for_lock():
                    _logger.warning("The lock %s is held again.", self._name)
                    return True
                _logger.warning("The lock %s has been taken by %s.", self._name, self.holder())
                return False
            except LeadPipelineError as error:
                _logger.info("The lock %s is still lost. %s", self._name, error)
            self._released.wait(WATCH_SECONDS)
        return False

    def _note_of_holder(self) -> str | None:
        """The last statement of whoever holds the lock; None where nobody does."""
        unsigned = self._key % 2**_BITS
        halves = {"upper": unsigned >> 32, "lower": unsigned % 2**32}
        with self._connection_for_questions() as connection:
            try:
                with connection.cursor() as cursor:
                    cursor.execute(read_sql("storage/team", "holder"), halves)
                    row = cursor.fetchone()
            except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
                raise self._database.unavailable(error) from None
        return None if row is None else str(row[0])

    @contextmanager
    def _connection_for_questions(self) -> Iterator[Any]:
        """The connection of somebody who waits, else one for this question alone."""
        if self._connection is not None:
            yield self._connection
            return
        connection = self._database.connect()
        try:
            yield connection
        finally:
            connection.close()


_proven: set[str] = set()
"""Databases on which this process has seen that locks hold."""


def _prove(database: Database, key: int) -> None:
    """See once, by a lock that is held, that a second connection does not get it.

    A pooler that lends one connection of the server to several clients lets everybody in.
    """
    if database.url in _proven:
        return
    connection = database.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"select pg_try_advisory_lock({key})")
            (is_shared,) = cursor.fetchone()
    finally:
        connection.close()
    if is_shared:
        raise ConfigurationError(
            f"Locks do not hold in PostgreSQL at {database.where}: a lock that is held could be taken "
            f"a second time. Let {VARIABLE} name the server itself, or a pooler in session mode."
        )
    _proven.add(database.url)
