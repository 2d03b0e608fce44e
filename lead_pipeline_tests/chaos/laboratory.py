"""The place of the experiments: a home that is made once, copies of it, and children that work there.

This process opens no DuckDB and starts no thread: children are forked from it, warm. Belongs here:
homes and children. Does not belong here: what is done to them.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from lead_pipeline.providers.base import Account
from lead_pipeline.sandbox import Sandbox, World
from lead_pipeline_tests.chaos.homes import DIGESTS, PARTS, Home, bytes_digest, make_home
from lead_pipeline_tests.chaos.stages import Stage
from lead_pipeline_tests.chaos.system_calls import Call, Decision, Ended, unwatched, watched
from lead_pipeline_tests.pulling import MAKE_LEAD, PAGE_SIZES, account_of, at

PROVIDER = "vorel"
PAGES = 3
IMPORTED_LATE = ("pandas", "pytz", "httpcore", "anyio", "pyarrow.parquet", "phonenumbers.data")
"""What DuckDB and others import when they need it: better once than in each child."""


class CannotBeRead(Exception):
    """Something in a home is not as it can be read; says what was wrong."""


@dataclass(frozen=True)
class Laboratory:
    """A folder with the home that all copies are made of, `template`, which nobody changes."""

    folder: Path
    account: Account
    variables: Mapping[str, str]
    """The environment in which a command knows the account."""

    @property
    def template(self) -> Home:
        """The home before anything is done."""
        return Home(self.folder / "template", self.account)

    @cached_property
    def template_bytes(self) -> dict[str, str]:
        """The digests of the template's files."""
        return {part: bytes_digest(self.template, part) for part in PARTS}

    def fresh_home(self) -> Home:
        """A copy of the template; there is one at a time."""
        home = Home(self.folder / "home", self.account)
        shutil.rmtree(home.folder, ignore_errors=True)
        shutil.copytree(self.template.folder, home.folder)
        return home

    def do(self, deed: Callable[[Home], object], home: Home) -> Ended:
        """Do it in a child, to its end."""
        return unwatched(lambda: deed(home), self.folder / "said")

    def do_watched(self, stage: Stage, home: Home, decide: Callable[[Call], Decision]) -> Ended:
        """Do the stage in a child; `decide` says what becomes of each call."""
        return watched(lambda: stage.do(home), home.folder, decide, self.folder / "said")

    def found(self, look: Callable[[Home], object], home: Home) -> Any:
        """What a child finds. Raises `CannotBeRead` where it cannot look."""
        note = self.folder / "found"
        note.unlink(missing_ok=True)
        ended = self.do(lambda home: note.write_bytes(msgspec.json.encode(look(home))), home)
        if ended.status:
            raise CannotBeRead(ended.said)
        return msgspec.json.decode(note.read_bytes())

    def digests(self, home: Home, parts: Iterable[str]) -> dict[str, str]:
        """The digests of these parts; those that are as in the template are read byte by byte only.

        Raises `CannotBeRead`.
        """
        untouched = {
            part: "as before"
            for part in parts
            if bytes_digest(home, part) == self.template_bytes[part]
        }
        touched = sorted(set(parts) - set(untouched))
        if not touched:
            return untouched
        read: dict[str, str] = self.found(
            lambda home: {part: DIGESTS[part](home) for part in touched}, home
        )
        return untouched | read


@contextmanager
def open_laboratory(folder: Path) -> Iterator[Laboratory]:
    """A laboratory in an empty folder, with an API that runs in a process of its own."""
    # What is expected to fail need not be logged.
    logging.disable(logging.CRITICAL)
    for name in IMPORTED_LATE:
        import_module(name)
    pa.array([0])
    with _served_account() as (account, variables):
        laboratory = Laboratory(folder, account, variables)
        ended = laboratory.do(make_home, laboratory.template)
        if ended.status:
            raise SystemExit(f"The home could not be made: {ended.said}")
        yield laboratory


@contextmanager
def _served_account() -> Iterator[tuple[Account, dict[str, str]]]:
    """An account of an API that a child serves, since servers have threads."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _serve(writing)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as told:
            fields, variables = msgspec.json.decode(told.read())
        yield Account(**fields), variables
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _serve(writing: int) -> None:
    with Sandbox(World.empty(), limits=False) as sandbox:
        server = sandbox.vorel
        server.clock = lambda: datetime.now(UTC)
        server.store.put_all(
            MAKE_LEAD[PROVIDER](100 + n, at(1, 0, n // 60, n % 60), at(1 + n % 3 * 5, 12))
            for n in range((PAGES - 1) * PAGE_SIZES[PROVIDER] + 1)
        )
        account = account_of(sandbox, PROVIDER)
        names = ("name", "provider", "base_url", "credentials")
        fields = {name: getattr(account, name) for name in names}
        prefix = PROVIDER.upper()
        variables = {n: v for n, v in sandbox.environment().items() if n.startswith(prefix)}
        with os.fdopen(writing, "wb") as told:
            told.write(msgspec.json.encode((fields, variables)))
        while True:
            signal.pause()
