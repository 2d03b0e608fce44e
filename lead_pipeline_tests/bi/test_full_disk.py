"""A disk that is really full, or takes no longer files: readers keep the last file, whole.

Kills, and disks that refuse at any place, are in `lead_pipeline_tests/chaos/`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from lead_pipeline.errors import PublishError
from lead_pipeline_tests.chaos.homes import RULES
from lead_pipeline_tests.sample_builds import Bi, leads_of, run_of

ROOT = Path(__file__).parent.parent.parent
LEADS = leads_of("mega", 3)
MEBIBYTE = 1024 * 1024
ROOM_LEFT = [0, 300_000, MEBIBYTE, 2 * MEBIBYTE, 3 * MEBIBYTE]
"""Bytes; a build takes about 3 MiB, so the disk fills up at different steps."""


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """A file system of its own; the test is skipped where none can be mounted."""
    folder.mkdir()
    mounted = subprocess.run(  # noqa: S603
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],  # noqa: S607
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("a small disk can be mounted by root only")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S603, S607


def test_full_disk_leaves_readers_the_last_file(tmp_path: Path) -> None:
    size = 40 * MEBIBYTE
    with small_disk(tmp_path / "disk", size):
        bi = Bi(tmp_path / "disk" / "home")
        bi.build_and_publish(LEADS, run_id="old", rules=RULES)
        good = bi.published.read_bytes()
        refused = [error for room in ROOM_LEFT if (error := refusal(bi, tmp_path / "disk", room))]
        assert len(refused) >= 2, "the disk was never full"
        assert [error for error in refused if "keep the last file" not in error] == []
        assert bi.published.read_bytes() == good
        bi.build_loaded(run_id="new")
        bi.publish("new", RULES)
        assert run_of(bi.published) == "new"


def refusal(bi: Bi, disk: Path, room: int) -> str | None:
    """What publishing says with so much room left on the disk; None when it succeeds."""
    good = bi.published.read_bytes()
    bi.candidate.unlink(missing_ok=True)
    ballast = fill(disk, room)
    try:
        bi.build_loaded(run_id="new")
        bi.publish("new", RULES)
    except PublishError as error:
        return str(error)
    except duckdb.Error as error:
        # From the marts, whose error is dbt's in production.
        return f"dbt build failed, readers keep the last file: {error}"
    else:
        bi.published.unlink()
        bi.published.write_bytes(good)
        return None
    finally:
        ballast.unlink()


def fill(disk: Path, room: int) -> Path:
    """A file that leaves only `room` bytes on the disk."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        try:
            while True:
                file.write(bytes(64 * 1024))
                file.flush()
        except OSError:
            file.seek(0, 2)
    with ballast.open("r+b") as file:
        file.truncate(max(ballast.stat().st_size - room, 0))
    return ballast


LIMITED = """
import resource, sys
from pathlib import Path
from lead_pipeline.errors import PublishError
from lead_pipeline_tests.chaos.homes import RULES
from lead_pipeline_tests.sample_builds import Bi
bi = Bi(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    bi.build_loaded(run_id="new")
    bi.publish("new", RULES)
except PublishError as error:
    print(error)
"""


@pytest.mark.long
def test_disk_that_takes_no_more_bytes_leaves_readers_the_last_file(tmp_path: Path) -> None:
    bi = Bi(tmp_path)
    bi.build_and_publish(LEADS, run_id="old", rules=RULES)
    good = bi.published.read_bytes()
    for most_bytes in (4096, 300_000, MEBIBYTE):
        ran = subprocess.run(  # noqa: S603
            [sys.executable, "-c", LIMITED, str(tmp_path), str(most_bytes)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        assert "Readers keep the last file" in ran.stdout
        assert bi.published.read_bytes() == good
    bi.build_and_publish(LEADS, run_id="new", rules=RULES)
    assert run_of(bi.published) == "new"
