"""The kinds of locks, and processes that take them: what the contract of locks is tested with.

folder   two processes of one home
team     two homes, as of two machines, with one PostgreSQL between them
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lead_pipeline.storage.locks import use_locks

STORE = "s3://leads/production"

_PROGRAM = """
import sys, time
from pathlib import Path
from lead_pipeline.storage.locks import held, holder_of
from lead_pipeline_tests.storage.lock_kinds import take_locks_of
path, url, work = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
if url:
    take_locks_of(path.parent.parent, url)
"""

HOLD = """
with held(path, "holding it"):
    print("held", flush=True)
    time.sleep(float(work or 60))
"""

_COUNT = """
print("ready", flush=True)
sys.stdin.readline()
counter = Path(work)
for _ in range(20):
    with held(path, "counting"):
        count = int(counter.read_text())
        # Long enough for another one to come in, where nothing keeps it out.
        time.sleep(0.002)
        counter.write_text(str(count + 1))
"""


def program_of(work: str) -> str:
    """A program that does `work`; its arguments are a lock, a team's database, and the work's own."""
    return _PROGRAM + work


def take_locks_of(home: Path, url: str, store: str = STORE) -> None:
    """Let this process take the team's locks for that home."""
    from lead_pipeline.storage.team.locks import TeamLocks
    from lead_pipeline.storage.team.postgres import Database

    use_locks(home, TeamLocks(Database.of(url), store))


@dataclass(frozen=True)
class Contest:
    """One lock, as it is seen from two places."""

    here: Path
    there: Path
    """Where the other one wants it: another home for a team, else the same path."""
    url: str = ""
    """The team's database; empty: there is none."""

    @contextmanager
    def process(self, work: str, argument: str = "") -> Iterator[subprocess.Popen[str]]:
        """A process that does `work` there; it is killed at the end of the block."""
        with subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", program_of(work), str(self.there), self.url, argument],
            # Where this package is found.
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.send_signal(signal.SIGKILL)

    @contextmanager
    def held_there(self) -> Iterator[subprocess.Popen[str]]:
        """Another process has the lock."""
        with self.process(HOLD) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process

    def counting_there(self, counter: Path) -> AbstractContextManager[subprocess.Popen[str]]:
        """A process that counts up 20 times under the lock, once it is told to begin."""
        return self.process(_COUNT, str(counter))
