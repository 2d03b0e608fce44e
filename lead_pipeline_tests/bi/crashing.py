"""Publishing and rolling back, killed at every single step.

    python -m lead_pipeline_tests.bi.crashing publish|rollback HOME FOLDER FIRST BY

Tries the steps FIRST, FIRST + BY, …, so that several processes can share the work. Copies HOME to FOLDER for each step, does the deed in a child that is killed by SIGKILL as it is about to
execute the n-th line of the modules that change files, and looks at what readers would find; then
publishes another candidate, as the next run would. Prints one line of JSON per step. Forks, so
this process itself never opens DuckDB, which has threads.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import duckdb

import lead_pipeline
from lead_pipeline.bi.gate import PublishRules
from lead_pipeline.bi.rollback import roll_back
from lead_pipeline_tests.sample_builds import Bi, leads_of, run_of

PACKAGE = Path(lead_pipeline.__file__).parent
TRACED = {
    str(PACKAGE / name)
    for name in (
        "bi/candidate.py",
        "bi/retained_builds.py",
        "bi/publish.py",
        "bi/rollback.py",
        "storage/duckdb_files.py",
        "storage/files.py",
    )
}
assert all(Path(name).exists() for name in TRACED)
IMPORTED_ONCE = [import_module(name) for name in ("pandas", "pytz")]
"""DuckDB imports these when it needs them, which would cost each child a second."""
RULES = PublishRules(kept_builds=2)
LEADS = leads_of("mega", 3)


@dataclass(frozen=True)
class Step:
    """What came of being killed at one step."""

    line: str
    """The line that was to be executed next; empty: the deed was done before the kill."""
    readers_have: str
    """The run of the published file, as a reader that opens it finds it."""
    recovered: bool
    """Whether the next publication succeeded, and left nothing unfinished behind."""


def make_home(bi: Bi) -> None:
    """Two publications, a candidate of run `new`, and one for the next run put aside."""
    for run_id in ("older", "old"):
        bi.build_and_publish(LEADS, run_id=run_id, rules=RULES)
    bi.build_loaded(run_id="next")
    bi.candidate.rename(bi.home / "next.duckdb")
    bi.build_loaded(run_id="new")


def publish(bi: Bi) -> None:
    """Publish the candidate."""
    bi.publish("new", RULES)


def rollback(bi: Bi) -> None:
    """Go back to the build before."""
    roll_back(bi.published, to=None, masking_key_id=None)


def killed_at(step: int, deed: Callable[[], None], note: Path) -> None:
    """Do it, but be killed before the `step`-th line of the traced modules is first executed."""
    lines: set[str] = set()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in TRACED:
            return None
        if event == "line":
            line = f"{Path(frame.f_code.co_filename).relative_to(PACKAGE)}:{frame.f_lineno}"
            lines.add(line)
            if len(lines) == step:
                note.write_text(line)
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    deed()
    sys.settrace(None)


def in_child(deed: Callable[[], object]) -> int:
    """The status that a child ends with, which does `deed`."""
    child = os.fork()
    if child == 0:
        try:
            deed()
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def readers_have(bi: Bi, note: Path) -> str:
    def look() -> None:
        try:
            note.write_text(run_of(bi.published))
        except (duckdb.Error, OSError) as error:
            note.write_text(f"{type(error).__name__}")

    in_child(look)
    return note.read_text()


def recover(bi: Bi) -> None:
    bi.candidate.unlink(missing_ok=True)
    bi.home.joinpath("next.duckdb").rename(bi.candidate)
    bi.publish("next", RULES)
    assert run_of(bi.published) == "next"
    assert list(bi.published.parent.rglob("*.tmp")) == []
    assert list(bi.published.parent.rglob("*.wal")) == []
    # The killed run's note of when its build was tested goes with a later publication.
    assert [path for path in bi.candidate.parent.iterdir() if path.suffix != ".tested"] == []


def steps_of(
    deed: Callable[[Bi], None], template: Path, folder: Path, first: int, by: int
) -> Iterator[Step]:
    """Kill at one step after the other, until the deed is done before it is killed."""
    note = folder / "note"
    for step in count(first, by):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
        bi = Bi(folder)
        note.write_text("")
        status = in_child(partial(killed_at, step, partial(deed, bi), note))
        line = note.read_text()
        found = readers_have(bi, note)
        yield Step(line, found, recovered=in_child(partial(recover, bi)) == 0)
        if status == 0:
            return
        if status != -signal.SIGKILL:
            raise SystemExit(f"ended with {status} at step {step}")


def main() -> None:
    name, template, folder, first, by = sys.argv[1:]
    deed = {"publish": publish, "rollback": rollback}[name]
    for step in steps_of(deed, Path(template), Path(folder), int(first), int(by)):
        sys.stdout.write(json.dumps(asdict(step)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
