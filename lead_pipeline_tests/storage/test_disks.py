"""A disk that does not take what is written is named, whichever library noticed it."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from lead_pipeline.errors import CrawlError, LoadError
from lead_pipeline.normalized.load import load_landing
from lead_pipeline.sandbox import Sandbox
from lead_pipeline.sandbox.examples import vorel_lead
from lead_pipeline.storage.disks import disk_error, naming_the_disk
from lead_pipeline_tests.chaos.system_calls import IS_POSSIBLE, Call, Decision, Fail, watched
from lead_pipeline_tests.commands import COMMAND, environment
from lead_pipeline_tests.normalized.landings import Landing
from lead_pipeline_tests.pulling import account_of, at, days, pull, settings_in


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number), "some.parquet")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (os_error(errno.ENOSPC), "No space left on device: some.parquet"),
        (os_error(errno.EROFS), "Read-only file system: some.parquet"),
        (os_error(errno.EFBIG), "File too large: some.parquet"),
        (OSError("[Errno 5] Error writing bytes. Detail: Input/output error"), "Input/output"),
        (duckdb.IOException("IO Error: Could not write file: No space left"), "No space left"),
        (os_error(errno.EACCES), None),
        (duckdb.IOException("IO Error: Cannot open file"), None),
        (ValueError("no space left"), None),
    ],
)
def test_what_an_error_says_of_the_disk(error: Exception, said: str | None) -> None:
    found = disk_error(error)
    assert found is None if said is None else said in (found or "")


def fail_twice() -> None:
    with naming_the_disk("The warehouse", LoadError, Path("warehouse.duckdb")):
        try:
            raise os_error(errno.ENOSPC)
        except OSError:
            raise duckdb.IOException("IO Error: Could not write file after that") from None


def test_the_first_error_of_a_chain_is_the_one_to_see() -> None:
    with pytest.raises(LoadError, match="No space left") as raised:
        fail_twice()
    assert "after that" not in str(raised.value)


def test_values_of_leads_are_not_repeated() -> None:
    error = duckdb.IOException("IO Error: Could not write file\nLINE 1: insert 'Ada Quist'")
    assert "Ada" not in (disk_error(error) or "")


def test_a_load_for_which_there_is_no_room_says_so_and_completes_when_there_is(
    tmp_path: Path,
) -> None:
    settings = settings_in(tmp_path / "home")
    leads = [vorel_lead(n, at(1), at(2), name=os.urandom(120).hex()) for n in range(4_000)]
    Landing(settings).leads("vorel", *leads)
    limit = 900 * 1024
    # A limit on the size of files gives the same failed writes as a full disk.
    full = subprocess.run(  # noqa: S603
        [COMMAND, "rebuild"],
        cwd=tmp_path,
        env=environment(settings.home),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    last = full.stderr.strip().splitlines()[-1]
    assert (full.returncode, "cannot be written" in last, "Make room" in last) == (1, True, True)
    assert not any(word in full.stderr for word in ("rollback", "defect", "Traceback"))
    assert load_landing(settings).table_rows["leads"] == 4_000


def test_a_crawl_for_which_there_is_no_room_names_the_disk(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.vorel.store.put(vorel_lead(1, at(1), at(2)))

    def full(*_: object) -> None:
        raise os_error(errno.ENOSPC)

    settings = settings_in(tmp_path / "home")
    monkeypatch.setattr("lead_pipeline.landing.crawl.write_flush", full)
    with pytest.raises(CrawlError, match=r"No space left on device.* Make room"):
        pull(settings, account_of(sandbox, "vorel"), days(1, 20))
    monkeypatch.undo()
    assert pull(settings, account_of(sandbox, "vorel"), days(1, 20)).complete


def test_value_with_the_words_of_a_full_disk_is_no_full_disk() -> None:
    with closing(duckdb.connect()) as connection, pytest.raises(duckdb.Error) as caught:
        connection.execute("select 'Ada has no space left on device'::int")
    assert disk_error(caught.value) is None


@pytest.mark.skipif(not IS_POSSIBLE, reason="a child can be watched on Linux on x86-64 only")
def test_a_disk_that_is_full_as_a_rebuild_ends_is_named(tmp_path: Path) -> None:
    """DuckDB closes a file without a word when what it still has to write does not fit."""
    settings = settings_in(tmp_path / "home")
    Landing(settings).leads("vorel", vorel_lead(1, at(1), at(2)))
    committed: list[Call] = []

    def decide(call: Call) -> Decision:
        if call.name == "fsync" and call.path.endswith(".wal"):
            committed.append(call)
        is_file = call.path.endswith(settings.warehouse_path.name)
        # The tables are made in one commit, and filled in the next.
        full = len(committed) > 1 and is_file and call.name == "pwrite64"
        return Fail(errno.ENOSPC) if full else "go on"

    def rebuild() -> None:
        load_landing(settings, rebuild=True)

    ended = watched(rebuild, settings.home, decide, tmp_path / "said")
    assert ended.said.startswith("LoadError: The warehouse ")
    assert "No space left on device" in ended.said
    assert "are free there" in ended.said
    assert load_landing(settings).table_rows["leads"] == 1
